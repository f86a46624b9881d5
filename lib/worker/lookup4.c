// In two passes over the table of IPv4: the flow itself, unless the express lane asked for it in
// vain, then what a first answer asks for.
#include "state.h"

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

static void flow_set(struct flow *flow, struct flow4_entry *entry)
{
	flow->to = &entry->to;
	flow->source_ip = (const uint8_t *)&entry->source_ip;
	flow->target_ip = (const uint8_t *)&entry->target_ip;
	flow->flow_label_be = 0;
}

// Ask for all of them. A Send indication that has its owner has found its permission.
static void query_run(struct query *q, const struct worker *w)
{
	if (q->n)
		flow4_lookup_burst(&w->flows4, q->keys, q->n, q->found);
	for (unsigned i = 0; i < q->n; i++) {
		struct flow4_entry *entry = q->found[i];
		struct burst_item *item = q->items[i];

		if (entry && item->flow.to)
			item->permission = &entry->to;
		else if (entry)
			flow_set(&item->flow, entry);
	}
}

// The key of a packet is its addresses and ports as they lie there.
static inline void write_packet_key(struct flow4_key *key, const struct pkt *p, uint16_t channel_be)
{
	memcpy(&key->remote_ip, p->l3 + 12, 8);
	memcpy(&key->remote_port_be, p->l4, 4);
	key->channel_be = channel_be;
	key->zero = 0;
}

// Of IPv4, and not a Send indication to an IPv6 peer.
static bool is_for_this_table(const struct burst_item *item)
{
	return item->lane <= LANE_DOWN && item->pkt.family == FAMILY_IPV4 &&
		!(item->lane == LANE_UP_SEND && item->send.peer_family != FAMILY_IPV4);
}

static void first_pass(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;
	struct query q;

	q.n = 0;
	for (struct burst_item *item = b->items; item < end; item++) {
		const struct pkt *p = &item->pkt;

		if (is_for_this_table(item) && !(item->lane == LANE_DOWN && item->missed))
			write_packet_key(query_add(&q, item), p,
				item->lane == LANE_UP_CHANNEL ? load_u16(p->payload) : 0);
	}
	query_run(&q, w);
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
		.remote_ip = load_u32(item->send.peer_ip),
		.local_ip = load_u32(item->flow.source_ip),
		.local_port_be = item->flow.to->source_port_be,
	};
}

// An error about a packet to a peer: its permission, for the port does not count (RFC 8656 §11.5).
static void ask_permission_icmp(struct query *q, struct burst_item *item)
{
	*query_add(q, item) = (struct flow4_key){
		.remote_ip = load_u32(item->icmp.target_ip),
		.local_ip = load_u32(item->icmp.source_ip),
		.local_port_be = item->icmp.source_port_be,
	};
}

static void second_pass(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;
	struct query q;

	q.n = 0;
	for (struct burst_item *item = b->items; item < end; item++) {
		if (item->lane == LANE_UP_SEND && item->flow.to)
			ask_permission_up(&q, item);
		else if (item->lane == LANE_DOWN && !item->flow.to && is_for_this_table(item))
			ask_permission_down(&q, item);
		else if (item->lane == LANE_ICMP && item->pkt.family == FAMILY_IPV4)
			ask_permission_icmp(&q, item);
	}
	query_run(&q, w);
}

void lookup4_burst(struct worker *w, struct burst *b)
{
	first_pass(w, b);
	second_pass(w, b);
}
