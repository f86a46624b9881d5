// The table of the pairs with IPv6: the same code as that of IPv4, compiled for longer keys.
#include "flow/flow.h"

#include <criterion/criterion.h>
#include <errno.h>

static const uint64_t seed[2] = {0x1234, 0x5678};

// Differs from its neighbours in one part of the key, in turn.
static struct flow6_entry numbered(uint32_t n)
{
	struct flow6_entry entry = {
		.to = {.kind = n % 2 ? FLOW_UP : FLOW_OWNER, .allocation_idx = n}};
	uint8_t *const parts[] = {entry.key.remote_ip, entry.key.remote_ip + 8, entry.key.local_ip,
		entry.key.local_ip + 8, (uint8_t *)&entry.key.remote_port_be};

	store_u32(parts[n % N_ELEMENTS(parts)], n);
	return entry;
}

static struct flow6_entry *find(const struct flow_table *table, uint32_t n)
{
	const struct flow6_entry entry = numbered(n);
	struct flow6_entry *found;

	flow6_lookup_burst(table, &entry.key, 1, &found);
	return found;
}

Test(flow_table6, agrees_with_an_array_over_random_changes)
{
	enum { RANGE = 3000, CAPACITY = 1500, N_STEPS = 200000 };
	static bool present[RANGE];
	struct random random = {.state = 99};
	struct flow_table table;
	uint32_t n_present = 0;

	cr_assert_eq(flow6_table_create(&table, CAPACITY, NUMA_NODE_ANY, false, seed), 0);
	for (int step = 0; step < N_STEPS; step++) {
		const uint32_t n = random_below(&random, RANGE - 1) + 1;
		const struct flow6_entry entry = numbered(n);

		cr_assert_eq(find(&table, n) != NULL, present[n], "step %d", step);
		cr_assert(!present[n] || find(&table, n)->to.allocation_idx == n, "step %d", step);
		if (present[n]) {
			cr_assert(flow6_remove(&table, &entry.key));
			present[n] = false;
			n_present--;
		} else if (n_present < CAPACITY) {
			cr_assert_eq(flow6_insert(&table, &entry), 0, "step %d", step);
			present[n] = true;
			n_present++;
		} else {
			cr_assert_eq(flow6_insert(&table, &entry), -ENOSPC);
		}
	}
	cr_assert_eq(table.n_entries, n_present);
	flow6_table_destroy(&table);
}

Test(flow_table6, replaces_and_keeps_counters)
{
	struct flow6_entry entry = numbered(5);
	struct flow_table table;

	cr_assert_eq(flow6_table_create(&table, 8, NUMA_NODE_ANY, false, seed), 0);
	cr_assert_eq(flow6_insert(&table, &entry), 0);
	find(&table, 5)->to.n_packets = 42;
	entry.to.hop_idx = 9;
	cr_assert_eq(flow6_insert(&table, &entry), 0);
	cr_expect_eq(find(&table, 5)->to.hop_idx, 9);
	cr_expect_eq(find(&table, 5)->to.n_packets, 42);
	cr_expect_eq(table.n_entries, 1);
	flow6_table_destroy(&table);
}

static struct flow_spec owner(const char *relayed)
{
	struct flow_spec spec = {.kind = FLOW_OWNER};

	cr_assert_eq(endpoint_parse(&spec.local, "[2001:db8::2]:3478"), 0);
	cr_assert_eq(endpoint_parse(&spec.remote, "198.18.0.10:5000"), 0);
	cr_assert_eq(endpoint_parse(&spec.source, relayed), 0);
	spec.target.ip.family = spec.source.ip.family;
	return spec;
}

// A client may have a relayed address of each family: two owners of one 5-tuple.
Test(flow_entry6, keys)
{
	const struct flow_spec spec4 = owner("198.18.0.2:50000");
	const struct flow_spec spec6 = owner("[2001:db8::2]:50000");
	static const uint8_t mapped[IPV6_BYTES] = {
		[10] = 0xff, [11] = 0xff, [12] = 198, [13] = 18, [15] = 10};
	const struct flow6_key key4 = flow6_key_make(&spec4);
	const struct flow6_key key6 = flow6_key_make(&spec6);

	cr_expect_not(flow_spec_is_ipv4(&spec4));
	cr_expect_arr_eq(key4.remote_ip, mapped, sizeof(mapped));
	cr_expect_eq(key4.relayed_family, FAMILY_IPV4);
	cr_expect_eq(key6.relayed_family, FAMILY_IPV6);
	cr_expect_eq(flow6_entry_make(&spec4).flow_label_be, 0);
	cr_expect_neq(flow6_entry_make(&spec6).flow_label_be, 0);
	cr_expect_eq(flow6_entry_make(&spec6).flow_label_be & ~__builtin_bswap32(0xfffff), 0);
}
