// Binding requests, answered in place (RFC 8489 §6.3.1): without credentials and without state. A
// request with attributes that must be understood goes to the control core.
#include "state.h"
#include "stun/stun.h"

#define ANSWER_BYTES_MAX 256

// Nothing but a header.
static bool is_bare(const struct pkt *p)
{
	return p->payload_bytes == STUN_HEADER_BYTES && load_u16(p->payload + 2) == 0;
}

// Any comprehension-required attribute, or one that asks for integrity.
static bool is_plain(const struct stun_view *view)
{
	uint16_t unknown[STUN_UNKNOWN_MAX];

	return !view->integrity_offset && !view->integrity_sha256_offset &&
		stun_unknown(view, NULL, 0, unknown) == 0;
}

// Of a request with attributes, whether it is answered here. False where it goes elsewhere.
static __attribute__((noinline)) bool read_attributes(
	struct burst_item *item, bool *with_fingerprint)
{
	const struct pkt *p = &item->pkt;
	struct stun_view view;

	if (stun_parse(&view, p->payload, p->payload_bytes)) {
		item_drop(item, DROP_BAD_STUN);
		return false;
	}
	*with_fingerprint = view.fingerprint_offset != 0;
	// RFC 8489 §7.3: a wrong FINGERPRINT means this was not STUN.
	if (*with_fingerprint && !stun_fingerprint_check(&view)) {
		item_drop(item, DROP_BAD_STUN);
		return false;
	}
	if (!is_plain(&view)) {
		item->lane = LANE_PUNT;
		return false;
	}
	return true;
}

static void put_discovery(const struct worker *w, struct stun_writer *writer, const struct pkt *p)
{
	const struct endpoint client = pkt_source(p);
	const struct endpoint service = pkt_target(p);
	struct endpoint other;

	if (stun_discovery_other(&w->discovery, &service, &other))
		stun_put_discovery(writer, &client, &service, &other);
}

static void answer(struct worker *w, struct burst_item *item, bool with_fingerprint)
{
	struct pkt *p = &item->pkt;
	struct stun_writer writer = {.buf = p->payload, .capacity_bytes = ANSWER_BYTES_MAX};
	size_t n_bytes;

	if (!budget_take(&w->bindings, (enum family)p->family, pkt_source_ip(p), w->now_ticks))
		return item_drop(item, DROP_BINDING_BUDGET);
	stun_put_mapped(&writer, (enum family)p->family, pkt_source_ip(p), load_u16(p->l4));
	if (w->discovery.alternate.port)
		put_discovery(w, &writer, p);
	if (*w->software)
		stun_put_bytes(&writer, STUN_ATTR_SOFTWARE, w->software, strlen(w->software));
	if (with_fingerprint)
		stun_put_fingerprint(&writer);
	n_bytes = stun_writer_end(&writer);
	if (w->ratio_percent && n_bytes * 100 > (uint64_t)p->payload_bytes * w->ratio_percent)
		return item_drop(item, DROP_ANSWER_RATIO);
	pkt_reply(p, (uint16_t)n_bytes, w->next_ip_id++);
	item->lane = LANE_SEND;
	w->pub.stats.n_bindings++;
}

static void binding_item(struct worker *w, struct burst *b, struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	const uint8_t *room_end = (uint8_t *)item->mbuf->buf_addr + item->mbuf->buf_len;
	bool with_fingerprint = false;

	if (!is_bare(p) && !read_attributes(item, &with_fingerprint)) {
		b->lanes |= 1u << item->lane;
		return;
	}
	if (p->payload + ANSWER_BYTES_MAX > room_end)
		return item_drop(item, DROP_NO_HEADROOM);
	item->out_port = b->port_idx;
	answer(w, item, with_fingerprint);
}

void binding_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;

	if (!burst_has(b, 1u << LANE_BINDING))
		return;
	for (struct burst_item *item = b->items; item < end; item++)
		if (item->lane == LANE_BINDING)
			binding_item(w, b, item);
}
