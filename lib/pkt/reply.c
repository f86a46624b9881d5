#include "pkt.h"

#define DONT_FRAGMENT 0x4000
#define PROTOCOL_TCP 6

static inline void swap_bytes(uint8_t *a, uint8_t *b, size_t n)
{
	uint8_t held[IPV6_BYTES];

	memcpy(held, a, n);
	memcpy(a, b, n);
	memcpy(b, held, n);
}

// Sum of addresses, protocol and length (RFC 768, RFC 8200 §8.1).
static uint64_t pseudo_sum(const struct pkt *p, uint8_t protocol, uint16_t l4_bytes)
{
	const uint64_t rest =
		(uint64_t)__builtin_bswap16((uint16_t)protocol) + __builtin_bswap16(l4_bytes);

	if (p->family == FAMILY_IPV4)
		return rest + csum_sum(p->l3 + 12, 2 * IPV4_BYTES);
	return rest + csum_sum(p->l3 + 8, 2 * IPV6_BYTES);
}

static void udp_checksum_compute(struct pkt *p)
{
	const uint16_t udp_bytes = (uint16_t)(p->payload_bytes + PKT_UDP_BYTES);
	uint16_t csum;

	store_u16(p->l4 + 6, 0);
	csum = (uint16_t)~csum_fold(
		pseudo_sum(p, PKT_PROTOCOL_UDP, udp_bytes) + csum_sum(p->l4, udp_bytes));
	store_u16(p->l4 + 6, csum ? csum : 0xffff);
}

// An answer has no IP options or extension headers: where the request had some, what stands before
// them moves up to UDP.
static void drop_options(struct pkt *p)
{
	const uint16_t ip_bytes = pkt_ip_bytes(p->family);
	const size_t options_bytes = p->l3_bytes - ip_bytes;

	if (options_bytes == 0)
		return;
	memmove(p->frame + options_bytes, p->frame, p->l2_bytes + ip_bytes);
	p->frame += options_bytes;
	p->l3 += options_bytes;
	p->l3_bytes = ip_bytes;
}

static void write_ipv4(struct pkt *p, uint16_t ip_id)
{
	p->l3[0] = 0x45;
	p->l3[1] = 0;
	store_be16(p->l3 + 2, (uint16_t)(PKT_IPV4_BYTES + PKT_UDP_BYTES + p->payload_bytes));
	store_u16(p->l3 + 4, ip_id);
	store_be16(p->l3 + 6, DONT_FRAGMENT);
	p->l3[8] = PKT_TTL_DEFAULT;
	p->l3[9] = PKT_PROTOCOL_UDP;
	store_u16(p->l3 + 10, 0);
	store_u16(p->l3 + 10, (uint16_t)~csum_fold(csum_sum(p->l3, PKT_IPV4_BYTES)));
}

// Without a flow label: what we say ourselves is no part of a flow.
static void write_ipv6(struct pkt *p)
{
	store_be32(p->l3, 6u << 28);
	store_be16(p->l3 + 4, (uint16_t)(PKT_UDP_BYTES + p->payload_bytes));
	p->l3[6] = PKT_PROTOCOL_UDP;
	p->l3[7] = PKT_TTL_DEFAULT;
}

// All but addresses and ports, which are there.
static void write_headers(struct pkt *p, uint16_t ip_id)
{
	if (p->family == FAMILY_IPV4)
		write_ipv4(p, ip_id);
	else
		write_ipv6(p);
	store_be16(p->l4 + 4, (uint16_t)(PKT_UDP_BYTES + p->payload_bytes));
	udp_checksum_compute(p);
}

void pkt_reply(struct pkt *p, uint16_t payload_bytes, uint16_t ip_id)
{
	drop_options(p);
	swap_bytes(p->frame, p->frame + 6, 6);
	swap_bytes(p->l4, p->l4 + 2, 2);
	if (p->family == FAMILY_IPV4)
		swap_bytes(p->l3 + 12, p->l3 + 16, IPV4_BYTES);
	else
		swap_bytes(p->l3 + 8, p->l3 + 24, IPV6_BYTES);
	p->payload_bytes = payload_bytes;
	write_headers(p, ip_id);
}

void pkt_originate(struct pkt *p, const struct pkt_rewrite *rewrite)
{
	const bool ipv4 = rewrite->family == FAMILY_IPV4;
	uint8_t *addresses;

	pkt_surround(p, rewrite);
	p->family = rewrite->family;
	pkt_write_l2(p->frame, rewrite);
	addresses = p->l3 + (ipv4 ? 12 : 8);
	memcpy(addresses, rewrite->source_ip, family_bytes(p->family));
	memcpy(addresses + family_bytes(p->family), rewrite->target_ip, family_bytes(p->family));
	store_u16(p->l4, rewrite->source_port);
	store_u16(p->l4 + 2, rewrite->target_port);
	write_headers(p, rewrite->ip_id);
}

bool pkt_checksum_unfinished(const struct pkt *p)
{
	const uint16_t udp_bytes = (uint16_t)(p->payload_bytes + PKT_UDP_BYTES);
	const uint16_t field = load_u16(p->l4 + 6);

	return field != 0 && field == csum_fold(pseudo_sum(p, PKT_PROTOCOL_UDP, udp_bytes));
}

void pkt_checksum_finish(struct pkt *p)
{
	udp_checksum_compute(p);
}

// What follows the IP header, of a packet that is neither fragment nor, in IPv6, extended.
struct transport {
	uint8_t protocol; // 0: none that is known
	uint8_t *start;
	size_t n_bytes;
};

static struct transport transport_of(const struct pkt *p, size_t frame_bytes)
{
	const size_t room = frame_bytes - p->l2_bytes;
	struct transport t = {0};
	size_t ip_bytes;

	if (p->family == FAMILY_IPV4) {
		ip_bytes = load_be16(p->l3 + 2);
		t.protocol = load_be16(p->l3 + 6) & 0x3fff ? 0 : p->l3[9];
	} else {
		ip_bytes = (size_t)PKT_IPV6_BYTES + load_be16(p->l3 + 4);
		t.protocol = p->l3[6];
	}
	if (ip_bytes < p->l3_bytes || ip_bytes > room)
		return (struct transport){0};
	t.start = p->l3 + p->l3_bytes;
	t.n_bytes = ip_bytes - p->l3_bytes;
	return t;
}

void pkt_foreign_checksum_finish(struct pkt *p, size_t frame_bytes)
{
	const struct transport t = p->family ? transport_of(p, frame_bytes) : (struct transport){0};
	const size_t csum_offset = t.protocol == PROTOCOL_TCP ? 16 : 6;

	if ((t.protocol != PROTOCOL_TCP && t.protocol != PKT_PROTOCOL_UDP) ||
		t.n_bytes < csum_offset + 2 ||
		load_u16(t.start + csum_offset) !=
			csum_fold(pseudo_sum(p, t.protocol, (uint16_t)t.n_bytes)))
		return;
	// The field holds the pseudo header's sum already: summing all of it finishes the work.
	store_u16(t.start + csum_offset, (uint16_t)~csum_fold(csum_sum(t.start, t.n_bytes)));
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
