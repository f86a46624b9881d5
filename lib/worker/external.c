// Relay addresses that a 1:1 NAT shows as others. Clients know only the outer ones; packets between
// our own relayed addresses never leave the box and have the inner ones.
#include "state.h"

#include <errno.h>

int external_add(struct externals *externals, const struct relay_range *relay)
{
	struct external *external = &externals->items[externals->n];

	if (relay->external.family == FAMILY_NONE)
		return 0;
	if (externals->n == N_ELEMENTS(externals->items) ||
		relay->external.family != relay->ip.family)
		return -EINVAL;
	external->family = relay->ip.family;
	memcpy(external->ip[EXTERNAL_INSIDE], relay->ip.bytes, IPV6_BYTES);
	memcpy(external->ip[EXTERNAL_OUTSIDE], relay->external.bytes, IPV6_BYTES);
	externals->n++;
	return 0;
}

// The same address as the other side knows it; left as it is where it is none of them.
static void translate(const struct worker *w, uint8_t family, uint8_t *ip, enum external_side from)
{
	for (unsigned i = 0; i < w->externals.n; i++) {
		const struct external *external = &w->externals.items[i];

		if (external->family == family &&
			memcmp(external->ip[from], ip, family_bytes(family)) == 0) {
			memcpy(ip, external->ip[!from], family_bytes(family));
			return;
		}
	}
}

void external_to_inside(const struct worker *w, uint8_t family, uint8_t *ip)
{
	translate(w, family, ip, EXTERNAL_OUTSIDE);
}

void external_to_outside(const struct worker *w, uint8_t family, uint8_t *ip)
{
	translate(w, family, ip, EXTERNAL_INSIDE);
}
