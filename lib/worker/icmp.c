// ICMP both ways (RFC 8656 §11.5, §13): errors about what left from a relayed address become Data
// indications to its client; what may not leave the box is answered with an error.
#include "state.h"
#include "stun/stun.h"

#define INDICATION_BYTES_MAX 64

bool icmp_read(struct worker *w, struct burst_item *item)
{
	struct pkt_icmp *icmp = &item->icmp;

	return pkt_icmp_parse(icmp, &item->pkt, item->mbuf->data_len) &&
		local_relays(locals_find(&w->locals, icmp->source_ip, icmp->family),
			__builtin_bswap16(icmp->source_port_be));
}

// Header, XOR-PEER-ADDRESS, ICMP.
static size_t write_indication(struct worker *w, uint8_t *out, const struct pkt_icmp *icmp)
{
	const uint64_t random[2] = {random_next(&w->random), random_next(&w->random)};
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	const struct endpoint peer = {
		.ip = ip_from_bytes((enum family)icmp->family, icmp->target_ip),
		.port = __builtin_bswap16(icmp->target_port_be),
	};
	uint8_t value[8] = {0, 0, icmp->type, icmp->code};
	struct stun_writer writer;

	memcpy(transaction, random, sizeof(transaction));
	store_be32(value + 4, icmp->mtu_bytes);
	stun_writer_init(
		&writer, out, INDICATION_BYTES_MAX, STUN_INDICATION, STUN_DATA, transaction);
	stun_put_xor_address(&writer, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_put_bytes(&writer, STUN_ATTR_ICMP, value, sizeof(value));
	return stun_writer_end(&writer);
}

// The indication takes the place of the error in its buffer.
static void relay_item(struct worker *w, struct burst_item *item)
{
	const struct flow *flow = &item->flow;
	const struct flow_hop *hop = &w->hops[flow->to->hop_idx];
	uint8_t *payload =
		(uint8_t *)item->mbuf->buf_addr + PKT_L2_BYTES_MAX + PKT_IPV6_BYTES + PKT_UDP_BYTES;
	uint8_t indication[INDICATION_BYTES_MAX];
	const size_t n_bytes = write_indication(w, indication, &item->icmp);
	struct pkt_rewrite rewrite = {
		.source_ip = flow->source_ip,
		.target_ip = flow->target_ip,
		.source_port = flow->to->source_port_be,
		.target_port = flow->to->target_port_be,
		.family = flow->to->family,
		.ip_id = w->next_ip_id++,
		.payload = payload,
		.payload_bytes = (uint16_t)n_bytes,
		.l2 = hop->header,
		.l2_bytes = hop->header_bytes,
	};

	if (hop->kind == FLOW_HOP_NONE)
		return item_drop(item, DROP_NO_ROUTE);
	if (payload + n_bytes > (uint8_t *)item->mbuf->buf_addr + item->mbuf->buf_len)
		return item_drop(item, DROP_NO_HEADROOM);
	memcpy(payload, indication, n_bytes);
	pkt_originate(&item->pkt, &rewrite);
	item_leave(item, hop);
	w->pub.stats.n_icmp_relayed++;
}

void icmp_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;

	if (!burst_has(b, 1u << LANE_ICMP))
		return;
	for (struct burst_item *item = b->items; item < end; item++)
		if (item->lane == LANE_ICMP)
			relay_item(w, item);
}

// Goes back by the port and the station it came from.
void icmp_answer_drop(struct worker *w, const struct burst *b, const struct burst_item *item)
{
	const enum pkt_icmp_reason reason =
		item->drop == DROP_TOO_BIG ? PKT_ICMP_TOO_BIG : PKT_ICMP_HOP_LIMIT;
	struct rte_mbuf *mbuf;
	size_t n_bytes;

	if (b->looped || !bucket_take(&w->icmp_errors, &w->icmp_rate, w->now_ticks, 1))
		return;
	mbuf = rte_pktmbuf_alloc(w->frame_pool);
	if (!mbuf)
		return;
	n_bytes = rte_pktmbuf_tailroom(mbuf) < PKT_ICMP_FRAME_BYTES_MAX
		? 0
		: pkt_icmp_write(rte_pktmbuf_mtod(mbuf, uint8_t *), &item->pkt, reason,
			  item->mtu_bytes, w->next_ip_id++);
	if (n_bytes == 0) {
		rte_pktmbuf_free(mbuf);
		return;
	}
	mbuf->data_len = (uint16_t)n_bytes;
	mbuf->pkt_len = (uint32_t)n_bytes;
	w->pub.stats.n_made++;
	w->pub.stats.n_icmp_sent++;
	transmit_queue(w, b->port_idx, mbuf);
}
