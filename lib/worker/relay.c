// Rewriting: the four ways a packet crosses the relay, each drawn in bytes. Lengths were checked by
// parse and classify; checksums follow by difference and are never computed over the payload.
//
// Each is compiled twice, with `ipv4` as a constant: for IPv4 in and out, and for the other pairs.
#include "state.h"
#include "stun/stun.h"

#define DATA_INDICATION 0x0017 // method Data, class indication
#define DATA_BYTES_MAX 65000
#define MTU_LEAST_IPV6 1280
#define IPV4_DONT_FRAGMENT 0x4000
#define BOTH_WAYS static inline __attribute__((always_inline))

// Note what would have passed: the sender is told (RFC 8656 §13.2, §13.3). A peer is told 48 bytes
// less than the way out takes, for the same datagram may have to leave as a Data indication.
static __attribute__((noinline)) void drop_too_big(
	struct burst_item *item, const struct flow_hop *hop, int new_bytes)
{
	const struct pkt *p = &item->pkt;
	const int grown = new_bytes - (int)(p->payload + p->payload_bytes - p->l3);
	const int grown_by_ip = item->flow.to->family == FAMILY_IPV6 && p->family == FAMILY_IPV4
		? PKT_IPV6_BYTES - PKT_IPV4_BYTES
		: 0;
	int mtu = hop->mtu_bytes;

	if (item->lane != LANE_DOWN)
		mtu -= grown > 0 ? grown : 0;
	else
		mtu -= PKT_DATA_INDICATION_IPV6_BYTES + grown_by_ip;
	if (p->family == FAMILY_IPV6 && mtu < MTU_LEAST_IPV6)
		mtu = MTU_LEAST_IPV6;
	item_drop(item, DROP_TOO_BIG);
	item->mtu_bytes = (uint16_t)mtu;
}

// Whether a packet above the MTU may leave in fragments: what came in fragments, and IPv4 without
// DF (RFC 8656 §13, §14). Those of IPv6 are of 1,280 bytes, for what came in fragments knows
// nothing of the path. Nothing is split that goes round, and nothing that the kernel sends.
static __attribute__((noinline)) bool may_split(
	struct burst_item *item, const struct pkt_rewrite *rewrite, const struct flow_hop *hop)
{
	const struct pkt *p = &item->pkt;
	const bool without_df = p->family == FAMILY_IPV4 && !rewrite->dont_fragment &&
		!(load_be16(p->l3 + 6) & IPV4_DONT_FRAGMENT);

	if (!item->reassembled && !without_df)
		return false;
	if (hop->kind == FLOW_HOP_WIRE)
		item->split_bytes =
			rewrite->family == FAMILY_IPV4 ? hop->mtu_bytes : MTU_LEAST_IPV6;
	return hop->kind != FLOW_HOP_KERNEL;
}

// The last checks before anything is written. False where the item was dropped.
BOTH_WAYS bool may_leave(struct worker *w, struct burst_item *item,
	const struct pkt_rewrite *rewrite, uint16_t hop_idx)
{
	const struct flow_hop *hop = &w->hops[hop_idx];
	const uint16_t headers_bytes = PKT_UDP_BYTES + pkt_ip_bytes(rewrite->family);
	const uint8_t *first = rewrite->payload - headers_bytes - hop->header_bytes;

	if (hop->kind == FLOW_HOP_NONE)
		item_drop(item, DROP_NO_ROUTE);
	else if (pkt_ttl(&item->pkt) <= 1)
		item_drop(item, DROP_TTL_EXPIRED);
	else if (headers_bytes + rewrite->payload_bytes > hop->mtu_bytes &&
		!may_split(item, rewrite, hop))
		drop_too_big(item, hop, headers_bytes + rewrite->payload_bytes);
	else if (first < (uint8_t *)item->mbuf->buf_addr)
		item_drop(item, DROP_NO_HEADROOM);
	else
		return true;
	return false;
}

BOTH_WAYS void finish(struct worker *w, struct burst_item *item, const struct pkt_origin *origin,
	struct pkt_rewrite *rewrite, uint16_t hop_idx, const bool ipv4)
{
	const struct flow_hop *hop = &w->hops[hop_idx];

	rewrite->ip_id = w->next_ip_id++;
	rewrite->l2 = hop->header;
	rewrite->l2_bytes = hop->header_bytes;
	if (ipv4)
		pkt_relay(&item->pkt, origin, rewrite);
	else
		pkt_relay_ipv6(&item->pkt, origin, rewrite);
	item_leave(item, hop);
}

// The last word: nothing has been written yet, and what passes here leaves. False where the item
// was dropped.
static inline bool may_pass(
	struct worker *w, struct burst_item *item, unsigned up, uint16_t n_bytes)
{
	enum drop drop;

	if (!w->rates.limited)
		return true;
	drop = rates_take(&w->rates, item->flow.to, up, n_bytes, w->now_ticks);
	if (drop)
		item_drop(item, drop);
	return !drop;
}

static void count(
	struct worker *w, struct flow_rewrite *to, enum relay_path path, uint16_t data_bytes)
{
	to->n_packets++;
	to->n_bytes += data_bytes;
	w->pub.stats.n_relayed[path]++;
	w->pub.stats.n_relayed_bytes[path] += data_bytes;
}

// All but the payload and what it does to the checksum.
BOTH_WAYS struct pkt_rewrite rewrite_of(const struct flow *flow, const bool ipv4)
{
	const struct flow_rewrite *to = flow->to;

	return (struct pkt_rewrite){
		.source_ip = flow->source_ip,
		.target_ip = flow->target_ip,
		.source_port = to->source_port_be,
		.target_port = to->target_port_be,
		.family = ipv4 ? FAMILY_IPV4 : to->family,
		.ip_delta = to->ip_delta,
		.flow_label = flow->flow_label_be,
		.udp_delta = to->udp_delta,
	};
}

// | eth ip udp | channel length | data | pad |  ->      | eth ip udp | data |
// The channel is in the delta; the length and what lies behind the data leave the checksum here.
BOTH_WAYS void relay_up_channel(struct worker *w, struct burst_item *item, const bool ipv4)
{
	struct flow_rewrite *to = item->flow.to;
	const struct pkt *p = &item->pkt;
	const uint16_t data_bytes = load_be16(p->payload + 2);
	uint8_t *data = p->payload + PKT_CHANNEL_BYTES;
	const uint16_t n_behind = (uint16_t)(p->payload_bytes - PKT_CHANNEL_BYTES - data_bytes);
	struct pkt_rewrite rewrite = rewrite_of(&item->flow, ipv4);
	const struct pkt_origin origin = pkt_origin_load(p);

	rewrite.udp_delta += csum_negate(load_u16(p->payload + 2));
	rewrite.payload = data;
	rewrite.payload_bytes = data_bytes;
	if (!may_leave(w, item, &rewrite, to->hop_idx) || !may_pass(w, item, 1, data_bytes))
		return;
	if (n_behind)
		rewrite.udp_delta +=
			csum_negate(csum_sum_at(data + data_bytes, n_behind, data_bytes));
	finish(w, item, &origin, &rewrite, to->hop_idx, ipv4);
	count(w, to, RELAY_UP_CHANNEL, data_bytes);
	if (to->kind >= FLOW_OBSERVED_FIRST)
		observe(w, to, data, data_bytes);
}

// | eth ip udp | stun header, attributes, data, padding |  ->  | eth ip udp | data |
// The owner's delta knows all but the peer; what stands before and behind the data leaves the
// checksum.
BOTH_WAYS void relay_up_send(struct worker *w, struct burst_item *item, const bool ipv4)
{
	struct flow_rewrite *owner = item->flow.to;
	const struct send_request *send = &item->send;
	const struct pkt *p = &item->pkt;
	const size_t n_before = (size_t)(send->data - p->payload);
	const size_t n_behind = p->payload_bytes - n_before - send->data_bytes;
	const uint16_t peer_words =
		csum_fold(send->peer_family == FAMILY_IPV4 ? csum_sum(send->peer_ip, IPV4_BYTES)
							   : csum_sum(send->peer_ip, IPV6_BYTES));
	const uint16_t hop_idx = item->permission->peer_hop_idx;
	struct pkt_rewrite rewrite = rewrite_of(&item->flow, ipv4);
	const struct pkt_origin origin = pkt_origin_load(p);

	rewrite.target_ip = send->peer_ip;
	rewrite.target_port = send->peer_port_be;
	rewrite.ip_delta = csum_fold((uint64_t)owner->ip_delta + peer_words);
	rewrite.payload = send->data;
	rewrite.payload_bytes = send->data_bytes;
	rewrite.dont_fragment = send->dont_fragment;
	if (!may_leave(w, item, &rewrite, hop_idx) || !may_pass(w, item, 1, send->data_bytes))
		return;
	if (rewrite.family == FAMILY_IPV6)
		rewrite.flow_label = flow_label_make(rewrite.source_ip, rewrite.target_ip,
			rewrite.source_port, rewrite.target_port);
	rewrite.udp_delta += (uint64_t)peer_words + send->peer_port_be +
		csum_negate(csum_fold(csum_sum(p->payload, n_before)));
	if (n_behind)
		rewrite.udp_delta += csum_negate(
			csum_sum_at(send->data + send->data_bytes, n_behind, send->data_bytes));
	finish(w, item, &origin, &rewrite, hop_idx, ipv4);
	count(w, owner, RELAY_UP_SEND, send->data_bytes);
}

//     | eth ip udp | data |  ->  | eth ip udp | channel length | data |
BOTH_WAYS void relay_down_channel(struct worker *w, struct burst_item *item, const bool ipv4)
{
	struct flow_rewrite *to = item->flow.to;
	const struct pkt *p = &item->pkt;
	const uint8_t *data = p->payload;
	const uint16_t data_bytes = p->payload_bytes;
	struct pkt_rewrite rewrite = rewrite_of(&item->flow, ipv4);
	const struct pkt_origin origin = pkt_origin_load(p);

	rewrite.udp_delta += __builtin_bswap16(data_bytes);
	rewrite.payload = p->payload - PKT_CHANNEL_BYTES;
	rewrite.payload_bytes = (uint16_t)(PKT_CHANNEL_BYTES + data_bytes);
	if (!may_leave(w, item, &rewrite, to->hop_idx) || !may_pass(w, item, 0, data_bytes))
		return;
	store_u16(rewrite.payload, to->channel_be);
	store_be16(rewrite.payload + 2, data_bytes);
	finish(w, item, &origin, &rewrite, to->hop_idx, ipv4);
	count(w, to, RELAY_DOWN_CHANNEL, data_bytes);
	if (to->kind >= FLOW_OBSERVED_FIRST)
		observe(w, to, data, data_bytes);
}

// A peer as XOR-PEER-ADDRESS says it (RFC 8489 §14.2), as it lies in a packet.
struct peer {
	uint8_t ip[IPV6_BYTES]; // of IPv4 the first four
	uint16_t port;
	uint8_t family;
};

static uint16_t indication_bytes(uint8_t peer_family)
{
	return peer_family == FAMILY_IPV4 ? PKT_DATA_INDICATION_BYTES
					  : PKT_DATA_INDICATION_IPV6_BYTES;
}

static inline uint64_t indication_sum(const uint8_t *indication, uint8_t peer_family)
{
	return peer_family == FAMILY_IPV4 ? csum_sum(indication, PKT_DATA_INDICATION_BYTES)
					  : csum_sum(indication, PKT_DATA_INDICATION_IPV6_BYTES);
}

// RFC 8656 §11.4: header, XOR-PEER-ADDRESS, DATA.
static inline void write_data_indication(
	struct worker *w, uint8_t *out, const struct peer *peer, uint16_t data_bytes)
{
	const uint64_t transaction[2] = {random_next(&w->random), random_next(&w->random)};
	const uint16_t address_bytes = (uint16_t)(4 + family_bytes(peer->family));

	store_be16(out, DATA_INDICATION);
	store_be16(out + 2, (uint16_t)(4 + address_bytes + 4 + round_up(data_bytes, 4)));
	store_be32(out + 4, STUN_MAGIC_COOKIE);
	memcpy(out + 8, transaction, STUN_TRANSACTION_BYTES);
	store_be16(out + 20, STUN_ATTR_XOR_PEER_ADDRESS);
	store_be16(out + 22, address_bytes);
	store_be16(out + 24, peer->family);
	store_u16(out + 26, peer->port ^ __builtin_bswap16(STUN_MAGIC_COOKIE >> 16));
	// The mask is the cookie and the transaction id, as they lie there already.
	store_u32(out + 28, load_u32(peer->ip) ^ load_u32(out + 4));
	for (unsigned at = 4; peer->family == FAMILY_IPV6 && at < IPV6_BYTES; at += 4)
		store_u32(out + 28 + at, load_u32(peer->ip + at) ^ load_u32(out + 4 + at));
	store_be16(out + 24 + address_bytes, STUN_ATTR_DATA);
	store_be16(out + 26 + address_bytes, data_bytes);
}

//      | eth ip udp | data |  ->  | eth ip udp | header, peer, data header | data | padding |
BOTH_WAYS void relay_down_data(struct worker *w, struct burst_item *item, const bool ipv4)
{
	struct flow_rewrite *to = item->flow.to;
	const struct pkt *p = &item->pkt;
	const uint16_t data_bytes = p->payload_bytes;
	const uint16_t n_padding = (uint16_t)(round_up(data_bytes, 4) - data_bytes);
	const uint8_t family = ipv4 ? FAMILY_IPV4 : p->family;
	const uint16_t n_before = indication_bytes(family);
	struct peer peer = {.port = load_u16(p->l4), .family = family};
	struct pkt_rewrite rewrite = rewrite_of(&item->flow, ipv4);
	const struct pkt_origin origin = pkt_origin_load(p);
	uint8_t *end = p->payload + data_bytes;

	if (data_bytes > DATA_BYTES_MAX)
		return drop_too_big(item, &w->hops[to->hop_idx], data_bytes);
	rewrite.payload = p->payload - n_before;
	rewrite.payload_bytes = (uint16_t)(n_before + data_bytes + n_padding);
	if (!may_leave(w, item, &rewrite, to->hop_idx))
		return;
	if (end + n_padding > (uint8_t *)item->mbuf->buf_addr + item->mbuf->buf_len)
		return item_drop(item, DROP_NO_HEADROOM);
	if (!may_pass(w, item, 0, data_bytes))
		return;
	memcpy(peer.ip, pkt_source_ip(p), sizeof(peer.ip)); // of IPv4 more, which stands behind it
	if (w->externals.n)
		external_to_outside(w, family, peer.ip);
	write_data_indication(w, rewrite.payload, &peer, data_bytes);
	memset(end, 0, n_padding);
	rewrite.udp_delta += csum_negate(peer.port) + indication_sum(rewrite.payload, family);
	finish(w, item, &origin, &rewrite, to->hop_idx, ipv4);
	count(w, to, RELAY_DOWN_DATA, data_bytes);
}

BOTH_WAYS void relay_item(struct worker *w, struct burst_item *item, const bool ipv4)
{
	if (item->lane == LANE_UP_CHANNEL)
		relay_up_channel(w, item, ipv4);
	else if (item->lane == LANE_UP_SEND)
		relay_up_send(w, item, ipv4);
	else if (item->flow.to->channel_be)
		relay_down_channel(w, item, ipv4);
	else
		relay_down_data(w, item, ipv4);
}

static __attribute__((noinline)) void relay_ipv6(struct worker *w, struct burst_item *item)
{
	relay_item(w, item, false);
}

void relay_burst(struct worker *w, struct burst *b)
{
	const struct burst_item *end = b->items + b->n;

	if (!burst_has(b, LANES_RELAYED))
		return;
	for (struct burst_item *item = b->items; item < end; item++) {
		if (item->lane > LANE_DOWN || item->lane < LANE_UP_CHANNEL)
			continue;
		if (item->pkt.family == FAMILY_IPV4 && item->flow.to->family == FAMILY_IPV4)
			relay_item(w, item, true);
		else
			relay_ipv6(w, item);
	}
}
