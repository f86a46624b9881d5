// How much may be done for sources that nobody knows: so much a second for each, and for all
// together, in fixed memory.
//
// A source is an IPv4 address or an IPv6 /64. Sources share an array of token buckets by a keyed
// hash: two of them may meet in one, which nobody can bring about on purpose, and a source that
// sends from everywhere fills all of them evenly. One thread uses a budget.
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include "addr.h"
#include "bucket.h"
#include "pages.h"

#include <stdbool.h>
#include <stdint.h>

#define BUDGET_SOURCES 32768 // buckets, 8 bytes each

struct budget_config {
	uint32_t per_source; // a second, and at once; 0: no limit
	uint32_t total; // the same for all sources together
	uint64_t ticks_per_s;
	uint64_t seed[2]; // secret
	int numa_node;
};

struct budget {
	struct bucket *sources; // NULL: no limit
	struct bucket all;
	struct bucket_rate source_rate;
	struct bucket_rate all_rate;
	uint64_t seed[2];
	struct pages pages;
};

// Returns 0; -ENOMEM.
int budget_create(struct budget *out, const struct budget_config *config);
void budget_destroy(struct budget *budget); // a zeroed one is fine

// One thing for the source, whose 4 or 16 bytes are in network order. False where either limit has
// been reached.
bool budget_take(
	struct budget *budget, enum family family, const uint8_t *source_ip, uint64_t now_ticks);

#endif
