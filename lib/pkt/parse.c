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

static enum pkt_kind parse_udp(struct pkt *p, uint16_t ip_bytes)
{
	uint16_t udp_bytes;

	if (load_u16(p->l3 + 6) & PKT_FRAGMENT_MASK)
		return PKT_FRAGMENT;
	if (ip_bytes < p->l3_bytes + PKT_UDP_BYTES)
		return PKT_MALFORMED;
	p->l4 = p->l3 + p->l3_bytes;
	p->payload = p->l4 + PKT_UDP_BYTES;
	udp_bytes = load_be16(p->l4 + 4);
	if (udp_bytes < PKT_UDP_BYTES || udp_bytes > ip_bytes - p->l3_bytes)
		return PKT_MALFORMED;
	p->payload_bytes = (uint16_t)(udp_bytes - PKT_UDP_BYTES);
	return PKT_UDP;
}

enum pkt_kind pkt_parse_odd(struct pkt *out, uint8_t *frame, size_t frame_bytes, uint16_t vlan)
{
	uint16_t ip_bytes;
	size_t l3_room;

	out->frame = frame;
	out->l3 = NULL;
	if (frame_bytes < PKT_ETHER_BYTES)
		return PKT_MALFORMED;
	out->l2_bytes = skip_tag(frame, frame_bytes, vlan);
	if (out->l2_bytes == 0)
		return PKT_WRONG_VLAN;
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
	return parse_udp(out, ip_bytes);
}
