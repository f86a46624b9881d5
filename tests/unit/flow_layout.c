// How many lines of a table a look-up needs: one of buckets and one entry.
//
// Shown from outside: in a table whose other bucket lines are wiped, a look-up that still finds its
// entry has needed the one line that is left.
#include "flow/flow.h"

#include <criterion/criterion.h>

#define CAPACITY 2044 // just below a power of two: as crowded as a table gets
#define LINE CACHE_LINE_BYTES

static struct flow4_entry entry_of(uint32_t i)
{
	const struct flow_spec spec = {
		.kind = FLOW_UP,
		.local = {ip_from_u32_raw(0x020012c6), 3478},
		.remote = {ip_from_u32_raw(__builtin_bswap32(0x0a000000 + i)), 10000},
		.channel = 0x4000,
		.source = {ip_from_u32_raw(0x000013c6), (uint16_t)(1024 + i)},
		.target = {ip_from_u32_raw(0x017100cb), 6000},
	};

	return flow4_entry_make(&spec);
}

static struct flow_table full_table(void)
{
	const uint64_t seed[2] = {1, 2};
	struct flow_table table;

	cr_assert_eq(flow4_table_create(&table, CAPACITY, NUMA_NODE_ANY, false, seed), 0);
	for (uint32_t i = 0; i < CAPACITY; i++) {
		const struct flow4_entry entry = entry_of(i);

		cr_assert_eq(flow4_insert(&table, &entry), 0);
	}
	return table;
}

static struct flow4_entry *find(const struct flow_table *table, uint32_t i)
{
	const struct flow4_key key = entry_of(i).key;
	struct flow4_entry *found;

	flow4_lookup_burst(table, &key, 1, &found);
	return found;
}

// Marks the entries that are found while only the bucket line `line` of `whole` is there.
static void mark_found_with(
	const struct flow_table *table, const uint8_t *whole, size_t line, bool *found)
{
	uint8_t *lines = table->bucket_pages.base;

	memcpy(lines + line * LINE, whole + line * LINE, LINE);
	for (uint32_t i = 0; i < CAPACITY; i++)
		found[i] |= find(table, i) != NULL;
	memset(lines + line * LINE, 0, LINE);
}

Test(flow_layout, a_look_up_in_a_full_table_needs_one_line_of_buckets_for_49_of_50)
{
	static bool found[CAPACITY];
	struct flow_table table = full_table();
	const size_t n_bytes = table.bucket_pages.n_bytes;
	uint8_t *whole = malloc(n_bytes);
	unsigned n_found = 0;

	cr_assert_not_null(whole);
	memcpy(whole, table.bucket_pages.base, n_bytes);
	memset(table.bucket_pages.base, 0, n_bytes);
	for (size_t line = 0; line < n_bytes / LINE; line++)
		mark_found_with(&table, whole, line, found);
	for (uint32_t i = 0; i < CAPACITY; i++)
		n_found += found[i];
	cr_expect_geq(n_found, CAPACITY - CAPACITY / 50, "%u of %d", n_found, CAPACITY);
	free(whole);
	flow4_table_destroy(&table);
}

Test(flow_layout, buckets_and_entries_begin_at_a_line)
{
	struct flow_table table = full_table();

	cr_expect_eq((uintptr_t)table.bucket_pages.base % LINE, 0);
	for (uint32_t i = 0; i < CAPACITY; i++)
		cr_assert_eq((uintptr_t)find(&table, i) % LINE, 0);
	flow4_table_destroy(&table);
}

Test(flow_layout, a_look_up_needs_no_entry_but_its_own)
{
	struct flow_table table = full_table();
	struct flow4_entry *own = find(&table, 7);
	const struct flow4_entry kept = *own;

	memset(table.entry_pages.base, 0xff, table.entry_pages.n_bytes);
	*own = kept;
	cr_expect_eq(find(&table, 7), own);
	flow4_table_destroy(&table);
}

// Two workers write their counters into entries: no line may belong to two tables.
Test(flow_layout, tables_share_no_line)
{
	struct flow_table a = full_table();
	struct flow_table b = full_table();
	const uint8_t *a_first = a.entry_pages.base;
	const uint8_t *b_first = b.entry_pages.base;

	cr_expect(a_first + a.entry_pages.n_bytes <= b_first ||
		b_first + b.entry_pages.n_bytes <= a_first);
	cr_expect_eq((uintptr_t)a_first % LINE, 0);
	cr_expect_eq((uintptr_t)b_first % LINE, 0);
	flow4_table_destroy(&a);
	flow4_table_destroy(&b);
}
