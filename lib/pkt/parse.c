#include "pkt.h"

#define VLAN_ID_MASK 0x0fff

uint16_t pkt_skip_tag(const uint8_t *frame, size_t frame_bytes, uint16_t vlan)
{
	uint16_t id;

	if (load_u16(frame + 12) != PKT_TYPE_VLAN || frame_bytes < PKT_L2_BYTES_MAX)
		return vlan ? 0 : PKT_ETHER_BYTES;
	id = load_be16(frame + 14) & VLAN_ID_MASK;
	return id == vlan ? PKT_L2_BYTES_MAX : 0;
}
