#include "flow/flow.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static const uint64_t seed[2] = {0x1234, 0x5678};

static struct flow4_entry numbered(uint32_t n)
{
	return (struct flow4_entry){
		.key = {.remote_ip = n,
			.local_ip = 7,
			.remote_port_be = (uint16_t)n,
			.channel_be = 3},
		.to.kind = FLOW_UP,
		.to.allocation_idx = n,
	};
}

static struct flow4_entry *find(const struct flow_table *table, uint32_t n)
{
	const struct flow4_entry entry = numbered(n);
	struct flow4_entry *found;

	flow4_lookup_burst(table, &entry.key, 1, &found);
	return found;
}

Test(flow_table, layout_is_two_lines_a_lookup)
{
	cr_expect_eq(sizeof(struct flow4_entry), 64);
	cr_expect_eq(sizeof(struct flow4_key), 16);
}

Test(flow_table, holds_its_capacity_and_not_one_more)
{
	const uint32_t capacity = 300000; // more than there are tags
	struct flow_table table;
	struct flow4_entry entry;

	cr_assert_eq(flow4_table_create(&table, capacity, NUMA_NODE_ANY, false, seed), 0);
	for (uint32_t n = 1; n <= capacity; n++) {
		entry = numbered(n);
		cr_assert_eq(flow4_insert(&table, &entry), 0, "entry %u", n);
	}
	entry = numbered(capacity + 1);
	cr_expect_eq(flow4_insert(&table, &entry), -ENOSPC);
	for (uint32_t n = 1; n <= capacity; n++)
		cr_assert(
			find(&table, n) && find(&table, n)->to.allocation_idx == n, "entry %u", n);
	cr_expect_null(find(&table, capacity + 1));
	flow4_table_destroy(&table);
}

Test(flow_table, replaces_and_keeps_counters)
{
	struct flow_table table;
	struct flow4_entry entry = numbered(5);

	cr_assert_eq(flow4_table_create(&table, 16, NUMA_NODE_ANY, false, seed), 0);
	cr_assert_eq(flow4_insert(&table, &entry), 0);
	find(&table, 5)->to.n_packets = 42;
	find(&table, 5)->to.n_bytes = 4200;
	entry.to.hop_idx = 9;
	cr_assert_eq(flow4_insert(&table, &entry), 0);
	cr_expect_eq(table.n_entries, 1);
	cr_expect_eq(find(&table, 5)->to.hop_idx, 9);
	cr_expect_eq(find(&table, 5)->to.n_packets, 42);
	cr_expect_eq(find(&table, 5)->to.n_bytes, 4200);
	flow4_table_destroy(&table);
}

Test(flow_table, removed_is_not_found_and_not_removed_twice)
{
	struct flow_table table;
	struct flow4_entry entry = numbered(5);

	cr_assert_eq(flow4_table_create(&table, 16, NUMA_NODE_ANY, false, seed), 0);
	cr_expect_not(flow4_remove(&table, &entry.key));
	cr_assert_eq(flow4_insert(&table, &entry), 0);
	cr_expect(flow4_remove(&table, &entry.key));
	cr_expect_null(find(&table, 5));
	cr_expect_not(flow4_remove(&table, &entry.key));
	cr_expect_eq(table.n_entries, 0);
	flow4_table_destroy(&table);
}

// Against a plain array: random inserts and removes in a table that is always nearly full, so that
// buckets overflow and entries move.
Test(flow_table, agrees_with_an_array_over_random_changes)
{
	enum { RANGE = 3000, CAPACITY = 1500, N_STEPS = 400000 };
	static bool present[RANGE];
	struct random random = {.state = 99};
	struct flow_table table;
	uint32_t n_present = 0;

	cr_assert_eq(flow4_table_create(&table, CAPACITY, NUMA_NODE_ANY, false, seed), 0);
	for (int step = 0; step < N_STEPS; step++) {
		const uint32_t n = random_below(&random, RANGE);
		const struct flow4_entry entry = numbered(n);

		cr_assert_eq(find(&table, n) != NULL, present[n], "step %d", step);
		if (present[n]) {
			cr_assert(flow4_remove(&table, &entry.key));
			present[n] = false;
			n_present--;
		} else if (n_present < CAPACITY) {
			cr_assert_eq(flow4_insert(&table, &entry), 0, "step %d, %u entries", step,
				n_present);
			present[n] = true;
			n_present++;
		}
		cr_assert_eq(table.n_entries, n_present);
	}
	flow4_table_destroy(&table);
}

Test(flow_table, burst_finds_hits_and_misses_in_place)
{
	struct flow4_key keys[FLOW_BURST_MAX];
	struct flow4_entry *found[FLOW_BURST_MAX];
	struct flow_table table;

	cr_assert_eq(flow4_table_create(&table, 100, NUMA_NODE_ANY, false, seed), 0);
	for (uint32_t n = 0; n < FLOW_BURST_MAX; n++) {
		const struct flow4_entry entry = numbered(n + 1);

		keys[n] = entry.key;
		if (n % 3 == 0)
			cr_assert_eq(flow4_insert(&table, &entry), 0);
	}
	flow4_lookup_burst(&table, keys, FLOW_BURST_MAX, found);
	for (uint32_t n = 0; n < FLOW_BURST_MAX; n++) {
		cr_expect_eq(found[n] != NULL, n % 3 == 0, "key %u", n);
		cr_expect(!found[n] || found[n]->to.allocation_idx == n + 1);
	}
	flow4_table_destroy(&table);
}

Test(flow_table, refuses_impossible_capacities)
{
	struct flow_table table;

	cr_expect_eq(flow4_table_create(&table, 0, NUMA_NODE_ANY, false, seed), -EINVAL);
	cr_expect_eq(flow4_table_create(&table, UINT32_MAX, NUMA_NODE_ANY, false, seed), -EINVAL);
	flow4_table_destroy(&table);
}

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	cr_assert_eq(endpoint_parse(&endpoint, text), 0);
	return endpoint;
}

// By hand: new minus old, as sums of the 16-bit words of network byte order.
static uint16_t difference(const uint16_t *added, const uint16_t *removed)
{
	uint32_t sum = 0;

	for (; *added; added++)
		sum += *added;
	for (; *removed; removed++)
		sum += (uint16_t) ~*removed;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

Test(flow_entry, deltas_of_a_channel_up)
{
	const struct flow_spec spec = {
		.kind = FLOW_UP,
		.local = at("198.18.0.2:3478"),
		.remote = at("198.18.0.10:5000"),
		.channel = 0x4001,
		.source = at("198.18.0.2:50000"),
		.target = at("203.0.113.7:6000"),
		.hop_idx = 12,
		.allocation_idx = 34,
	};
	const struct flow4_entry entry = flow4_entry_make(&spec);
	static const uint16_t new_ips[] = {0xc612, 0x0002, 0xcb00, 0x7107, 0};
	static const uint16_t old_ips[] = {0xc612, 0x000a, 0xc612, 0x0002, 0};
	static const uint16_t new_all[] = {0xc612, 0x0002, 0xcb00, 0x7107, 50000, 6000, 0};
	static const uint16_t old_all[] = {0xc612, 0x000a, 0xc612, 0x0002, 5000, 3478, 0x4001, 0};

	cr_expect_eq(__builtin_bswap16(entry.to.ip_delta), difference(new_ips, old_ips));
	cr_expect_eq(__builtin_bswap16(entry.to.udp_delta), difference(new_all, old_all));
	cr_expect_eq(entry.key.channel_be, __builtin_bswap16(0x4001));
	cr_expect_eq(entry.to.channel_be, 0);
	cr_expect_eq(entry.to.hop_idx, 12);
	cr_expect_eq(entry.to.allocation_idx, 34);
}
