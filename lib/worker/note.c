// What is dropped, counted and noted for who asks after an address.
#include "state.h"

static struct trace_key key_of(const struct rte_mbuf *mbuf, uint8_t port_idx, bool out)
{
	const struct pkt_ends ends =
		pkt_ends_peek(rte_pktmbuf_mtod(mbuf, const uint8_t *), mbuf->data_len);
	struct trace_key key = {
		.from_port_be = ends.from_port_be,
		.to_port_be = ends.to_port_be,
		.family = ends.family,
		.port_idx = port_idx,
		.out = out,
	};

	if (ends.family == FAMILY_NONE)
		return key;
	memcpy(key.from_ip, ends.from_ip, family_bytes(ends.family));
	memcpy(key.to_ip, ends.to_ip, family_bytes(ends.family));
	return key;
}

static void note(struct worker *w, enum drop reason, const struct trace_key *key)
{
	w->pub.stats.n_drops[reason]++;
	trace_note(&w->trace, reason, key, w->now_ticks);
}

void note_out(struct worker *w, enum drop reason, uint8_t port_idx, const struct rte_mbuf *mbuf)
{
	const struct trace_key key = key_of(mbuf, port_idx, true);

	note(w, reason, &key);
}

void note_in(struct worker *w, enum drop reason, uint8_t port_idx, const struct rte_mbuf *mbuf)
{
	const struct trace_key key = key_of(mbuf, port_idx, false);

	note(w, reason, &key);
}

void note_item(struct worker *w, const struct burst *b, const struct burst_item *item)
{
	struct trace_key key = key_of(item->mbuf, b->port_idx, false);

	if (item->dropped_from == LANE_UP_SEND) {
		key.about_family = item->send.peer_family;
		key.about_port_be = item->send.peer_port_be;
		memcpy(key.about_ip, item->send.peer_ip, family_bytes(key.about_family));
	} else if (item->dropped_from == LANE_UP_CHANNEL) {
		key.channel_be = load_u16(item->pkt.payload);
	} else if (item->dropped_from == LANE_ICMP) {
		key.about_family = item->icmp.family;
		key.about_port_be = item->icmp.source_port_be;
		memcpy(key.about_ip, item->icmp.source_ip, family_bytes(key.about_family));
	}
	note(w, (enum drop)item->drop, &key);
}
