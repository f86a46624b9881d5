// What the relay sees of media on observed channels: through workers that each see a part of it.
#include "counted.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

// RTP of PCMU, one packet each 20 ms; as it comes from a peer, or in ChannelData.
static void send_rtp(bool up, uint16_t sequence)
{
	struct datagram d = {.from = up ? caller.address : peer(0),
		.to = up ? world.service : caller.relayed,
		.n = up ? 16 + 4 : 16};
	uint8_t *rtp = d.payload + (up ? 4 : 0);

	if (up) {
		store_be16(d.payload, CALLER_CHANNEL);
		store_be16(d.payload + 2, 16);
	}
	rtp[0] = 0x80;
	store_be16(rtp + 2, sequence);
	store_be32(rtp + 4, 160u * sequence);
	store_be32(rtp + 8, 0xabcd);
	world_send(&world, &d);
	run();
	world_advance(&world, 20);
}

static void send_check(bool up, uint16_t type)
{
	struct datagram d = {.from = up ? caller.address : peer(0),
		.to = up ? world.service : caller.relayed,
		.n = up ? 20 + 4 : 20};
	uint8_t *stun = d.payload + (up ? 4 : 0);

	if (up) {
		store_be16(d.payload, CALLER_CHANNEL);
		store_be16(d.payload + 2, 20);
	}
	store_be16(stun, type);
	store_be32(stun + 4, STUN_MAGIC_COOKIE);
	world_send(&world, &d);
	run();
}

static void expect_sum_packets(uint64_t n_up, uint64_t n_down)
{
	cr_expect_eq(tallies[0].sum.n_packets[CONTROL_UP], n_up);
	cr_expect_eq(tallies[0].sum.n_packets[CONTROL_DOWN], n_down);
}

static void call(uint16_t port)
{
	caller_open(&caller, CLIENT_IP, port);
	cr_assert_eq(allocate(), 401);
	cr_assert_eq(allocate(), 0);
	bind_peer(0);
}

static uint64_t n_observed(void)
{
	return control_stats_get(world.control)->n_observed;
}

// Calls that count in a histogram.
static uint64_t n_spread(enum quality_measure measure, enum quality_way way)
{
	const struct quality_spread *spread = &control_quality(world.control)->of[measure][way];
	uint64_t n = 0;

	for (unsigned i = 0; i < N_ELEMENTS(spread->n); i++)
		n += spread->n[i];
	return n;
}

static void open_share(uint32_t percent)
{
	char text[ADDR_TEXT_BYTES];
	const struct endpoint host = peer(0);

	world.ended = (struct control_tally_taker){on_ended, &world};
	world.observe_percent = percent;
	world_open(&world, 1);
	world.delay_max_ms = 0;
	world_add_host(&world, CLIENT_IP);
	world_add_host(&world, ip_format(&host.ip, text));
	call(1000);
}

static void close_world(void)
{
	caller_close(&caller);
	world_close(&world);
}

TestSuite(quality, .fini = close_world);

static uint64_t n_express(void)
{
	uint64_t n = 0;

	for (size_t i = 0; i < WORLD_WORKERS; i++)
		n += worker_public(world.workers[i].worker)->stats.n_express;
	return n;
}

Test(quality, of_an_observed_call_is_in_its_tally)
{
	const struct quality_figures *up = &tallies[0].quality[QUALITY_UP];
	const struct quality_figures *down = &tallies[0].quality[QUALITY_DOWN];

	open_share(100);
	for (uint16_t i = 0; i < 50; i++) {
		if (i % 10 != 3)
			send_rtp(true, i);
		send_rtp(false, i % 10 == 4 ? i + 1 : i % 10 == 5 ? i - 1 : i);
	}
	send_check(true, 0x0001);
	world_advance(&world, 30);
	send_check(false, 0x0101);
	cr_expect_eq(n_express(), 0);
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	cr_assert(tallies[0].observed);
	cr_expect_eq(up->n_packets, 45);
	cr_expect_eq(up->n_lost, 5);
	cr_expect_eq(up->n_reordered, 0);
	cr_expect_gt(up->jitter_us, 0, "two steps of 20 ms, then one");
	cr_expect_eq(up->n_trips, 1);
	cr_expect_eq(up->trip_mean_us, 30000);
	cr_expect_eq(down->n_packets, 50);
	cr_expect_eq(down->n_lost, 0);
	cr_expect_eq(down->n_reordered, 5);
	cr_expect_eq(down->n_trips, 0);
	expect_sum_packets(46, 51);
}

Test(quality, of_others_nothing_is_looked_at)
{
	open_share(0);
	for (uint16_t i = 0; i < 10; i++) {
		send_rtp(true, i);
		send_rtp(false, i);
	}
	cr_expect_eq(n_express(), 20, "the fast way");
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	cr_expect(!tallies[0].observed);
	expect_sum_packets(10, 10);
}

Test(quality, is_told_on_demand_too)
{
	const struct control_tally_taker taker = {on_answer, &caller};

	open_share(100);
	send_rtp(true, 1);
	send_rtp(true, 3);
	cr_assert_eq(control_tally_ask(world.control, 1, &taker), 0);
	run();
	cr_assert_eq(n_answers, 1);
	cr_assert(answer.observed);
	cr_expect_eq(answer.quality[QUALITY_UP].n_lost, 1);
	release();
	run();
}

Test(quality, is_told_whoever_asked_just_before_the_end)
{
	const struct control_tally_taker taker = {on_answer, &caller};

	open_share(100);
	send_rtp(true, 1);
	cr_assert_eq(control_tally_ask(world.control, 1, &taker), 0);
	cr_assert_eq(control_allocation_end(world.control, &world.now, 1), 0);
	run();
	cr_assert_eq(n_answers, 1);
	cr_expect(answer.observed);
	cr_expect_eq(answer.quality[QUALITY_UP].n_packets, 1);
	cr_expect(tallies[0].observed);
}

// Numbers from 0 on, while the control core is busy elsewhere.
static void send_burst(uint16_t n)
{
	for (uint16_t i = 0; i < n; i++) {
		struct datagram d = {.from = caller.address, .to = world.service, .n = 20};

		store_be16(d.payload, CALLER_CHANNEL);
		store_be16(d.payload + 2, 16);
		d.payload[4] = 0x80;
		store_be16(d.payload + 6, i);
		store_be32(d.payload + 12, 0xabcd);
		world_send(&world, &d);
		world_advance(&world, 0);
		world_poll(&world, 0);
	}
}

Test(quality, what_finds_no_room_is_not_taken_for_lost)
{
	uint64_t n_unseen;

	open_share(100);
	world.one_queue = true;
	send_burst(CONTROL_SEEN_MAX + 400);
	n_unseen = worker_public(world.workers[0].worker)->stats.n_seen_lost;
	cr_assert_gt(n_unseen, 100);
	run();
	send_rtp(true, CONTROL_SEEN_MAX + 401);
	send_rtp(true, CONTROL_SEEN_MAX + 403);
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	cr_expect_eq(tallies[0].quality[QUALITY_UP].n_packets, CONTROL_SEEN_MAX + 402 - n_unseen);
	cr_expect_eq(tallies[0].quality[QUALITY_UP].n_lost, 1, "403 behind 401");
}

// For each few it may go on sleeping.
Test(quality, control_is_woken_before_its_ring_is_full)
{
	open_share(100);
	world.one_queue = true;
	doorbell_announce(&world.doorbell);
	send_burst(CONTROL_SEEN_MAX / 8);
	cr_expect(world.doorbell.asleep);
	send_burst(CONTROL_SEEN_MAX / 4);
	cr_expect(!world.doorbell.asleep);
	run();
	cr_expect_eq(worker_public(world.workers[0].worker)->stats.n_seen_lost, 0);
}

Test(quality, what_waits_at_the_end_counts)
{
	open_share(100);
	world.one_queue = true;
	send_burst(CONTROL_SEEN_MAX - 100);
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	cr_expect_eq(tallies[0].quality[QUALITY_UP].n_packets, CONTROL_SEEN_MAX - 100);
}

Test(quality, of_the_next_life_begins_anew)
{
	open_share(100);
	for (uint16_t i = 0; i < 10; i += 2)
		send_rtp(true, i);
	release();
	cr_assert_eq(allocate(), 0);
	bind_peer(0);
	send_rtp(true, 100);
	release();
	run();
	cr_assert_eq(n_tallies, 2);
	cr_expect_eq(tallies[0].quality[QUALITY_UP].n_lost, 4);
	cr_expect_eq(tallies[1].quality[QUALITY_UP].n_packets, 1);
	cr_expect_eq(tallies[1].quality[QUALITY_UP].n_lost, 0);
}

Test(quality, of_two_calls_at_once_is_told_apart)
{
	open_share(100);
	change_callers();
	call(1001);
	bind_peer(1);
	cr_expect_eq(n_observed(), 2, "allocations, not channels");
	for (uint16_t i = 0; i < 20; i += 2)
		send_rtp(true, i);
	change_callers();
	for (uint16_t i = 0; i < 30; i += 3)
		send_rtp(false, i);
	release();
	run();
	cr_expect_eq(n_observed(), 1);
	change_callers();
	send_rtp(true, 20);
	release();
	run();
	caller_close(&caller);
	change_callers();
	cr_assert_eq(n_tallies, 2);
	cr_expect_eq(n_observed(), 0);
	cr_assert(tallies[0].observed && tallies[1].observed);
	cr_expect_eq(tallies[0].quality[QUALITY_UP].n_packets, 0);
	cr_expect_eq(tallies[0].quality[QUALITY_DOWN].n_packets, 10);
	cr_expect_eq(tallies[0].quality[QUALITY_DOWN].n_lost, 18);
	cr_expect_eq(tallies[1].quality[QUALITY_UP].n_packets, 11);
	cr_expect_eq(tallies[1].quality[QUALITY_UP].n_lost, 10);
	cr_expect_eq(tallies[1].quality[QUALITY_DOWN].n_packets, 0);
	cr_expect_eq(n_spread(QUALITY_LOSS, QUALITY_DOWN), 1, "the first one's");
	cr_expect_eq(n_spread(QUALITY_LOSS, QUALITY_UP), 1, "the second one's");
	cr_expect_eq(n_spread(QUALITY_ROUND_TRIP, QUALITY_UP), 0);
}

// Whoever keeps a place for good would soon leave none.
Test(quality, of_many_calls_is_looked_at_one_after_another)
{
	open_share(100);
	change_callers();
	caller_open(&caller, CLIENT_IP, 1001);
	cr_assert_eq(allocate(), 401);
	for (unsigned i = 0; i < TALLIES_MAX; i++) {
		cr_assert_eq(allocate(), 0);
		bind_peer(0);
		bind_peer(1);
		send_rtp(true, 1);
		cr_assert_eq(n_observed(), 2);
		release();
		run();
		cr_assert_eq(n_tallies, i + 1);
		cr_assert_eq(n_observed(), 1);
		cr_assert(tallies[i].observed);
		cr_assert_eq(tallies[i].quality[QUALITY_UP].n_packets, 1);
	}
	caller_close(&caller);
	change_callers();
}
