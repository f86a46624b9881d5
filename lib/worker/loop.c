// The data path on one screen.
#include "state.h"

#include <rte_ethdev.h>

// What the express lane left.
static void judge_burst(struct worker *w, struct burst *b)
{
	parse_burst(w, b); // bytes -> views; malformed -> drop
	classify_burst(w, b); // views -> lanes
	lookup_burst(w, b); // entries; a miss -> drop
	relay_burst(w, b); // rewrite in place
	icmp_burst(w, b); // errors about relayed packets, to their clients
	binding_burst(w, b); // answer in place
	neighbour_burst(w, b); // who asks for our MAC while Linux does not hear it
	punt_burst(w, b); // how urgent; above a budget -> drop
	flush_burst(w, b); // every item was sent, looped, punted, mirrored or dropped
}

// Messages come between rx and look-up: an install that control sent before a packet arrived is
// then in the table before that packet is looked up, on every worker, however late it was
// scheduled.
static void run_burst(struct worker *w, struct burst *b)
{
	apply_messages(w);
	express_burst(w, b); // nearly all: relayed and queued
	if (b->n)
		judge_burst(w, b);
	transmit_ports(w);
}

static unsigned poll_port(struct worker *w, uint8_t port_idx)
{
	struct burst *b = &w->burst;

	b->n_rx = rte_eth_rx_burst(w->ports[port_idx].config.eth_id, w->idx, b->rx, w->n_burst);
	if (b->n_rx == 0)
		return 0;
	b->port_idx = port_idx;
	b->looped = false;
	w->pub.stats.n_rx += b->n_rx;
	if (unlikely(w->capture))
		capture_burst(w->capture, CAPTURE_IN, port_idx, b->rx, b->n_rx);
	if (--w->probe.n_left == 0)
		probe_begin(w);
	run_burst(w, b);
	if (w->probe.n_left == 0)
		probe_end(w);
	return b->n_rx;
}

// Packets between clients of this box, once around: what loops again waits for the next round.
static unsigned poll_loop(struct worker *w)
{
	struct burst *b = &w->burst;
	unsigned n_done = 0;
	const unsigned n_due = w->n_loop;

	if (n_due == 0)
		return 0;
	while (n_done < n_due) {
		b->port_idx = w->loop_port[n_done];
		b->looped = true;
		for (b->n_rx = 0; b->n_rx < w->n_burst && n_done < n_due; n_done++) {
			if (w->loop_port[n_done] != b->port_idx)
				break;
			b->rx[b->n_rx++] = w->loop[n_done];
		}
		w->pub.stats.n_looped_in += b->n_rx;
		run_burst(w, b);
	}
	w->n_loop -= n_done;
	memmove(w->loop, w->loop + n_done, w->n_loop * sizeof(w->loop[0]));
	memmove(w->loop_port, w->loop_port + n_done, w->n_loop * sizeof(w->loop_port[0]));
	return n_done;
}

// A round begins; the time since the last one began was that one's.
static void begin(struct worker *w)
{
	const uint64_t now_ticks = worker_ticks(w);

	w->pub.stats.n_busy_ticks += (now_ticks - w->now_ticks) & -(uint64_t)w->was_busy;
	w->now_ticks = now_ticks;
}

unsigned worker_poll(struct worker *w)
{
	unsigned n = 0;

	begin(w);
	for (uint8_t port_idx = 0; port_idx < w->n_ports; port_idx++)
		n += poll_port(w, port_idx);
	n += poll_loop(w);
	n += apply_messages(w);
	transmit_ports(w);
	if (w->probe.waits)
		probe_look(w);
	if (w->bell)
		doorbell_ring(w->doorbell);
	w->bell = false;
	w->pub.stats.n_polls++;
	w->pub.stats.n_busy_polls += n != 0;
	w->was_busy = n != 0;
	return n;
}
