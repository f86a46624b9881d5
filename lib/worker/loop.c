// The data path on one screen.
#include "state.h"

#include <rte_ethdev.h>

// Messages come between rx and look-up: an install that control sent before a packet arrived is
// then in the table before that packet is looked up, on every worker, however late it was
// scheduled.
static void run_burst(struct worker *w, struct burst *b)
{
	apply_messages(w);
	parse_burst(w, b); // bytes -> views; malformed -> drop
	classify_burst(w, b); // views -> lanes
	lookup_burst(w, b); // entries; a miss -> drop
	relay_burst(w, b); // rewrite in place
	binding_burst(w, b); // answer in place
	flush_burst(w, b); // sent + looped + punted + mirrored + dropped == n
}

static unsigned poll_port(struct worker *w, uint8_t port_idx)
{
	struct rte_mbuf *mbufs[WORKER_BURST_MAX];
	struct burst *b = &w->burst;

	b->n = rte_eth_rx_burst(w->ports[port_idx].config.eth_id, w->idx, mbufs, WORKER_BURST_MAX);
	if (b->n == 0)
		return 0;
	for (unsigned i = 0; i < b->n; i++)
		b->items[i].mbuf = mbufs[i];
	b->port_idx = port_idx;
	b->looped = false;
	w->pub.stats.n_rx += b->n;
	run_burst(w, b);
	return b->n;
}

// Packets between clients of this box, once around: what loops again waits for the next round.
static unsigned poll_loop(struct worker *w)
{
	struct burst *b = &w->burst;
	unsigned n_done = 0;
	const unsigned n_due = w->n_loop;

	while (n_done < n_due) {
		b->port_idx = w->loop_port[n_done];
		b->looped = true;
		for (b->n = 0; b->n < WORKER_BURST_MAX && n_done < n_due; n_done++) {
			if (w->loop_port[n_done] != b->port_idx)
				break;
			b->items[b->n++].mbuf = w->loop[n_done];
		}
		w->pub.stats.n_looped_in += b->n;
		run_burst(w, b);
	}
	w->n_loop -= n_done;
	memmove(w->loop, w->loop + n_done, w->n_loop * sizeof(w->loop[0]));
	memmove(w->loop_port, w->loop_port + n_done, w->n_loop * sizeof(w->loop_port[0]));
	return n_done;
}

unsigned worker_poll(struct worker *w)
{
	unsigned n = 0;

	for (uint8_t port_idx = 0; port_idx < w->n_ports; port_idx++)
		n += poll_port(w, port_idx);
	n += poll_loop(w);
	n += apply_messages(w);
	transmit_ports(w);
	if (w->bell)
		doorbell_ring(w->doorbell);
	w->bell = false;
	w->pub.stats.n_polls++;
	w->pub.stats.n_busy_polls += n != 0;
	return n;
}
