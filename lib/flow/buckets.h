// A table for entries of any shape: buckets of 14 tags, and behind each tag the place of one entry.
// An entry lives in the primary bucket of its key or, when that is full, in the alternate one; the
// primary then counts it in `n_overflow`, so that a look-up for a key whose primary never
// overflowed reads one bucket only. Tags are 16 bits: those of millions of entries fit a CPU's last
// cache, and a look-up waits for memory once, for its entry.
//
// Inline, with the shape as a constant: each table is compiled for its own. Private to lib/flow.
#ifndef FLOW_BUCKETS_H
#define FLOW_BUCKETS_H

#include "flow.h"

#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#define FLOW_INLINE static inline __attribute__((always_inline))

struct flow_bucket {
	uint16_t tags[FLOW_BUCKET_SLOTS]; // 0: free
	uint32_t n_overflow; // entries of this bucket that live in their alternate
};
static_assert(sizeof(struct flow_bucket) == CACHE_LINE_BYTES / 2, "two on a line, none on two");

// An entry begins with its key.
struct flow_shape {
	size_t key_bytes; // 16 or 40
	size_t entry_bytes;
	size_t to_offset; // of struct flow_rewrite
};

// Of a full table more than two fifths of the slots stay free, so that overflow is rare.
#define SLOTS_PER_4_ENTRIES 7
#define CAPACITY_MAX (1u << 28)

static inline uint64_t flow_mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

FLOW_INLINE uint64_t key_hash(const struct flow_table *t, const uint8_t *key, size_t key_bytes)
{
	uint64_t hash = flow_mix(load_u64(key) ^ t->seed[0], load_u64(key + 8) ^ t->seed[1]);

	if (key_bytes == sizeof(struct flow6_key)) {
		hash = flow_mix(hash ^ load_u64(key + 16), load_u64(key + 24) ^ t->seed[0]);
		hash = flow_mix(hash ^ load_u64(key + 32), t->seed[1]);
	}
	return flow_mix(hash, 0x9fb21c651e98df25ULL);
}

FLOW_INLINE bool key_equal(const uint8_t *a, const uint8_t *b, size_t key_bytes)
{
	uint64_t differs = 0;

	for (size_t i = 0; i < key_bytes; i += 8)
		differs |= load_u64(a + i) ^ load_u64(b + i);
	return differs == 0;
}

static inline uint16_t hash_tag(uint64_t hash)
{
	const uint16_t tag = (uint16_t)(hash >> 48);

	return tag ? tag : 1;
}

static inline uint32_t scale(uint32_t word, uint32_t n)
{
	return (uint32_t)((uint64_t)word * n >> 32);
}

static inline uint32_t hash_bucket(const struct flow_table *t, uint64_t hash)
{
	return scale((uint32_t)hash, t->n_buckets);
}

static inline uint32_t other_bucket(const struct flow_table *t, uint32_t primary, uint16_t tag)
{
	const uint32_t other = primary + scale(tag * 0x5bd1e995u, t->n_buckets);

	return other < t->n_buckets ? other : other - t->n_buckets;
}

// A bit for each slot whose tag matches.
#ifdef __SSE2__
static inline unsigned bucket_match(const struct flow_bucket *bucket, uint16_t tag)
{
	const __m128i *tags = (const __m128i *)bucket;
	const __m128i wanted = _mm_set1_epi16((short)tag);
	const __m128i low = _mm_cmpeq_epi16(_mm_load_si128(tags), wanted);
	const __m128i high = _mm_cmpeq_epi16(_mm_load_si128(tags + 1), wanted);

	static_assert(FLOW_BUCKET_SLOTS == 14, "two vectors, but for the count at their end");
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(low, high)) & 0x3fff;
}
#else
static inline unsigned bucket_match(const struct flow_bucket *bucket, uint16_t tag)
{
	unsigned hits = 0;

	for (unsigned slot = 0; slot < FLOW_BUCKET_SLOTS; slot++)
		hits |= (unsigned)(bucket->tags[slot] == tag) << slot;
	return hits;
}
#endif

static inline int bucket_free_slot(const struct flow_bucket *bucket)
{
	const unsigned hits = bucket_match(bucket, 0);

	return hits ? __builtin_ctz(hits) : -1;
}

// The place of an entry; 0 is that of none.
static inline uint32_t slot_idx(const struct flow_table *t, const struct flow_bucket *b, int slot)
{
	return (uint32_t)(b - t->buckets) * FLOW_BUCKET_SLOTS + (uint32_t)slot + 1;
}

FLOW_INLINE uint8_t *entry_at(const struct flow_table *t, uint32_t idx, struct flow_shape shape)
{
	return (uint8_t *)t->entries + idx * shape.entry_bytes;
}

FLOW_INLINE struct flow_rewrite *entry_to(uint8_t *entry, struct flow_shape shape)
{
	return (struct flow_rewrite *)(entry + shape.to_offset);
}

FLOW_INLINE int bucket_find(const struct flow_table *t, const struct flow_bucket *bucket,
	uint16_t tag, const uint8_t *key, struct flow_shape shape)
{
	for (unsigned hits = bucket_match(bucket, tag); hits; hits &= hits - 1) {
		const int slot = __builtin_ctz(hits);

		if (key_equal(entry_at(t, slot_idx(t, bucket, slot), shape), key, shape.key_bytes))
			return slot;
	}
	return -1;
}

static inline uint32_t count_buckets(uint32_t capacity)
{
	return capacity / 4 * SLOTS_PER_4_ENTRIES / FLOW_BUCKET_SLOTS + 2;
}

static inline size_t bucket_bytes(uint32_t n_buckets)
{
	return n_buckets * sizeof(struct flow_bucket);
}

// With the place of none.
static inline size_t entry_bytes(uint32_t n_buckets, struct flow_shape shape)
{
	return ((size_t)n_buckets * FLOW_BUCKET_SLOTS + 1) * shape.entry_bytes;
}

static inline size_t table_huge_bytes(uint32_t capacity, struct flow_shape shape)
{
	const uint32_t n_buckets = count_buckets(capacity);

	return round_up(bucket_bytes(n_buckets), PAGES_HUGE_BYTES) +
		round_up(entry_bytes(n_buckets, shape), PAGES_HUGE_BYTES);
}

FLOW_INLINE int table_create(struct flow_table *t, uint32_t capacity, int numa_node, bool try_huge,
	const uint64_t seed[static 2], struct flow_shape shape)
{
	*t = (struct flow_table){.capacity = capacity, .seed = {seed[0], seed[1]}};
	if (capacity == 0 || capacity > CAPACITY_MAX)
		return -EINVAL;
	t->n_buckets = count_buckets(capacity);
	if (pages_map(&t->bucket_pages, bucket_bytes(t->n_buckets), numa_node, try_huge))
		return -ENOMEM;
	if (pages_map(&t->entry_pages, entry_bytes(t->n_buckets, shape), numa_node, try_huge)) {
		pages_unmap(&t->bucket_pages);
		return -ENOMEM;
	}
	t->buckets = t->bucket_pages.base;
	t->entries = t->entry_pages.base;
	// The key of nothing, behind a look-up that found no tag.
	store_u16((uint8_t *)t->entries + shape.key_bytes - 2, 0xffff);
	return 0;
}

static inline void table_destroy(struct flow_table *t)
{
	pages_unmap(&t->bucket_pages);
	pages_unmap(&t->entry_pages);
	*t = (struct flow_table){0};
}

// Move one entry of a full bucket that lives in its primary to its alternate. Returns the freed
// slot or -1.
FLOW_INLINE int bucket_make_room(struct flow_table *t, uint32_t bucket_idx, struct flow_shape shape)
{
	struct flow_bucket *bucket = &t->buckets[bucket_idx];

	for (int slot = 0; slot < FLOW_BUCKET_SLOTS; slot++) {
		uint8_t *entry = entry_at(t, slot_idx(t, bucket, slot), shape);
		const uint64_t hash = key_hash(t, entry, shape.key_bytes);
		struct flow_bucket *other =
			&t->buckets[other_bucket(t, bucket_idx, bucket->tags[slot])];
		const int free_slot = bucket_free_slot(other);

		if (hash_bucket(t, hash) != bucket_idx || free_slot < 0 || other == bucket)
			continue;
		memcpy(entry_at(t, slot_idx(t, other, free_slot), shape), entry, shape.entry_bytes);
		other->tags[free_slot] = bucket->tags[slot];
		bucket->tags[slot] = 0;
		bucket->n_overflow++;
		return slot;
	}
	return -1;
}

struct place {
	struct flow_bucket *bucket;
	int slot; // -1: not there
	bool in_other;
};

FLOW_INLINE uint8_t *entry_of(
	const struct flow_table *t, const struct place *place, struct flow_shape shape)
{
	return entry_at(t, slot_idx(t, place->bucket, place->slot), shape);
}

FLOW_INLINE struct place find_place(
	const struct flow_table *t, uint64_t hash, const uint8_t *key, struct flow_shape shape)
{
	const uint16_t tag = hash_tag(hash);
	const uint32_t primary = hash_bucket(t, hash);
	struct place place = {.bucket = &t->buckets[primary]};

	place.slot = bucket_find(t, place.bucket, tag, key, shape);
	if (place.slot >= 0 || place.bucket->n_overflow == 0)
		return place;
	place.bucket = &t->buckets[other_bucket(t, primary, tag)];
	place.slot = bucket_find(t, place.bucket, tag, key, shape);
	place.in_other = true;
	return place;
}

FLOW_INLINE struct place find_room(struct flow_table *t, uint64_t hash, struct flow_shape shape)
{
	const uint32_t primary = hash_bucket(t, hash);
	struct place place = {.bucket = &t->buckets[primary]};

	place.slot = bucket_free_slot(place.bucket);
	if (place.slot >= 0)
		return place;
	place.bucket = &t->buckets[other_bucket(t, primary, hash_tag(hash))];
	place.slot = bucket_free_slot(place.bucket);
	place.in_other = true;
	if (place.slot >= 0)
		return place;
	place.bucket = &t->buckets[primary];
	place.slot = bucket_make_room(t, primary, shape);
	place.in_other = false;
	return place;
}

FLOW_INLINE void entry_replace(uint8_t *own, const uint8_t *entry, struct flow_shape shape)
{
	struct flow_rewrite *to = entry_to(own, shape);
	const uint64_t n_packets = to->n_packets;
	const uint64_t n_bytes = to->n_bytes;

	memcpy(own, entry, shape.entry_bytes);
	to->n_packets = n_packets;
	to->n_bytes = n_bytes;
}

FLOW_INLINE int table_insert(struct flow_table *t, const uint8_t *entry, struct flow_shape shape)
{
	const uint64_t hash = key_hash(t, entry, shape.key_bytes);
	struct place place = find_place(t, hash, entry, shape);

	if (place.slot >= 0) {
		entry_replace(entry_of(t, &place, shape), entry, shape);
		return 0;
	}
	if (t->n_entries == t->capacity)
		return -ENOSPC;
	place = find_room(t, hash, shape);
	if (place.slot < 0)
		return -ENOSPC;
	memcpy(entry_of(t, &place, shape), entry, shape.entry_bytes);
	place.bucket->tags[place.slot] = hash_tag(hash);
	if (place.in_other)
		t->buckets[hash_bucket(t, hash)].n_overflow++;
	t->n_entries++;
	return 0;
}

// The bytes of what was removed stay until its place is taken.
FLOW_INLINE void *table_remove(struct flow_table *t, const uint8_t *key, struct flow_shape shape)
{
	const uint64_t hash = key_hash(t, key, shape.key_bytes);
	const struct place place = find_place(t, hash, key, shape);

	if (place.slot < 0)
		return NULL;
	place.bucket->tags[place.slot] = 0;
	if (place.in_other)
		t->buckets[hash_bucket(t, hash)].n_overflow--;
	t->n_entries--;
	return entry_of(t, &place, shape);
}

FLOW_INLINE void *table_find(
	const struct flow_table *t, const uint8_t *key, struct flow_shape shape)
{
	const struct place place = find_place(t, key_hash(t, key, shape.key_bytes), key, shape);

	return place.slot < 0 ? NULL : entry_of(t, &place, shape);
}

// The first slot whose tag matches is nearly always the entry; where none does, entry 0 is no hit.
static inline uint32_t bucket_guess(
	const struct flow_table *t, const struct flow_bucket *bucket, uint16_t tag)
{
	const unsigned hits = bucket_match(bucket, tag);

	return hits ? slot_idx(t, bucket, __builtin_ctz(hits)) : 0;
}

// Where a burst of keys is asked for.
struct bucket_burst {
	const struct flow_bucket *buckets[FLOW_BURST_MAX];
	uint16_t tags[FLOW_BURST_MAX];
};

// A prefetch that misses the TLB keeps its place in the CPU's window until its page is found, so
// only those that stand close together run side by side: the buckets are asked for in a loop that
// does nothing else.
FLOW_INLINE void buckets_ask(struct bucket_burst *burst, const struct flow_table *t,
	const uint8_t *keys, unsigned n, struct flow_shape shape)
{
	for (unsigned i = 0; i < n; i++) {
		const uint64_t hash = key_hash(t, keys + i * shape.key_bytes, shape.key_bytes);

		burst->buckets[i] = &t->buckets[hash_bucket(t, hash)];
		burst->tags[i] = hash_tag(hash);
	}
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(burst->buckets[i]);
}

#endif
