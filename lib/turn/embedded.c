#include "turn/embedded.h"

// Where the four bytes lie.
struct layout {
	uint8_t at[4];
};

// RFC 6052 §2.2: byte 8 is skipped.
static const struct {
	uint8_t n_bits;
	struct layout layout;
} translators[] = {
	{32, {{4, 5, 6, 7}}},
	{40, {{5, 6, 7, 9}}},
	{48, {{6, 7, 9, 10}}},
	{56, {{7, 9, 10, 11}}},
	{64, {{9, 10, 11, 12}}},
	{96, {{12, 13, 14, 15}}},
};

static const struct layout last_bytes = {{12, 13, 14, 15}};

#define V6(n, ...)                                                                   \
	{                                                                            \
		.ip = {.family = FAMILY_IPV6, .bytes = {__VA_ARGS__}}, .n_bits = (n) \
	}

static const struct prefix with_last_bytes[] = {
	V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), // mapped: RFC 4291 §2.5.5.2
	V6(96, 0), // compatible: RFC 4291 §2.5.5.1
	V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), // translated: RFC 2765 §2.1
	V6(96, 0x00, 0x64, 0xff, 0x9b), // NAT64: RFC 6052 §2.1
};

// NAT64 of local use (RFC 8215): prefixes of any of these lengths lie in it.
static const struct prefix local_use = V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01);

static void add(
	struct ip_addr *out, size_t *n, const struct ip_addr *ip, const struct layout *layout)
{
	uint8_t bytes[IPV4_BYTES];

	if (*n == EMBEDDED_MAX)
		return;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = ip->bytes[layout->at[i]];
	out[(*n)++] = ip_from_bytes(FAMILY_IPV4, bytes);
}

static const struct layout *layout_of(uint8_t n_bits)
{
	for (size_t i = 0; i < N_ELEMENTS(translators); i++)
		if (translators[i].n_bits == n_bits)
			return &translators[i].layout;
	return NULL;
}

bool embedded_nat64_fits(const struct prefix *prefix)
{
	return prefix->ip.family == FAMILY_IPV6 && layout_of(prefix->n_bits);
}

// False where no translator of the operator's has it.
static bool find_nat64(struct ip_addr *out, size_t *n, const struct ip_addr *ip,
	const struct prefix *nat64, size_t n_nat64)
{
	const struct prefix *longest = NULL;

	for (size_t i = 0; i < n_nat64; i++)
		if (prefix_contains(&nat64[i], ip) &&
			(!longest || nat64[i].n_bits > longest->n_bits))
			longest = &nat64[i];
	if (longest)
		add(out, n, ip, layout_of(longest->n_bits));
	return longest;
}

// By the interface identifier, in whatever network.
static void find_identifier(struct ip_addr *out, size_t *n, const struct ip_addr *ip)
{
	static const struct layout fourrd = {{10, 11, 12, 13}};
	const uint8_t *id = ip->bytes + 8;

	// ISATAP: RFC 5214 §6.1, with the bits "universal" and "group" either way.
	if ((id[0] & ~3) == 0 && id[1] == 0 && id[2] == 0x5e && id[3] == 0xfe)
		add(out, n, ip, &last_bytes);
	// 4rd: RFC 7600.
	if (id[0] == 0x03 && id[1] == 0x00)
		add(out, n, ip, &fourrd);
}

size_t embedded_find(struct ip_addr out[static EMBEDDED_MAX], const struct ip_addr *ip,
	const struct prefix *nat64, size_t n_nat64)
{
	size_t n = 0;

	if (ip->family != FAMILY_IPV6)
		return 0;
	for (size_t i = 0; i < N_ELEMENTS(with_last_bytes); i++)
		if (prefix_contains(&with_last_bytes[i], ip))
			add(out, &n, ip, &last_bytes);
	if (!find_nat64(out, &n, ip, nat64, n_nat64) && prefix_contains(&local_use, ip))
		for (size_t i = 0; i < N_ELEMENTS(translators); i++)
			if (translators[i].n_bits >= local_use.n_bits)
				add(out, &n, ip, &translators[i].layout);
	find_identifier(out, &n, ip);
	return n;
}
