// The express lane: plain datagrams that have a flow of their own, a channel's, up or down. They
// are nearly all of the traffic, so they are found, rewritten and queued in three passes over the
// burst, in which the direction is data, never a branch.
//
// It serves a packet or leaves it: what is not plain, not found, or may not leave the box goes on
// to the stages that judge it, as if there were no express lane; but what is plain has been parsed.
// So it drops nothing, and knows no reason but one: what is over a rate is asked for that once, and
// not again.
#include "state.h"

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the masks are for it");

// The first 24 bytes of a frame in words: our MAC; IPv4 without options; UDP, not a fragment.
#define MAC_MASK 0x0000ffffffffffffULL
#define TYPE_MASK 0x00ffffff00000000ULL
#define TYPE_WORD 0x0045000800000000ULL
#define WHOLE_MASK 0xff00ffbf00000000ULL
#define WHOLE_WORD 0x1100000000000000ULL

// Of the first four bytes of what comes to a service (RFC 8656 §12): a channel, its length.
#define CHANNEL_MASK 0xffff00c0u
#define CHANNEL_BITS 0x40u

#define BAD_CHECKSUM (RTE_MBUF_F_RX_L4_CKSUM_BAD | RTE_MBUF_F_RX_IP_CKSUM_BAD)
#define HEADERS_BYTES (PKT_IPV4_BYTES + PKT_UDP_BYTES)

// Plain datagrams, and what is found at their keys.
struct express {
	unsigned n;
	struct rte_mbuf *mbufs[WORKER_BURST_MAX];
	struct flow4_key keys[WORKER_BURST_MAX];
	struct flow4_entry *entries[WORKER_BURST_MAX];
};

static inline uint8_t *l3_of(const struct rte_mbuf *mbuf)
{
	return rte_pktmbuf_mtod(mbuf, uint8_t *) + PKT_ETHER_BYTES;
}

static inline uint32_t payload_bytes_of(const uint8_t *l3)
{
	return load_be16(l3 + PKT_IPV4_BYTES + 4) - PKT_UDP_BYTES;
}

static inline bool is_plain(
	const struct worker_port *port, const struct rte_mbuf *mbuf, const uint8_t *l3)
{
	const uint8_t *frame = l3 - PKT_ETHER_BYTES;
	const uint64_t differs = ((load_u64(frame) ^ port->mac_word) & MAC_MASK) |
		((load_u64(frame + 8) ^ TYPE_WORD) & TYPE_MASK) |
		((load_u64(frame + 16) ^ WHOLE_WORD) & WHOLE_MASK);
	const uint32_t ip_bytes = load_be16(l3 + 2);

	return (differs | (mbuf->nb_segs ^ 1u) | (mbuf->ol_flags & BAD_CHECKSUM) |
		       (ip_bytes - HEADERS_BYTES - payload_bytes_of(l3))) == 0 &&
		ip_bytes >= HEADERS_BYTES && PKT_ETHER_BYTES + ip_bytes <= mbuf->data_len;
}

static __attribute__((noinline)) bool is_unfinished(const struct rte_mbuf *mbuf)
{
	struct pkt p;

	return pkt_parse(&p, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, 0) == PKT_UDP &&
		pkt_checksum_unfinished(&p);
}

// All ones where the datagram is for a service, by its port alone: four lanes at once, a lane of
// zero is the port.
static inline uint32_t service_mask(const struct worker *w, uint16_t port_be)
{
	const uint64_t lanes = 0x0001000100010001ULL;
	const uint64_t differs = w->service_ports ^ port_be * lanes;

	return -(uint32_t)(((differs - lanes) & ~differs & 0x8000800080008000ULL) != 0);
}

// What comes to a service goes by its channel; what comes to a relayed address by addresses and
// ports alone. False for what comes to a service and is not all channel: other messages, and data
// with something behind them.
static inline bool write_key(struct flow4_key *key, const struct worker *w, const uint8_t *l3)
{
	const uint8_t *l4 = l3 + PKT_IPV4_BYTES;
	const uint32_t service = service_mask(w, load_u16(l4 + 2));
	const uint32_t first = load_u32(l4 + PKT_UDP_BYTES);
	const uint32_t data_bytes = payload_bytes_of(l3) - PKT_CHANNEL_BYTES;
	const uint32_t channel =
		CHANNEL_BITS | (uint32_t)__builtin_bswap16((uint16_t)data_bytes) << 16;
	const uint64_t words[2] = {
		load_u64(l3 + 12), load_u32(l4) | (uint64_t)(first & 0xffff & service) << 32};

	memcpy(key, words, sizeof(words));
	return ((((first ^ channel) & CHANNEL_MASK) | data_bytes >> 16) & service) == 0;
}

static inline struct burst_item *leave_plain(struct burst *b, struct rte_mbuf *mbuf)
{
	struct burst_item *item = burst_leave(b, mbuf);
	uint8_t *l3 = l3_of(mbuf);

	pkt_view_plain(&item->pkt, l3 - PKT_ETHER_BYTES, load_be16(l3 + PKT_IPV4_BYTES + 4));
	item->lane = LANE_CLASSIFY;
	return item;
}

static inline void find_keys(struct worker *w, struct burst *b, struct express *x)
{
	const struct worker_port *port = &w->ports[b->port_idx];
	unsigned n = 0;

	for (unsigned i = 0; i < b->n_rx; i++) {
		struct rte_mbuf *mbuf = b->rx[i];
		const uint8_t *l3 = l3_of(mbuf);

		if (!is_plain(port, mbuf, l3) || (port->config.kernel_wire && is_unfinished(mbuf)))
			burst_leave(b, mbuf);
		else if (write_key(&x->keys[n], w, l3))
			x->mbufs[n++] = mbuf;
		else
			leave_plain(b, mbuf);
	}
	x->n = n;
}

// What the direction decides, down and up. The lengths of both headers change by the channel's
// header, which is a difference of words in the sums.
struct direction {
	int32_t moved; // of the headers, towards the data
	int32_t grown; // of the datagram
	uint32_t ip_sum; // 4 * 0xffff, which is nothing, keeps what is taken away above zero
	uint32_t udp_sum;
	uint32_t
		channel_mask; // up, the channel's length leaves: it is taken away by its complement
};

#define SUM_NOTHING (4 * 0xffff)
#define WORD_OF_4 0x0400 // as it lies in memory
#define HOP_LIMIT_STEP 1

static const struct direction directions[] = {
	{
		.moved = -PKT_CHANNEL_BYTES,
		.grown = PKT_CHANNEL_BYTES,
		.ip_sum = SUM_NOTHING - HOP_LIMIT_STEP + WORD_OF_4,
		.udp_sum = SUM_NOTHING + 2 * WORD_OF_4,
	},
	{
		.moved = PKT_CHANNEL_BYTES,
		.grown = -PKT_CHANNEL_BYTES,
		.ip_sum = SUM_NOTHING - HOP_LIMIT_STEP - WORD_OF_4,
		.udp_sum = SUM_NOTHING - 2 * WORD_OF_4,
		.channel_mask = 0xffff,
	},
};

// A packet on its way through.
struct passage {
	struct rte_mbuf *mbuf;
	uint8_t *l3;
	struct flow4_entry *entry;
	const struct direction *direction;
	uint32_t ip_bytes; // of the new packet
	uint32_t data_bytes;
};

static inline uint32_t ip_checksum(const struct passage *p, uint16_t id)
{
	const uint32_t sum = p->direction->ip_sum + p->entry->to.ip_delta - load_u16(p->l3 + 10) +
		id - load_u16(p->l3 + 4);

	return ~csum_fold_high(sum) & 0xffff0000;
}

// The channel's length leaves up and comes down; the channel itself is in the entry.
static inline uint32_t udp_checksum(const struct passage *p, uint32_t channel_length)
{
	const uint32_t field = load_u16(p->l3 + PKT_IPV4_BYTES + 6);
	const uint32_t sum = p->direction->udp_sum + p->entry->to.udp_delta - field +
		(channel_length ^ p->direction->channel_mask);
	const uint32_t negated = ~csum_fold_high(sum) & 0xffff0000;

	return field == 0 ? 0 : negated ? negated : 0xffff0000;
}

// | eth ip udp | channel length | data |  <->  | eth ip udp | data |
// Up the front moves 4 bytes towards the data, down away from it. The channel's header is written
// both ways: up the new headers then cover it. All is read before it is written.
static inline void rewrite(const struct passage *p, const struct flow_hop *hop, uint16_t id)
{
	const struct flow4_entry *e = p->entry;
	uint8_t *l3 = p->l3;
	const uint32_t channel_length = __builtin_bswap16((uint16_t)p->data_bytes);
	const uint64_t ip_length = __builtin_bswap16((uint16_t)p->ip_bytes);
	const uint32_t udp_length = __builtin_bswap16((uint16_t)(p->ip_bytes - PKT_IPV4_BYTES));
	const uint64_t first = load_u64(l3) & 0xffff00000000ffff; // version, DSCP; DF
	const uint32_t ttl_protocol = load_u16(l3 + 8);
	const uint32_t ip_csum = ip_checksum(p, id);
	const uint32_t udp_csum = udp_checksum(p, channel_length);

	store_u32(l3 + HEADERS_BYTES - PKT_CHANNEL_BYTES, e->to.channel_be | channel_length << 16);
	l3 += p->direction->moved;
	store_u64(l3, first | ip_length << 16 | (uint64_t)id << 32);
	store_u64(l3 + 8, (ttl_protocol - HOP_LIMIT_STEP) | ip_csum | (uint64_t)e->source_ip << 32);
	memcpy(l3 + 16, (const uint8_t *)e + offsetof(struct flow4_entry, target_ip), 8);
	store_u32(l3 + PKT_IPV4_BYTES + 4, udp_length | udp_csum);
	if (hop->header_bytes == PKT_ETHER_BYTES)
		memcpy(l3 - PKT_ETHER_BYTES, hop->header, PKT_ETHER_BYTES);
	else
		memcpy(l3 - PKT_L2_BYTES_MAX, hop->header, PKT_L2_BYTES_MAX);
}

// Where the packets of a burst go, and their sums: down, up.
struct outcome {
	struct rte_mbuf **tx_end[WORKER_PORTS_MAX];
	uint32_t open; // ports that have room for the whole burst, a bit each
	uint64_t n_packets[2];
	uint64_t n_bytes[2];
};

static inline void outcome_open(struct outcome *o, struct worker *w)
{
	o->open = 0;
	for (unsigned way = 0; way < 2; way++)
		o->n_packets[way] = o->n_bytes[way] = 0;
	for (unsigned i = 0; i < w->n_ports; i++) {
		struct worker_port *port = &w->ports[i];

		o->tx_end[i] = port->tx + port->n_tx;
		o->open |= (uint32_t)(port->n_tx + WORKER_BURST_MAX <= TX_QUEUE_MAX) << i;
	}
}

static inline void outcome_close(const struct outcome *o, struct worker *w)
{
	struct worker_stats *stats = &w->pub.stats;

	for (unsigned i = 0; i < w->n_ports; i++)
		w->ports[i].n_tx = (unsigned)(o->tx_end[i] - w->ports[i].tx);
	stats->n_express += o->n_packets[0] + o->n_packets[1];
	stats->n_relayed[RELAY_UP_CHANNEL] += o->n_packets[1];
	stats->n_relayed[RELAY_DOWN_CHANNEL] += o->n_packets[0];
	stats->n_relayed_bytes[RELAY_UP_CHANNEL] += o->n_bytes[1];
	stats->n_relayed_bytes[RELAY_DOWN_CHANNEL] += o->n_bytes[0];
}

// False where the packet may not leave this way (RFC 8656 §12.6, §14); it is as it was then. Then
// `refused` may say that it is over a rate.
static inline bool relay(struct worker *w, struct rte_mbuf *mbuf, struct flow4_entry *e,
	struct outcome *o, const bool limited, enum drop *refused)
{
	static_assert((FLOW_UP & 1) == 1 && (FLOW_DOWN & 1) == 0, "the direction as a number");
	const unsigned up = e->to.kind & 1;
	const struct flow_hop *hop = &w->hops[e->to.hop_idx];
	uint8_t *l3 = l3_of(mbuf);
	const uint32_t payload_bytes = payload_bytes_of(l3);
	const struct passage p = {
		.mbuf = mbuf,
		.l3 = l3,
		.entry = e,
		.direction = &directions[up],
		.ip_bytes = HEADERS_BYTES + payload_bytes + (uint32_t)directions[up].grown,
		.data_bytes = payload_bytes - PKT_CHANNEL_BYTES * up,
	};
	const int32_t data_off =
		mbuf->data_off + PKT_ETHER_BYTES + p.direction->moved - hop->header_bytes;

	if (e->to.kind > FLOW_DOWN || hop->kind != FLOW_HOP_WIRE || hop->port_idx >= w->n_ports ||
		!(o->open >> hop->port_idx & 1) || l3[8] <= 1 || p.ip_bytes > hop->mtu_bytes ||
		data_off < 0)
		return false;
	if (limited)
		*refused = rates_take(&w->rates, &e->to, up, p.data_bytes, w->now_ticks);
	if (limited && *refused)
		return false;
	rewrite(&p, hop, w->next_ip_id++);
	mbuf->data_off = (uint16_t)data_off;
	mbuf->pkt_len = hop->header_bytes + p.ip_bytes;
	mbuf->data_len = (uint16_t)(hop->header_bytes + p.ip_bytes);
	mbuf->ol_flags = 0;
	*o->tx_end[hop->port_idx]++ = mbuf;
	e->to.n_packets++;
	e->to.n_bytes += p.data_bytes;
	o->n_packets[up]++;
	o->n_bytes[up] += p.data_bytes;
	return true;
}

// Compiled twice: without limits, nothing asks for them.
static inline __attribute__((always_inline)) void serve(
	struct worker *w, struct burst *b, struct express *x, const bool limited)
{
	struct outcome outcome;

	outcome_open(&outcome, w);
	for (unsigned i = 0; i < x->n; i++) {
		struct flow4_entry *entry = flow4_confirm(&w->flows4, &x->keys[i], x->entries[i]);
		enum drop refused = DROP_NONE;
		struct burst_item *item;

		if (entry && relay(w, x->mbufs[i], entry, &outcome, limited, &refused))
			continue;
		item = leave_plain(b, x->mbufs[i]);
		item->missed = !entry && x->keys[i].channel_be == 0;
		if (refused) {
			item->lane = x->keys[i].channel_be ? LANE_UP_CHANNEL : LANE_DOWN;
			item_drop(item, refused);
		}
	}
	outcome_close(&outcome, w);
}

static __attribute__((noinline)) void sample_burst(struct worker *w, const struct express *x)
{
	for (unsigned i = 0; i < x->n; i++) {
		const struct flow4_entry *entry =
			flow4_confirm(&w->flows4, &x->keys[i], x->entries[i]);

		if (entry)
			sample(w, &entry->to);
	}
}

// Where frames have a tag, none is plain, and what has none is not of this port.
static void leave_all(struct burst *b)
{
	for (unsigned i = 0; i < b->n_rx; i++)
		burst_leave(b, b->rx[i]);
}

void express_burst(struct worker *w, struct burst *b)
{
	struct express x;

	b->n = 0;
	if (w->ports[b->port_idx].config.vlan)
		return leave_all(b);
	for (unsigned i = 0; i < b->n_rx; i++)
		rte_prefetch0(rte_pktmbuf_mtod(b->rx[i], void *));
	find_keys(w, b, &x);
	flow4_guess_burst(&w->flows4, x.keys, x.n, x.entries);
	if (is_sampled(w))
		sample_burst(w, &x);
	if (w->rates.limited)
		serve(w, b, &x, true);
	else
		serve(w, b, &x, false);
}
