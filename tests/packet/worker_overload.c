// A control core that is behind: what is urgent still reaches it, and media does not notice.
#include "rows.h"
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define INTEGRITY          \
	"\x00\x08\x00\x14" \
	"12345678901234567890"
#define SIGNED(method) method "\x00\x18" STUN_COOKIE TRANSACTION INTEGRITY
#define ALLOCATE_UNSIGNED "\x00\x03\x00\x00" STUN_COOKIE TRANSACTION
#define ALLOCATE SIGNED("\x00\x03")
#define REFRESH SIGNED("\x00\x04")
#define CREATE_PERMISSION SIGNED("\x00\x08")
#define CHANNEL_BIND SIGNED("\x00\x09")
#define STRANGER "198.18.0.99:5000"
#define RING 127 // what the rig's ring holds

static struct rig rig;

static void open_rig(void)
{
	static const uint64_t now_ms = 1000000; // time stands still

	rig_open(&rig, &(struct rig_options){.virtual_ms = &now_ms});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_allocation(&rig, CLIENT6, RELAYED6, PEER6, CHANNEL);
	worker_poll(rig.worker);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(worker_overload, .init = open_rig, .fini = close_rig);

static void receive(const char *from, const char *bytes, size_t n)
{
	const struct datagram datagram = {from, *from == '[' ? SERVICE6 : SERVICE, bytes, n};
	const struct frame frame = frame_udp(&datagram);

	rig_receive(&rig, &frame);
}

// How many of `n` such requests still reach control's ring.
static uint64_t fill(const char *from, const char *bytes, size_t n_bytes, unsigned n)
{
	const uint64_t before = rig_stats(&rig)->n_punted;

	for (unsigned i = 0; i < n; i++) {
		receive(from, bytes, n_bytes);
		worker_poll(rig.worker);
	}
	return rig_stats(&rig)->n_punted - before;
}

#define FILL(from, bytes) fill(from, bytes, sizeof(bytes) - 1, RING + 1)

Test(worker_overload, each_kind_leaves_room_for_what_is_more_urgent)
{
	const uint64_t a_quarter = RING / 4;
	const struct worker_stats *stats = rig_stats(&rig);

	cr_expect_eq(FILL(STRANGER, ALLOCATE_UNSIGNED), RING - 3 * a_quarter);
	cr_expect_eq(stats->n_shed[URGENCY_OTHER], RING + 1 - (RING - 3 * a_quarter));
	// A Refresh of somebody unknown is worth no more than an Allocate.
	cr_expect_eq(FILL(STRANGER, REFRESH), a_quarter);
	cr_expect_eq(FILL(STRANGER, ALLOCATE), 0);
	cr_expect_eq(FILL(CLIENT, CREATE_PERMISSION), a_quarter);
	cr_expect_eq(FILL(CLIENT6, CHANNEL_BIND), 0);
	cr_expect_eq(FILL(CLIENT6, REFRESH), a_quarter);
	cr_expect_eq(FILL(CLIENT, REFRESH), 0);
	cr_expect_eq(stats->n_drops[DROP_PUNT_FULL], 2 * (RING + 1) - a_quarter);
	cr_expect_eq(stats->n_shed[URGENCY_REFRESH], 2 * (RING + 1) - a_quarter);
	rig_expect_balance(&rig);
}

Test(worker_overload, a_client_with_relayed_addresses_of_the_other_family_is_known)
{
	const struct endpoint service = rig_endpoint(SERVICE);
	struct flow_spec owner = {
		.kind = FLOW_OWNER,
		.local = service,
		.remote = rig_endpoint("198.18.0.46:5000"),
		.source = rig_endpoint("[2001:db8::2]:50046"),
		.target.ip.family = FAMILY_IPV6,
	};

	rig_flow(&rig, &owner);
	owner.local = rig_endpoint(SERVICE6);
	owner.remote = rig_endpoint("[2001:db8:1::64]:5000");
	owner.source = rig_endpoint("198.18.0.2:50064");
	owner.target.ip.family = FAMILY_IPV4;
	rig_flow(&rig, &owner);
	FILL(STRANGER, ALLOCATE);
	cr_expect_eq(FILL("198.18.0.46:5000", CHANNEL_BIND), RING / 4);
	cr_expect_eq(FILL("[2001:db8:1::64]:5000", REFRESH), RING / 4);
}

// In its first second it has had its part of what is urgent: the last quarter is for others.
Test(worker_overload, a_client_that_floods_leaves_room_for_others)
{
	struct msg msg;

	for (unsigned i = 0; i < 1000; i++) {
		cr_expect_eq(fill(CLIENT, REFRESH, sizeof(REFRESH) - 1, 1), 1);
		cr_assert(rig_control(&rig, &rig.workers[0].punts, &msg));
		rte_pktmbuf_free(msg.mbuf);
	}
	cr_expect_eq(FILL(CLIENT, REFRESH), RING - 2 * (RING / 4));
	cr_expect_eq(FILL(CLIENT, CREATE_PERMISSION), 0);
	cr_expect_eq(FILL(CLIENT6, CREATE_PERMISSION), RING / 4);
	cr_expect_eq(FILL(CLIENT6, REFRESH), RING / 4);
}

static void begin_move(const char *client, uint32_t allocation_idx)
{
	const struct flow_spec up = {
		.kind = FLOW_UP_MOVING,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(client),
		.channel = CHANNEL,
		.source = rig_endpoint(RELAYED),
		.target = rig_endpoint(PEER),
		.hop_idx = 1,
		.allocation_idx = allocation_idx,
	};

	rig_flow(&rig, &up);
}

// RFC 8016: each burst tells of both again while control stands still.
Test(worker_overload, clients_on_the_move_leave_room_for_refreshes)
{
	static const char hello[] = HELLO;
	struct frame out;
	unsigned n_relayed = 0;

	begin_move(CLIENT, 1);
	begin_move(CLIENT_B, 2);
	worker_poll(rig.worker);
	for (unsigned i = 0; i < RING; i++) {
		receive(CLIENT, hello, sizeof(hello) - 1);
		receive(CLIENT_B, hello, sizeof(hello) - 1);
		worker_poll(rig.worker);
		while (rig_sent(&rig, &out))
			n_relayed++;
	}
	cr_expect_eq(n_relayed, 2 * RING);
	cr_expect_eq(FILL(CLIENT6, CREATE_PERMISSION), 0);
	cr_expect_eq(FILL(CLIENT6, REFRESH), RING / 4);
	rig_expect_balance(&rig);
}

Test(worker_overload, an_unsigned_refresh_is_not_urgent)
{
	FILL(STRANGER, ALLOCATE_UNSIGNED);
	cr_expect_eq(FILL(CLIENT, "\x00\x04\x00\x00" STUN_COOKIE TRANSACTION), 0);
}

struct result {
	unsigned n_media_lost;
	unsigned n_refreshes_lost;
	unsigned n_waiting_max;
};

// 2,000 rounds: the control core does one request in each, while ten valid Allocates and twenty
// spoofed requests come, and media of two calls. A client refreshes in each tenth round.
static struct result run_overloaded(void)
{
	static const char hello[] = HELLO;
	struct result result = {0};
	unsigned n_media = 0, n_relayed = 0, n_refreshes = 0, n_done = 0, n_waiting = 0;
	struct random random = {.state = 1};
	struct frame out;
	struct msg msg;
	char from[32];

	for (unsigned round = 0; round < 2000 + RING; round++) {
		const bool flooded = round < 2000;

		for (unsigned i = 0; i < 20 && flooded; i++) {
			snprintf(from, sizeof(from), "203.%u.%u.%u:999", random_below(&random, 256),
				random_below(&random, 256), 1 + random_below(&random, 254));
			receive(from, ALLOCATE_UNSIGNED, sizeof(ALLOCATE_UNSIGNED) - 1);
		}
		for (unsigned i = 0; i < 10 && flooded; i++)
			receive(STRANGER, ALLOCATE, sizeof(ALLOCATE) - 1);
		if (round % 10 == 0 && flooded) {
			receive(CLIENT, REFRESH, sizeof(REFRESH) - 1);
			n_refreshes++;
		}
		receive(CLIENT, hello, sizeof(hello) - 1);
		receive(CLIENT6, hello, sizeof(hello) - 1);
		n_media += 2;
		while (worker_poll(rig.worker))
			;
		while (rig_sent(&rig, &out))
			n_relayed++;
		n_waiting = (unsigned)(rig_stats(&rig)->n_punted) - n_done;
		if (n_waiting > result.n_waiting_max)
			result.n_waiting_max = n_waiting;
		if (!rig_control(&rig, &rig.workers[0].punts, &msg))
			continue;
		n_done++;
		// Only Refresh comes from this client.
		n_refreshes -=
			load_be16(rte_pktmbuf_mtod(msg.mbuf, uint8_t *) + 42) == STUN_REFRESH;
		rte_pktmbuf_free(msg.mbuf);
	}
	result.n_media_lost = n_media - n_relayed;
	result.n_refreshes_lost = n_refreshes;
	return result;
}

Test(worker_overload, at_ten_times_its_capacity_media_and_refreshes_lose_nothing)
{
	const struct result result = run_overloaded();

	cr_expect_eq(result.n_media_lost, 0);
	cr_expect_eq(result.n_refreshes_lost, 0);
	// And they do not wait longer than for the half of the ring that is left to Allocates.
	cr_expect_lt(result.n_waiting_max, RING * 3 / 4);
	cr_expect_gt(rig_stats(&rig)->n_shed[URGENCY_ALLOCATE], 10000);
	cr_expect_gt(rig_stats(&rig)->n_shed[URGENCY_OTHER], 30000);
	cr_expect_eq(rig_stats(&rig)->n_shed[URGENCY_REFRESH], 0);
	rig_expect_balance(&rig);
}
