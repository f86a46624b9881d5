// IPv4 addresses inside IPv6 addresses: whoever sends to one reaches the other.
#ifndef TURN_EMBEDDED_H
#define TURN_EMBEDDED_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>

#define EMBEDDED_MAX 8

// Those that `ip` may carry, written to `out`; more than one where the form cannot be told. `nat64`
// are the operator's translators. Returns how many. Teredo and 6to4 are not taken apart: nobody
// may use them.
size_t embedded_find(struct ip_addr out[static EMBEDDED_MAX], const struct ip_addr *ip,
	const struct prefix *nat64, size_t n_nat64);

// The lengths of RFC 6052 §2.2.
bool embedded_nat64_fits(const struct prefix *prefix);

#endif
