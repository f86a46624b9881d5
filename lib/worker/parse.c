// Frames to views: of those that the express lane has not read.
#include "state.h"

static const uint8_t drop_of_kind[] = {
	[PKT_TRUNCATED] = DROP_TRUNCATED,
	[PKT_MALFORMED] = DROP_MALFORMED,
	[PKT_WRONG_VLAN] = DROP_WRONG_VLAN,
};

static bool is_ours(const struct pkt *p, const struct worker_port_config *port)
{
	return load_u32(p->frame) == load_u32(port->mac) &&
		load_u16(p->frame + 4) == load_u16(port->mac + 4);
}

static bool is_marked_bad(const struct rte_mbuf *mbuf)
{
	const uint64_t flags = mbuf->ol_flags;

	if (!(flags & (RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD)))
		return false;
	return (flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_BAD ||
		(flags & RTE_MBUF_F_RX_IP_CKSUM_MASK) == RTE_MBUF_F_RX_IP_CKSUM_BAD;
}

static void parse_item(struct worker *w, struct burst *b, struct burst_item *item)
{
	const struct worker_port_config *port = &w->ports[b->port_idx].config;
	struct rte_mbuf *mbuf = item->mbuf;
	struct pkt *p = &item->pkt;
	enum pkt_kind kind;

	item->lane = LANE_CLASSIFY;
	if (mbuf->nb_segs != 1)
		return item_drop(item, DROP_SEGMENTED);
	kind = pkt_parse(p, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, port->vlan);
	if (kind > PKT_FRAGMENT)
		return item_drop(item, drop_of_kind[kind]);
	if (!is_ours(p, port)) {
		if (!(p->frame[0] & 1))
			return item_drop(item, DROP_NOT_OUR_MAC);
		item->lane = LANE_MIRROR;
		return;
	}
	if (kind == PKT_FOREIGN) {
		item->lane = icmp_read(w, item) ? LANE_ICMP : LANE_MIRROR;
		return;
	}
	if (kind == PKT_FRAGMENT) {
		if (!locals_find_target(&w->locals, p)) {
			item->lane = LANE_MIRROR;
			return;
		}
		if (!reassemble(w, item))
			return;
		mbuf = item->mbuf;
		item->lane = LANE_CLASSIFY;
		kind = pkt_parse(p, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, port->vlan);
		if (kind != PKT_UDP)
			return item_drop(item, DROP_MALFORMED);
	}
	if (is_marked_bad(mbuf))
		return item_drop(item, DROP_BAD_CHECKSUM);
	if (p->family == FAMILY_IPV6 && pkt_udp_checksum(p) == 0)
		return item_drop(item, DROP_BAD_CHECKSUM); // RFC 8200 §8.1
	if (port->kernel_wire && pkt_checksum_unfinished(p)) {
		pkt_checksum_finish(p);
		w->pub.stats.n_checksums_finished++;
	}
}

void parse_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;

	for (struct burst_item *item = b->items; item < end; item++)
		if (item->lane == LANE_PARSE)
			parse_item(w, b, item);
}
