// Reading a frame; inline, for every packet passes here.
#ifndef PKT_PARSE_H
#define PKT_PARSE_H

#include "pkt.h"

// As they lie in memory.
#define PKT_TYPE_IPV4 __builtin_bswap16(0x0800)
#define PKT_TYPE_VLAN __builtin_bswap16(0x8100)
#define PKT_FRAGMENT_MASK __builtin_bswap16(0x3fff) // more fragments, or an offset
#define PKT_PROTOCOL_UDP 17

// Where the tag of a frame ends: 14 or 18 bytes, or 0 where it is not the port's.
uint16_t pkt_skip_tag(const uint8_t *frame, size_t frame_bytes, uint16_t vlan);

static inline enum pkt_kind pkt_parse_udp(struct pkt *p, uint16_t ip_bytes)
{
	const uint8_t *l4 = p->l3 + p->l3_bytes;
	uint16_t udp_bytes;

	if (load_u16(p->l3 + 6) & PKT_FRAGMENT_MASK)
		return PKT_FRAGMENT;
	if (ip_bytes < p->l3_bytes + PKT_UDP_BYTES)
		return PKT_MALFORMED;
	udp_bytes = load_be16(l4 + 4);
	if (udp_bytes < PKT_UDP_BYTES || udp_bytes > ip_bytes - p->l3_bytes)
		return PKT_MALFORMED;
	p->l4 = p->l3 + p->l3_bytes;
	p->payload = p->l4 + PKT_UDP_BYTES;
	p->payload_bytes = (uint16_t)(udp_bytes - PKT_UDP_BYTES);
	return PKT_UDP;
}

// Read a frame. `vlan` is the tag that every frame of this port carries, or 0 for a port of
// untagged frames; the priority tag 0 counts as untagged (802.1Q). l3 and l2_bytes are also right
// for PKT_FOREIGN and PKT_FRAGMENT where the frame is IPv4.
static inline enum pkt_kind pkt_parse(
	struct pkt *out, uint8_t *frame, size_t frame_bytes, uint16_t vlan)
{
	uint16_t ip_bytes;
	size_t l3_room;

	out->frame = frame;
	out->l3 = NULL;
	if (frame_bytes < PKT_ETHER_BYTES)
		return PKT_MALFORMED;
	out->l2_bytes = PKT_ETHER_BYTES;
	if (vlan || load_u16(frame + 12) == PKT_TYPE_VLAN) {
		out->l2_bytes = pkt_skip_tag(frame, frame_bytes, vlan);
		if (out->l2_bytes == 0)
			return PKT_WRONG_VLAN;
	}
	if (load_u16(frame + out->l2_bytes - 2) != PKT_TYPE_IPV4)
		return PKT_FOREIGN;
	l3_room = frame_bytes - out->l2_bytes;
	if (l3_room < PKT_IPV4_BYTES)
		return PKT_TRUNCATED;
	out->l3 = frame + out->l2_bytes;
	out->l3_bytes = (uint16_t)((out->l3[0] & 0x0f) * 4);
	ip_bytes = load_be16(out->l3 + 2);
	if (out->l3[0] >> 4 != 4 || out->l3_bytes < PKT_IPV4_BYTES || ip_bytes < out->l3_bytes)
		return PKT_MALFORMED;
	if (ip_bytes > l3_room)
		return PKT_TRUNCATED;
	if (out->l3[9] != PKT_PROTOCOL_UDP)
		return PKT_FOREIGN;
	return pkt_parse_udp(out, ip_bytes);
}

#endif
