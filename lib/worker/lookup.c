// Lanes to entries: in the table of IPv4, then in that of the pairs with IPv6.
#include "state.h"

static_assert(WORKER_BURST_MAX <= FLOW_BURST_MAX, "one look-up a burst");

// What no table knows may not pass.
static void judge(struct burst_item *item)
{
	if (item->lane == LANE_UP_CHANNEL && !item->flow.to)
		item_drop(item, DROP_NO_CHANNEL);
	else if (item->lane == LANE_UP_SEND && !item->flow.to)
		item_drop(item, DROP_NO_ALLOCATION);
	else if (item->lane == LANE_UP_SEND && !item->permission)
		item_drop(item, DROP_NO_PERMISSION);
	else if ((item->lane == LANE_DOWN || item->lane == LANE_ICMP) && !item->flow.to)
		item_drop(item, DROP_NO_PERMISSION);
}

static void sample_burst(struct worker *w, const struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++)
		if (1u << b->items[i].lane & LANES_RELAYED)
			sample(w, b->items[i].flow.to);
}

void lookup_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;

	if (!burst_has(b, LANES_RELAYED | 1u << LANE_ICMP))
		return;
	for (struct burst_item *item = b->items; item < end; item++)
		item->permission = NULL;
	lookup4_burst(w, b);
	if (w->flows6.n_entries)
		lookup6_burst(w, b);
	for (struct burst_item *item = b->items; item < end; item++)
		judge(item);
	if (is_sampled(w))
		sample_burst(w, b);
}
