// Who asks on the link for the MAC of one of our addresses is answered by Linux, behind the control
// core. While that stands still, or is so far behind that Linux would not hear the question, he is
// answered here: else all who ask would lose the box, and with it the calls that workers relay.
#include "state.h"

#define CONTROL_STANDS_MS 1000 // since its last round

// The clocks of two CPUs may be a little apart: a beat that seems to come is one that came.
static bool control_stands(const struct worker *w)
{
	const uint64_t beat_ticks =
		atomic_load_explicit(&w->heartbeat->ticks, memory_order_relaxed);

	return (int64_t)(w->now_ticks - beat_ticks) >
		(int64_t)(CONTROL_STANDS_MS * w->ticks_per_ms);
}

static bool linux_hears(const struct worker *w)
{
	return msg_room(w->others) >= WORKER_BURST_MAX && !(w->heartbeat && control_stands(w));
}

// As Linux has them; `ip` as it lies in a packet.
static bool has_address(const struct worker *w, uint8_t port_idx, uint8_t family, const uint8_t *ip)
{
	for (unsigned i = 0; i < w->n_addresses; i++) {
		const struct port_address *address = &w->addresses[i];

		if (address->port_idx == port_idx && address->ip.family == family &&
			memcmp(address->ip.bytes, ip, family_bytes((enum family)family)) == 0)
			return true;
	}
	return false;
}

void neighbour_set_address(struct worker *w, const struct msg *msg)
{
	w->addresses[msg->address_idx] = (struct port_address){msg->ip, msg->port_idx};
	if (msg->address_idx >= w->n_addresses)
		w->n_addresses = (uint16_t)(msg->address_idx + 1);
	while (w->n_addresses && w->addresses[w->n_addresses - 1].ip.family == FAMILY_NONE)
		w->n_addresses--;
}

// Who has an address of ours himself, and may be announcing it, is not answered: it is for Linux to
// see the conflict.
static void answer_item(struct worker *w, const struct burst *b, struct burst_item *item)
{
	const uint8_t *end = (const uint8_t *)item->mbuf->buf_addr + item->mbuf->buf_len;
	struct pkt *p = &item->pkt;
	struct pkt_question question;

	if (!pkt_question_parse(&question, p, item->mbuf->data_len) ||
		!has_address(w, b->port_idx, question.family, question.target_ip) ||
		has_address(w, b->port_idx, question.family, question.source_ip) ||
		p->frame + PKT_NEIGHBOUR_BYTES_MAX > end ||
		!bucket_take(&w->neighbour_answers, &w->neighbour_rate, w->now_ticks, 1))
		return;
	pkt_question_answer(p, &question, w->ports[b->port_idx].config.mac);
	item->lane = LANE_SEND;
	item->out_port = b->port_idx;
	w->pub.stats.n_neighbours_answered++;
}

void neighbour_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;

	if (!burst_has(b, 1u << LANE_MIRROR) || linux_hears(w))
		return;
	for (struct burst_item *item = b->items; item < end; item++)
		if (item->lane == LANE_MIRROR)
			answer_item(w, b, item);
}
