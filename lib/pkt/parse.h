// Reading a frame; inline, for every packet passes here.
#ifndef PKT_PARSE_H
#define PKT_PARSE_H

#include "pkt.h"

// As they lie in memory.
#define PKT_TYPE_IPV4 __builtin_bswap16(0x0800)
#define PKT_TYPE_IPV6 __builtin_bswap16(0x86dd)
#define PKT_FRAGMENT_MASK __builtin_bswap16(0x3fff) // more fragments, or an offset
#define PKT_PROTOCOL_UDP 17u

// Everything that is not an untagged, plain IPv4 UDP datagram. As pkt_parse().
enum pkt_kind pkt_parse_odd(struct pkt *out, uint8_t *frame, size_t frame_bytes, uint16_t vlan);

// The view of an untagged IPv4 UDP datagram without options, whose lengths the caller has checked.
static inline void pkt_view_plain(struct pkt *out, uint8_t *frame, uint32_t udp_bytes)
{
	*out = (struct pkt){
		.frame = frame,
		.l3 = frame + PKT_ETHER_BYTES,
		.l4 = frame + PKT_ETHER_BYTES + PKT_IPV4_BYTES,
		.payload = frame + PKT_ETHER_BYTES + PKT_IPV4_BYTES + PKT_UDP_BYTES,
		.l2_bytes = PKT_ETHER_BYTES,
		.l3_bytes = PKT_IPV4_BYTES,
		.payload_bytes = (uint16_t)(udp_bytes - PKT_UDP_BYTES),
		.family = FAMILY_IPV4,
	};
}

// Read a frame. `vlan` is the tag that every frame of this port carries, or 0 for a port of
// untagged frames; the priority tag 0 counts as untagged (802.1Q). family, l3 and l2_bytes are also
// right for PKT_FOREIGN and PKT_FRAGMENT; l4 is where the extension headers of IPv6 end.
static inline enum pkt_kind pkt_parse(
	struct pkt *out, uint8_t *frame, size_t frame_bytes, uint16_t vlan)
{
	uint8_t *l3 = frame + PKT_ETHER_BYTES;
	uint32_t ip_bytes;
	uint32_t udp_bytes;

	// Type, version and header length in one word; fragment and protocol in another.
	if (vlan || frame_bytes < PKT_ETHER_BYTES + PKT_IPV4_BYTES + PKT_UDP_BYTES ||
		(load_u32(frame + 12) & 0x00ffffff) != (PKT_TYPE_IPV4 | 0x450000) ||
		(load_u32(l3 + 6) & (PKT_FRAGMENT_MASK | 0xff000000)) != PKT_PROTOCOL_UDP << 24)
		return pkt_parse_odd(out, frame, frame_bytes, vlan);
	ip_bytes = load_be16(l3 + 2);
	udp_bytes = load_be16(l3 + PKT_IPV4_BYTES + 4);
	if (ip_bytes > frame_bytes - PKT_ETHER_BYTES || udp_bytes < PKT_UDP_BYTES ||
		udp_bytes + PKT_IPV4_BYTES > ip_bytes)
		return pkt_parse_odd(out, frame, frame_bytes, vlan);
	pkt_view_plain(out, frame, udp_bytes);
	return PKT_UDP;
}

#endif
