// Buckets of tags over an array of entries. An entry lives in the primary bucket of its key or,
// when that is full, in the alternate one; the primary then counts it in `n_overflow`, so that a
// look-up for a key whose primary never overflowed reads one bucket only.
#include "flow.h"

#include <errno.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

struct flow4_bucket {
	uint16_t tags[FLOW_BUCKET_SLOTS];
	uint32_t idx[FLOW_BUCKET_SLOTS]; // 0: free
	uint32_t n_overflow; // entries of this bucket that live in their alternate
	uint32_t spare[3];
};
static_assert(sizeof(struct flow4_bucket) == CACHE_LINE_BYTES, "one line");

#define SLOTS_PER_ENTRY 2 // half of the slots stay free, so overflow is rare
#define CAPACITY_MAX (1u << 28)

static uint64_t mix(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t key_hash(const struct flow_table *t, const struct flow4_key *key)
{
	uint64_t words[2];

	memcpy(words, key, sizeof(words));
	return mix(mix(words[0] ^ t->seed[0], words[1] ^ t->seed[1]), 0x9fb21c651e98df25ULL);
}

static uint16_t hash_tag(uint64_t hash)
{
	return (uint16_t)(hash >> 48);
}

static uint32_t hash_bucket(const struct flow_table *t, uint64_t hash)
{
	return (uint32_t)hash & t->bucket_mask;
}

// Its own inverse: the alternate of the alternate is the primary.
static uint32_t other_bucket(const struct flow_table *t, uint32_t bucket, uint16_t tag)
{
	return (bucket ^ (tag * 0x5bd1e995u + 1)) & t->bucket_mask;
}

// A bit for each slot whose tag matches.
#ifdef __SSE2__
static unsigned bucket_match(const struct flow4_bucket *bucket, uint16_t tag)
{
	const __m128i tags = _mm_load_si128((const __m128i *)bucket->tags);
	const __m128i equal = _mm_cmpeq_epi16(tags, _mm_set1_epi16((short)tag));

	static_assert(FLOW_BUCKET_SLOTS == 8, "one vector of tags");
	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(equal, _mm_setzero_si128()));
}
#else
static unsigned bucket_match(const struct flow4_bucket *bucket, uint16_t tag)
{
	unsigned hits = 0;

	for (unsigned slot = 0; slot < FLOW_BUCKET_SLOTS; slot++)
		hits |= (unsigned)(bucket->tags[slot] == tag) << slot;
	return hits;
}
#endif

static int bucket_find(const struct flow_table *t, const struct flow4_bucket *bucket, uint16_t tag,
	const struct flow4_key *key)
{
	for (unsigned hits = bucket_match(bucket, tag); hits; hits &= hits - 1) {
		const int slot = __builtin_ctz(hits);

		// Entry 0 stands behind free slots and has the key of nothing.
		if (flow4_key_equal(&t->entries[bucket->idx[slot]].key, key))
			return slot;
	}
	return -1;
}

static int bucket_free_slot(const struct flow4_bucket *bucket)
{
	for (int slot = 0; slot < FLOW_BUCKET_SLOTS; slot++)
		if (bucket->idx[slot] == 0)
			return slot;
	return -1;
}

int flow_table_create(struct flow_table *table, uint32_t capacity, int numa_node, bool try_huge,
	const uint64_t seed[static 2])
{
	size_t n_buckets;

	*table = (struct flow_table){.capacity = capacity, .seed = {seed[0], seed[1]}};
	if (capacity == 0 || capacity > CAPACITY_MAX)
		return -EINVAL;
	n_buckets = next_power_of_two((size_t)capacity * SLOTS_PER_ENTRY / FLOW_BUCKET_SLOTS + 1);
	if (pages_map(&table->bucket_pages, n_buckets * sizeof(struct flow4_bucket), numa_node,
		    try_huge))
		return -ENOMEM;
	if (pages_map(&table->entry_pages, ((size_t)capacity + 1) * sizeof(struct flow4_entry),
		    numa_node, try_huge)) {
		pages_unmap(&table->bucket_pages);
		return -ENOMEM;
	}
	table->buckets = table->bucket_pages.base;
	table->entries = table->entry_pages.base;
	table->bucket_mask = (uint32_t)n_buckets - 1;
	table->entries[0].key.zero = 0xffff;
	return 0;
}

void flow_table_destroy(struct flow_table *table)
{
	pages_unmap(&table->bucket_pages);
	pages_unmap(&table->entry_pages);
	*table = (struct flow_table){0};
}

// Entries of channels, which media use, lie dense at one end of the array, the others at the other
// end: a page of them serves twice as many packets. When the ends meet, each takes from the other.
static enum flow_end end_of(const struct flow4_entry *entry)
{
	return entry->kind <= FLOW_DOWN ? FLOW_END_CHANNELS : FLOW_END_OTHERS;
}

static uint32_t take_free(struct flow_table *t, enum flow_end end)
{
	const uint32_t idx = t->first_free[end];

	if (idx)
		t->first_free[end] = t->entries[idx].next_free;
	return idx;
}

// There is one: the caller has checked n_entries.
static uint32_t entry_take(struct flow_table *t, enum flow_end end)
{
	const uint32_t idx = take_free(t, end);

	if (idx)
		return idx;
	if (t->n_touched[FLOW_END_CHANNELS] + t->n_touched[FLOW_END_OTHERS] == t->capacity)
		return take_free(t, (enum flow_end)(1 - end));
	t->n_touched[end]++;
	return end == FLOW_END_CHANNELS ? t->n_touched[end] : t->capacity + 1 - t->n_touched[end];
}

static void entry_give(struct flow_table *t, uint32_t idx)
{
	const enum flow_end end = end_of(&t->entries[idx]);

	t->entries[idx] = (struct flow4_entry){.key.zero = 0xffff, .next_free = t->first_free[end]};
	t->first_free[end] = idx;
}

// Move one entry of a full bucket that lives in its primary to its alternate. Returns the freed
// slot or -1.
static int bucket_make_room(struct flow_table *t, uint32_t bucket_idx)
{
	struct flow4_bucket *bucket = &t->buckets[bucket_idx];

	for (int slot = 0; slot < FLOW_BUCKET_SLOTS; slot++) {
		const uint16_t tag = bucket->tags[slot];
		const uint64_t hash = key_hash(t, &t->entries[bucket->idx[slot]].key);
		struct flow4_bucket *other = &t->buckets[other_bucket(t, bucket_idx, tag)];
		const int free_slot = bucket_free_slot(other);

		if (hash_bucket(t, hash) != bucket_idx || free_slot < 0 || other == bucket)
			continue;
		other->tags[free_slot] = tag;
		other->idx[free_slot] = bucket->idx[slot];
		bucket->idx[slot] = 0;
		bucket->n_overflow++;
		return slot;
	}
	return -1;
}

struct place {
	struct flow4_bucket *bucket;
	int slot; // -1: not there
	bool in_other;
};

static struct place find_place(
	const struct flow_table *t, uint64_t hash, const struct flow4_key *key)
{
	const uint16_t tag = hash_tag(hash);
	const uint32_t primary = hash_bucket(t, hash);
	struct place place = {.bucket = &t->buckets[primary]};

	place.slot = bucket_find(t, place.bucket, tag, key);
	if (place.slot >= 0 || place.bucket->n_overflow == 0)
		return place;
	place.bucket = &t->buckets[other_bucket(t, primary, tag)];
	place.slot = bucket_find(t, place.bucket, tag, key);
	place.in_other = true;
	return place;
}

static struct place find_room(struct flow_table *t, uint64_t hash)
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
	place.slot = bucket_make_room(t, primary);
	place.in_other = false;
	return place;
}

int flow4_insert(struct flow_table *table, const struct flow4_entry *entry)
{
	const uint64_t hash = key_hash(table, &entry->key);
	struct place place = find_place(table, hash, &entry->key);
	struct flow4_entry *own;
	uint32_t idx;

	if (place.slot >= 0) {
		own = &table->entries[place.bucket->idx[place.slot]];
		const uint64_t n_packets = own->n_packets;
		const uint64_t n_bytes = own->n_bytes;

		*own = *entry;
		own->n_packets = n_packets;
		own->n_bytes = n_bytes;
		return 0;
	}
	if (table->n_entries == table->capacity)
		return -ENOSPC;
	place = find_room(table, hash);
	if (place.slot < 0)
		return -ENOSPC;
	idx = entry_take(table, end_of(entry));
	table->entries[idx] = *entry;
	place.bucket->tags[place.slot] = hash_tag(hash);
	place.bucket->idx[place.slot] = idx;
	if (place.in_other)
		table->buckets[hash_bucket(table, hash)].n_overflow++;
	table->n_entries++;
	return 0;
}

bool flow4_remove(struct flow_table *table, const struct flow4_key *key)
{
	const uint64_t hash = key_hash(table, key);
	const struct place place = find_place(table, hash, key);

	if (place.slot < 0)
		return false;
	entry_give(table, place.bucket->idx[place.slot]);
	place.bucket->idx[place.slot] = 0;
	if (place.in_other)
		table->buckets[hash_bucket(table, hash)].n_overflow--;
	table->n_entries--;
	return true;
}

// The first slot whose tag matches is nearly always the entry; where none does, entry 0 is no hit.
static uint32_t guess(const struct flow4_bucket *bucket, uint16_t tag)
{
	const unsigned hits = bucket_match(bucket, tag);

	return hits ? bucket->idx[__builtin_ctz(hits)] : 0;
}

// A prefetch that misses the TLB keeps its place in the CPU's window until its page is found, so
// only those that stand close together run side by side: the buckets are asked for in a loop that
// does nothing else.
void flow4_guess_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out)
{
	const struct flow4_bucket *buckets[FLOW_BURST_MAX];
	uint16_t tags[FLOW_BURST_MAX];

	for (unsigned i = 0; i < n; i++) {
		const uint64_t hash = key_hash(table, &keys[i]);

		buckets[i] = &table->buckets[hash_bucket(table, hash)];
		tags[i] = hash_tag(hash);
	}
	for (unsigned i = 0; i < n; i++)
		__builtin_prefetch(buckets[i]);
	for (unsigned i = 0; i < n; i++) {
		out[i] = &table->entries[guess(buckets[i], tags[i])];
		__builtin_prefetch(out[i], 1);
	}
}

struct flow4_entry *flow4_find(const struct flow_table *table, const struct flow4_key *key)
{
	const struct place place = find_place(table, key_hash(table, key), key);

	return place.slot < 0 ? NULL : &table->entries[place.bucket->idx[place.slot]];
}

void flow4_lookup_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out)
{
	flow4_guess_burst(table, keys, n, out);
	for (unsigned i = 0; i < n; i++)
		out[i] = flow4_confirm(table, &keys[i], out[i]);
}
