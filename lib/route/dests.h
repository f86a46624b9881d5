// Which hop a destination has, by source: a bounded hash that grows with what it holds and is
// cleared as a whole.
#ifndef ROUTE_DESTS_H
#define ROUTE_DESTS_H

#include "base/base.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

struct dest {
	struct ip_addr destination;
	struct ip_addr source;
	uint16_t hop_idx;
	uint32_t generation; // of the table when written; any other one is a free slot
};
static_assert(sizeof(struct dest) == 40, "no padding to speak of");

struct dests {
	struct dest *slots;
	uint32_t n_slots; // a power of two
	uint32_t n_max;
	uint64_t seed;
	uint32_t generation;
	uint32_t n_used;
};

// For up to `n_max` pairs. Returns 0, -ENOMEM.
int dests_init(struct dests *dests, uint32_t n_max);
void dests_fini(struct dests *dests); // harmless on a zeroed struct

bool dests_get(const struct dests *dests, const struct ip_addr *destination,
	const struct ip_addr *source, uint16_t *hop_idx);
// Add or overwrite. Returns 0; -ENOSPC past n_max, or without memory to grow.
int dests_put(struct dests *dests, const struct ip_addr *destination, const struct ip_addr *source,
	uint16_t hop_idx);
void dests_clear(struct dests *dests);

#endif
