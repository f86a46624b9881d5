// How long bursts stay in the box, how busy a worker is, and whose packets it samples, in virtual
// time.
#include "rig.h"
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <rte_ring.h>

#define TIMED_OF 32 // bursts

static struct rig rig;
static uint64_t now_ms;

static void open_rig(void)
{
	const struct rig_options options = {.virtual_ms = &now_ms};

	now_ms = 1000000;
	rig_open(&rig, &options);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	worker_poll(rig.worker);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(latency, .init = open_rig, .fini = close_rig);

static struct frame media(const char *to)
{
	const struct datagram datagram = {CLIENT, to, "\x40\x01\x00\x04\x64\x61\x74\x61", 8};

	return frame_udp(&datagram);
}

static uint64_t n_timed(void)
{
	const struct latency *relay = &rig_stats(&rig)->relay;
	uint64_t n = 0;

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++)
		n += relay->n[i];
	return n;
}

static void drain(void)
{
	struct frame out;

	while (rig_sent(&rig, &out))
		;
}

// A burst of one frame, n times.
static void burst(const char *to, unsigned n)
{
	const struct frame frame = media(to);

	for (unsigned i = 0; i < n; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
	}
}

// The port takes nothing more: one buffer is in it as often as fits.
static void fill_port(void)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(rig.pool);

	while (rte_ring_enqueue(rig.port.memory_tx[0], mbuf) == 0)
		rte_mbuf_refcnt_update(mbuf, 1);
	rte_pktmbuf_free(mbuf);
}

static void empty_port(void)
{
	void *mbuf;

	while (rte_ring_dequeue(rig.port.memory_tx[0], &mbuf) == 0)
		rte_pktmbuf_free(mbuf);
}

Test(latency, one_burst_of_32_is_timed)
{
	burst(SERVICE, TIMED_OF - 1);
	cr_expect_eq(n_timed(), 0);
	burst(SERVICE, 1);
	cr_expect_eq(n_timed(), 1);
	burst(SERVICE, 2 * TIMED_OF);
	cr_expect_eq(n_timed(), 3);
	cr_expect_eq(rig_stats(&rig)->relay.sum_ns, 0, "the clock stood still");
	drain();
}

Test(latency, it_ends_when_the_port_takes_the_last_frame)
{
	burst(SERVICE, TIMED_OF - 1);
	drain();
	fill_port();
	burst(SERVICE, 1);
	now_ms += 5;
	worker_poll(rig.worker);
	cr_expect_eq(n_timed(), 0, "the frame still waits");
	empty_port();
	worker_poll(rig.worker);
	cr_expect_eq(n_timed(), 1);
	cr_expect_eq(rig_stats(&rig)->relay.sum_ns, 5 * NS_IN_MS);
	now_ms += 5;
	worker_poll(rig.worker);
	cr_expect_eq(n_timed(), 1);
	empty_port();
}

Test(latency, a_burst_that_never_ends_counts_when_the_next_is_timed)
{
	burst(SERVICE, TIMED_OF - 1);
	drain();
	fill_port();
	burst(SERVICE, 1);
	now_ms += 9;
	burst(SERVICE, TIMED_OF);
	cr_expect_eq(n_timed(), 1);
	cr_expect_eq(rig_stats(&rig)->relay.sum_ns, 9 * NS_IN_MS);
	empty_port();
	worker_poll(rig.worker);
	cr_expect_eq(n_timed(), 2);
	empty_port();
}

Test(latency, a_burst_that_is_dropped_has_none)
{
	burst("198.18.0.2:60000", 2 * TIMED_OF);
	cr_expect_eq(n_timed(), 0);
	cr_expect_eq(worker_stats_drops(rig_stats(&rig)), 2 * TIMED_OF);
}

// By the express lane, by the others, and what nobody has asked for.
Test(latency, whose_packets_a_timed_burst_has_is_sampled)
{
	const struct worker_samples *samples = &worker_public(rig.worker)->samples;
	const struct datagram media_b = {CLIENT_B, SERVICE, "\x40\x02\0\4data", 8};
	const struct datagram from_another_port = {"198.18.0.20:7777", RELAYED, "data", 4};
	const struct frame frames[] = {frame_udp(&from_another_port), frame_udp(&media_b),
		media(SERVICE), media("198.18.0.2:60000")};

	rig.allocation_idx = 77;
	rig_allocation(&rig, CLIENT_B, RELAYED_B, PEER, CHANNEL_B);
	burst(SERVICE, TIMED_OF - 1);
	cr_expect_eq(samples->n, 0);
	for (size_t i = 0; i < N_ELEMENTS(frames); i++)
		rig_receive(&rig, &frames[i]);
	worker_poll(rig.worker);
	cr_expect_eq(samples->n, 3);
	cr_expect_eq(samples->allocation_idx[0], 77);
	cr_expect_eq(samples->allocation_idx[1], 0);
	cr_expect_eq(samples->allocation_idx[2], 0);
	burst(SERVICE, TIMED_OF - 1);
	cr_expect_eq(samples->n, 3);
	drain();
}

static unsigned count_samples(const struct worker_samples *samples, uint32_t allocation_idx)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < samples->n; i++)
		n += samples->allocation_idx[i] == allocation_idx;
	return n;
}

// Also who stands elsewhere in the table than one looks first.
Test(latency, everybody_in_a_crowded_table_is_sampled)
{
	const struct worker_samples *samples = &worker_public(rig.worker)->samples;
	struct flow_spec spec = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(CLIENT_B),
		.channel = 0x4001,
		.source = rig_endpoint(RELAYED_B),
		.target = rig_endpoint(PEER),
		.hop_idx = 1,
	};
	char client[ADDR_TEXT_BYTES];

	for (uint32_t i = 1; i <= 1000; i++) {
		spec.remote.port = (uint16_t)(10000 + i);
		spec.allocation_idx = i;
		rig_flow(&rig, &spec);
		worker_poll(rig.worker);
	}
	for (uint32_t i = 1; i <= 1000; i++) {
		const struct datagram datagram = {
			client, SERVICE, "\x40\x01\x00\x04\x64\x61\x74\x61", 8};
		struct frame frame;

		spec.remote.port = (uint16_t)(10000 + i);
		endpoint_format(&spec.remote, client);
		frame = frame_udp(&datagram);
		burst(SERVICE, TIMED_OF - 1);
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		drain();
	}
	for (uint32_t i = 1; i <= 1000; i++)
		cr_expect_eq(count_samples(samples, i), 1, "%u", i);
}

Test(latency, busy_time_is_that_of_rounds_that_found_something)
{
	const struct worker_stats *stats = rig_stats(&rig);
	uint64_t n_before;

	worker_poll(rig.worker);
	now_ms += 3;
	worker_poll(rig.worker);
	n_before = stats->n_busy_ticks;
	burst(SERVICE, 1);
	now_ms += 7;
	worker_poll(rig.worker);
	cr_expect_eq(stats->n_busy_ticks - n_before, 7);
	now_ms += 11;
	worker_poll(rig.worker);
	cr_expect_eq(stats->n_busy_ticks - n_before, 7);
	drain();
}

Test(latency, a_punt_says_when_its_round_began)
{
	static const uint8_t allocate[] = {0x00, 0x03, 0x00, 0x00, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3,
		4, 5, 6, 7, 8, 9, 10, 11, 12};
	const struct datagram datagram = {CLIENT, SERVICE, allocate, sizeof(allocate)};
	const struct frame frame = frame_udp(&datagram);
	struct msg msg;

	now_ms += 13;
	rig_receive(&rig, &frame);
	worker_poll(rig.worker);
	cr_assert(rig_control(&rig, &rig.workers[0].punts, &msg));
	cr_expect_eq(msg.kind, MSG_PUNT);
	cr_expect_eq(msg.punted_ticks, now_ms);
	rte_pktmbuf_free(msg.mbuf);
}
