#include "pkt.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_VLAN 0x8100
#define PROTOCOL_UDP 17
#define VLAN_ID_MASK 0x0fff
#define FRAGMENT_MASK 0x3fff // more fragments, or an offset

// Skip the tag this port wears. Returns false where the frame wears another one.
static bool strip_tag(struct pkt *p, size_t frame_bytes, uint16_t vlan)
{
	uint16_t id = 0;

	p->l2_bytes = PKT_ETHER_BYTES;
	if (load_be16(p->frame + 12) == ETHERTYPE_VLAN && frame_bytes >= PKT_L2_BYTES_MAX) {
		id = load_be16(p->frame + 14) & VLAN_ID_MASK;
		if (id == vlan)
			p->l2_bytes = PKT_L2_BYTES_MAX;
	}
	return id == vlan;
}

static enum pkt_kind parse_udp(struct pkt *p, uint16_t ip_bytes)
{
	uint16_t udp_bytes;

	if (load_be16(p->l3 + 6) & FRAGMENT_MASK)
		return PKT_FRAGMENT;
	p->l4 = p->l3 + p->l3_bytes;
	p->payload = p->l4 + PKT_UDP_BYTES;
	if (ip_bytes < p->l3_bytes + PKT_UDP_BYTES)
		return PKT_MALFORMED;
	udp_bytes = load_be16(p->l4 + 4);
	if (udp_bytes < PKT_UDP_BYTES || udp_bytes > ip_bytes - p->l3_bytes)
		return PKT_MALFORMED;
	p->payload_bytes = (uint16_t)(udp_bytes - PKT_UDP_BYTES);
	return PKT_UDP;
}

enum pkt_kind pkt_parse(struct pkt *out, uint8_t *frame, size_t frame_bytes, uint16_t vlan)
{
	uint16_t ip_bytes;
	size_t l3_room;

	out->frame = frame;
	out->l3 = NULL;
	if (frame_bytes < PKT_ETHER_BYTES)
		return PKT_MALFORMED;
	if (!strip_tag(out, frame_bytes, vlan))
		return PKT_WRONG_VLAN;
	if (load_be16(frame + out->l2_bytes - 2) != ETHERTYPE_IPV4)
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
	if (out->l3[9] != PROTOCOL_UDP)
		return PKT_FOREIGN;
	return parse_udp(out, ip_bytes);
}
