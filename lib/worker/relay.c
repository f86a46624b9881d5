// Rewriting: the four ways a packet crosses the relay, each drawn in bytes. Lengths were checked by
// parse and classify; checksums follow by difference and are never computed over the payload.
#include "state.h"
#include "stun/stun.h"

#define DATA_INDICATION 0x0017 // method Data, class indication
#define DATA_BYTES_MAX 65000

// The last checks before anything is written. False where the item was dropped.
static inline bool may_leave(
	struct worker *w, struct burst_item *item, struct pkt_rewrite *rewrite, uint16_t hop_idx)
{
	const struct flow_hop *hop = &w->hops[hop_idx];
	const uint8_t *first =
		rewrite->payload - PKT_UDP_BYTES - PKT_IPV4_BYTES - hop->header_bytes;

	if (hop->kind == FLOW_HOP_NONE)
		item_drop(item, DROP_NO_ROUTE);
	else if (pkt_ttl(&item->pkt) <= 1)
		item_drop(item, DROP_TTL_EXPIRED);
	else if (PKT_IPV4_BYTES + PKT_UDP_BYTES + rewrite->payload_bytes > hop->mtu_bytes)
		item_drop(item, DROP_TOO_BIG);
	else if (first < (uint8_t *)item->mbuf->buf_addr)
		item_drop(item, DROP_NO_HEADROOM);
	else
		return true;
	return false;
}

static const uint8_t lane_of_hop[] = {
	[FLOW_HOP_WIRE] = LANE_SEND,
	[FLOW_HOP_KERNEL] = LANE_KERNEL,
	[FLOW_HOP_LOOP] = LANE_LOOP,
};

static inline void finish(struct worker *w, struct burst_item *item,
	const struct pkt_origin *origin, struct pkt_rewrite *rewrite, uint16_t hop_idx)
{
	const struct flow_hop *hop = &w->hops[hop_idx];

	rewrite->ip_id = w->next_ip_id++;
	rewrite->l2 = hop->header;
	rewrite->l2_bytes = hop->header_bytes;
	pkt_relay(&item->pkt, origin, rewrite);
	item->lane = lane_of_hop[hop->kind];
	item->out_port = hop->port_idx;
}

static void count(
	struct worker *w, struct flow4_entry *entry, enum relay_path path, uint16_t data_bytes)
{
	entry->n_packets++;
	entry->n_bytes += data_bytes;
	w->pub.stats.n_relayed[path]++;
	w->pub.stats.n_relayed_bytes[path] += data_bytes;
}

static struct pkt_addresses addresses_of(const struct flow4_entry *entry)
{
	return (struct pkt_addresses){
		.source_ip = entry->source_ip,
		.target_ip = entry->target_ip,
		.source_port = entry->source_port_be,
		.target_port = entry->target_port_be,
	};
}

// | eth ip udp | channel length | data | pad |  ->      | eth ip udp | data |
// The channel is in the delta; the length and what lies behind the data leave the checksum here.
static void relay_up_channel(struct worker *w, struct burst_item *item)
{
	struct flow4_entry *entry = item->entry;
	const struct pkt *p = &item->pkt;
	const uint16_t data_bytes = load_be16(p->payload + 2);
	uint8_t *data = p->payload + PKT_CHANNEL_BYTES;
	const uint16_t n_behind = (uint16_t)(p->payload_bytes - PKT_CHANNEL_BYTES - data_bytes);
	struct pkt_rewrite rewrite = {
		.to = addresses_of(entry),
		.ip_delta = entry->ip_delta,
		.udp_delta = (uint64_t)entry->udp_delta + csum_negate(load_u16(p->payload + 2)),
		.payload = data,
		.payload_bytes = data_bytes,
	};
	const struct pkt_origin origin = pkt_origin_load(p);

	if (!may_leave(w, item, &rewrite, entry->hop_idx))
		return;
	if (n_behind)
		rewrite.udp_delta +=
			csum_negate(csum_sum_at(data + data_bytes, n_behind, data_bytes));
	finish(w, item, &origin, &rewrite, entry->hop_idx);
	count(w, entry, RELAY_UP_CHANNEL, data_bytes);
}

// | eth ip udp | stun header, attributes, data, padding |  ->  | eth ip udp | data |
// The owner's delta knows all but the peer; what stands before and behind the data leaves the
// checksum.
static void relay_up_send(struct worker *w, struct burst_item *item)
{
	struct flow4_entry *owner = item->entry;
	const struct send_request *send = &item->send;
	const struct pkt *p = &item->pkt;
	const size_t n_before = (size_t)(send->data - p->payload);
	const size_t n_behind = p->payload_bytes - n_before - send->data_bytes;
	const uint32_t peer_words = csum_words32(send->peer_ip);
	const uint16_t hop_idx = item->permission->peer_hop_idx;
	struct pkt_rewrite rewrite = {
		.to = {owner->source_ip, send->peer_ip, owner->source_port_be, send->peer_port_be},
		.ip_delta = csum_fold((uint64_t)owner->ip_delta + peer_words),
		.payload = send->data,
		.payload_bytes = send->data_bytes,
		.dont_fragment = send->dont_fragment,
	};
	const struct pkt_origin origin = pkt_origin_load(p);

	if (!may_leave(w, item, &rewrite, hop_idx))
		return;
	rewrite.udp_delta = (uint64_t)owner->udp_delta + peer_words + send->peer_port_be +
		csum_negate(csum_fold(csum_sum(p->payload, n_before)));
	if (n_behind)
		rewrite.udp_delta += csum_negate(
			csum_sum_at(send->data + send->data_bytes, n_behind, send->data_bytes));
	finish(w, item, &origin, &rewrite, hop_idx);
	count(w, owner, RELAY_UP_SEND, send->data_bytes);
}

//     | eth ip udp | data |  ->  | eth ip udp | channel length | data |
static void relay_down_channel(struct worker *w, struct burst_item *item)
{
	struct flow4_entry *entry = item->entry;
	const struct pkt *p = &item->pkt;
	const uint16_t data_bytes = p->payload_bytes;
	struct pkt_rewrite rewrite = {
		.to = addresses_of(entry),
		.ip_delta = entry->ip_delta,
		.udp_delta = (uint64_t)entry->udp_delta + __builtin_bswap16(data_bytes),
		.payload = p->payload - PKT_CHANNEL_BYTES,
		.payload_bytes = (uint16_t)(PKT_CHANNEL_BYTES + data_bytes),
	};
	const struct pkt_origin origin = pkt_origin_load(p);

	if (!may_leave(w, item, &rewrite, entry->hop_idx))
		return;
	store_u16(rewrite.payload, entry->channel_be);
	store_be16(rewrite.payload + 2, data_bytes);
	finish(w, item, &origin, &rewrite, entry->hop_idx);
	count(w, entry, RELAY_DOWN_CHANNEL, data_bytes);
}

// RFC 8656 §11.4: header, XOR-PEER-ADDRESS, DATA.
static void write_data_indication(
	struct worker *w, uint8_t *out, const struct pkt_addresses *peer, uint16_t data_bytes)
{
	const uint64_t transaction[2] = {random_next(&w->random), random_next(&w->random)};

	store_be16(out, DATA_INDICATION);
	store_be16(out + 2, (uint16_t)(12 + 4 + round_up(data_bytes, 4)));
	store_be32(out + 4, STUN_MAGIC_COOKIE);
	memcpy(out + 8, transaction, STUN_TRANSACTION_BYTES);
	store_be16(out + 20, STUN_ATTR_XOR_PEER_ADDRESS);
	store_be16(out + 22, 8);
	store_be16(out + 24, FAMILY_IPV4);
	store_u16(out + 26, peer->source_port ^ __builtin_bswap16(STUN_MAGIC_COOKIE >> 16));
	store_u32(out + 28, peer->source_ip ^ __builtin_bswap32(STUN_MAGIC_COOKIE));
	store_be16(out + 32, STUN_ATTR_DATA);
	store_be16(out + 34, data_bytes);
}

//      | eth ip udp | data |  ->  | eth ip udp | header, peer, data header | data | padding |
static void relay_down_data(struct worker *w, struct burst_item *item)
{
	struct flow4_entry *entry = item->entry;
	const struct pkt *p = &item->pkt;
	const uint16_t data_bytes = p->payload_bytes;
	const struct pkt_addresses peer = {
		.source_ip = pkt_source_ip(p),
		.source_port = load_u16(p->l4),
	};
	const uint16_t n_padding = (uint16_t)(round_up(data_bytes, 4) - data_bytes);
	struct pkt_rewrite rewrite = {
		.to = addresses_of(entry),
		.ip_delta = entry->ip_delta,
		.payload = p->payload - PKT_DATA_INDICATION_BYTES,
		.payload_bytes = (uint16_t)(PKT_DATA_INDICATION_BYTES + data_bytes + n_padding),
	};
	const struct pkt_origin origin = pkt_origin_load(p);
	uint8_t *end = p->payload + data_bytes;

	if (data_bytes > DATA_BYTES_MAX)
		return item_drop(item, DROP_TOO_BIG);
	if (!may_leave(w, item, &rewrite, entry->hop_idx))
		return;
	if (end + n_padding > (uint8_t *)item->mbuf->buf_addr + item->mbuf->buf_len)
		return item_drop(item, DROP_NO_HEADROOM);
	write_data_indication(w, rewrite.payload, &peer, data_bytes);
	memset(end, 0, n_padding);
	rewrite.udp_delta = (uint64_t)entry->udp_delta + csum_negate(peer.source_port) +
		csum_sum(rewrite.payload, PKT_DATA_INDICATION_BYTES);
	finish(w, item, &origin, &rewrite, entry->hop_idx);
	count(w, entry, RELAY_DOWN_DATA, data_bytes);
}

void relay_burst(struct worker *w, struct burst *b)
{
	for (unsigned i = 0; i < b->n; i++) {
		struct burst_item *item = &b->items[i];

		switch (item->lane) {
		case LANE_UP_CHANNEL:
			relay_up_channel(w, item);
			break;
		case LANE_UP_SEND:
			relay_up_send(w, item);
			break;
		case LANE_DOWN:
			if (item->entry->kind == FLOW_DOWN)
				relay_down_channel(w, item);
			else
				relay_down_data(w, item);
			break;
		default:
			break;
		}
	}
}
