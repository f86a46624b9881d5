// What goes to the control core: how urgent it is, and whether there is budget for it. Nothing of
// it is believed yet; a 5-tuple that has an allocation is the most that can be known here.
#include "state.h"
#include "stun/stun.h"

static bool is_client4(const struct worker *w, const struct pkt *p)
{
	struct flow4_key key = {0};

	memcpy(&key.remote_ip, p->l3 + 12, 8);
	memcpy(&key.remote_port_be, p->l4, 4);
	return flow4_find(&w->flows4, &key);
}

// Relayed addresses of either family.
static bool is_client6(const struct worker *w, const struct pkt *p)
{
	struct flow6_key keys[2] = {
		{.relayed_family = FAMILY_IPV6}, {.relayed_family = FAMILY_IPV4}};
	struct flow6_entry *found[2];

	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		flow6_key_write_ip(keys[i].remote_ip, pkt_source_ip(p), p->family);
		flow6_key_write_ip(keys[i].local_ip, pkt_target_ip(p), p->family);
		memcpy(&keys[i].remote_port_be, p->l4, 4);
	}
	flow6_lookup_burst(&w->flows6, keys, N_ELEMENTS(keys), found);
	return found[0] || found[1];
}

static bool is_client(const struct worker *w, const struct pkt *p)
{
	return (p->family == FAMILY_IPV4 && is_client4(w, p)) ||
		(w->flows6.n_entries && is_client6(w, p));
}

// A client that floods, or in whose name somebody does, must not take the place of all others.
static bool is_urgent(struct worker *w, const struct pkt *p)
{
	return is_client(w, p) &&
		budget_take(&w->urgent, (enum family)p->family, pkt_source_ip(p), w->now_ticks);
}

static enum urgency urgency_of(struct worker *w, const struct pkt *p, const struct stun_view *view)
{
	switch (view->method) {
	case STUN_REFRESH:
		return is_urgent(w, p) ? URGENCY_REFRESH : URGENCY_ALLOCATE;
	case STUN_CREATE_PERMISSION:
	case STUN_CHANNEL_BIND:
		return is_urgent(w, p) ? URGENCY_PERMISSION : URGENCY_ALLOCATE;
	default:
		return URGENCY_ALLOCATE;
	}
}

static void punt_item(struct worker *w, struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	struct stun_view view;

	if (stun_parse_any(&view, p->payload, p->payload_bytes))
		return item_drop(item, DROP_BAD_STUN);
	item->urgency = URGENCY_OTHER;
	if (!view.is_classic && (view.integrity_offset || view.integrity_sha256_offset))
		item->urgency = (uint8_t)urgency_of(w, p, &view);
	else if (!budget_take(
			 &w->challenges, (enum family)p->family, pkt_source_ip(p), w->now_ticks))
		item_drop(item, DROP_CHALLENGE_BUDGET);
}

void punt_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;

	if (!burst_has(b, 1u << LANE_PUNT))
		return;
	for (struct burst_item *item = b->items; item < end; item++)
		if (item->lane == LANE_PUNT)
			punt_item(w, item);
}
