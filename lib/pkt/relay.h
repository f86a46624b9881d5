// Rewriting a datagram into the one that leaves; inline, for every relayed packet passes here.
#ifndef PKT_RELAY_H
#define PKT_RELAY_H

#include "pkt.h"

// Addresses and ports as they lie in a packet.
struct pkt_rewrite {
	const uint8_t *source_ip; // of the new packet: 4 or 16 bytes
	const uint8_t *target_ip;
	uint16_t source_port;
	uint16_t target_port;
	uint8_t family; // of the new packet
	uint8_t l2_bytes; // 14, or 18
	bool dont_fragment; // IPv4 to IPv4: set DF; otherwise DF is copied (RFC 8656 §14)
	uint16_t ip_id; // of a new IPv4 packet, any byte order
	uint16_t ip_delta; // IPv4 to IPv4: sum of new addresses minus old ones
	uint16_t payload_bytes;
	uint32_t flow_label; // of a new IPv6 packet, in its place in the first word
	uint64_t udp_delta; // all that changes under the UDP checksum but the two lengths
	uint8_t *payload; // the new payload, inside the frame's buffer
	const uint8_t *l2; // the new Ethernet header, with its type; 18 bytes of it can be read
};

// What a relayed packet takes over from the one that came in, as words that lie in memory. Read it
// before anything is written in front of the payload: the new headers and a TURN header overlap the
// old ones.
struct pkt_origin {
	// IPv4: version, DSCP and length; id and fragment; hop limit, protocol and checksum.
	// IPv6: version, traffic class and flow label; length, next header and hop limit.
	uint32_t ip[3];
	uint32_t udp; // length and checksum
	bool has_options;
};

static inline struct pkt_origin pkt_origin_load(const struct pkt *p)
{
	return (struct pkt_origin){
		.ip = {load_u32(p->l3), load_u32(p->l3 + 4), load_u32(p->l3 + 8)},
		.udp = load_u32(p->l4 + 4),
		.has_options = p->l3_bytes != PKT_IPV4_BYTES,
	};
}

// The checksum differs by the words that change; a word's complement takes it away, 16 or 32 bits
// wide alike.
static inline void pkt_write_ipv4(
	uint8_t *l3, const struct pkt_origin *old, const struct pkt_rewrite *rewrite)
{
	const uint16_t bytes = (uint16_t)(PKT_IPV4_BYTES + PKT_UDP_BYTES + rewrite->payload_bytes);
	const uint32_t dont_fragment = (uint32_t)__builtin_bswap16(0x4000) << 16;
	const uint32_t fragment =
		rewrite->dont_fragment ? dont_fragment : old->ip[1] & dont_fragment;
	const uint32_t first =
		0x45 | (old->ip[0] & 0xff00) | (uint32_t)__builtin_bswap16(bytes) << 16;
	const uint32_t second = rewrite->ip_id | fragment;
	const uint32_t ttl_protocol = (old->ip[2] & 0xffff) - 1;
	const uint64_t delta = (uint64_t)rewrite->ip_delta + first + ~old->ip[0] + second +
		~old->ip[1] + ttl_protocol + csum_negate((uint16_t)old->ip[2]);
	uint16_t csum = csum_update((uint16_t)(old->ip[2] >> 16), delta);

	store_u32(l3, first);
	store_u32(l3 + 4, second);
	memcpy(l3 + 12, rewrite->source_ip, IPV4_BYTES);
	memcpy(l3 + 16, rewrite->target_ip, IPV4_BYTES);
	// Options leave with the old header, so its checksum is no base to differ from.
	if (old->has_options) {
		store_u32(l3 + 8, ttl_protocol);
		csum = (uint16_t)~csum_fold(csum_sum(l3, PKT_IPV4_BYTES));
	}
	store_u32(l3 + 8, ttl_protocol | (uint32_t)csum << 16);
}

static inline void pkt_write_udp(
	uint8_t *l4, const struct pkt_origin *old, const struct pkt_rewrite *rewrite)
{
	const uint16_t bytes =
		__builtin_bswap16((uint16_t)(PKT_UDP_BYTES + rewrite->payload_bytes));
	// The length stands under the checksum twice: in the header and in the pseudo header.
	const uint64_t delta =
		rewrite->udp_delta + 2 * ((uint64_t)bytes + csum_negate((uint16_t)old->udp));
	const uint16_t csum = csum_update_udp((uint16_t)(old->udp >> 16), delta);

	store_u16(l4, rewrite->source_port);
	store_u16(l4 + 2, rewrite->target_port);
	store_u32(l4 + 4, bytes | (uint32_t)csum << 16);
}

// Write the headers of a datagram that is our own, no relayed one: hop limit 64, DF, checksum
// computed. Of `rewrite`: addresses, family, Ethernet header, ip_id and payload, which is in place.
void pkt_originate(struct pkt *p, const struct pkt_rewrite *rewrite);

// Point the view at the new packet around rewrite->payload.
static inline void pkt_surround(struct pkt *p, const struct pkt_rewrite *rewrite)
{
	p->l3_bytes = pkt_ip_bytes(rewrite->family);
	p->payload = rewrite->payload;
	p->payload_bytes = rewrite->payload_bytes;
	p->l4 = p->payload - PKT_UDP_BYTES;
	p->l3 = p->l4 - p->l3_bytes;
	p->l2_bytes = rewrite->l2_bytes;
	p->frame = p->l3 - p->l2_bytes;
}

static inline void pkt_write_l2(uint8_t *frame, const struct pkt_rewrite *rewrite)
{
	memcpy(frame, rewrite->l2, PKT_ETHER_BYTES);
	if (rewrite->l2_bytes != PKT_ETHER_BYTES)
		memcpy(frame + PKT_ETHER_BYTES, rewrite->l2 + PKT_ETHER_BYTES, PKT_VLAN_BYTES);
}

// Turn the IPv4 datagram into another one around the new payload, whose bytes are in place: new
// addresses, lengths, checksums by difference, hop limit one less, DSCP and ECN kept, IP options
// left out (RFC 8656 §14). The hop limit must be above 1.
static inline void pkt_relay(
	struct pkt *p, const struct pkt_origin *origin, const struct pkt_rewrite *rewrite)
{
	pkt_surround(p, rewrite);
	pkt_write_udp(p->l4, origin, rewrite);
	pkt_write_ipv4(p->l3, origin, rewrite);
	pkt_write_l2(p->frame, rewrite);
}

// The same as pkt_relay() where one of the packets is IPv6 (RFC 8656 §13): traffic class and hop
// limit as a router has them, no extension headers, the flow label of the new flow, and a UDP
// checksum even where the old packet had none.
void pkt_relay_ipv6(
	struct pkt *p, const struct pkt_origin *origin, const struct pkt_rewrite *rewrite);

#endif
