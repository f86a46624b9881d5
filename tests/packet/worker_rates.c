// How much media may pass, of whom and each way.
#include "rows.h"
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define SEND_BYTES                       \
	SEND(XOR_PEER "\x00\x13\x00\x04" \
		      "data",            \
		"\x00\x14")
#define PEER_B "198.18.0.21:6000"

static struct rig rig;
static uint64_t now_ms;

// Each of a user of his own, unless `one_user`.
static void open_rig(struct worker_rates rates, uint16_t n_workers, bool one_user)
{
	struct rig_options options = {
		.virtual_ms = &now_ms, .rates = rates, .n_workers = n_workers};

	options.rates.burst_ms = rates.burst_ms ? rates.burst_ms : 1000;
	options.rates.n_allocations = 8;
	now_ms = 1000000;
	rig_open(&rig, &options);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig.allocation_idx = 1;
	rig.user_idx = one_user ? 0 : 1;
	rig_allocation(&rig, CLIENT_B, RELAYED_B, PEER_B, CHANNEL_B);
	rig.allocation_idx = 2;
	rig.user_idx = one_user ? 0 : 2;
	rig_allocation(&rig, CLIENT6, RELAYED6, PEER6, CHANNEL);
	for (unsigned i = 0; i < rig.n_workers; i++)
		worker_poll(rig.workers[i].worker);
}

static unsigned pass(unsigned queue, const struct datagram *datagram, unsigned n)
{
	const struct frame frame = frame_udp(datagram);
	struct frame out;
	unsigned n_sent = 0;

	for (unsigned i = 0; i < n; i++) {
		rig_receive_on(&rig, queue, &frame);
		worker_poll(rig.workers[queue].worker);
		n_sent += rig_sent_on(&rig, queue, &out);
	}
	return n_sent;
}

// How many of `n` ChannelData messages of `data_bytes` leave.
static unsigned up(const char *client, uint16_t channel, uint16_t data_bytes, unsigned n)
{
	uint8_t payload[1400] = {0};
	const struct datagram datagram = {
		client, *client == '[' ? SERVICE6 : SERVICE, payload, 4U + data_bytes};

	store_be16(payload, channel);
	store_be16(payload + 2, data_bytes);
	return pass(0, &datagram, n);
}

static unsigned down(const char *peer, const char *relayed, uint16_t data_bytes, unsigned n)
{
	static const uint8_t payload[1400];

	return pass(0, &(struct datagram){peer, relayed, payload, data_bytes}, n);
}

static uint64_t drops(enum drop drop)
{
	return rig_stats(&rig)->n_drops[drop];
}

static uint16_t traced_channel(const char *from, const char *to)
{
	struct trace_run run;

	cr_assert(rig_traced(&rig, DROP_RATE_ALLOCATION, from, to, &run), "from %s", from);
	return __builtin_bswap16(run.key.channel_be);
}

Test(worker_rates, packets_of_an_allocation)
{
	open_rig((struct worker_rates){.allocation.packets_per_s = 10}, 1, true);
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 15), 10);
	cr_expect_eq(drops(DROP_RATE_ALLOCATION), 5);
	// Each way by itself, and each allocation.
	cr_expect_eq(down(PEER, RELAYED, 100, 15), 10);
	cr_expect_eq(up(CLIENT_B, CHANNEL_B, 100, 15), 10);
	cr_expect_eq(up(CLIENT6, CHANNEL, 100, 15), 10);
	cr_expect_eq(down(PEER6, RELAYED6, 100, 15), 10);
	cr_expect_eq(traced_channel(CLIENT, SERVICE), CHANNEL, "by the express lane");
	cr_expect_eq(traced_channel(CLIENT6, SERVICE6), CHANNEL, "by the others");
	cr_expect_eq(traced_channel(PEER, RELAYED), 0);
	now_ms += 300;
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 15), 3);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker_rates, bytes_of_an_allocation)
{
	open_rig((struct worker_rates){.allocation.bytes_per_s = 1000}, 1, true);
	cr_expect_eq(up(CLIENT, CHANNEL, 300, 5), 3);
	// What is too much is not counted: less still fits.
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 5), 1);
	cr_expect_eq(down(PEER, RELAYED, 500, 5), 2);
	now_ms += 500;
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 10), 5);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker_rates, indications_are_the_same_media)
{
	const struct datagram send = {CLIENT, SERVICE, BYTES(SEND_BYTES)};

	open_rig((struct worker_rates){.allocation.packets_per_s = 10}, 1, true);
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 6), 6);
	cr_expect_eq(pass(0, &send, 6), 4);
	cr_expect_eq(down(PEER, RELAYED, 100, 6), 6);
	cr_expect_eq(down("198.18.0.20:6001", RELAYED, 100, 6), 4);
	cr_expect_eq(drops(DROP_RATE_ALLOCATION), 4);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker_rates, all_allocations_of_a_user_together)
{
	open_rig((struct worker_rates){.user.packets_per_s = 10}, 1, true);
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 4), 4);
	cr_expect_eq(up(CLIENT6, CHANNEL, 100, 4), 4);
	cr_expect_eq(up(CLIENT_B, CHANNEL_B, 100, 4), 2);
	cr_expect_eq(drops(DROP_RATE_USER), 2);
	rig_close(&rig);
	open_rig((struct worker_rates){.user.bytes_per_s = 1000}, 1, false);
	cr_expect_eq(up(CLIENT, CHANNEL, 500, 4), 2);
	cr_expect_eq(up(CLIENT_B, CHANNEL_B, 500, 4), 2);
	rig_close(&rig);
}

// What one limit refuses is not taken from another.
Test(worker_rates, a_dropped_packet_costs_nothing)
{
	open_rig((struct worker_rates){.allocation.packets_per_s = 6, .user.packets_per_s = 10}, 1,
		true);
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 100), 6);
	cr_expect_eq(up(CLIENT_B, CHANNEL_B, 100, 100), 4);
	now_ms += 1000;
	cr_expect_eq(up(CLIENT_B, CHANNEL_B, 100, 100), 6);
	rig_close(&rig);
}

Test(worker_rates, each_worker_has_its_share_of_what_is_for_all)
{
	open_rig((struct worker_rates){.all.packets_per_s = 30}, 3, true);
	cr_expect_eq(up(CLIENT, CHANNEL, 10, 20), 10);
	cr_expect_eq(drops(DROP_RATE_ALL), 10);
	rig_close(&rig);
}

// A second of two users: one sends a hundred times what the other does, and three times what there
// is for all.
Test(worker_rates, who_sends_little_loses_nothing_to_who_sends_much)
{
	unsigned n_light = 0, n_heavy = 0;

	open_rig((struct worker_rates){.all.bytes_per_s = 100000, .burst_ms = 500}, 1, false);
	for (unsigned ms = 0; ms < 20000; ms++, now_ms++) {
		n_heavy += up(CLIENT, CHANNEL, 300, 1);
		if (ms % 10 == 0)
			n_light += up(CLIENT_B, CHANNEL_B, 30, 1);
	}
	cr_expect_eq(n_light, 2000, "%u", n_light);
	// The rest is for whoever wants it: 100,000 bytes a second for 20 seconds, and the burst.
	cr_expect_gt(n_heavy * 300 + n_light * 30, 1950000, "%u", n_heavy);
	cr_expect_lt(n_heavy * 300 + n_light * 30, 2150000, "%u", n_heavy);
	rig_close(&rig);
}

Test(worker_rates, two_who_send_much_get_equal_parts)
{
	unsigned n_first = 0, n_second = 0;

	open_rig((struct worker_rates){.all.bytes_per_s = 100000, .burst_ms = 500}, 1, false);
	for (unsigned ms = 0; ms < 20000; ms++, now_ms++) {
		n_first += up(CLIENT, CHANNEL, 300, 2);
		n_second += up(CLIENT_B, CHANNEL_B, 300, 1);
	}
	cr_expect_lt(n_first, n_second * 13 / 10, "%u %u", n_first, n_second);
	cr_expect_gt(n_first, n_second * 7 / 10, "%u %u", n_first, n_second);
	rig_close(&rig);
}

Test(worker_rates, within_them_media_takes_the_express_lane)
{
	open_rig((struct worker_rates){.allocation = {1000000, 1000}}, 1, true);
	cr_expect_eq(up(CLIENT, CHANNEL, 100, 20), 20);
	cr_expect_eq(rig_stats(&rig)->n_express, 20);
	rig_close(&rig);
}
