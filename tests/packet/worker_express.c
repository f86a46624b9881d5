// The express lane and the long way agree on every packet. IP options leave with the old header, so
// the same datagram with and without them becomes the same packet, but only the plain one may take
// the express lane.
#include "rig.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define ROUNDS 400
#define PAYLOAD_MAX 1480
#define CHANNEL_BYTES 4

static uint64_t below(struct random *random, uint64_t n)
{
	return random_next(random) % n;
}

// One of the two directions of the allocation, or something near it that must not pass.
static struct datagram datagram_make(struct random *random, uint8_t *payload)
{
	const bool up = below(random, 2);
	const uint16_t n = (uint16_t)(below(random, 8) ? below(random, 40) : below(random, 1400));
	const uint16_t n_behind = (uint16_t)(below(random, 4) ? 0 : below(random, 6));
	struct datagram d = {
		.from = up ? CLIENT : PEER,
		.to = up ? SERVICE : RELAYED,
		.payload = payload,
		.n = (size_t)(up ? CHANNEL_BYTES + n + n_behind : n),
		.ttl = (uint8_t)(below(random, 8) ? 2 + below(random, 254) : 1),
		.tos = (uint8_t)below(random, 256),
		.dont_fragment = below(random, 2),
		.no_checksum = !below(random, 8),
	};

	d.bad_checksum = !d.no_checksum && !below(random, 8);
	for (size_t i = 0; i < d.n; i++)
		payload[i] = (uint8_t)below(random, 256);
	if (up) {
		store_be16(payload, below(random, 8) ? CHANNEL : CHANNEL + 1);
		// Now and then it says more than there is.
		store_be16(payload + 2, (uint16_t)(n + (below(random, 8) ? 0 : n_behind + 1)));
	} else if (!below(random, 8)) {
		d.from = below(random, 2) ? "198.18.0.20:6001" : "198.18.0.21:6000";
	}
	return d;
}

static unsigned run_burst(struct rig *rig, const struct datagram *in, struct frame *out, bool plain)
{
	unsigned n = 0;

	for (unsigned i = 0; i < WORKER_BURST; i++) {
		struct datagram d = in[i];
		struct frame frame;

		d.n_options = plain ? 0 : 4;
		frame = frame_udp(&d);
		rig_receive(rig, &frame);
	}
	cr_assert_eq(worker_poll(rig->worker), WORKER_BURST);
	while (rig_sent(rig, &out[n])) {
		struct datagram d;
		char from[64];
		char to[64];

		// An ICMP error about a drop quotes the packet as it came.
		if (out[n].bytes[23] == 1)
			continue;
		cr_expect(frame_read(&out[n], &d, from, to), "not a datagram");
		frame_blank(&out[n++]);
	}
	return n;
}

static bool frames_equal(const struct frame *a, const struct frame *b)
{
	return a->n == b->n && !memcmp(a->bytes, b->bytes, a->n);
}

// Data indications come after what took the express lane, so each frame is looked for.
static void expect_same(const struct frame *a, const struct frame *b, unsigned n)
{
	bool taken[WORKER_BURST] = {false};

	for (unsigned i = 0; i < n; i++) {
		unsigned k = 0;

		while (k < n && (taken[k] || !frames_equal(&a[i], &b[k])))
			k++;
		cr_assert_lt(k, n, "a packet that only one lane makes");
		taken[k] = true;
	}
}

static void expect_same_drops(const struct worker_stats *after_plain,
	const struct worker_stats *before, const struct worker_stats *after_options)
{
	for (int i = 0; i < N_DROPS; i++)
		cr_expect_eq(after_plain->n_drops[i] - before->n_drops[i],
			after_options->n_drops[i] - after_plain->n_drops[i], "%s",
			drop_name((enum drop)i));
}

Test(worker, express_lane_and_long_way_agree)
{
	static uint8_t payloads[WORKER_BURST][PAYLOAD_MAX];
	static struct frame plain[WORKER_BURST + 1];
	static struct frame with_options[WORKER_BURST + 1];
	struct random random = {.state = 1};
	struct datagram in[WORKER_BURST];
	uint64_t n_express = 0;
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	for (int round = 0; round < ROUNDS; round++) {
		const struct worker_stats before = *rig_stats(&rig);
		struct worker_stats between;
		unsigned n;

		for (unsigned i = 0; i < WORKER_BURST; i++)
			in[i] = datagram_make(&random, payloads[i]);
		n = run_burst(&rig, in, plain, true);
		between = *rig_stats(&rig);
		cr_assert_eq(run_burst(&rig, in, with_options, false), n);
		expect_same(plain, with_options, n);
		expect_same_drops(&between, &before, rig_stats(&rig));
		cr_expect_eq(rig_stats(&rig)->n_express, between.n_express, "options in express");
		n_express += between.n_express - before.n_express;
		for (int path = 0; path < N_RELAY_PATHS; path++)
			cr_expect_eq(between.n_relayed_bytes[path] - before.n_relayed_bytes[path],
				rig_stats(&rig)->n_relayed_bytes[path] -
					between.n_relayed_bytes[path]);
	}
	cr_expect_gt(n_express, ROUNDS * WORKER_BURST / 2, "the lane was empty");
	rig_close(&rig);
}

// Packets of one flow keep their order, whatever stands between them.
Test(worker, express_lane_keeps_the_order_of_a_flow)
{
	const struct datagram up = {CLIENT, SERVICE, "\x40\x01\x00\x01?", 5};
	const struct datagram down = {PEER, RELAYED, "?", 1};
	struct frame out;
	uint8_t next[2] = {0, 0};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	for (uint8_t i = 0; i < WORKER_BURST; i++) {
		struct frame frame = frame_udp(i % 3 ? &up : &down);

		frame.bytes[frame.n - 1] = i;
		rig_receive(&rig, &frame);
	}
	worker_poll(rig.worker);
	while (rig_sent(&rig, &out)) {
		const bool was_up = out.n == 14 + 20 + 8 + 1;
		const uint8_t i = out.bytes[out.n - 1];

		cr_expect_geq(i, next[was_up]);
		next[was_up] = (uint8_t)(i + 1);
	}
	cr_expect_eq(rig_stats(&rig)->n_express, WORKER_BURST);
	rig_close(&rig);
}

// RFC 768: a computed checksum of zero is sent as all ones. The word that makes it so is the
// checksum of the same datagram with a word of zero.
static void expect_all_ones(struct rig *rig, struct datagram in, uint8_t *word)
{
	struct frame out;
	struct frame frame = frame_udp(&in);

	rig_receive(rig, &frame);
	worker_poll(rig->worker);
	cr_assert(rig_sent(rig, &out));
	memcpy(word, out.bytes + 40, 2);
	frame = frame_udp(&in);
	rig_receive(rig, &frame);
	worker_poll(rig->worker);
	cr_assert(rig_sent(rig, &out));
	cr_expect_eq(load_be16(out.bytes + 40), 0xffff, "%x", load_be16(out.bytes + 40));
}

Test(worker, express_lane_sends_no_computed_checksum_of_zero)
{
	uint8_t up[] = "\x40\x01\x00\x02\x00";
	uint8_t down[] = {0, 0};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	expect_all_ones(&rig, (struct datagram){CLIENT, SERVICE, up, sizeof(up)}, up + 4);
	expect_all_ones(&rig, (struct datagram){PEER, RELAYED, down, sizeof(down)}, down);
	cr_expect_eq(rig_stats(&rig)->n_express, 4);
	rig_close(&rig);
}

Test(worker, express_lane_leaves_what_goes_to_no_port)
{
	struct msg hop = {.kind = MSG_HOP_SET, .hop_idx = 1};
	const struct frame frame = frame_udp(&(struct datagram){PEER, RELAYED, "?", 1});
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	hop.hop = (struct flow_hop){.kind = FLOW_HOP_WIRE,
		.port_idx = WORKER_PORTS_MAX,
		.mtu_bytes = 1500,
		.header_bytes = 14};
	rig_send(&rig, hop);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_expect_eq(rig_stats(&rig)->n_express, 0);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NO_PORT], 1);
	rig_close(&rig);
}

// What lies in the frame behind the datagram is no part of a channel's header.
Test(worker, express_lane_leaves_a_datagram_shorter_than_a_channel_header)
{
	const uint8_t header[] = {0x40, 0x01, 0xff, 0xfe}; // as long as two bytes minus a header
	struct frame frame = frame_udp(&(struct datagram){CLIENT, SERVICE, header, 2});
	struct frame out;
	struct rig rig;

	memcpy(frame.bytes + frame.n, header + 2, 2);
	frame.n += 2;
	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_expect_not(rig_sent(&rig, &out));
	cr_expect_eq(rig_stats(&rig)->n_express, 0);
	rig_close(&rig);
}

// The lane takes it for a channel's by its port, and asks for a flow that is not there.
Test(worker, relayed_port_that_services_have_elsewhere_is_relayed)
{
	const struct datagram in = {
		PEER, RELAYED_AT_SERVICE_PORT, .payload = "\x40\x09\x00\x01x", .n = 5};
	const struct frame frame = frame_udp(&in);
	struct datagram got;
	struct frame out;
	struct rig rig;
	char from[64];
	char to[64];

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED_AT_SERVICE_PORT, PEER, CHANNEL);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out));
	cr_assert(frame_read(&out, &got, from, to));
	cr_expect_str_eq(to, CLIENT);
	cr_assert_eq(got.n, 9);
	cr_expect_arr_eq(got.payload, "\x40\x01\x00\x05\x40\x09\x00\x01x", 9);
	rig_close(&rig);
}

static unsigned n_lines_changed(const struct pages *pages, const uint8_t *before)
{
	unsigned n = 0;

	for (size_t at = 0; at < pages->n_bytes; at += CACHE_LINE_BYTES)
		n += memcmp((const uint8_t *)pages->base + at, before + at, CACHE_LINE_BYTES) != 0;
	return n;
}

static uint8_t *copy_of(const struct pages *pages)
{
	uint8_t *copy = malloc(pages->n_bytes);

	cr_assert_not_null(copy);
	memcpy(copy, pages->base, pages->n_bytes);
	return copy;
}

// With flow_layout's look-up, that reads one line of buckets and one entry: two lines in all.
Test(worker, a_relayed_packet_is_counted_in_the_line_of_its_entry)
{
	const struct datagram in = {CLIENT, SERVICE, .payload = "\x40\x01\x00\x05hello", .n = 9};
	const struct frame frame = frame_udp(&in);
	const struct flow_table *table;
	uint8_t *entries;
	uint8_t *buckets;
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	worker_poll(rig.worker);
	table = worker_flows(rig.worker);
	entries = copy_of(&table->entry_pages);
	buckets = copy_of(&table->bucket_pages);
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_expect_eq(rig_stats(&rig)->n_tx, 1);
	cr_expect_eq(n_lines_changed(&table->entry_pages, entries), 1);
	cr_expect_eq(n_lines_changed(&table->bucket_pages, buckets), 0);
	free(entries);
	free(buckets);
	rig_close(&rig);
}
