#include "pkt.h"

#define DONT_FRAGMENT 0x4000

static void swap_bytes(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t held[6];

	memcpy(held, a, n);
	memcpy(a, b, n);
	memcpy(b, held, n);
}

// Sum of addresses, protocol and length (RFC 768).
static uint64_t pseudo_sum(const uint8_t *l3, uint8_t protocol, uint16_t l4_bytes)
{
	return (uint64_t)load_u32(l3 + 12) + load_u32(l3 + 16) +
		__builtin_bswap16((uint16_t)protocol) + __builtin_bswap16(l4_bytes);
}

static void udp_checksum_compute(struct pkt *p)
{
	const uint16_t udp_bytes = (uint16_t)(p->payload_bytes + PKT_UDP_BYTES);
	uint16_t csum;

	store_u16(p->l4 + 6, 0);
	csum = (uint16_t)~csum_fold(
		pseudo_sum(p->l3, p->l3[9], udp_bytes) + csum_sum(p->l4, udp_bytes));
	store_u16(p->l4 + 6, csum ? csum : 0xffff);
}

// An answer has no IP options: where the request had some, the headers move up to the payload.
static void drop_options(struct pkt *p)
{
	const size_t options_bytes = p->l3_bytes - PKT_IPV4_BYTES;

	if (options_bytes == 0)
		return;
	memmove(p->frame + options_bytes, p->frame, p->l2_bytes + PKT_IPV4_BYTES);
	p->frame += options_bytes;
	p->l3 += options_bytes;
	p->l3_bytes = PKT_IPV4_BYTES;
	p->l3[0] = 0x45;
}

void pkt_reply(struct pkt *p, uint16_t payload_bytes, uint16_t ip_id)
{
	drop_options(p);
	swap_bytes(p->frame, p->frame + 6, 6);
	swap_bytes(p->l3 + 12, p->l3 + 16, 4);
	swap_bytes(p->l4, p->l4 + 2, 2);
	p->payload_bytes = payload_bytes;
	p->l3[1] = 0;
	store_be16(p->l3 + 2, (uint16_t)(PKT_IPV4_BYTES + PKT_UDP_BYTES + payload_bytes));
	store_u16(p->l3 + 4, ip_id);
	store_be16(p->l3 + 6, DONT_FRAGMENT);
	p->l3[8] = PKT_TTL_DEFAULT;
	store_u16(p->l3 + 10, 0);
	store_u16(p->l3 + 10, (uint16_t)~csum_fold(csum_sum(p->l3, PKT_IPV4_BYTES)));
	store_be16(p->l4 + 4, (uint16_t)(PKT_UDP_BYTES + payload_bytes));
	udp_checksum_compute(p);
}

bool pkt_checksum_unfinished(const struct pkt *p)
{
	const uint16_t udp_bytes = (uint16_t)(p->payload_bytes + PKT_UDP_BYTES);
	const uint16_t field = load_u16(p->l4 + 6);

	return field != 0 && field == csum_fold(pseudo_sum(p->l3, p->l3[9], udp_bytes));
}

void pkt_checksum_finish(struct pkt *p)
{
	udp_checksum_compute(p);
}

void pkt_foreign_checksum_finish(struct pkt *p, size_t frame_bytes)
{
	const uint8_t protocol = p->l3 ? p->l3[9] : 0;
	const size_t csum_offset = protocol == 6 ? 16 : 6;
	size_t l4_bytes;
	uint8_t *l4;

	if ((protocol != 6 && protocol != 17) || load_be16(p->l3 + 6) & 0x3fff)
		return;
	l4 = p->l3 + p->l3_bytes;
	if (load_be16(p->l3 + 2) < p->l3_bytes + csum_offset + 2 ||
		p->l3 + load_be16(p->l3 + 2) > p->frame + frame_bytes)
		return;
	l4_bytes = (size_t)load_be16(p->l3 + 2) - p->l3_bytes;
	if (load_u16(l4 + csum_offset) !=
		csum_fold(pseudo_sum(p->l3, protocol, (uint16_t)l4_bytes)))
		return;
	// The field holds the pseudo header's sum already: summing all of it finishes the work.
	store_u16(l4 + csum_offset, (uint16_t)~csum_fold(csum_sum(l4, l4_bytes)));
}

uint8_t *pkt_vlan_strip(uint8_t *frame)
{
	memmove(frame + PKT_VLAN_BYTES, frame, 12);
	return frame + PKT_VLAN_BYTES;
}

uint8_t *pkt_vlan_insert(uint8_t *frame, uint16_t vlan)
{
	uint8_t *tagged = frame - PKT_VLAN_BYTES;

	memmove(tagged, frame, 12);
	store_be16(tagged + 12, 0x8100);
	store_be16(tagged + 14, vlan);
	return tagged;
}
