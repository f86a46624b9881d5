#include "addr.h"

#include "bytes.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>

uint32_t ip_to_u32_raw(const struct ip_addr *ip)
{
	return load_u32(ip->bytes);
}

struct ip_addr ip_from_u32_raw(uint32_t raw)
{
	struct ip_addr ip = {.family = FAMILY_IPV4};

	store_u32(ip.bytes, raw);
	return ip;
}

bool ip_equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

bool prefix_contains(const struct prefix *prefix, const struct ip_addr *ip)
{
	const size_t n_whole = prefix->n_bits / 8;
	const unsigned int n_rest = prefix->n_bits % 8;
	const uint8_t mask = (uint8_t)(0xff00 >> n_rest);

	if (prefix->ip.family != ip->family)
		return false;
	if (memcmp(prefix->ip.bytes, ip->bytes, n_whole) != 0)
		return false;
	return n_rest == 0 || ((prefix->ip.bytes[n_whole] ^ ip->bytes[n_whole]) & mask) == 0;
}

int ip_parse(struct ip_addr *out, const char *text)
{
	struct ip_addr ip = {.family = FAMILY_IPV4};

	if (inet_pton(AF_INET, text, ip.bytes) != 1) {
		ip = (struct ip_addr){.family = FAMILY_IPV6};
		if (inet_pton(AF_INET6, text, ip.bytes) != 1)
			return -EINVAL;
	}
	*out = ip;
	return 0;
}

// Digits only: strtoul() would take signs and blanks.
static int parse_decimal(uint32_t *out, const char *text, uint32_t max)
{
	uint32_t value = 0;

	if (*text == '\0' || strlen(text) > 5)
		return -EINVAL;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (uint32_t)(*text - '0');
	}
	if (value > max)
		return -EINVAL;
	*out = value;
	return 0;
}

// The address in the `n` bytes at `text`, which need not be terminated.
static int parse_ip_slice(struct ip_addr *out, const char *text, size_t n)
{
	char copy[ADDR_TEXT_BYTES];

	if (n >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, n);
	copy[n] = '\0';
	return ip_parse(out, copy);
}

int endpoint_parse(struct endpoint *out, const char *text)
{
	const bool bracketed = *text == '[';
	const char *end = strrchr(text, bracketed ? ']' : ':');
	struct endpoint endpoint;
	uint32_t port;

	if (end == NULL)
		return -EINVAL;
	if (bracketed && end[1] != ':')
		return -EINVAL;
	if (parse_decimal(&port, end + (bracketed ? 2 : 1), UINT16_MAX) < 0)
		return -EINVAL;
	text += bracketed;
	if (parse_ip_slice(&endpoint.ip, text, (size_t)(end - text)) < 0)
		return -EINVAL;
	if (endpoint.ip.family != (bracketed ? FAMILY_IPV6 : FAMILY_IPV4))
		return -EINVAL;
	endpoint.port = (uint16_t)port;
	*out = endpoint;
	return 0;
}

int prefix_parse(struct prefix *out, const char *text)
{
	const char *slash = strchr(text, '/');
	struct prefix prefix;
	uint32_t n_bits;

	if (parse_ip_slice(&prefix.ip, text, slash ? (size_t)(slash - text) : strlen(text)) < 0)
		return -EINVAL;
	n_bits = (uint32_t)family_bytes(prefix.ip.family) * 8;
	if (slash != NULL && parse_decimal(&n_bits, slash + 1, n_bits) < 0)
		return -EINVAL;
	prefix.n_bits = (uint8_t)n_bits;
	*out = prefix;
	return 0;
}

const char *ip_format(const struct ip_addr *ip, char text[static ADDR_TEXT_BYTES])
{
	if (ip->family == FAMILY_IPV4)
		inet_ntop(AF_INET, ip->bytes, text, ADDR_TEXT_BYTES);
	else if (ip->family == FAMILY_IPV6)
		inet_ntop(AF_INET6, ip->bytes, text, ADDR_TEXT_BYTES);
	else
		memcpy(text, "none", sizeof("none"));
	return text;
}

const char *endpoint_format(const struct endpoint *endpoint, char text[static ADDR_TEXT_BYTES])
{
	const bool bracketed = endpoint->ip.family == FAMILY_IPV6;
	char address[ADDR_TEXT_BYTES];

	ip_format(&endpoint->ip, address);
	snprintf(text, ADDR_TEXT_BYTES, bracketed ? "[%.45s]:%u" : "%.45s:%u", address,
		(unsigned int)endpoint->port);
	return text;
}

const char *prefix_format(const struct prefix *prefix, char text[static ADDR_TEXT_BYTES])
{
	char address[ADDR_TEXT_BYTES];

	ip_format(&prefix->ip, address);
	snprintf(text, ADDR_TEXT_BYTES, "%.45s/%u", address, (unsigned int)prefix->n_bits);
	return text;
}
