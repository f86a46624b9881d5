// The table of the flows that are IPv6 on either side: two lines an entry.
#include "buckets.h"

static const struct flow_shape shape = {
	.key_bytes = sizeof(struct flow6_key),
	.entry_bytes = sizeof(struct flow6_entry),
	.to_offset = offsetof(struct flow6_entry, to),
};

int flow6_table_create(struct flow_table *table, uint32_t capacity, int numa_node, bool try_huge,
	const uint64_t seed[static 2])
{
	return table_create(table, capacity, numa_node, try_huge, seed, shape);
}

size_t flow6_table_huge_bytes(uint32_t capacity)
{
	return table_huge_bytes(capacity, shape);
}

void flow6_table_destroy(struct flow_table *table)
{
	table_destroy(table);
}

int flow6_insert(struct flow_table *table, const struct flow6_entry *entry)
{
	return table_insert(table, (const uint8_t *)entry, shape);
}

struct flow6_entry *flow6_remove(struct flow_table *table, const struct flow6_key *key)
{
	return table_remove(table, (const uint8_t *)key, shape);
}

struct flow6_entry *flow6_find(const struct flow_table *table, const struct flow6_key *key)
{
	return table_find(table, (const uint8_t *)key, shape);
}

void flow6_lookup_burst(const struct flow_table *table, const struct flow6_key *keys, unsigned n,
	struct flow6_entry **out)
{
	struct flow6_entry *entries = table->entries;
	struct bucket_burst burst;

	buckets_ask(&burst, table, (const uint8_t *)keys, n, shape);
	for (unsigned i = 0; i < n; i++) {
		out[i] = &entries[bucket_guess(table, burst.buckets[i], burst.tags[i])];
		__builtin_prefetch(out[i], 1);
		__builtin_prefetch((const uint8_t *)out[i] + CACHE_LINE_BYTES, 1);
	}
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *key = (const uint8_t *)&keys[i];

		if (!key_equal((const uint8_t *)out[i], key, sizeof(*keys)))
			out[i] = table_find(table, key, shape);
	}
}
