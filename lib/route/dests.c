#include "dests.h"

#include "hash.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_FIRST 1024

int dests_init(struct dests *dests, uint32_t n_max)
{
	dests->slots = calloc(SLOTS_FIRST, sizeof(*dests->slots));
	if (dests->slots == NULL)
		return -ENOMEM;
	dests->n_slots = SLOTS_FIRST;
	dests->n_max = n_max;
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
		struct dest *slot = &dests->slots[i & (dests->n_slots - 1)];

		if (slot->generation != dests->generation)
			return slot;
		if (ip_equal(&slot->destination, destination) && ip_equal(&slot->source, source))
			return slot;
	}
}

static int grow(struct dests *dests)
{
	struct dests grown = *dests;

	grown.n_slots *= 2;
	grown.slots = calloc(grown.n_slots, sizeof(*grown.slots));
	if (grown.slots == NULL)
		return -ENOSPC;
	for (uint32_t i = 0; i < dests->n_slots; i++) {
		const struct dest *from = &dests->slots[i];

		if (from->generation == dests->generation)
			*find_slot(&grown, &from->destination, &from->source) = *from;
	}
	free(dests->slots);
	*dests = grown;
	return 0;
}

// Room for one more, with half of the slots free. The slot that was found may move.
static int make_room(struct dests *dests)
{
	if (dests->n_used == dests->n_max)
		return -ENOSPC;
	return dests->n_used < dests->n_slots / 2 ? 0 : grow(dests);
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
		if (make_room(dests) < 0)
			return -ENOSPC;
		slot = find_slot(dests, destination, source);
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
	memset(dests->slots, 0, dests->n_slots * sizeof(*dests->slots));
	dests->generation = 1;
}
