// Packets that are IPv6 before or after: their headers are written anew (RFC 8656 §13, RFC 7915).
#include "pkt.h"

#define DONT_FRAGMENT 0x4000
// RFC 7915 §5.1: what is this small may be fragmented by routers, as after a path of IPv6's least
// MTU.
#define IPV4_BYTES_FRAGMENTABLE 1260

struct origin_fields {
	uint8_t traffic_class; // DSCP and ECN
	uint8_t hop_limit;
};

static struct origin_fields fields_of(const struct pkt_origin *origin, uint8_t family)
{
	const uint32_t first = __builtin_bswap32(origin->ip[0]);

	if (family == FAMILY_IPV4)
		return (struct origin_fields){(uint8_t)(first >> 16), (uint8_t)origin->ip[2]};
	return (struct origin_fields){(uint8_t)(first >> 20), (uint8_t)(origin->ip[1] >> 24)};
}

static void write_ipv4(
	uint8_t *l3, const struct origin_fields *old, const struct pkt_rewrite *rewrite)
{
	const uint16_t bytes = (uint16_t)(PKT_IPV4_BYTES + PKT_UDP_BYTES + rewrite->payload_bytes);

	l3[0] = 0x45;
	l3[1] = old->traffic_class;
	store_be16(l3 + 2, bytes);
	store_u16(l3 + 4, rewrite->ip_id);
	store_be16(l3 + 6, bytes > IPV4_BYTES_FRAGMENTABLE ? DONT_FRAGMENT : 0);
	l3[8] = (uint8_t)(old->hop_limit - 1);
	l3[9] = PKT_PROTOCOL_UDP;
	store_u16(l3 + 10, 0);
	memcpy(l3 + 12, rewrite->source_ip, IPV4_BYTES);
	memcpy(l3 + 16, rewrite->target_ip, IPV4_BYTES);
	store_u16(l3 + 10, (uint16_t)~csum_fold(csum_sum(l3, PKT_IPV4_BYTES)));
}

static void write_ipv6(
	uint8_t *l3, const struct origin_fields *old, const struct pkt_rewrite *rewrite)
{
	store_be32(l3, 6u << 28 | (uint32_t)old->traffic_class << 20);
	store_u32(l3, load_u32(l3) | rewrite->flow_label);
	store_be16(l3 + 4, (uint16_t)(PKT_UDP_BYTES + rewrite->payload_bytes));
	l3[6] = PKT_PROTOCOL_UDP;
	l3[7] = (uint8_t)(old->hop_limit - 1);
	memcpy(l3 + 8, rewrite->source_ip, IPV6_BYTES);
	memcpy(l3 + 24, rewrite->target_ip, IPV6_BYTES);
}

void pkt_relay_ipv6(
	struct pkt *p, const struct pkt_origin *origin, const struct pkt_rewrite *rewrite)
{
	const struct origin_fields old = fields_of(origin, p->family);

	pkt_surround(p, rewrite);
	p->family = rewrite->family;
	pkt_write_udp(p->l4, origin, rewrite);
	pkt_write_l2(p->frame, rewrite);
	if (p->family == FAMILY_IPV4) {
		write_ipv4(p->l3, &old, rewrite);
		return;
	}
	write_ipv6(p->l3, &old, rewrite);
	if (pkt_udp_checksum(p) == 0)
		pkt_checksum_finish(p); // RFC 8200 §8.1: UDP over IPv6 has one
}
