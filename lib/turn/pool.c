#include "turn/pool.h"

#include "base/base.h"

#include <errno.h>
#include <stdlib.h>

void pool_init(struct pool *pool, uint32_t node_bytes)
{
	*pool = (struct pool){.node_bytes = node_bytes};
}

void pool_fini(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->n_chunks; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	*pool = (struct pool){0};
}

static int add_chunk(struct pool *pool)
{
	uint8_t *chunk;

	if (pool->n_chunks == pool->chunks_capacity) {
		const uint32_t capacity = pool->chunks_capacity ? 2 * pool->chunks_capacity : 16;
		uint8_t **chunks = reallocarray(pool->chunks, capacity, sizeof(*chunks));

		if (!chunks)
			return -ENOMEM;
		pool->chunks = chunks;
		pool->chunks_capacity = capacity;
	}
	chunk = calloc(POOL_CHUNK_NODES, pool->node_bytes);
	if (!chunk)
		return -ENOMEM;
	pool->chunks[pool->n_chunks++] = chunk;
	return 0;
}

int pool_reserve(struct pool *pool, uint32_t n)
{
	while ((uint64_t)pool->n_used + n >= (uint64_t)pool->n_chunks << POOL_CHUNK_BITS) {
		const int rc = add_chunk(pool);

		if (rc)
			return rc;
	}
	return 0;
}

uint32_t pool_take(struct pool *pool)
{
	uint32_t idx = pool->free_idx;

	if (idx) {
		uint8_t *node = pool_at(pool, idx);

		pool->free_idx = load_u32(node);
		store_u32(node, 0);
	} else {
		idx = ++pool->n_touched;
	}
	pool->n_used++;
	return idx;
}

void pool_give(struct pool *pool, uint32_t idx)
{
	uint8_t *node = pool_at(pool, idx);

	memset(node, 0, pool->node_bytes);
	store_u32(node, pool->free_idx);
	pool->free_idx = idx;
	pool->n_used--;
}

bool pool_is_sound(const struct pool *pool)
{
	uint32_t n_free = 0;

	for (uint32_t idx = pool->free_idx; idx && n_free <= pool->n_touched; n_free++)
		idx = load_u32(pool_at(pool, idx));
	return n_free + pool->n_used == pool->n_touched;
}
