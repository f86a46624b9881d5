// Lanes to entries, in two passes over the table: the flow itself, unless the express lane asked
// for it in vain, then what a first answer asks for.
#include "state.h"

static_assert(WORKER_BURST_MAX <= FLOW_BURST_MAX, "one look-up a burst");

struct query {
	struct flow4_key keys[WORKER_BURST_MAX];
	struct burst_item *items[WORKER_BURST_MAX];
	struct flow4_entry *found[WORKER_BURST_MAX];
	unsigned n;
};

static struct flow4_key *query_add(struct query *q, struct burst_item *item)
{
	q->items[q->n] = item;
	return &q->keys[q->n++];
}

// The key of a packet is its addresses and ports as they lie there.
static inline void write_packet_key(struct flow4_key *key, const struct pkt *p, uint16_t channel_be)
{
	memcpy(&key->remote_ip, p->l3 + 12, 8);
	memcpy(&key->remote_port_be, p->l4, 4);
	key->channel_be = channel_be;
	key->zero = 0;
}

static void first_pass(struct worker *w, struct burst *b, struct query *q)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct burst_item *item = &b->items[i];
		const struct pkt *p = &item->pkt;

		item->entry = NULL;
		if (item->lane <= LANE_DOWN && !(item->lane == LANE_DOWN && item->missed))
			write_packet_key(query_add(q, item), p,
				item->lane == LANE_UP_CHANNEL ? load_u16(p->payload) : 0);
	}
	flow4_lookup_burst(&w->flows, q->keys, q->n, q->found);
	for (unsigned i = 0; i < q->n; i++)
		q->items[i]->entry = q->found[i];
}

// No channel for this peer: its permission, which goes by the address alone.
static void ask_permission_down(struct query *q, struct burst_item *item)
{
	struct flow4_key *key = query_add(q, item);

	write_packet_key(key, &item->pkt, 0);
	key->remote_port_be = 0;
}

// A Send indication of a known client: the permission of the peer it names.
static void ask_permission_up(struct query *q, struct burst_item *item)
{
	*query_add(q, item) = (struct flow4_key){
		.remote_ip = item->send.peer_ip,
		.local_ip = item->entry->source_ip,
		.local_port_be = item->entry->source_port_be,
	};
}

static void second_pass(struct worker *w, struct burst *b, struct query *q)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct burst_item *item = &b->items[i];

		if (item->lane == LANE_UP_SEND && item->entry)
			ask_permission_up(q, item);
		else if (item->lane == LANE_UP_SEND)
			item_drop(item, DROP_NO_ALLOCATION);
		else if (item->lane == LANE_DOWN && !item->entry)
			ask_permission_down(q, item);
		else if (item->lane == LANE_UP_CHANNEL && !item->entry)
			item_drop(item, DROP_NO_CHANNEL);
	}
	if (q->n)
		flow4_lookup_burst(&w->flows, q->keys, q->n, q->found);
}

void lookup_burst(struct worker *w, struct burst *b)
{
	struct query first;
	struct query second;

	first.n = 0;
	second.n = 0;
	first_pass(w, b, &first);
	second_pass(w, b, &second);
	for (unsigned i = 0; i < second.n; i++) {
		struct burst_item *item = second.items[i];

		if (!second.found[i])
			item_drop(item, DROP_NO_PERMISSION);
		else if (item->lane == LANE_UP_SEND)
			item->permission = second.found[i];
		else
			item->entry = second.found[i];
	}
}
