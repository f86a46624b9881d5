// Rings, queues and pools that are full: what finds no room is dropped with a name, nothing else
// suffers, and what comes when there is room again passes.
#include "rig.h"

#include <criterion/criterion.h>
#include <rte_ring.h>

#define N_FRAMES 600

static struct rig rig;

static const struct datagram media = {CLIENT, SERVICE, .payload = "\x40\x01\x00\x05hello", .n = 9};

static void open_rig(void)
{
	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(full, .init = open_rig, .fini = close_rig);

// What came in, or was made here, is somewhere.
static void expect_balance(void)
{
	const struct worker_stats *s = rig_stats(&rig);

	cr_expect_eq(s->n_rx + s->n_looped_in + s->n_from_control + s->n_made,
		s->n_tx + s->n_looped + s->n_punted + s->n_mirrored + s->n_kernel + s->n_absorbed +
			worker_stats_drops(s));
}

static unsigned poll_and_count(unsigned n_polls)
{
	struct frame out;
	unsigned n = 0;

	for (unsigned i = 0; i < n_polls; i++) {
		worker_poll(rig.worker);
		while (rig_sent(&rig, &out))
			n++;
	}
	return n;
}

static void receive(unsigned n)
{
	const struct frame frame = frame_udp(&media);

	for (unsigned i = 0; i < n; i++)
		rig_receive(&rig, &frame);
}

static void receive_numbered(uint16_t n)
{
	uint8_t data[] = "\x40\x01\x00\x05??llo";
	const struct datagram in = {CLIENT, SERVICE, .payload = data, .n = sizeof(data) - 1};

	for (uint16_t i = 0; i < n; i++) {
		struct frame frame;

		store_be16(data + 4, i);
		frame = frame_udp(&in);
		rig_receive(&rig, &frame);
	}
}

// Those of receive_numbered(), from `first` on and in order.
static void expect_numbered(uint16_t first, uint16_t n)
{
	struct datagram got;
	struct frame out;
	char from[64];
	char to[64];

	for (uint16_t i = first; i < first + n; i++) {
		cr_assert(rig_sent(&rig, &out), "number %u", i);
		cr_assert(frame_read(&out, &got, from, to));
		cr_assert_eq(load_be16(got.payload), i, "number %u", i);
	}
	cr_expect_not(rig_sent(&rig, &out));
}

static void take(struct rte_ring *wire, unsigned n)
{
	void *taken;

	while (n-- > 0)
		cr_assert_eq(rte_ring_dequeue(wire, &taken), 0);
}

// The wire's ring is filled from outside, so that the port takes nothing for a while, and then
// three frames.
Test(full, a_port_that_takes_nothing_costs_what_its_queue_cannot_hold)
{
	struct rte_ring *wire = rig.port.memory_tx[0];
	struct rte_mbuf *stopper = rte_pktmbuf_alloc(rig.pool);
	const uint64_t *n_full = &rig_stats(&rig)->n_drops[DROP_TX_FULL];
	unsigned n_stoppers = 0;

	while (rte_ring_enqueue(wire, stopper) == 0)
		n_stoppers++;
	receive_numbered(N_FRAMES);
	for (int i = 0; i < 40; i++)
		worker_poll(rig.worker);
	cr_expect_gt(*n_full, 0);
	cr_expect_eq(rig_stats(&rig)->n_tx, 0);
	take(wire, 3);
	worker_poll(rig.worker);
	take(wire, n_stoppers - 3);
	expect_numbered(0, 3);
	worker_poll(rig.worker);
	expect_numbered(3, (uint16_t)(N_FRAMES - 3 - *n_full));
	receive(1);
	cr_expect_eq(poll_and_count(1), 1);
	rte_pktmbuf_free(stopper);
	expect_balance();
}

// Of a routing daemon's peer, say.
static unsigned mirror(unsigned n)
{
	const struct datagram datagram = {CLIENT, "198.18.0.2:179", .payload = "hello", .n = 5};
	const struct frame frame = frame_udp(&datagram);
	const uint64_t before = rig_stats(&rig)->n_mirrored;

	for (unsigned i = 0; i < n; i++)
		rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	return (unsigned)(rig_stats(&rig)->n_mirrored - before);
}

Test(full, who_sends_to_nobody_keeps_nothing_from_linux)
{
	rig_hop(&rig, 1, FLOW_HOP_KERNEL);
	receive(N_FRAMES);
	cr_expect_eq(poll_and_count(40), 0);
	cr_expect_eq(rig_stats(&rig)->n_kernel, 64, "half of the ring");
	cr_expect_eq(mirror(20), 20);
	expect_balance();
}

// Nobody reads the ring of the control core, where packets wait for a neighbour.
Test(full, a_neighbour_that_is_not_found_stops_nobody_else)
{
	const uint64_t *n_full = &rig_stats(&rig)->n_drops[DROP_KERNEL_FULL];
	struct msg msg;
	unsigned n_kept = 0;

	rig_hop(&rig, 1, FLOW_HOP_KERNEL);
	receive(N_FRAMES);
	cr_expect_eq(poll_and_count(40), 0);
	cr_expect_gt(*n_full, 0);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	receive(5);
	cr_expect_eq(poll_and_count(1), 5);
	while (rig_control(&rig, &rig.workers[0].others, &msg)) {
		cr_expect_eq(msg.kind, MSG_KERNEL);
		rte_pktmbuf_free(msg.mbuf);
		n_kept++;
	}
	cr_expect_eq(n_kept, N_FRAMES - *n_full);
	expect_balance();
}

// A hop of none: the kernel has lost the route.
Test(full, a_next_hop_that_is_lost_is_counted_and_comes_back)
{
	rig_hop(&rig, 1, FLOW_HOP_NONE);
	receive(3);
	cr_expect_eq(poll_and_count(1), 0);
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_NO_ROUTE], 3);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	receive(3);
	cr_expect_eq(poll_and_count(1), 3);
	expect_balance();
}

// Not one buffer is left: relaying needs none, for a packet leaves in the buffer it came in.
Test(full, media_needs_no_buffer_of_its_own)
{
	static struct rte_mbuf *hoard[4096];
	unsigned n = 0;

	receive(32);
	while (n < N_ELEMENTS(hoard) && (hoard[n] = rte_pktmbuf_alloc(rig.pool)))
		n++;
	cr_assert_eq(rte_mempool_avail_count(rig.pool), 0);
	cr_expect_eq(poll_and_count(2), 32);
	rte_pktmbuf_free_bulk(hoard, n);
	expect_balance();
}

// Two clients of this box: a round takes up what the last one has put into the loop.
Test(full, a_crowd_passes_the_loop_whole)
{
	static const struct datagram to_b = {
		CLIENT, SERVICE, .payload = "\x40\x05\x00\x05hello", .n = 9};
	struct flow_spec spec = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(CLIENT),
		.channel = 0x4005,
		.source = rig_endpoint(RELAYED),
		.target = rig_endpoint(RELAYED_B),
		.hop_idx = 5,
	};
	const struct frame frame = frame_udp(&to_b);
	const struct worker_stats *stats = rig_stats(&rig);

	rig_hop(&rig, 5, FLOW_HOP_LOOP);
	rig_allocation(&rig, CLIENT_B, RELAYED_B, RELAYED, CHANNEL_B);
	rig_flow(&rig, &spec);
	for (int i = 0; i < N_FRAMES; i++)
		rig_receive(&rig, &frame);
	cr_expect_eq(poll_and_count(80), N_FRAMES);
	cr_expect_eq(stats->n_looped, N_FRAMES);
	cr_expect_eq(stats->n_looped, stats->n_looped_in);
	expect_balance();
}
