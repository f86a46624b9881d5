// Allocations by their ids, which are numbers in a row: their lowest bits spread them evenly.
#include "turn/state.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static uint32_t *bucket_of(const struct turn *turn, uint64_t id)
{
	return &turn->ids[id & (turn->n_buckets - 1)];
}

uint32_t ids_find(const struct turn *turn, uint64_t id)
{
	uint32_t idx = *bucket_of(turn, id);

	while (idx && allocation_at(turn, idx)->id != id)
		idx = allocation_at(turn, idx)->next_by_id;
	return idx;
}

void ids_add(struct turn *turn, uint32_t idx)
{
	struct allocation *allocation = allocation_at(turn, idx);
	uint32_t *bucket = bucket_of(turn, turn->next_id);

	allocation->id = turn->next_id++;
	allocation->next_by_id = *bucket;
	*bucket = idx;
}

void ids_remove(struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	uint32_t *link = bucket_of(turn, allocation->id);

	while (*link != idx)
		link = &allocation_at(turn, *link)->next_by_id;
	*link = allocation->next_by_id;
}

const char *turn_id_format(uint64_t id, char text[static TURN_ID_TEXT_BYTES])
{
	snprintf(text, TURN_ID_TEXT_BYTES, "%016" PRIx64, id);
	return text;
}

int turn_id_parse(uint64_t *out, const char *text)
{
	const size_t n = strspn(text, "0123456789abcdefABCDEF");

	if (n == 0 || n >= TURN_ID_TEXT_BYTES || text[n] != '\0')
		return -EINVAL;
	*out = strtoull(text, NULL, 16);
	return 0;
}
