// The table of an IPv4 client's flows to IPv4 peers: one line an entry.
#include "buckets.h"

static const struct flow_shape shape = {
	.key_bytes = sizeof(struct flow4_key),
	.entry_bytes = sizeof(struct flow4_entry),
	.to_offset = offsetof(struct flow4_entry, to),
};

int flow4_table_create(struct flow_table *table, uint32_t capacity, int numa_node, bool try_huge,
	const uint64_t seed[static 2])
{
	return table_create(table, capacity, numa_node, try_huge, seed, shape);
}

size_t flow4_table_huge_bytes(uint32_t capacity)
{
	return table_huge_bytes(capacity, shape);
}

void flow4_table_destroy(struct flow_table *table)
{
	table_destroy(table);
}

int flow4_insert(struct flow_table *table, const struct flow4_entry *entry)
{
	return table_insert(table, (const uint8_t *)entry, shape);
}

struct flow4_entry *flow4_remove(struct flow_table *table, const struct flow4_key *key)
{
	return table_remove(table, (const uint8_t *)key, shape);
}

struct flow4_entry *flow4_find(const struct flow_table *table, const struct flow4_key *key)
{
	return table_find(table, (const uint8_t *)key, shape);
}

void flow4_guess_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out)
{
	struct flow4_entry *entries = table->entries;
	struct bucket_burst burst;

	buckets_ask(&burst, table, (const uint8_t *)keys, n, shape);
	for (unsigned i = 0; i < n; i++) {
		out[i] = &entries[bucket_guess(table, burst.buckets[i], burst.tags[i])];
		__builtin_prefetch(out[i], 1);
	}
}

void flow4_lookup_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out)
{
	flow4_guess_burst(table, keys, n, out);
	for (unsigned i = 0; i < n; i++)
		out[i] = flow4_confirm(table, &keys[i], out[i]);
}
