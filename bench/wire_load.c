// The generator: one thread that sends, receives and counts. What the port does not take is kept
// and offered again, so a frame that is not answered was lost behind the port. It must be faster
// than what it measures, so the headers are written beforehand.
#include "wire.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>

#define BURST 32
#define WARM_UP_MS 300
#define DRAIN_MS 100
#define LINK_WAIT_MS 10000
#define N_HEADERS (1u << 18)

#define SHORT_HEADERS_BYTES 62 // of all but Send indications

struct headers {
	uint16_t frame_bytes;
	uint8_t bytes[FLOWS_HEADERS_BYTES_MAX];
	uint8_t spare[48];
};
static_assert(sizeof(struct headers) == 128, "of most frames, only the first line is read");

struct generator {
	struct rig *rig;
	enum frame_kind kind;
	struct headers *headers; // of N_HEADERS frames of random allocations, used in turn
	unsigned next;
	struct rte_mbuf *pending[BURST];
	unsigned n_pending;
	uint64_t n_sent;
	uint64_t n_received;
	uint64_t n_bursts;
	uint64_t n_full; // bursts that the port did not take whole
};

static uint64_t milliseconds(uint64_t ms)
{
	return rte_get_tsc_hz() / 1000 * ms;
}

static void receive(struct generator *g)
{
	struct rte_mbuf *mbufs[BURST];
	unsigned n;

	do {
		n = rte_eth_rx_burst(g->rig->port.eth_id, 0, mbufs, BURST);
		rte_pktmbuf_free_bulk(mbufs, n);
		g->n_received += n;
	} while (n == BURST);
}

static void prepare(struct generator *g, uint32_t n_allocations)
{
	g->headers = calloc(N_HEADERS, sizeof(g->headers[0]));
	if (!g->headers)
		rig_fail("no memory for headers");
	for (unsigned i = 0; i < N_HEADERS; i++)
		g->headers[i].frame_bytes = flows_write_frame(
			g->headers[i].bytes, g->kind, &g->rig->random, n_allocations);
}

static void write_headers(uint8_t *frame, const struct headers *headers, enum frame_kind kind)
{
	if (kind == FRAME_SEND)
		memcpy(frame, headers->bytes, FLOWS_HEADERS_BYTES_MAX);
	else
		memcpy(frame, headers->bytes, SHORT_HEADERS_BYTES);
}

static void fill(struct generator *g)
{
	if (rte_pktmbuf_alloc_bulk(g->rig->pool, g->pending, BURST))
		return;
	for (g->n_pending = 0; g->n_pending < BURST; g->n_pending++) {
		const struct headers *headers = &g->headers[g->next++ % N_HEADERS];
		struct rte_mbuf *mbuf = g->pending[g->n_pending];

		write_headers(rte_pktmbuf_mtod(mbuf, uint8_t *), headers, g->kind);
		mbuf->data_len = headers->frame_bytes;
		mbuf->pkt_len = mbuf->data_len;
	}
}

static void transmit(struct generator *g)
{
	unsigned n;

	if (g->n_pending == 0)
		fill(g);
	n = rte_eth_tx_burst(g->rig->port.eth_id, 0, g->pending, (uint16_t)g->n_pending);
	g->n_sent += n;
	g->n_bursts++;
	g->n_pending -= n;
	g->n_full += g->n_pending != 0;
	memmove(g->pending, g->pending + n, g->n_pending * sizeof(g->pending[0]));
}

// At most `rate_pps`; a delay is not made good by a larger burst, only by the next ones.
static void run_for(struct generator *g, uint64_t ms, double rate_pps)
{
	const uint64_t begin = rte_rdtsc();
	const uint64_t end = begin + milliseconds(ms);
	const double frames_per_cycle = rate_pps / (double)rte_get_tsc_hz();
	const uint64_t n_before = g->n_sent;
	uint64_t now;

	while ((now = rte_rdtsc()) < end && !wire_stopped) {
		if ((double)(g->n_sent - n_before) < frames_per_cycle * (double)(now - begin))
			transmit(g);
		receive(g);
	}
}

static void reset(struct generator *g)
{
	g->n_sent = 0;
	g->n_received = 0;
	g->n_bursts = 0;
	g->n_full = 0;
}

static void wait_for_link(const struct port *port)
{
	for (unsigned i = 0; i < LINK_WAIT_MS && !wire_stopped; i++) {
		if (port_link_up(port))
			return;
		rte_delay_us_sleep(1000);
	}
	rig_fail("nobody at the other end of the wire");
}

void wire_load(struct rig *rig, enum frame_kind kind, uint32_t n_allocations, unsigned seconds)
{
	static const double unlimited_pps = 1e12;
	struct generator g = {
		.rig = rig,
		.kind = kind,
	};
	double top_pps;

	prepare(&g, n_allocations);
	wait_for_link(&rig->port);
	run_for(&g, WARM_UP_MS, unlimited_pps);
	reset(&g);
	run_for(&g, seconds * 1000UL, unlimited_pps);
	top_pps = (double)g.n_received / seconds;
	printf("top pps=%.0f full=%.3f", top_pps, (double)g.n_full / (double)g.n_bursts);
	run_for(&g, DRAIN_MS, 0);
	printf(" lost=%.3f\n", 1 - (double)g.n_received / (double)g.n_sent);
	reset(&g);
	run_for(&g, seconds * 1000UL, 0.9 * top_pps);
	run_for(&g, DRAIN_MS, 0);
	printf("paced offered=%.0f sent=%lu received=%lu\n", 0.9 * top_pps * seconds, g.n_sent,
		g.n_received);
	rte_pktmbuf_free_bulk(g.pending, g.n_pending);
	free(g.headers);
}
