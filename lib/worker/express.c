// The express lane: plain datagrams that have a flow of their own, a channel's, up or down. They
// are nearly all of the traffic, so they are found, rewritten and queued in three passes over the
// burst, in which the direction is data, never a branch.
//
// It serves a packet or leaves it: what is not plain, not found, or may not leave the box goes on
// to the stages that judge it, as if there were no express lane. So it drops nothing and knows no
// reasons.
#include "state.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the masks are for it");

// The first 24 bytes of a frame in words: our MAC; IPv4 without options; UDP, not a fragment.
#define MAC_MASK 0x0000ffffffffffffULL
#define TYPE_MASK 0x00ffffff00000000ULL
#define TYPE_WORD 0x0045000800000000ULL
#define WHOLE_MASK 0xff00ffbf00000000ULL
#define WHOLE_WORD 0x1100000000000000ULL

// Of the first byte of what comes to a service (RFC 8656 §12).
#define CHANNEL_MASK 0xc0
#define CHANNEL_BITS 0x40

#define BAD_CHECKSUM (RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD)
#define HEADERS_BYTES (PKT_IPV4_BYTES + PKT_UDP_BYTES)

// Plain datagrams, and what is found at their keys.
struct express {
	unsigned n;
	struct rte_mbuf *mbufs[WORKER_BURST_MAX];
	struct flow4_key keys[WORKER_BURST_MAX];
	struct flow4_entry *entries[WORKER_BURST_MAX];
};

// By direction: down, up.
struct tally {
	uint64_t n_packets[2];
	uint64_t n_bytes[2];
};

static inline uint8_t *l3_of(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, uint8_t *) + PKT_ETHER_BYTES;
}

static inline bool is_plain(const struct worker_port *port, const struct rte_mbuf *mbuf)
{
	const uint8_t *l3 = l3_of(mbuf);
	const uint8_t *frame = l3 - PKT_ETHER_BYTES;
	const uint64_t differs = ((load_u64(frame) ^ port->mac_word) & MAC_MASK) |
		((load_u64(frame + 8) ^ TYPE_WORD) & TYPE_MASK) |
		((load_u64(frame + 16) ^ WHOLE_WORD) & WHOLE_MASK);
	const uint32_t ip_bytes = load_be16(l3 + 2);
	const uint32_t udp_bytes = load_be16(l3 + PKT_IPV4_BYTES + 4);

	return (differs | (mbuf->nb_segs ^ 1u) | (mbuf->ol_flags & BAD_CHECKSUM) |
		       (ip_bytes - PKT_IPV4_BYTES - udp_bytes)) == 0 &&
		udp_bytes >= PKT_UDP_BYTES && PKT_ETHER_BYTES + ip_bytes <= mbuf->data_len;
}

static __attribute__((noinline)) bool is_unfinished(const struct rte_mbuf *mbuf)
{
	struct pkt p;

	return pkt_parse(&p, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, 0) == PKT_UDP &&
		pkt_checksum_unfinished(&p);
}

// All ones where the datagram is for a service, by its port alone: four lanes at once, a lane of
// zero is the port.
static inline uint64_t service_mask(const struct worker *w, uint16_t port_be)
{
	const uint64_t lanes = 0x0001000100010001ULL;
	const uint64_t differs = w->service_ports ^ port_be * lanes;

	return -(uint64_t)(((differs - lanes) & ~differs & 0x8000800080008000ULL) != 0);
}

// What comes to a service goes by its channel; what comes to a relayed address by addresses and
// ports alone. False for what comes to a service and carries no channel.
static inline bool write_key(struct flow4_key *key, const struct worker *w, const uint8_t *l3)
{
	const uint8_t *l4 = l3 + PKT_IPV4_BYTES;
	const uint64_t service = service_mask(w, load_u16(l4 + 2));
	const uint64_t first = load_u16(l4 + PKT_UDP_BYTES);
	const uint64_t words[2] = {load_u64(l3 + 12), load_u32(l4) | (first << 32 & service)};

	memcpy(key, words, sizeof(words));
	return ((first ^ CHANNEL_BITS) & CHANNEL_MASK & service) == 0;
}

static inline void find_keys(struct worker *w, struct burst *b, struct express *x)
{
	const struct worker_port *port = &w->ports[b->port_idx];
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_rx; i++) {
		struct rte_mbuf *mbuf = b->rx[i];

		if (is_plain(port, mbuf) && write_key(&x->keys[n], w, l3_of(mbuf)) &&
			!(port->config.kernel_wire && is_unfinished(mbuf)))
			x->mbufs[n++] = mbuf;
		else
			b->items[b->n++].mbuf = mbuf;
	}
	x->n = n;
}

// What a packet becomes, as numbers.
struct shape {
	uint32_t up; // 1 or 0
	uint32_t data_bytes;
	uint32_t n_behind; // that follow the data and are not relayed; huge where a length lies
	uint32_t ip_bytes;
	int32_t moved; // of the headers, towards the data
};

static inline struct shape shape_of(const uint8_t *l3, const struct flow4_entry *e)
{
	static_assert((FLOW_UP & 1) == 1 && (FLOW_DOWN & 1) == 0, "the direction as a number");
	const uint32_t up = e->kind & 1;
	const uint32_t payload_bytes = load_be16(l3 + PKT_IPV4_BYTES + 4) - PKT_UDP_BYTES;
	const uint32_t said_bytes = load_be16(l3 + HEADERS_BYTES + 2);
	const uint32_t data_bytes = payload_bytes ^ ((payload_bytes ^ said_bytes) & -up);

	return (struct shape){
		.up = up,
		.data_bytes = data_bytes,
		.n_behind = payload_bytes - data_bytes - PKT_CHANNEL_BYTES * up,
		.ip_bytes = HEADERS_BYTES + PKT_CHANNEL_BYTES * (1 - up) + data_bytes,
		.moved = (int32_t)(2 * PKT_CHANNEL_BYTES * up) - PKT_CHANNEL_BYTES,
	};
}

// Sums of whole words; 4 * 0xffff, which is nothing, keeps them above zero. Here all that is under
// the header's checksum and not in the entry: the hop limit, the length and the id.
static inline uint32_t ip_checksum(
	const uint8_t *l3, const struct flow4_entry *e, uint16_t length, uint16_t id)
{
	const uint32_t sum = 4 * 0xffff - load_u16(l3 + 10) + e->ip_delta - 1 + length -
		load_u16(l3 + 2) + id - load_u16(l3 + 4);

	return csum_negate(csum_fold32(sum));
}

// Here the channel's length, which leaves up and comes down, the length of the datagram, which is
// in there twice, and what lies behind the data.
static inline uint32_t udp_checksum(const uint8_t *l3, const struct flow4_entry *e,
	const struct shape *s, uint16_t channel_length, uint16_t length)
{
	const uint8_t *l4 = l3 + PKT_IPV4_BYTES;
	const uint8_t *behind = l3 + HEADERS_BYTES + PKT_CHANNEL_BYTES + s->data_bytes;
	const uint32_t field = load_u16(l4 + 6);
	uint32_t sum = 4 * 0xffff - field + e->udp_delta + (channel_length ^ (-s->up & 0xffff)) +
		2 * ((uint32_t)length - load_u16(l4 + 4));

	if (s->n_behind)
		sum += csum_negate(csum_sum_at(behind, s->n_behind, s->data_bytes));
	sum = csum_negate(csum_fold32(sum));
	sum = sum ? sum : 0xffff;
	return field ? sum : 0;
}

// | eth ip udp | channel length | data |  <->  | eth ip udp | data |
// Up the front moves 4 bytes towards the data, down away from it. The channel's header is written
// both ways: up the new headers then cover it. All is read before it is written.
static inline void rewrite(uint8_t *l3, const struct flow4_entry *e, const struct flow_hop *hop,
	const struct shape *s, uint16_t id)
{
	const uint16_t channel_length = __builtin_bswap16((uint16_t)s->data_bytes);
	const uint16_t ip_length = __builtin_bswap16((uint16_t)s->ip_bytes);
	const uint16_t udp_length = __builtin_bswap16((uint16_t)(s->ip_bytes - PKT_IPV4_BYTES));
	const uint64_t first = load_u64(l3) & 0xffff00000000ffff; // version, DSCP; DF
	const uint32_t ttl_protocol = load_u16(l3 + 8);
	const uint32_t ip_csum = ip_checksum(l3, e, ip_length, id);
	const uint32_t udp_csum = udp_checksum(l3, e, s, channel_length, udp_length);

	store_u32(l3 + HEADERS_BYTES - PKT_CHANNEL_BYTES,
		e->channel_be | (uint32_t)channel_length << 16);
	l3 += s->moved;
	store_u64(l3, first | (uint64_t)ip_length << 16 | (uint64_t)id << 32);
	store_u64(l3 + 8, (ttl_protocol - 1) | ip_csum << 16 | (uint64_t)e->source_ip << 32);
	memcpy(l3 + 16, &e->target_ip, 8); // and both ports
	store_u32(l3 + PKT_IPV4_BYTES + 4, udp_length | udp_csum << 16);
	if (hop->header_bytes == PKT_ETHER_BYTES)
		memcpy(l3 - PKT_ETHER_BYTES, hop->header, PKT_ETHER_BYTES);
	else
		memcpy(l3 - PKT_L2_BYTES_MAX, hop->header, PKT_L2_BYTES_MAX);
}

// False where the packet may not leave this way (RFC 8656 §12.6, §14); it is as it was then.
static inline bool relay(
	struct worker *w, struct rte_mbuf *mbuf, struct flow4_entry *e, struct tally *tally)
{
	const struct flow_hop *hop = &w->hops[e->hop_idx];
	struct worker_port *out = &w->ports[hop->port_idx];
	uint8_t *l3 = l3_of(mbuf);
	const struct shape s = shape_of(l3, e);
	const int32_t data_off = mbuf->data_off + PKT_ETHER_BYTES + s.moved - hop->header_bytes;

	if (e->kind > FLOW_DOWN || hop->kind != FLOW_HOP_WIRE || hop->port_idx >= w->n_ports ||
		l3[8] <= 1 || s.n_behind > UINT16_MAX || s.ip_bytes > hop->mtu_bytes ||
		data_off < 0 || out->n_tx == TX_QUEUE_MAX)
		return false;
	rewrite(l3, e, hop, &s, w->next_ip_id++);
	mbuf->data_off = (uint16_t)data_off;
	mbuf->pkt_len = hop->header_bytes + s.ip_bytes;
	mbuf->data_len = (uint16_t)(hop->header_bytes + s.ip_bytes);
	mbuf->ol_flags = 0;
	out->tx[out->n_tx++] = mbuf;
	e->n_packets++;
	e->n_bytes += s.data_bytes;
	tally->n_packets[s.up]++;
	tally->n_bytes[s.up] += s.data_bytes;
	return true;
}

void express_burst(struct worker *w, struct burst *b)
{
	struct express x;
	struct tally tally = {0};
	struct worker_stats *stats = &w->pub.stats;

	b->n = 0;
	for (unsigned i = 0; i < b->n_rx; i++)
		rte_prefetch0(rte_pktmbuf_mtod(b->rx[i], void *));
	find_keys(w, b, &x);
	flow4_guess_burst(&w->flows, x.keys, x.n, x.entries);
	for (unsigned i = 0; i < x.n; i++) {
		struct flow4_entry *entry = flow4_confirm(&w->flows, &x.keys[i], x.entries[i]);

		if (!entry || !relay(w, x.mbufs[i], entry, &tally))
			b->items[b->n++].mbuf = x.mbufs[i];
	}
	stats->n_express += tally.n_packets[0] + tally.n_packets[1];
	stats->n_relayed[RELAY_UP_CHANNEL] += tally.n_packets[1];
	stats->n_relayed[RELAY_DOWN_CHANNEL] += tally.n_packets[0];
	stats->n_relayed_bytes[RELAY_UP_CHANNEL] += tally.n_bytes[1];
	stats->n_relayed_bytes[RELAY_DOWN_CHANNEL] += tally.n_bytes[0];
}
