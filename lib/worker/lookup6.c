// The same two passes over the table of the pairs with IPv6, for what the table of IPv4 left.
#include "state.h"

struct query {
	struct flow6_key keys[WORKER_BURST_MAX];
	struct burst_item *items[WORKER_BURST_MAX];
	struct flow6_entry *found[WORKER_BURST_MAX];
	unsigned n;
};

static struct flow6_key *query_add(struct query *q, struct burst_item *item)
{
	struct flow6_key *key = &q->keys[q->n];

	q->items[q->n++] = item;
	memset(key, 0, sizeof(*key));
	return key;
}

static void flow_set(struct flow *flow, struct flow6_entry *entry)
{
	flow->to = &entry->to;
	flow->source_ip = entry->source_ip;
	flow->target_ip = entry->target_ip;
	flow->flow_label_be = entry->flow_label_be;
}

// Ask for all of them. A Send indication that has its owner has found its permission.
static void query_run(struct query *q, const struct worker *w)
{
	if (q->n)
		flow6_lookup_burst(&w->flows6, q->keys, q->n, q->found);
	for (unsigned i = 0; i < q->n; i++) {
		struct flow6_entry *entry = q->found[i];
		struct burst_item *item = q->items[i];

		if (entry && item->flow.to)
			item->permission = &entry->to;
		else if (entry)
			flow_set(&item->flow, entry);
	}
}

static void ask_flow(struct query *q, struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	struct flow6_key *key = query_add(q, item);

	flow6_key_write_ip(key->remote_ip, pkt_source_ip(p), p->family);
	flow6_key_write_ip(key->local_ip, pkt_target_ip(p), p->family);
	memcpy(&key->remote_port_be, p->l4, 4);
	if (item->lane == LANE_UP_CHANNEL)
		key->channel_be = load_u16(p->payload);
	else if (item->lane == LANE_UP_SEND)
		key->relayed_family = item->send.peer_family;
}

static void first_pass(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;
	struct query q;

	q.n = 0;
	for (struct burst_item *item = b->items; item < end; item++)
		if (item->lane <= LANE_DOWN && !item->flow.to)
			ask_flow(&q, item);
	query_run(&q, w);
}

static void ask_permission_down(struct query *q, struct burst_item *item)
{
	const struct pkt *p = &item->pkt;
	struct flow6_key *key = query_add(q, item);

	flow6_key_write_ip(key->remote_ip, pkt_source_ip(p), p->family);
	flow6_key_write_ip(key->local_ip, pkt_target_ip(p), p->family);
	key->local_port_be = load_u16(p->l4 + 2);
}

static void ask_permission_up(struct query *q, struct burst_item *item)
{
	struct flow6_key *key = query_add(q, item);

	flow6_key_write_ip(key->remote_ip, item->send.peer_ip, item->send.peer_family);
	flow6_key_write_ip(key->local_ip, item->flow.source_ip, item->flow.to->family);
	key->local_port_be = item->flow.to->source_port_be;
}

static void ask_permission_icmp(struct query *q, struct burst_item *item)
{
	const struct pkt_icmp *icmp = &item->icmp;
	struct flow6_key *key = query_add(q, item);

	flow6_key_write_ip(key->remote_ip, icmp->target_ip, icmp->family);
	flow6_key_write_ip(key->local_ip, icmp->source_ip, icmp->family);
	key->local_port_be = icmp->source_port_be;
}

static void second_pass(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;
	struct query q;

	q.n = 0;
	for (struct burst_item *item = b->items; item < end; item++) {
		if (item->lane == LANE_UP_SEND && item->flow.to && !item->permission)
			ask_permission_up(&q, item);
		else if (item->lane == LANE_DOWN && !item->flow.to)
			ask_permission_down(&q, item);
		else if (item->lane == LANE_ICMP && !item->flow.to)
			ask_permission_icmp(&q, item);
	}
	query_run(&q, w);
}

void lookup6_burst(struct worker *w, struct burst *b)
{
	first_pass(w, b);
	second_pass(w, b);
}
