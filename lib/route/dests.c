#include "dests.h"

#include "hash.h"

#include <errno.h>
#include <stdlib.h>

int dests_init(struct dests *dests)
{
	dests->slots = calloc(DESTS_SLOTS, sizeof(*dests->slots));
	if (dests->slots == NULL)
		return -ENOMEM;
	dests->generation = 1;
	dests->n_used = 0;
	random_secret(&dests->seed, sizeof(dests->seed));
	return 0;
}

void dests_fini(struct dests *dests)
{
	free(dests->slots);
	dests->slots = NULL;
}

// The slot that holds this pair, or the free one where it belongs. Half of the slots are always
// free.
static struct dest *find_slot(
	const struct dests *dests, const struct ip_addr *destination, const struct ip_addr *source)
{
	uint64_t i = hash_ip(hash_ip(dests->seed, destination), source);

	for (;; i++) {
		struct dest *slot = &dests->slots[i % DESTS_SLOTS];

		if (slot->generation != dests->generation)
			return slot;
		if (ip_equal(&slot->destination, destination) && ip_equal(&slot->source, source))
			return slot;
	}
}

bool dests_get(const struct dests *dests, const struct ip_addr *destination,
	const struct ip_addr *source, uint16_t *hop_idx)
{
	const struct dest *slot;

	if (dests->n_used == 0)
		return false;
	slot = find_slot(dests, destination, source);
	if (slot->generation != dests->generation)
		return false;
	*hop_idx = slot->hop_idx;
	return true;
}

int dests_put(struct dests *dests, const struct ip_addr *destination, const struct ip_addr *source,
	uint16_t hop_idx)
{
	struct dest *slot = find_slot(dests, destination, source);

	if (slot->generation != dests->generation) {
		if (dests->n_used == DESTS_MAX)
			return -ENOSPC;
		dests->n_used++;
	}
	*slot = (struct dest){
		.destination = *destination,
		.source = *source,
		.hop_idx = hop_idx,
		.generation = dests->generation,
	};
	return 0;
}

void dests_clear(struct dests *dests)
{
	dests->n_used = 0;
	if (++dests->generation != 0)
		return;
	memset(dests->slots, 0, DESTS_SLOTS * sizeof(*dests->slots));
	dests->generation = 1;
}
