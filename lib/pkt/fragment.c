#include "fragment.h"

#define MORE_IPV4 0x2000
#define MORE_IPV6 0x0001
#define OFFSET_IPV4 0x1fff // in units of 8
#define OFFSET_IPV6 0xfff8
#define UNIT 8
#define HEADER_FRAGMENT 44
#define FRAGMENT_HEADER_BYTES 8

static void read_ipv4(struct pkt_fragment *out, const struct pkt *p)
{
	const uint16_t field = load_be16(p->l3 + 6);

	out->id = load_u16(p->l3 + 4);
	out->offset = (field & OFFSET_IPV4) * 8u;
	out->more = field & MORE_IPV4;
	out->bytes = p->l3 + p->l3_bytes;
	out->n_bytes = (uint32_t)load_be16(p->l3 + 2) - p->l3_bytes;
}

static void read_ipv6(struct pkt_fragment *out, const struct pkt *p)
{
	const uint16_t field = load_be16(p->l4 + 2);
	const uint8_t *end = p->l3 + PKT_IPV6_BYTES + load_be16(p->l3 + 4);

	out->id = load_u32(p->l4 + 4);
	out->offset = field & OFFSET_IPV6;
	out->more = field & MORE_IPV6;
	out->bytes = p->l4 + FRAGMENT_HEADER_BYTES;
	out->n_bytes = (uint32_t)(end - out->bytes);
}

bool pkt_fragment_parse(struct pkt_fragment *out, const struct pkt *p)
{
	if (p->family == FAMILY_IPV4)
		read_ipv4(out, p);
	else
		read_ipv6(out, p);
	return out->n_bytes > 0 && !(out->more && out->n_bytes % UNIT);
}

static void finish_ipv4(uint8_t *l3, uint16_t n_bytes, uint16_t fragment)
{
	store_be16(l3 + 2, (uint16_t)(PKT_IPV4_BYTES + n_bytes));
	store_be16(l3 + 6, fragment);
	store_u16(l3 + 10, 0);
	store_u16(l3 + 10, (uint16_t)~csum_fold(csum_sum(l3, PKT_IPV4_BYTES)));
}

void pkt_reassemble(struct pkt *p, const struct pkt *first, uint16_t n_bytes)
{
	const uint16_t ip_bytes = pkt_ip_bytes(first->family);

	p->family = first->family;
	p->l3 = p->l4 - ip_bytes;
	p->l3_bytes = ip_bytes;
	p->l2_bytes = first->l2_bytes;
	p->frame = p->l3 - p->l2_bytes;
	memmove(p->frame, first->frame, p->l2_bytes + (size_t)ip_bytes);
	if (p->family == FAMILY_IPV4) {
		p->l3[0] = 0x45;
		finish_ipv4(p->l3, n_bytes, 0);
	} else {
		store_be16(p->l3 + 4, n_bytes);
		p->l3[6] = PKT_PROTOCOL_UDP;
	}
}

static size_t headers_bytes(const struct pkt *whole)
{
	return whole->family == FAMILY_IPV4 ? PKT_IPV4_BYTES
					    : PKT_IPV6_BYTES + FRAGMENT_HEADER_BYTES;
}

uint16_t pkt_fragment_room(const struct pkt *whole, uint16_t ip_bytes)
{
	return (uint16_t)((ip_bytes - headers_bytes(whole)) / UNIT * UNIT);
}

size_t pkt_fragment_bytes(const struct pkt *whole, uint16_t n_bytes)
{
	return whole->l2_bytes + headers_bytes(whole) + n_bytes;
}

size_t pkt_fragment_write(
	uint8_t *frame, const struct pkt *whole, uint32_t offset, uint16_t n_bytes, uint32_t id)
{
	const bool more = offset + n_bytes < pkt_l4_bytes(whole);
	uint8_t *l3 = frame + whole->l2_bytes;
	uint8_t *header = l3 + PKT_IPV6_BYTES;

	memcpy(frame, whole->frame, whole->l2_bytes + (size_t)whole->l3_bytes);
	if (whole->family == FAMILY_IPV4) {
		finish_ipv4(l3, n_bytes, (uint16_t)((more ? MORE_IPV4 : 0) | offset / UNIT));
	} else {
		store_be16(l3 + 4, (uint16_t)(FRAGMENT_HEADER_BYTES + n_bytes));
		l3[6] = HEADER_FRAGMENT;
		header[0] = PKT_PROTOCOL_UDP;
		header[1] = 0;
		store_be16(header + 2, (uint16_t)(offset | (more ? MORE_IPV6 : 0)));
		store_u32(header + 4, id);
	}
	memcpy(l3 + headers_bytes(whole), whole->l4 + offset, n_bytes);
	return pkt_fragment_bytes(whole, n_bytes);
}
