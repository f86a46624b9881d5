// Nodes of one size, named by a 32-bit index that stays theirs: 0 is no node. Memory grows in
// chunks that are touched only when used and are never moved, so pointers stay good until
// pool_give().
#ifndef TURN_POOL_H
#define TURN_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK_BITS 12
#define POOL_CHUNK_NODES (1u << POOL_CHUNK_BITS)

struct pool {
	uint8_t **chunks;
	uint32_t n_chunks;
	uint32_t chunks_capacity;
	uint32_t node_bytes;
	uint32_t free_idx; // first of the list; the link is a free node's first word
	uint32_t n_touched; // nodes from 1 to this have been used at some time
	uint32_t n_used;
};

void pool_init(struct pool *pool, uint32_t node_bytes);
void pool_fini(struct pool *pool);
// Make sure that the next `n` pool_take() succeed. Returns 0 or -ENOMEM.
int pool_reserve(struct pool *pool, uint32_t n);
uint32_t pool_take(struct pool *pool); // a zeroed node; only after pool_reserve()
void pool_give(struct pool *pool, uint32_t idx);
// True where the free list and the counters agree.
bool pool_is_sound(const struct pool *pool);

static inline void *pool_at(const struct pool *pool, uint32_t idx)
{
	return pool->chunks[idx >> POOL_CHUNK_BITS] +
		(size_t)(idx & (POOL_CHUNK_NODES - 1)) * pool->node_bytes;
}

#endif
