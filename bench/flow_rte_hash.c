// lib/flow's table on DPDK's rte_hash: the yardstick. Linked in front of lib/flow, it takes the
// place of its table4.c, so that the same pipeline runs on it.
//
// rte_hash gets what lib/flow has: half of its slots free, the same entries of one line in the
// order of its keys, and each found entry prefetched.
#include "flow/flow.h"

#include <errno.h>
#include <rte_hash.h>
#include <rte_memory.h>
#include <stdio.h>

#define SLOTS_PER_ENTRY 2

static struct flow4_entry *entry_at(const struct flow_table *table, uint32_t idx)
{
	return (struct flow4_entry *)table->entries + idx;
}

static struct rte_hash *hash_of(const struct flow_table *table)
{
	return (struct rte_hash *)table->buckets;
}

int flow4_table_create(struct flow_table *table, uint32_t capacity, int numa_node, bool try_huge,
	const uint64_t seed[static 2])
{
	static unsigned n_tables;
	char name[RTE_HASH_NAMESIZE];
	struct rte_hash_parameters parameters = {
		.name = name,
		.entries = capacity * SLOTS_PER_ENTRY,
		.key_len = sizeof(struct flow4_key),
		.hash_func_init_val = (uint32_t)seed[0],
		.socket_id = SOCKET_ID_ANY,
	};

	*table = (struct flow_table){.capacity = capacity};
	snprintf(name, sizeof(name), "flows%u", n_tables++);
	table->buckets = (struct flow_bucket *)rte_hash_create(&parameters);
	if (!table->buckets)
		return -ENOMEM;
	if (pages_map(&table->entry_pages,
		    ((size_t)parameters.entries + 1) * sizeof(struct flow4_entry), numa_node,
		    try_huge)) {
		rte_hash_free(hash_of(table));
		return -ENOMEM;
	}
	table->entries = table->entry_pages.base;
	entry_at(table, 0)->key.zero = 0xffff;
	return 0;
}

void flow4_table_destroy(struct flow_table *table)
{
	rte_hash_free(hash_of(table));
	pages_unmap(&table->entry_pages);
	*table = (struct flow_table){0};
}

int flow4_insert(struct flow_table *table, const struct flow4_entry *entry)
{
	struct flow4_entry *own = flow4_find(table, &entry->key);
	int position;

	if (own) {
		const uint64_t n_packets = own->to.n_packets;
		const uint64_t n_bytes = own->to.n_bytes;

		*own = *entry;
		own->to.n_packets = n_packets;
		own->to.n_bytes = n_bytes;
		return 0;
	}
	position = rte_hash_add_key(hash_of(table), &entry->key);
	if (position < 0)
		return -ENOSPC;
	*entry_at(table, (uint32_t)position + 1) = *entry;
	table->n_entries++;
	return 0;
}

struct flow4_entry *flow4_remove(struct flow_table *table, const struct flow4_key *key)
{
	const int position = rte_hash_del_key(hash_of(table), key);

	if (position < 0)
		return NULL;
	table->n_entries--;
	return entry_at(table, (uint32_t)position + 1);
}

struct flow4_entry *flow4_find(const struct flow_table *table, const struct flow4_key *key)
{
	const int position = rte_hash_lookup(hash_of(table), key);

	return position < 0 ? NULL : entry_at(table, (uint32_t)position + 1);
}

// Entry 0 has the key of nothing.
void flow4_guess_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out)
{
	const void *pointers[FLOW_BURST_MAX];
	int32_t positions[FLOW_BURST_MAX];

	for (unsigned i = 0; i < n; i++)
		pointers[i] = &keys[i];
	if (n)
		rte_hash_lookup_bulk(hash_of(table), pointers, n, positions);
	for (unsigned i = 0; i < n; i++) {
		out[i] = entry_at(table, positions[i] < 0 ? 0 : (uint32_t)positions[i] + 1);
		__builtin_prefetch(out[i], 1);
	}
}

void flow4_lookup_burst(const struct flow_table *table, const struct flow4_key *keys, unsigned n,
	struct flow4_entry **out)
{
	flow4_guess_burst(table, keys, n, out);
	for (unsigned i = 0; i < n; i++)
		out[i] = out[i] == entry_at(table, 0) ? NULL : out[i];
}
