// IP addresses, transport addresses and prefixes of both families, as values.
//
// Addresses are bytes in network order, ports are in host order. An IPv4 address uses bytes[0..3]
// and keeps the rest zero, so two values are equal if and only if their bytes are.
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// The numbers are those of STUN address attributes (RFC 8489 §14.1).
enum family {
	FAMILY_NONE = 0,
	FAMILY_IPV4 = 1,
	FAMILY_IPV6 = 2,
};

#define IPV4_BYTES 4
#define IPV6_BYTES 16

struct ip_addr {
	uint8_t family; // enum family
	uint8_t bytes[IPV6_BYTES];
};

struct endpoint {
	struct ip_addr ip;
	uint16_t port;
};

struct prefix {
	struct ip_addr ip;
	uint8_t n_bits; // 0..32 or 0..128
};

// An address of ours and the UDP ports there that are relayed.
struct relay_range {
	struct ip_addr ip;
	uint16_t port_min;
	uint16_t port_max;
	struct ip_addr external; // what a 1:1 NAT shows it as; family none: itself
};

// What an operator gives Linux by hand.
struct static_route {
	struct prefix to;
	struct ip_addr via;
};

struct static_neighbour {
	struct ip_addr address;
	uint8_t mac[6];
};

// Longest text: "[" + 45 + "]:65535" and the final zero.
#define ADDR_TEXT_BYTES 64

static inline size_t family_bytes(uint8_t family)
{
	return family == FAMILY_IPV4 ? IPV4_BYTES : family == FAMILY_IPV6 ? IPV6_BYTES : 0;
}

// `bytes` holds 4 or 16 bytes in network order.
static inline struct ip_addr ip_from_bytes(enum family family, const uint8_t *bytes)
{
	struct ip_addr ip = {.family = (uint8_t)family};

	if (family == FAMILY_IPV4)
		memcpy(ip.bytes, bytes, IPV4_BYTES);
	else if (family == FAMILY_IPV6)
		memcpy(ip.bytes, bytes, IPV6_BYTES);
	return ip;
}
// The four bytes of an IPv4 address as they lie in a packet.
uint32_t ip_to_u32_raw(const struct ip_addr *ip);
struct ip_addr ip_from_u32_raw(uint32_t raw);

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
// False where the families differ.
bool prefix_contains(const struct prefix *prefix, const struct ip_addr *ip);

// Text to value: "192.0.2.1", "2001:db8::1"; "192.0.2.1:3478", "[2001:db8::1]:3478";
// "192.0.2.0/24" (a bare address is a full-length prefix). Return 0, or -EINVAL.
int ip_parse(struct ip_addr *out, const char *text);
int endpoint_parse(struct endpoint *out, const char *text);
int prefix_parse(struct prefix *out, const char *text);

// Value to text, always terminated; return `text`. ADDR_TEXT_BYTES are enough.
const char *ip_format(const struct ip_addr *ip, char text[static ADDR_TEXT_BYTES]);
const char *endpoint_format(const struct endpoint *endpoint, char text[static ADDR_TEXT_BYTES]);
const char *prefix_format(const struct prefix *prefix, char text[static ADDR_TEXT_BYTES]);

#endif
