// The end of every packet's way: sent, looped, handed over, or dropped with a name. Only here
// buffers are freed.
#include "state.h"

#include <rte_ethdev.h>

struct outbox {
	struct msg punts[WORKER_BURST_MAX];
	uint8_t urgencies[WORKER_BURST_MAX]; // of the punts
	struct msg others[WORKER_BURST_MAX];
	struct rte_mbuf *drops[WORKER_BURST_MAX];
	unsigned n_punts;
	unsigned n_others;
	unsigned n_drops;
	uint32_t moved[WORKER_BURST_MAX]; // allocations whose clients have moved
	unsigned n_moved;
};

// What the view says becomes what the mbuf says.
static void mbuf_trim(struct rte_mbuf *mbuf, const struct pkt *p)
{
	mbuf->data_off = (uint16_t)(p->frame - (uint8_t *)mbuf->buf_addr);
	mbuf->data_len = pkt_frame_bytes(p);
	mbuf->pkt_len = mbuf->data_len;
	mbuf->ol_flags = 0;
}

static inline void queue(struct worker *w, uint8_t port_idx, struct rte_mbuf *mbuf)
{
	struct worker_port *port = &w->ports[port_idx];

	if (port_idx >= w->n_ports) {
		note_out(w, DROP_NO_PORT, port_idx, mbuf);
		rte_pktmbuf_free(mbuf);
	} else if (port->n_tx == TX_QUEUE_MAX) {
		note_out(w, DROP_TX_FULL, port_idx, mbuf);
		rte_pktmbuf_free(mbuf);
	} else {
		port->tx[port->n_tx++] = mbuf;
	}
}

static void drop(
	struct worker *w, const struct burst *b, struct outbox *out, struct burst_item *item)
{
	if (item->drop == DROP_TOO_BIG || item->drop == DROP_TTL_EXPIRED)
		icmp_answer_drop(w, b, item);
	note_item(w, b, item);
	out->drops[out->n_drops++] = item->mbuf;
}

static void loop(struct worker *w, struct outbox *out, const struct burst_item *item)
{
	mbuf_trim(item->mbuf, &item->pkt);
	if (w->n_loop == LOOP_QUEUE_MAX) {
		note_out(w, DROP_LOOP_FULL, item->out_port, item->mbuf);
		out->drops[out->n_drops++] = item->mbuf;
		return;
	}
	w->loop[w->n_loop] = item->mbuf;
	w->loop_port[w->n_loop++] = item->out_port;
	w->pub.stats.n_looped++;
}

static void other(struct outbox *out, enum msg_kind kind, uint8_t port_idx, struct burst_item *item)
{
	out->others[out->n_others++] =
		(struct msg){.kind = (uint8_t)kind, .port_idx = port_idx, .mbuf = item->mbuf};
}

static void punt(
	const struct worker *w, struct outbox *out, uint8_t port_idx, struct burst_item *item)
{
	out->urgencies[out->n_punts] = item->urgency;
	out->punts[out->n_punts++] = (struct msg){.kind = MSG_PUNT,
		.port_idx = port_idx,
		.mbuf = item->mbuf,
		.punted_ticks = w->now_ticks};
}

// What was one packet leaves in several; what finds no buffer is lost with its datagram.
static void split(struct worker *w, struct outbox *out, const struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	const uint16_t room = pkt_fragment_room(p, item->split_bytes);
	const uint32_t id = (uint32_t)random_next(&w->random);
	const uint32_t n_bytes = pkt_l4_bytes(p);

	for (uint32_t offset = 0; offset < n_bytes; offset += room) {
		const uint16_t n = (uint16_t)(n_bytes - offset < room ? n_bytes - offset : room);
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(w->frame_pool);

		if (!mbuf || rte_pktmbuf_tailroom(mbuf) < pkt_fragment_bytes(p, n)) {
			rte_pktmbuf_free(mbuf);
			break;
		}
		mbuf->data_len = (uint16_t)pkt_fragment_write(
			rte_pktmbuf_mtod(mbuf, uint8_t *), p, offset, n, id);
		mbuf->pkt_len = mbuf->data_len;
		w->pub.stats.n_made++;
		transmit_queue(w, item->out_port, mbuf);
	}
	w->pub.stats.n_absorbed++;
	w->pub.stats.n_split++;
	out->drops[out->n_drops++] = item->mbuf;
}

static inline void note_moved(struct outbox *out, const struct burst_item *item)
{
	const struct flow_rewrite *to = item->flow.to;

	if (to && to->kind >= FLOW_MOVING_FIRST && to->kind < FLOW_OBSERVED_FIRST &&
		item->lane != LANE_DROP)
		out->moved[out->n_moved++] = to->allocation_idx;
}

static void flush_item(
	struct worker *w, struct burst *b, struct outbox *out, struct burst_item *item)
{
	note_moved(out, item);
	switch ((enum lane)item->lane) {
	case LANE_SEND:
		if (item->split_bytes)
			return split(w, out, item);
		mbuf_trim(item->mbuf, &item->pkt);
		return queue(w, item->out_port, item->mbuf);
	case LANE_ABSORBED:
		w->pub.stats.n_absorbed++;
		out->drops[out->n_drops++] = item->mbuf;
		return;
	case LANE_LOOP:
		return loop(w, out, item);
	case LANE_PUNT:
		return punt(w, out, b->port_idx, item);
	case LANE_MIRROR:
		return other(out, MSG_MIRROR, b->port_idx, item);
	case LANE_KERNEL:
		mbuf_trim(item->mbuf, &item->pkt);
		return other(out, MSG_KERNEL, item->out_port, item);
	case LANE_DROP:
		return drop(w, b, out, item);
	default:
		assert(!"a lane that no stage ended");
	}
}

// The last quarter of control's ring is for Refresh, the last half for clients that it knows, the
// last three for what is signed: what is less urgent is dropped while there is room for the rest.
static unsigned reserved(const struct worker *w, enum urgency urgency)
{
	return w->n_punts_max / URGENCIES * (URGENCY_REFRESH - urgency);
}

// What came in fragments lies in a buffer that others are put together in: half of those are not
// for control to hold.
static bool may_wait(const struct worker *w, const struct rte_mbuf *mbuf)
{
	const struct rte_mempool *pool = w->jumbo_pool;

	return mbuf->pool != pool || rte_mempool_avail_count(pool) > pool->size / 2;
}

static void send_punts(struct worker *w, struct outbox *out)
{
	unsigned room = out->n_punts ? msg_room(w->punts) : 0;

	for (unsigned i = 0; i < out->n_punts; i++) {
		const enum urgency urgency = (enum urgency)out->urgencies[i];
		const struct msg *msg = &out->punts[i];

		if (room > reserved(w, urgency) && may_wait(w, msg->mbuf) &&
			msg_send(w->punts, msg)) {
			room--;
			w->pub.stats.n_punted++;
			w->bell = true;
		} else {
			note_in(w, room ? DROP_PUNT_SHED : DROP_PUNT_FULL, msg->port_idx,
				msg->mbuf);
			w->pub.stats.n_shed[urgency]++;
			rte_pktmbuf_free(msg->mbuf);
		}
	}
}

// Until control has heard of it: where its ring has no room but for Refreshes, the next packet says
// so again.
static void send_moved(struct worker *w, const struct outbox *out)
{
	for (unsigned i = 0; i < out->n_moved; i++) {
		const struct msg msg = {
			.seq = atomic_load_explicit(&w->pub.applied_seq, memory_order_relaxed),
			.kind = MSG_MOVED,
			.allocation_idx = out->moved[i],
		};

		if (i > 0 && out->moved[i] == out->moved[i - 1])
			continue;
		w->bell |= msg_room(w->punts) > reserved(w, URGENCY_PERMISSION) &&
			msg_send(w->punts, &msg);
	}
}

// Packets that wait for a neighbour have half of the ring: who sends to nobody must not keep from
// Linux what routing daemons and neighbours say.
static void send_others(struct worker *w, struct outbox *out)
{
	unsigned room = out->n_others ? msg_room(w->others) : 0;

	for (unsigned i = 0; i < out->n_others; i++) {
		const struct msg *msg = &out->others[i];
		const bool mirror = msg->kind == MSG_MIRROR;

		if ((mirror || room > w->n_others_max / 2) && may_wait(w, msg->mbuf) &&
			msg_send(w->others, msg)) {
			room -= room > 0;
			w->pub.stats.n_mirrored += mirror;
			w->pub.stats.n_kernel += !mirror;
			w->bell = true;
			continue;
		}
		if (mirror)
			note_in(w, DROP_MIRROR_FULL, msg->port_idx, msg->mbuf);
		else
			note_out(w, DROP_KERNEL_FULL, msg->port_idx, msg->mbuf);
		rte_pktmbuf_free(msg->mbuf);
	}
}

void flush_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;
	struct outbox out;

	out.n_punts = 0;
	out.n_others = 0;
	out.n_drops = 0;
	out.n_moved = 0;
	for (struct burst_item *item = b->items; item < end; item++)
		flush_item(w, b, &out, item);
	send_moved(w, &out);
	send_punts(w, &out);
	send_others(w, &out);
	rte_pktmbuf_free_bulk(out.drops, out.n_drops);
}

void transmit_queue(struct worker *w, uint8_t port_idx, struct rte_mbuf *mbuf)
{
	queue(w, port_idx, mbuf);
}

// Frames that wait since the last round were shown then.
static void show_frames(struct worker *w, uint8_t port_idx)
{
	struct worker_port *port = &w->ports[port_idx];

	capture_burst(w->capture, CAPTURE_OUT, port_idx, port->tx + port->n_shown,
		port->n_tx - port->n_shown);
}

void capture_apply(struct worker *w, struct capture *capture)
{
	w->capture = capture;
	for (uint16_t i = 0; i < w->n_ports; i++)
		w->ports[i].n_shown = w->ports[i].n_tx;
}

// What a port does not take now waits for the next round.
void transmit_ports(struct worker *w)
{
	for (uint16_t i = 0; i < w->n_ports; i++) {
		struct worker_port *port = &w->ports[i];
		uint16_t n_sent;

		if (port->n_tx == 0)
			continue;
		if (unlikely(w->capture))
			show_frames(w, (uint8_t)i);
		n_sent = rte_eth_tx_burst(
			port->config.eth_id, w->idx, port->tx, (uint16_t)port->n_tx);
		w->pub.stats.n_tx += n_sent;
		port->n_sent += n_sent;
		port->n_tx -= n_sent;
		port->n_shown = port->n_tx;
		memmove(port->tx, port->tx + n_sent, port->n_tx * sizeof(port->tx[0]));
	}
}
