#include "pkt.h"

#define TYPE_VLAN __builtin_bswap16(0x8100)
#define VLAN_ID_MASK 0x0fff

// Where the tag of a frame ends: 14 or 18 bytes, or 0 where it is not the port's.
static uint16_t skip_tag(const uint8_t *frame, size_t frame_bytes, uint16_t vlan)
{
	uint16_t id;

	if (load_u16(frame + 12) != TYPE_VLAN || frame_bytes < PKT_L2_BYTES_MAX)
		return vlan ? 0 : PKT_ETHER_BYTES;
	id = load_be16(frame + 14) & VLAN_ID_MASK;
	return id == vlan ? PKT_L2_BYTES_MAX : 0;
}

// l3 and l3_bytes are known, `ip_bytes` lie in the frame.
static enum pkt_kind parse_udp(struct pkt *p, uint32_t ip_bytes)
{
	uint16_t udp_bytes;

	if (ip_bytes < (uint32_t)p->l3_bytes + PKT_UDP_BYTES)
		return PKT_MALFORMED;
	p->l4 = p->l3 + p->l3_bytes;
	p->payload = p->l4 + PKT_UDP_BYTES;
	udp_bytes = load_be16(p->l4 + 4);
	if (udp_bytes < PKT_UDP_BYTES || udp_bytes > ip_bytes - p->l3_bytes)
		return PKT_MALFORMED;
	p->payload_bytes = (uint16_t)(udp_bytes - PKT_UDP_BYTES);
	return PKT_UDP;
}

static enum pkt_kind parse_ipv4(struct pkt *p, size_t l3_room)
{
	uint16_t ip_bytes;

	if (l3_room < PKT_IPV4_BYTES)
		return PKT_TRUNCATED;
	p->l3_bytes = (uint16_t)((p->l3[0] & 0x0f) * 4);
	ip_bytes = load_be16(p->l3 + 2);
	if (p->l3[0] >> 4 != 4 || p->l3_bytes < PKT_IPV4_BYTES || ip_bytes < p->l3_bytes)
		return PKT_MALFORMED;
	if (ip_bytes > l3_room)
		return PKT_TRUNCATED;
	if (p->l3[9] != PKT_PROTOCOL_UDP)
		return PKT_FOREIGN;
	if (load_u16(p->l3 + 6) & PKT_FRAGMENT_MASK)
		return PKT_FRAGMENT;
	return parse_udp(p, ip_bytes);
}

// Headers that may stand between IPv6 and UDP (RFC 8200 §4.1).
#define HEADER_HOP_BY_HOP 0
#define HEADER_ROUTING 43
#define HEADER_FRAGMENT 44
#define HEADER_OPTIONS 60
#define FRAGMENT_HEADER_BYTES 8
#define EXTENSIONS_MAX 8 // of one packet; what has more is for Linux to judge

static bool is_extension(uint8_t header)
{
	return header == HEADER_HOP_BY_HOP || header == HEADER_ROUTING ||
		header == HEADER_FRAGMENT || header == HEADER_OPTIONS;
}

static enum pkt_kind parse_ipv6(struct pkt *p, size_t l3_room)
{
	uint8_t header;
	uint32_t ip_bytes;

	if (l3_room < PKT_IPV6_BYTES)
		return PKT_TRUNCATED;
	ip_bytes = PKT_IPV6_BYTES + load_be16(p->l3 + 4);
	if (p->l3[0] >> 4 != 6)
		return PKT_MALFORMED;
	if (ip_bytes > l3_room)
		return PKT_TRUNCATED;
	header = p->l3[6];
	p->l3_bytes = PKT_IPV6_BYTES;
	for (unsigned n = 0; is_extension(header) && n < EXTENSIONS_MAX; n++) {
		const uint8_t *extension = p->l3 + p->l3_bytes;
		uint32_t n_bytes = FRAGMENT_HEADER_BYTES;

		p->l4 = p->l3 + p->l3_bytes;
		if (p->l3_bytes + n_bytes > ip_bytes)
			return PKT_MALFORMED;
		// A fragment that is the whole datagram is none (RFC 6946).
		if (header == HEADER_FRAGMENT && (load_be16(extension + 2) & 0xfff9))
			return extension[0] == PKT_PROTOCOL_UDP ? PKT_FRAGMENT : PKT_FOREIGN;
		if (header == HEADER_ROUTING && extension[3] != 0)
			return PKT_FOREIGN; // segments left: we are not its end
		if (header != HEADER_FRAGMENT)
			n_bytes += extension[1] * 8u;
		if (p->l3_bytes + n_bytes > ip_bytes)
			return PKT_MALFORMED;
		p->l3_bytes = (uint16_t)(p->l3_bytes + n_bytes);
		header = extension[0];
	}
	return header == PKT_PROTOCOL_UDP ? parse_udp(p, ip_bytes) : PKT_FOREIGN;
}

enum pkt_kind pkt_parse_odd(struct pkt *out, uint8_t *frame, size_t frame_bytes, uint16_t vlan)
{
	uint16_t type;

	out->frame = frame;
	out->l3 = NULL;
	out->l4 = NULL;
	out->family = FAMILY_NONE;
	if (frame_bytes < PKT_ETHER_BYTES)
		return PKT_MALFORMED;
	out->l2_bytes = skip_tag(frame, frame_bytes, vlan);
	if (out->l2_bytes == 0)
		return PKT_WRONG_VLAN;
	type = load_u16(frame + out->l2_bytes - 2);
	if (type != PKT_TYPE_IPV4 && type != PKT_TYPE_IPV6)
		return PKT_FOREIGN;
	out->l3 = frame + out->l2_bytes;
	if (type == PKT_TYPE_IPV4) {
		out->family = FAMILY_IPV4;
		return parse_ipv4(out, frame_bytes - out->l2_bytes);
	}
	out->family = FAMILY_IPV6;
	return parse_ipv6(out, frame_bytes - out->l2_bytes);
}
