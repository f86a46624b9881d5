#include "pkt.h"

#define TYPE_VLAN __builtin_bswap16(0x8100)

// False where UDP does not follow in this packet.
static bool has_udp(const uint8_t *l3, uint8_t family)
{
	if (family == FAMILY_IPV4)
		return l3[9] == PKT_PROTOCOL_UDP && !(load_be16(l3 + 6) & 0x1fff);
	return l3[6] == PKT_PROTOCOL_UDP;
}

struct pkt_ends pkt_ends_peek(const uint8_t *frame, size_t frame_bytes)
{
	struct pkt_ends ends = {0};
	size_t at = PKT_ETHER_BYTES;
	const uint8_t *l3;
	size_t l3_bytes;

	if (frame_bytes >= PKT_L2_BYTES_MAX && load_u16(frame + 12) == TYPE_VLAN)
		at = PKT_L2_BYTES_MAX;
	if (frame_bytes < at)
		return ends;
	l3 = frame + at;
	if (load_u16(l3 - 2) == PKT_TYPE_IPV4 && frame_bytes >= at + PKT_IPV4_BYTES) {
		ends = (struct pkt_ends){l3 + 12, l3 + 16, 0, 0, FAMILY_IPV4};
		l3_bytes = (l3[0] & 0xfu) * 4;
	} else if (load_u16(l3 - 2) == PKT_TYPE_IPV6 && frame_bytes >= at + PKT_IPV6_BYTES) {
		ends = (struct pkt_ends){l3 + 8, l3 + 24, 0, 0, FAMILY_IPV6};
		l3_bytes = PKT_IPV6_BYTES;
	} else {
		return ends;
	}
	if (has_udp(l3, ends.family) && frame_bytes >= at + l3_bytes + 4) {
		ends.from_port_be = load_u16(l3 + l3_bytes);
		ends.to_port_be = load_u16(l3 + l3_bytes + 2);
	}
	return ends;
}
