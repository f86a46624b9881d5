#include "range.h"

#include "bytes.h"

#include <errno.h>
#include <stdio.h>

// Addresses are in network order, so comparing their bytes from the left compares numbers.
static int compare(const struct ip_addr *a, const struct ip_addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

// `ip` with its bits from `n_bits` on all zero or all one.
static struct ip_addr fill_behind(const struct ip_addr *ip, size_t n_bits, bool ones)
{
	const size_t n_all = 8 * family_bytes(ip->family);
	struct ip_addr filled = *ip;

	for (size_t bit = n_bits; bit < n_all; bit++) {
		const uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		filled.bytes[bit / 8] = (uint8_t)(ones ? filled.bytes[bit / 8] | mask
						       : filled.bytes[bit / 8] & ~mask);
	}
	return filled;
}

struct ip_range range_of_prefix(const struct prefix *prefix)
{
	return (struct ip_range){
		.first = fill_behind(&prefix->ip, prefix->n_bits, false),
		.last = fill_behind(&prefix->ip, prefix->n_bits, true),
	};
}

bool range_contains(const struct ip_range *range, const struct ip_addr *ip)
{
	return range->first.family == ip->family && compare(&range->first, ip) <= 0 &&
		compare(ip, &range->last) <= 0;
}

int range_parse(struct ip_range *out, const char *text)
{
	const char *dash = strchr(text, '-');
	char first[ADDR_TEXT_BYTES];
	struct ip_range range;
	struct prefix prefix;

	if (!dash) {
		if (prefix_parse(&prefix, text) < 0)
			return -EINVAL;
		*out = range_of_prefix(&prefix);
		return 0;
	}
	if ((size_t)(dash - text) >= sizeof(first))
		return -EINVAL;
	memcpy(first, text, (size_t)(dash - text));
	first[dash - text] = '\0';
	if (ip_parse(&range.first, first) < 0 || ip_parse(&range.last, dash + 1) < 0 ||
		range.first.family != range.last.family || compare(&range.first, &range.last) > 0)
		return -EINVAL;
	*out = range;
	return 0;
}

const char *range_format(const struct ip_range *range, char text[static RANGE_TEXT_BYTES])
{
	const size_t n_all = 8 * family_bytes(range->first.family);
	char first[ADDR_TEXT_BYTES];
	char last[ADDR_TEXT_BYTES];

	for (size_t n_bits = 0; n_bits <= n_all; n_bits++) {
		const struct prefix prefix = {range->first, (uint8_t)n_bits};
		const struct ip_range whole = range_of_prefix(&prefix);

		if (ip_equal(&whole.first, &range->first) && ip_equal(&whole.last, &range->last))
			return prefix_format(&prefix, text);
	}
	snprintf(text, RANGE_TEXT_BYTES, "%.45s-%.45s", ip_format(&range->first, first),
		ip_format(&range->last, last));
	return text;
}
