// Stretches of addresses of one family, both ends included. A network is one whose ends are its
// first and last address.
#ifndef BASE_RANGE_H
#define BASE_RANGE_H

#include "addr.h"

struct ip_range {
	struct ip_addr first;
	struct ip_addr last; // of the same family, not before `first`
};

// Longest text: two IPv6 addresses, "-" and the final zero.
#define RANGE_TEXT_BYTES 96

struct ip_range range_of_prefix(const struct prefix *prefix);
// False where the families differ.
bool range_contains(const struct ip_range *range, const struct ip_addr *ip);

// "192.0.2.0/24", "2001:db8::1", "10.0.0.5-10.0.0.9". Returns 0; -EINVAL, also where the ends are
// of two families or the wrong way round; bits behind a prefix's length are cut off.
int range_parse(struct ip_range *out, const char *text);
// As a prefix where it is one, terminated; returns `text`.
const char *range_format(const struct ip_range *range, char text[static RANGE_TEXT_BYTES]);

#endif
