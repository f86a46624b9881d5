#include "icmp.h"

#define ICMP_BYTES 8 // of a header
#define PROTOCOL_ICMP 1
#define HEADER_FRAGMENT 44
#define FRAGMENT_HEADER_BYTES 8
#define FRAGMENT_OFFSET_IPV4 0x1fff
#define FRAGMENT_OFFSET_IPV6 0xfff8

#define UNREACHABLE 3
#define UNREACHABLE_FRAGMENTATION 4 // its code: needed, but DF is set
#define TIME_EXCEEDED 11
#define UNREACHABLE_IPV6 1
#define TOO_BIG_IPV6 2
#define TIME_EXCEEDED_IPV6 3

// RFC 1812 §4.3.2.3 and RFC 4443 §2.4: as much of the datagram as fits.
#define ERROR_BYTES_MAX_IPV4 576
#define ERROR_BYTES_MAX_IPV6 1280

static uint64_t pseudo_sum_ipv6(const uint8_t *l3, size_t n_bytes)
{
	return csum_sum(l3 + 8, 2 * IPV6_BYTES) + __builtin_bswap16(PKT_PROTOCOL_ICMPV6) +
		__builtin_bswap16((uint16_t)n_bytes);
}

const uint8_t *pkt_icmp_find(const struct pkt *p, size_t frame_bytes, size_t *n_bytes)
{
	const bool ipv4 = p->family == FAMILY_IPV4;
	size_t ip_bytes;
	uint64_t sum;

	if (p->family == FAMILY_NONE ||
		p->l3[ipv4 ? 9 : 6] != (ipv4 ? PROTOCOL_ICMP : PKT_PROTOCOL_ICMPV6))
		return NULL;
	ip_bytes = load_be16(p->l3 + (ipv4 ? 2 : 4)) + (ipv4 ? 0U : PKT_IPV6_BYTES);
	if (p->l2_bytes + ip_bytes > frame_bytes || ip_bytes < (size_t)p->l3_bytes + ICMP_BYTES)
		return NULL;
	if (ipv4 && load_u16(p->l3 + 6) & PKT_FRAGMENT_MASK)
		return NULL;
	*n_bytes = ip_bytes - p->l3_bytes;
	sum = csum_sum(p->l3 + p->l3_bytes, *n_bytes);
	if (!ipv4)
		sum += pseudo_sum_ipv6(p->l3, *n_bytes);
	return csum_fold(sum) == 0xffff ? p->l3 + p->l3_bytes : NULL;
}

void pkt_icmp_finish(const uint8_t *l3, uint8_t *message, size_t n_bytes)
{
	uint64_t sum = l3[0] >> 4 == 4 ? 0 : pseudo_sum_ipv6(l3, n_bytes);

	store_u16(message + 2, 0);
	sum += csum_sum(message, n_bytes);
	store_u16(message + 2, (uint16_t)~csum_fold(sum));
}

static bool is_relayed_type(uint8_t type, uint8_t family)
{
	if (family == FAMILY_IPV4)
		return type == UNREACHABLE || type == TIME_EXCEEDED;
	return type >= UNREACHABLE_IPV6 && type <= TIME_EXCEEDED_IPV6;
}

// Both find the UDP header of the datagram that the error is about; NULL where it is not there.
static const uint8_t *find_udp_ipv4(const uint8_t *ip, size_t n_bytes)
{
	const size_t header_bytes = n_bytes ? (ip[0] & 0x0fU) * 4 : 0;

	if (header_bytes < PKT_IPV4_BYTES || n_bytes < header_bytes + PKT_UDP_BYTES ||
		ip[0] >> 4 != 4 || ip[9] != PKT_PROTOCOL_UDP ||
		load_be16(ip + 6) & FRAGMENT_OFFSET_IPV4)
		return NULL;
	return ip + header_bytes;
}

static const uint8_t *find_udp_ipv6(const uint8_t *ip, size_t n_bytes)
{
	size_t header_bytes = PKT_IPV6_BYTES;
	uint8_t header;

	if (n_bytes < PKT_IPV6_BYTES + PKT_UDP_BYTES || ip[0] >> 4 != 6)
		return NULL;
	header = ip[6];
	if (header == HEADER_FRAGMENT) {
		header = ip[PKT_IPV6_BYTES];
		header_bytes += FRAGMENT_HEADER_BYTES;
		if (load_be16(ip + PKT_IPV6_BYTES + 2) & FRAGMENT_OFFSET_IPV6)
			return NULL;
	}
	if (header != PKT_PROTOCOL_UDP || n_bytes < header_bytes + PKT_UDP_BYTES)
		return NULL;
	return ip + header_bytes;
}

static uint32_t mtu_of(const uint8_t *message, uint8_t family)
{
	if (family == FAMILY_IPV6)
		return message[0] == TOO_BIG_IPV6 ? load_be32(message + 4) : 0;
	if (message[0] == UNREACHABLE && message[1] == UNREACHABLE_FRAGMENTATION)
		return load_be16(message + 6);
	return 0;
}

bool pkt_icmp_parse(struct pkt_icmp *out, const struct pkt *p, size_t frame_bytes)
{
	size_t n_bytes = 0;
	const uint8_t *message = pkt_icmp_find(p, frame_bytes, &n_bytes);
	const uint8_t *ip;
	const uint8_t *udp;

	if (!message || !is_relayed_type(message[0], p->family))
		return false;
	ip = message + ICMP_BYTES;
	n_bytes -= ICMP_BYTES;
	udp = p->family == FAMILY_IPV4 ? find_udp_ipv4(ip, n_bytes) : find_udp_ipv6(ip, n_bytes);
	if (!udp)
		return false;
	*out = (struct pkt_icmp){
		.type = message[0],
		.code = message[1],
		.family = p->family,
		.source_port_be = load_u16(udp),
		.target_port_be = load_u16(udp + 2),
		.source_ip = ip + (p->family == FAMILY_IPV4 ? 12 : 8),
		.target_ip = ip + (p->family == FAMILY_IPV4 ? 16 : 24),
		.mtu_bytes = mtu_of(message, p->family),
	};
	return memcmp(out->source_ip, pkt_target_ip(p), family_bytes(p->family)) == 0;
}

static void write_ipv4(uint8_t *l3, const struct pkt *about, uint16_t ip_bytes, uint16_t ip_id)
{
	memset(l3, 0, PKT_IPV4_BYTES);
	l3[0] = 0x45;
	l3[1] = 0xc0; // internetwork control (RFC 1812 §4.3.2.5)
	store_be16(l3 + 2, ip_bytes);
	store_u16(l3 + 4, ip_id);
	l3[8] = PKT_TTL_DEFAULT;
	l3[9] = PROTOCOL_ICMP;
	memcpy(l3 + 12, about->l3 + 16, IPV4_BYTES);
	memcpy(l3 + 16, about->l3 + 12, IPV4_BYTES);
	store_u16(l3 + 10, (uint16_t)~csum_fold(csum_sum(l3, PKT_IPV4_BYTES)));
}

static void write_ipv6(uint8_t *l3, const struct pkt *about, uint16_t ip_bytes)
{
	store_be32(l3, 6u << 28);
	store_be16(l3 + 4, (uint16_t)(ip_bytes - PKT_IPV6_BYTES));
	l3[6] = PKT_PROTOCOL_ICMPV6;
	l3[7] = PKT_TTL_DEFAULT;
	memcpy(l3 + 8, about->l3 + 24, IPV6_BYTES);
	memcpy(l3 + 24, about->l3 + 8, IPV6_BYTES);
}

static void write_message(
	uint8_t *message, uint8_t family, enum pkt_icmp_reason reason, uint16_t mtu_bytes)
{
	const bool ipv4 = family == FAMILY_IPV4;

	memset(message, 0, ICMP_BYTES);
	if (reason == PKT_ICMP_HOP_LIMIT) {
		message[0] = ipv4 ? TIME_EXCEEDED : TIME_EXCEEDED_IPV6;
		return;
	}
	message[0] = ipv4 ? UNREACHABLE : TOO_BIG_IPV6;
	message[1] = ipv4 ? UNREACHABLE_FRAGMENTATION : 0;
	store_be16(message + 6, mtu_bytes);
}

size_t pkt_icmp_write(uint8_t *frame, const struct pkt *about, enum pkt_icmp_reason reason,
	uint16_t mtu_bytes, uint16_t ip_id)
{
	const bool ipv4 = about->family == FAMILY_IPV4;
	const size_t bytes_max = ipv4 ? ERROR_BYTES_MAX_IPV4 : ERROR_BYTES_MAX_IPV6;
	const uint16_t header_bytes = (uint16_t)(pkt_ip_bytes(about->family) + ICMP_BYTES);
	const size_t old_bytes = (size_t)(about->payload + about->payload_bytes - about->l3);
	const size_t n_quoted =
		old_bytes < bytes_max - header_bytes ? old_bytes : bytes_max - header_bytes;
	const uint16_t ip_bytes = (uint16_t)(header_bytes + n_quoted);
	uint8_t *l3 = frame + about->l2_bytes;
	uint8_t *message = l3 + pkt_ip_bytes(about->family);

	if (!pkt_is_from_host(about))
		return 0;
	memcpy(frame, about->frame + 6, 6);
	memcpy(frame + 6, about->frame, 6);
	memcpy(frame + 12, about->frame + 12, about->l2_bytes - 12U);
	if (ipv4)
		write_ipv4(l3, about, ip_bytes, ip_id);
	else
		write_ipv6(l3, about, ip_bytes);
	write_message(message, about->family, reason, mtu_bytes);
	memcpy(message + ICMP_BYTES, about->l3, n_quoted);
	pkt_icmp_finish(l3, message, ICMP_BYTES + n_quoted);
	return about->l2_bytes + (size_t)ip_bytes;
}
