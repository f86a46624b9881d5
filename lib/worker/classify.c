// Views to lanes: which of our addresses, and what kind of datagram (RFC 8656 §12, table 3).
#include "state.h"
#include "stun/stun.h"

#define CLASS_BITS 0x0110 // of a STUN message type: 00 request, 01 indication, 10 success, 11 error

static void classify_channel(struct burst_item *item)
{
	const struct pkt *p = &item->pkt;

	// RFC 8656 §12.6: a datagram shorter than its length says is silently discarded.
	if (PKT_CHANNEL_BYTES + load_be16(p->payload + 2) > p->payload_bytes)
		return item_drop(item, DROP_SHORT_CHANNEL_DATA);
	item->lane = LANE_UP_CHANNEL;
}

static void classify_stun(const struct worker *w, struct burst_item *item)
{
	const uint16_t type = load_be16(item->pkt.payload);

	if (type == STUN_BINDING) {
		item->lane = LANE_BINDING;
	} else if (type == (STUN_SEND | 0x0010)) {
		send_request_read(item);
		if (w->externals.n && item->lane == LANE_UP_SEND)
			external_to_inside(w, item->send.peer_family, item->send.peer_ip);
	} else if ((type & CLASS_BITS) == 0) {
		item->lane = LANE_PUNT;
	} else {
		item_drop(item, DROP_UNEXPECTED_STUN);
	}
}

static void classify_other(const struct worker *w, struct burst_item *item)
{
	if (w->serves_classic && stun_is_classic(item->pkt.payload, item->pkt.payload_bytes))
		item->lane = LANE_PUNT;
	else
		item_drop(item, DROP_NOT_STUN);
}

static void classify_item(struct worker *w, struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	const struct local *local = locals_find_target(&w->locals, p);
	const uint16_t port = load_be16(p->l4 + 2);

	if (local_relays(local, port)) {
		item->lane = LANE_DOWN;
	} else if (!local || !locals_serve(&w->locals, local, port)) {
		item->lane = LANE_MIRROR;
	} else if (!pkt_is_from_host(p) || load_u16(p->l4) == 0) {
		item_drop(item, DROP_BAD_SOURCE);
	} else {
		switch (stun_classify(p->payload, p->payload_bytes)) {
		case STUN_KIND_CHANNEL:
			return classify_channel(item);
		case STUN_KIND_MESSAGE:
			return classify_stun(w, item);
		case STUN_KIND_OTHER:
			return classify_other(w, item);
		}
	}
}

// A packet of our own loop may only reach a relayed address: never a service, never the kernel's
// sockets.
static void classify_looped(struct worker *w, struct burst_item *item)
{
	const struct pkt *p = &item->pkt;

	if (local_relays(locals_find_target(&w->locals, p), load_be16(p->l4 + 2)))
		item->lane = LANE_DOWN;
	else
		item_drop(item, DROP_LOOP_NOT_RELAYED);
}

void classify_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;
	uint32_t lanes = 0;

	for (struct burst_item *item = b->items; item < end; item++) {
		if (item->lane == LANE_CLASSIFY && b->looped)
			classify_looped(w, item);
		else if (item->lane == LANE_CLASSIFY)
			classify_item(w, item);
		lanes |= 1u << item->lane;
	}
	b->lanes = lanes;
}
