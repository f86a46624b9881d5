#include "pkt.h"

#define DONT_FRAGMENT (0x40u << 16) // beside the id, as they lie in memory
#define PROTOCOL_TCP 6

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
static __attribute__((noinline)) void drop_options(struct pkt *p)
{
	const uint16_t ip_bytes = pkt_ip_bytes(p->family);
	const size_t options_bytes = p->l3_bytes - ip_bytes;

	memmove(p->frame + options_bytes, p->frame, p->l2_bytes + ip_bytes);
	p->frame += options_bytes;
	p->l3 += options_bytes;
	p->l3_bytes = ip_bytes;
}

static inline void swap_macs(uint8_t *frame)
{
	const uint64_t first = load_u64(frame);
	const uint32_t last = load_u32(frame + 8);

	store_u32(frame, (uint32_t)(first >> 48) | last << 16);
	store_u64(frame + 4, last >> 16 | first << 16);
}

// Both addresses of IPv4, or both ports, as they lie there.
static inline uint64_t swap_addresses(uint64_t addresses)
{
	return addresses << 32 | addresses >> 32;
}

static inline uint32_t swap_ports(uint32_t ports)
{
	return ports << 16 | ports >> 16;
}

// The headers are written from registers and summed up there: what has just been stored in small
// pieces is slow to load in larger ones.

static inline void write_ipv4(struct pkt *p, uint64_t addresses, uint16_t ip_id)
{
	uint8_t *l3 = p->l3;
	const uint16_t n_bytes = (uint16_t)(PKT_IPV4_BYTES + PKT_UDP_BYTES + p->payload_bytes);
	const uint32_t first = 0x45 | (uint32_t)__builtin_bswap16(n_bytes) << 16;
	const uint32_t second = ip_id | DONT_FRAGMENT;
	const uint32_t third = PKT_TTL_DEFAULT | PKT_PROTOCOL_UDP << 8;
	const uint32_t csum = (uint16_t)~csum_fold(
		(uint64_t)first + second + third + (uint32_t)addresses + (addresses >> 32));

	store_u64(l3, first | (uint64_t)second << 32);
	store_u32(l3 + 8, third | csum << 16);
	store_u64(l3 + 12, addresses);
}

// All but the addresses. Without a flow label: what we say ourselves is no part of a flow.
static inline void write_ipv6(struct pkt *p)
{
	uint8_t *l3 = p->l3;

	store_be32(l3, 6u << 28);
	store_be16(l3 + 4, (uint16_t)(PKT_UDP_BYTES + p->payload_bytes));
	l3[6] = PKT_PROTOCOL_UDP;
	l3[7] = PKT_TTL_DEFAULT;
}

// `addresses_sum` is of those in the IP header.
static inline void write_udp(struct pkt *p, uint32_t ports, uint64_t addresses_sum)
{
	uint8_t *l4 = p->l4;
	const uint32_t n_bytes = __builtin_bswap16((uint16_t)(PKT_UDP_BYTES + p->payload_bytes));
	const uint64_t sum = addresses_sum + (PKT_PROTOCOL_UDP << 8) + 2 * n_bytes + ports +
		csum_sum(p->payload, p->payload_bytes);
	const uint32_t csum = (uint16_t)~csum_fold(sum);

	store_u64(l4, ports | (uint64_t)(n_bytes | (csum ? csum : 0xffff) << 16) << 32);
}

static inline uint64_t addresses_sum(uint64_t addresses)
{
	return (uint32_t)addresses + (addresses >> 32);
}

static void reply_ipv4(struct pkt *p, uint16_t ip_id)
{
	const uint64_t addresses = swap_addresses(load_u64(p->l3 + 12));

	write_ipv4(p, addresses, ip_id);
	write_udp(p, swap_ports(load_u32(p->l4)), addresses_sum(addresses));
}

static void reply_ipv6(struct pkt *p)
{
	uint8_t source[IPV6_BYTES];

	memcpy(source, p->l3 + 8, sizeof(source));
	memcpy(p->l3 + 8, p->l3 + 24, sizeof(source));
	memcpy(p->l3 + 24, source, sizeof(source));
	write_ipv6(p);
	write_udp(p, swap_ports(load_u32(p->l4)), csum_sum(p->l3 + 8, 2 * IPV6_BYTES));
}

void pkt_reply(struct pkt *p, uint16_t payload_bytes, uint16_t ip_id)
{
	if (p->l3_bytes != pkt_ip_bytes(p->family))
		drop_options(p);
	swap_macs(p->frame);
	p->payload_bytes = payload_bytes;
	if (p->family == FAMILY_IPV4)
		reply_ipv4(p, ip_id);
	else
		reply_ipv6(p);
}

void pkt_originate(struct pkt *p, const struct pkt_rewrite *rewrite)
{
	const uint32_t ports = rewrite->source_port | (uint32_t)rewrite->target_port << 16;
	uint64_t addresses;

	pkt_surround(p, rewrite);
	p->family = rewrite->family;
	pkt_write_l2(p->frame, rewrite);
	if (rewrite->family == FAMILY_IPV4) {
		addresses =
			load_u32(rewrite->source_ip) | (uint64_t)load_u32(rewrite->target_ip) << 32;
		write_ipv4(p, addresses, rewrite->ip_id);
		write_udp(p, ports, addresses_sum(addresses));
	} else {
		memcpy(p->l3 + 8, rewrite->source_ip, IPV6_BYTES);
		memcpy(p->l3 + 24, rewrite->target_ip, IPV6_BYTES);
		write_ipv6(p);
		write_udp(p, ports, csum_sum(p->l3 + 8, 2 * IPV6_BYTES));
	}
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
