// What an allocation's flows have carried, summed over two workers whose tables each see a part of
// it: when it ends, when some of them end before, and on demand.
#include "counted.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

static void permit_peer(unsigned i)
{
	const struct endpoint to = peer(i);
	struct stun_writer w;
	struct datagram d;

	caller_begin(&caller, &w, &d, STUN_CREATE_PERMISSION);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &to);
	caller_end(&caller, &world, &w, &d);
	cr_assert_eq(send_request(&d), 0);
}

// `n` times 100 bytes; the world puts each into a queue at random.
static void send_channel_data(unsigned i, unsigned n)
{
	struct datagram d = {.from = caller.address, .to = world.service, .n = 104};

	store_be16(d.payload, (uint16_t)(CALLER_CHANNEL + i));
	store_be16(d.payload + 2, 100);
	for (unsigned k = 0; k < n; k++)
		world_send(&world, &d);
	run();
}

static void send_indications(unsigned i, unsigned n)
{
	const struct endpoint to = peer(i);
	const uint8_t transaction[STUN_TRANSACTION_BYTES] = {1};
	struct datagram d = {.from = caller.address, .to = world.service};
	uint8_t data[100] = {0};
	struct stun_writer w;

	stun_writer_init(&w, d.payload, sizeof(d.payload), STUN_INDICATION, STUN_SEND, transaction);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &to);
	stun_put_bytes(&w, STUN_ATTR_DATA, data, sizeof(data));
	d.n = stun_writer_end(&w);
	for (unsigned k = 0; k < n; k++)
		world_send(&world, &d);
	run();
}

static void send_from_peer(unsigned i, unsigned n)
{
	const struct datagram d = {.from = peer(i), .to = caller.relayed, .n = 50};

	for (unsigned k = 0; k < n; k++)
		world_send(&world, &d);
	run();
}

static void expect_sum(const struct control_tally *tally, uint64_t n_up, uint64_t n_down)
{
	cr_expect_eq(
		tally->sum.n_packets[CONTROL_UP], n_up, "%lu up", tally->sum.n_packets[CONTROL_UP]);
	cr_expect_eq(tally->sum.n_packets[CONTROL_DOWN], n_down, "%lu down",
		tally->sum.n_packets[CONTROL_DOWN]);
	cr_expect_eq(tally->sum.n_bytes[CONTROL_UP], 100 * n_up);
	cr_expect_eq(tally->sum.n_bytes[CONTROL_DOWN], 50 * n_down);
}

static void expect_peer(
	const struct control_tally *tally, struct endpoint endpoint, uint64_t n_up, uint64_t n_down)
{
	char text[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < tally->n_peers; i++) {
		const struct control_peer *found = &tally->peers[i];

		if (!endpoint_equal(&found->peer, &endpoint))
			continue;
		cr_expect_eq(found->traffic.n_packets[CONTROL_UP], n_up);
		cr_expect_eq(found->traffic.n_packets[CONTROL_DOWN], n_down);
		cr_expect_eq(found->traffic.n_bytes[CONTROL_DOWN], 50 * n_down);
		return;
	}
	cr_expect(false, "no peer %s", endpoint_format(&endpoint, text));
}

static void open_world(void)
{
	world.ended = (struct control_tally_taker){on_ended, &world};
	world_open(&world, 1);
	world.delay_max_ms = 0;
	world_add_host(&world, CLIENT_IP);
	for (unsigned i = 0; i < CONTROL_PEERS_MAX + 2; i++) {
		const struct endpoint host = peer(i);
		char text[ADDR_TEXT_BYTES];

		world_add_host(&world, ip_format(&host.ip, text));
	}
	caller_open(&caller, CLIENT_IP, 1000);
	cr_assert_eq(allocate(), 401);
	cr_assert_eq(allocate(), 0);
}

static void close_world(void)
{
	caller_close(&caller);
	world_close(&world);
}

TestSuite(tally, .init = open_world, .fini = close_world);

static int ask(uint64_t id)
{
	const struct control_tally_taker taker = {on_answer, &caller};

	return control_tally_ask(world.control, id, &taker);
}

Test(tally, is_told_at_the_end_with_what_both_workers_have_seen)
{
	bind_peer(0);
	permit_peer(1);
	send_channel_data(0, 40);
	send_indications(1, 3);
	send_from_peer(0, 30);
	send_from_peer(1, 5);
	for (size_t i = 0; i < WORLD_WORKERS; i++)
		cr_assert_gt(worker_public(world.workers[i].worker)->stats.n_express, 0);
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	cr_expect_eq(tallies[0].allocation_id, 1);
	expect_sum(&tallies[0], 43, 35);
	cr_expect_eq(tallies[0].n_peers, 2);
	cr_expect(!tallies[0].more_peers);
	expect_peer(&tallies[0], peer(0), 40, 30);
	expect_peer(&tallies[0], (struct endpoint){peer(1).ip, 0}, 0, 5);
}

Test(tally, of_a_silent_allocation_is_told_too)
{
	bind_peer(0);
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	expect_sum(&tallies[0], 0, 0);
	cr_expect_eq(tallies[0].n_peers, 0);
}

Test(tally, waits_for_the_slowest_worker)
{
	bind_peer(0);
	send_channel_data(0, 40);
	cr_assert_eq(control_allocation_end(world.control, &world.now, 1), 0);
	world_poll(&world, WORLD_WORKERS);
	world_poll(&world, 0);
	world_poll(&world, WORLD_WORKERS);
	cr_expect_eq(n_tallies, 0, "one of two workers has not said what it counted");
	world_poll(&world, 1);
	world_poll(&world, WORLD_WORKERS);
	cr_assert_eq(n_tallies, 1);
	expect_sum(&tallies[0], 40, 0);
}

Test(tally, does_not_wait_for_a_worker_that_is_left_out)
{
	bind_peer(0);
	send_channel_data(0, 40);
	change_callers();
	caller_open(&caller, CLIENT_IP, 1001);
	cr_assert_eq(allocate(), 401);
	cr_assert_eq(allocate(), 0);
	cr_assert_eq(control_allocation_end(world.control, &world.now, 1), 0);
	world_poll(&world, WORLD_WORKERS);
	world_poll(&world, 0);
	control_leave_out(world.control, 1);
	world_poll(&world, WORLD_WORKERS);
	cr_assert_eq(n_tallies, 1);
	cr_expect_lt(tallies[0].sum.n_packets[CONTROL_UP], 40, "its part is missing");
	// It moves again while the same place counts for another.
	cr_assert_eq(control_allocation_end(world.control, &world.now, 2), 0);
	world_poll(&world, 1);
	world_poll(&world, 0);
	world_poll(&world, WORLD_WORKERS);
	world_poll(&world, 1);
	world_poll(&world, 0);
	world_poll(&world, WORLD_WORKERS);
	cr_assert_eq(n_tallies, 2);
	expect_sum(&tallies[1], 0, 0);
	caller_close(&caller);
	change_callers();
}

// As of one that stood for long before the end.
Test(tally, does_not_wait_for_room_at_a_worker_that_is_left_out)
{
	const struct msg message = {0};
	struct turn_kick all = {.reason = TURN_STOPPED};
	uint64_t seq;

	bind_peer(0);
	while (msg_send(&world.workers[1].inbox, &message))
		;
	control_leave_out(world.control, 1);
	cr_expect_not(control_user_end(world.control, &world.now, &all), "there is more to end");
	world_poll(&world, WORLD_WORKERS);
	world_poll(&world, 0);
	world_poll(&world, WORLD_WORKERS);
	cr_assert_eq(n_tallies, 1);
	cr_assert_eq(control_capture(world.control, NULL, &seq), 0);
	world_poll(&world, 0);
	cr_expect_not(control_has_applied(world.control, seq), "it may still have a capture");
}

// The permission ends after five minutes, the channel after ten.
Test(tally, keeps_what_ended_before)
{
	permit_peer(1);
	send_indications(1, 2);
	send_from_peer(1, 7);
	world_advance(&world, 301 * MS_IN_S);
	run();
	send_from_peer(1, 7); // refused by now
	bind_peer(0);
	send_channel_data(0, 10);
	cr_expect_eq(n_tallies, 0);
	world_advance(&world, 301 * MS_IN_S);
	run();
	run();
	cr_assert_eq(n_tallies, 1, "the allocation has expired");
	expect_sum(&tallies[0], 12, 7);
	cr_expect_eq(tallies[0].n_peers, 2);
}

Test(tally, of_the_next_life_begins_anew)
{
	bind_peer(0);
	send_channel_data(0, 5);
	release();
	cr_assert_eq(allocate(), 0);
	bind_peer(1);
	send_channel_data(1, 6);
	release();
	run();
	cr_assert_eq(n_tallies, 2);
	cr_expect_eq(tallies[0].allocation_id, 1);
	cr_expect_eq(tallies[1].allocation_id, 2);
	expect_sum(&tallies[0], 5, 0);
	expect_sum(&tallies[1], 6, 0);
	cr_expect_eq(tallies[1].n_peers, 1);
	expect_peer(&tallies[1], peer(1), 6, 0);
}

Test(tally, tells_a_bounded_number_of_peers_apart_and_sums_up_all)
{
	for (unsigned i = 0; i < CONTROL_PEERS_MAX + 2; i++) {
		bind_peer(i);
		send_channel_data(i, 1);
	}
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	cr_expect_eq(tallies[0].n_peers, CONTROL_PEERS_MAX);
	cr_expect(tallies[0].more_peers);
	expect_sum(&tallies[0], CONTROL_PEERS_MAX + 2, 0);
}

Test(tally, is_told_on_demand_and_changes_nothing)
{
	bind_peer(0);
	send_channel_data(0, 20);
	send_from_peer(0, 10);
	cr_assert_eq(ask(1), 0);
	cr_expect_eq(n_answers, 0);
	run();
	cr_assert_eq(n_answers, 1);
	cr_expect_eq(answer.allocation_id, 1);
	expect_sum(&answer, 20, 10);
	expect_peer(&answer, peer(0), 20, 10);
	send_channel_data(0, 1);
	release();
	run();
	cr_assert_eq(n_tallies, 1);
	expect_sum(&tallies[0], 21, 10);
}

Test(tally, on_demand_counts_what_ended_before_once)
{
	permit_peer(1);
	send_from_peer(1, 7);
	world_advance(&world, 301 * MS_IN_S);
	run();
	bind_peer(0);
	send_channel_data(0, 20);
	cr_assert_eq(ask(1), 0);
	run();
	expect_sum(&answer, 20, 7);
	// What ends just before the question is on its way, and what ends just after is in it.
	world_advance(&world, 298 * MS_IN_S); // to just before the next permission's end
	run();
	world_advance(&world, 3 * MS_IN_S);
	n_answers = 0;
	world_poll(&world, WORLD_WORKERS);
	cr_assert_eq(ask(1), -ENOENT, "it has expired");
	run();
	cr_assert_eq(n_tallies, 1);
	expect_sum(&tallies[0], 20, 7);
}

Test(tally, a_question_is_answered_right_while_flows_end)
{
	struct datagram d;

	caller_refresh(&caller, &world, &d);
	cr_assert_eq(send_request(&d), 0);
	permit_peer(1);
	send_from_peer(1, 7);
	bind_peer(0);
	send_channel_data(0, 20);
	world_advance(&world, 299 * MS_IN_S);
	run();
	caller_bind(&caller, &world, &d, &(struct endpoint){peer(0).ip, PEER_PORT});
	cr_assert_eq(send_request(&d), 0);
	world_advance(&world, 2 * MS_IN_S);
	// The control core sends the removal of the permission, and the question behind it.
	world_poll(&world, WORLD_WORKERS);
	cr_assert_eq(ask(1), 0);
	run();
	cr_assert_eq(n_answers, 1);
	expect_sum(&answer, 20, 7);
	// The other way around: the question, and the end of all behind it.
	cr_assert_eq(ask(1), 0);
	cr_assert_eq(control_allocation_end(world.control, &world.now, 1), 0);
	run();
	cr_assert_eq(n_answers, 2);
	expect_sum(&answer, 20, 7);
	cr_assert_eq(n_tallies, 1);
	expect_sum(&tallies[0], 20, 7);
}

Test(tally, questions_are_bounded)
{
	cr_expect_eq(ask(99), -ENOENT);
	for (unsigned i = 0; i < CONTROL_ASKS_MAX; i++)
		cr_assert_eq(ask(1), 0);
	cr_expect_eq(ask(1), -EAGAIN);
	run();
	cr_expect_eq(n_answers, CONTROL_ASKS_MAX);
	cr_expect_eq(ask(1), 0);
	run();
}

Test(tally, an_open_question_is_answered_at_the_end_of_control)
{
	bind_peer(0);
	cr_assert_eq(ask(1), 0);
	control_destroy(world.control);
	world.control = NULL;
	cr_expect_eq(n_answers, 1);
	cr_expect_eq(answer.allocation_id, 1);
}

// Places are used again: a thousand lives need no more than one.
Test(tally, lives_of_one_client_follow_each_other)
{
	for (unsigned i = 0; i < 50; i++) {
		bind_peer(0);
		send_channel_data(0, 1);
		release();
		cr_assert_eq(allocate(), 0);
	}
	run();
	cr_assert_eq(n_tallies, 50);
	for (unsigned i = 0; i < 50; i++) {
		cr_expect_eq(tallies[i].allocation_id, i + 1);
		expect_sum(&tallies[i], 1, 0);
	}
}
