// Relay addresses that a 1:1 NAT shows as others. Clients know only the outer ones; packets between
// our own relayed addresses never leave the box and have the inner ones.
#include "state.h"

#include <errno.h>

int external_add(struct worker *w, const struct relay_range *relay)
{
	struct external *external = &w->externals[w->n_externals];

	if (relay->external.family == FAMILY_NONE)
		return 0;
	if (w->n_externals == N_ELEMENTS(w->externals) ||
		relay->external.family != relay->ip.family)
		return -EINVAL;
	external->family = relay->ip.family;
	memcpy(external->inside, relay->ip.bytes, IPV6_BYTES);
	memcpy(external->outside, relay->external.bytes, IPV6_BYTES);
	w->n_externals++;
	return 0;
}

void external_to_inside(const struct worker *w, uint8_t family, uint8_t *ip)
{
	for (unsigned i = 0; i < w->n_externals; i++) {
		const struct external *external = &w->externals[i];

		if (external->family == family &&
			memcmp(external->outside, ip, family_bytes(family)) == 0) {
			memcpy(ip, external->inside, family_bytes(family));
			return;
		}
	}
}

void external_to_outside(const struct worker *w, uint8_t family, uint8_t *ip)
{
	for (unsigned i = 0; i < w->n_externals; i++) {
		const struct external *external = &w->externals[i];

		if (external->family == family &&
			memcmp(external->inside, ip, family_bytes(family)) == 0) {
			memcpy(ip, external->outside, family_bytes(family));
			return;
		}
	}
}
