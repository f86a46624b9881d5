// Memory that grows as it fills: arrays whose indices stay good, and rings.
#include "state.h"

#include <stdlib.h>

#define FIRST_CAPACITY 256

void *array_grow(void *array, uint32_t *capacity, uint32_t n, size_t member_bytes)
{
	uint32_t wanted = *capacity ? *capacity : FIRST_CAPACITY;
	void *grown;

	if (n < *capacity)
		return array;
	while (wanted <= n)
		wanted *= 2;
	grown = reallocarray(array, wanted, member_bytes);
	if (!grown)
		return NULL;
	memset((uint8_t *)grown + *capacity * member_bytes, 0, (wanted - *capacity) * member_bytes);
	*capacity = wanted;
	return grown;
}

// The part behind the end of the old ring goes on behind that of the new one.
static bool grow(struct ring *ring, size_t member_bytes)
{
	const size_t capacity = ring->capacity ? 2 * ring->capacity : FIRST_CAPACITY;
	uint8_t *grown = reallocarray(ring->members, capacity, member_bytes);

	if (!grown)
		return false;
	memcpy(grown + ring->capacity * member_bytes, grown, ring->first * member_bytes);
	ring->members = grown;
	ring->capacity = capacity;
	return true;
}

static void *member_at(const struct ring *ring, size_t i, size_t member_bytes)
{
	return (uint8_t *)ring->members + (ring->first + i) % ring->capacity * member_bytes;
}

bool ring_add(struct ring *ring, const void *member, size_t member_bytes)
{
	if (ring->n == ring->capacity && !grow(ring, member_bytes))
		return false;
	memcpy(member_at(ring, ring->n++, member_bytes), member, member_bytes);
	return true;
}

void *ring_oldest(const struct ring *ring, size_t member_bytes)
{
	return ring->n ? member_at(ring, 0, member_bytes) : NULL;
}

void ring_remove(struct ring *ring)
{
	ring->first = (ring->first + 1) % ring->capacity;
	ring->n--;
}

void ring_fini(struct ring *ring)
{
	free(ring->members);
	*ring = (struct ring){0};
}
