// What a worker does for those who have not shown who they are, within limits.
#include "rows.h"
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define BINDING "\x00\x01\x00\x00" STUN_COOKIE TRANSACTION
// With eight bytes of something that may be ignored.
#define BINDING_PADDED                                                \
	"\x00\x01\x00\x0c" STUN_COOKIE TRANSACTION "\x80\x99\x00\x08" \
	"12345678"
#define ALLOCATE "\x00\x03\x00\x00" STUN_COOKIE TRANSACTION
#define INTEGRITY          \
	"\x00\x08\x00\x14" \
	"12345678901234567890"
#define CLASSIC(head) head "0123" TRANSACTION
#define SIGNED(method) method "\x00\x18" STUN_COOKIE TRANSACTION INTEGRITY

static struct rig rig;
static uint64_t now_ms;

static void open_rig(struct worker_answers answers, uint16_t n_workers)
{
	const struct rig_options options = {
		.virtual_ms = &now_ms, .answers = answers, .n_workers = n_workers};

	now_ms = 1000000;
	rig_open(&rig, &options);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
}

static void send_on(unsigned queue, const char *from, const char *bytes, size_t n)
{
	const bool ipv4 = *from != '[';
	const struct datagram datagram = {from, ipv4 ? SERVICE : SERVICE6, bytes, n};
	const struct frame frame = frame_udp(&datagram);

	rig_receive_on(&rig, queue, &frame);
	worker_poll(rig.workers[queue].worker);
}

// How many of `n` Binding requests are answered.
static unsigned bind_on(unsigned queue, const char *from, unsigned n)
{
	struct frame frame;
	unsigned n_answers = 0;

	for (unsigned i = 0; i < n; i++) {
		send_on(queue, from, BINDING, sizeof(BINDING) - 1);
		n_answers += rig_sent_on(&rig, queue, &frame);
	}
	return n_answers;
}

// How many of `n` such requests are handed to control.
static unsigned ask(const char *from, const char *bytes, size_t n_bytes, unsigned n)
{
	struct msg msg;
	unsigned n_punts = 0;

	for (unsigned i = 0; i < n; i++) {
		send_on(0, from, bytes, n_bytes);
		if (!rig_control(&rig, &rig.workers[0].punts, &msg))
			continue;
		rte_pktmbuf_free(msg.mbuf);
		n_punts++;
	}
	return n_punts;
}

#define ASK(from, bytes, n) ask(from, bytes, sizeof(bytes) - 1, n)

// An answer to them would reach nobody, or many.
Test(worker_budgets, sources_that_cannot_be_answered_are_not)
{
	static const char *const bad[] = {"0.0.0.0:5000", "0.1.2.3:5000", "127.0.0.1:5000",
		"224.0.0.1:5000", "239.255.255.250:5000", "255.255.255.255:5000", "198.18.0.10:0",
		"[::]:5000", "[::1]:5000", "[ff02::1]:5000", "[2001:db8:1::10]:0"};
	static const char *const good[] = {"1.0.0.1:5000", "126.0.0.1:5000", "128.0.0.1:5000",
		"223.255.255.254:5000", "240.0.0.1:5000", "[::2]:5000", "[2001:db8:1::10]:1"};

	open_rig((struct worker_answers){0}, 1);
	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		cr_expect_eq(bind_on(0, bad[i], 1), 0, "%s", bad[i]);
		cr_expect_eq(ASK(bad[i], ALLOCATE, 1), 0, "%s", bad[i]);
	}
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_BAD_SOURCE], 2 * N_ELEMENTS(bad));
	for (size_t i = 0; i < N_ELEMENTS(good); i++) {
		cr_expect_eq(bind_on(0, good[i], 1), 1, "%s", good[i]);
		cr_expect_eq(ASK(good[i], ALLOCATE, 1), 1, "%s", good[i]);
	}
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker_budgets, binding_answers_to_one_source)
{
	open_rig((struct worker_answers){.bindings_per_source = 10}, 1);
	cr_expect_eq(bind_on(0, "198.18.0.10:5000", 8), 8);
	cr_expect_eq(bind_on(0, "198.18.0.10:5001", 8), 2);
	cr_expect_eq(bind_on(0, "198.18.0.11:5000", 12), 10);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_BINDING_BUDGET], 8);
	cr_expect_eq(rig_stats(&rig)->n_bindings, 20);
	now_ms += 300;
	cr_expect_eq(bind_on(0, "198.18.0.10:5000", 8), 3);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker_budgets, an_ipv6_network_is_one_source)
{
	open_rig((struct worker_answers){.bindings_per_source = 10}, 1);
	cr_expect_eq(bind_on(0, "[2001:db8:1::10]:5000", 8), 8);
	cr_expect_eq(bind_on(0, "[2001:db8:1::99:10]:5000", 8), 2);
	cr_expect_eq(bind_on(0, "[2001:db8:1:1::10]:5000", 8), 8);
	rig_close(&rig);
}

Test(worker_budgets, binding_answers_to_all)
{
	char from[32];
	unsigned n = 0;

	open_rig((struct worker_answers){.bindings_per_source = 10, .bindings = 25}, 1);
	for (unsigned i = 1; i <= 200; i++) {
		snprintf(from, sizeof(from), "198.18.7.%u:5000", i);
		n += bind_on(0, from, 1);
	}
	cr_expect_eq(n, 25);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_BINDING_BUDGET], 175);
	rig_close(&rig);
}

Test(worker_budgets, each_worker_has_its_share)
{
	open_rig((struct worker_answers){.bindings_per_source = 30}, 3);
	for (unsigned queue = 0; queue < 3; queue++)
		cr_expect_eq(bind_on(queue, "198.18.0.10:5000", 20), 10);
	rig_close(&rig);
}

Test(worker_budgets, no_limit_where_none_is_set)
{
	open_rig((struct worker_answers){0}, 1);
	cr_expect_eq(bind_on(0, "198.18.0.10:5000", 3000), 3000);
	cr_expect_eq(ASK("198.18.0.10:5000", ALLOCATE, 3000), 3000);
	rig_close(&rig);
}

Test(worker_budgets, unsigned_requests_have_one_and_signed_ones_none)
{
	open_rig((struct worker_answers){.challenges_per_source = 10}, 1);
	cr_expect_eq(ASK("198.18.0.10:5000", ALLOCATE, 12), 10);
	cr_expect_eq(ASK("198.18.0.10:5000", SIGNED("\x00\x03"), 12), 12);
	cr_expect_eq(ASK("198.18.0.11:5000", ALLOCATE, 4), 4);
	cr_expect_eq(bind_on(0, "198.18.0.10:5000", 12), 12);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_CHALLENGE_BUDGET], 2);
	now_ms += 500;
	cr_expect_eq(ASK("198.18.0.10:5000", ALLOCATE, 12), 5);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker_budgets, unsigned_requests_of_all)
{
	char from[32];
	unsigned n = 0;

	open_rig((struct worker_answers){.challenges = 25}, 1);
	for (unsigned i = 1; i <= 200; i++) {
		snprintf(from, sizeof(from), "198.18.7.%u:5000", i);
		n += ASK(from, ALLOCATE, 1);
	}
	cr_expect_eq(n, 25);
	rig_close(&rig);
}

Test(worker_budgets, media_is_none_of_it)
{
	const struct datagram datagram = {CLIENT, SERVICE, HELLO, sizeof(HELLO) - 1};
	const struct frame frame = frame_udp(&datagram);
	struct frame out;

	open_rig((struct worker_answers){.bindings_per_source = 1,
			 .bindings = 1,
			 .challenges_per_source = 1,
			 .challenges = 1},
		1);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	bind_on(0, CLIENT, 10);
	ASK(CLIENT, ALLOCATE, 10);
	for (unsigned i = 0; i < 100; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		cr_assert(rig_sent(&rig, &out));
	}
	rig_close(&rig);
}

// An answer of 32 bytes to a request of 20 is 160 percent.
Test(worker_budgets, no_answer_is_larger_than_the_ratio)
{
	open_rig((struct worker_answers){.ratio_percent = 160}, 1);
	cr_expect_eq(bind_on(0, CLIENT, 1), 1);
	cr_expect_eq(bind_on(0, CLIENT6, 1), 0); // 44 bytes
	rig_close(&rig);
	open_rig((struct worker_answers){.ratio_percent = 159}, 1);
	cr_expect_eq(bind_on(0, CLIENT, 1), 0);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_ANSWER_RATIO], 1);
	send_on(0, CLIENT, BINDING_PADDED, sizeof(BINDING_PADDED) - 1);
	cr_expect_eq(rig_stats(&rig)->n_bindings, 1);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker_budgets, what_is_no_message_is_not_handed_over)
{
	open_rig((struct worker_answers){0}, 1);
	// An attribute that ends behind the message.
	cr_expect_eq(
		ASK(CLIENT, "\x00\x03\x00\x04" STUN_COOKIE TRANSACTION "\x00\x06\x00\x08", 1), 0);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_BAD_STUN], 1);
	rig_close(&rig);
}

// Requests of RFC 3489 have no cookie; what looks signed in them is no better than the rest.
Test(worker_budgets, classic_requests_are_strangers_too)
{
	const struct rig_options options = {.virtual_ms = &now_ms,
		.answers = {.challenges_per_source = 5},
		.serves_classic = true};

	now_ms = 1000000;
	rig_open(&rig, &options);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	cr_expect_eq(ASK("198.18.0.10:5000", CLASSIC("\x00\x01\x00\x00"), 8), 5);
	cr_expect_eq(ASK("198.18.0.11:5000", CLASSIC("\x00\x01\x00\x18") INTEGRITY, 8), 5);
	cr_expect_eq(ASK("198.18.0.12:5000", CLASSIC("\x00\x02\x00\x00"), 8), 5);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_CHALLENGE_BUDGET], 9);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NOT_STUN], 0);
	rig_close(&rig);
}

// Other methods, lengths that lie, and everything where it is off.
Test(worker_budgets, what_is_not_a_classic_request_is_not_stun)
{
	rig_open(&rig, &(struct rig_options){.serves_classic = true});
	cr_expect_eq(ASK("198.18.0.10:5000", CLASSIC("\x00\x03\x00\x00"), 1), 0);
	cr_expect_eq(ASK("198.18.0.10:5000", CLASSIC("\x01\x01\x00\x00"), 1), 0);
	cr_expect_eq(ASK("198.18.0.10:5000", CLASSIC("\x00\x01\x00\x04"), 1), 0);
	cr_expect_eq(ASK("198.18.0.10:5000", CLASSIC("\x00\x01\x00\x04") "1234", 1), 0);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NOT_STUN], 3);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_BAD_STUN], 1); // an attribute past the end
	rig_close(&rig);
	rig_open(&rig, &(struct rig_options){0});
	cr_expect_eq(ASK("198.18.0.10:5000", CLASSIC("\x00\x01\x00\x00"), 1), 0);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NOT_STUN], 1);
	rig_close(&rig);
}
