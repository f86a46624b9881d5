#include "pkt.h"

#define DONT_FRAGMENT 0x4000

static void write_ip(uint8_t *l3, const struct pkt_origin *old, const struct pkt_rewrite *rewrite)
{
	const uint16_t dont_fragment = __builtin_bswap16(DONT_FRAGMENT);
	const uint16_t fragment =
		rewrite->dont_fragment ? dont_fragment : old->fragment & dont_fragment;
	uint64_t delta;

	l3[0] = 0x45;
	l3[1] = old->tos;
	store_be16(l3 + 2, (uint16_t)(PKT_IPV4_BYTES + PKT_UDP_BYTES + rewrite->payload_bytes));
	store_u16(l3 + 4, rewrite->ip_id);
	store_u16(l3 + 6, fragment);
	store_u16(l3 + 8, old->ttl_protocol);
	l3[8]--;
	store_u32(l3 + 12, rewrite->to.source_ip);
	store_u32(l3 + 16, rewrite->to.target_ip);
	delta = (uint64_t)rewrite->ip_delta + load_u16(l3 + 2) + csum_negate(old->ip_bytes) +
		rewrite->ip_id + csum_negate(old->ip_id) + fragment + csum_negate(old->fragment) +
		load_u16(l3 + 8) + csum_negate(old->ttl_protocol);
	store_u16(l3 + 10, csum_update(old->ip_csum, delta));
	// Options leave with the old header, so its checksum is no base to differ from.
	if (old->has_options) {
		store_u16(l3 + 10, 0);
		store_u16(l3 + 10, (uint16_t)~csum_fold(csum_sum(l3, PKT_IPV4_BYTES)));
	}
}

static void write_udp(uint8_t *l4, const struct pkt_origin *old, const struct pkt_rewrite *rewrite)
{
	uint64_t delta;

	store_u16(l4, rewrite->to.source_port);
	store_u16(l4 + 2, rewrite->to.target_port);
	store_be16(l4 + 4, (uint16_t)(PKT_UDP_BYTES + rewrite->payload_bytes));
	// The length stands under the checksum twice: in the header and in the pseudo header.
	delta = rewrite->udp_delta + 2 * ((uint64_t)load_u16(l4 + 4) + csum_negate(old->udp_bytes));
	store_u16(l4 + 6, csum_update_udp(old->udp_csum, delta));
}

// | eth ip udp | old payload |  ->  | eth ip udp | new payload |
void pkt_relay(struct pkt *p, const struct pkt_origin *origin, const struct pkt_rewrite *rewrite)
{
	p->payload = rewrite->payload;
	p->l4 = p->payload - PKT_UDP_BYTES;
	p->l3 = p->l4 - PKT_IPV4_BYTES;
	p->frame = p->l3 - rewrite->l2_bytes;
	p->l2_bytes = rewrite->l2_bytes;
	p->l3_bytes = PKT_IPV4_BYTES;
	p->payload_bytes = rewrite->payload_bytes;
	write_udp(p->l4, origin, rewrite);
	write_ip(p->l3, origin, rewrite);
	memcpy(p->frame, rewrite->l2, rewrite->l2_bytes);
}
