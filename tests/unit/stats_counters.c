#include "stats/stats.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <string.h>

Test(stats, every_drop_has_a_name_of_its_own_and_a_text)
{
	for (int drop = 1; drop < N_DROPS; drop++) {
		const char *name = drop_name(drop);

		cr_assert_not_null(name);
		cr_expect_gt(strlen(drop_text(drop)), 10, "%s", name);
		for (const char *c = name; *c; c++)
			cr_expect(islower(*c) || *c == '_', "%s is not a metric's name", name);
		for (int other = 1; other < drop; other++)
			cr_expect_str_neq(name, drop_name(other));
	}
}

Test(stats, sums_add_every_counter)
{
	struct worker_stats part;
	struct worker_stats sum = {0};

	memset(&part, 0, sizeof(part));
	for (size_t i = 0; i < sizeof(part) / sizeof(uint64_t); i++)
		((uint64_t *)&part)[i] = i + 1;
	worker_stats_add(&sum, &part);
	worker_stats_add(&sum, &part);
	for (size_t i = 0; i < sizeof(part) / sizeof(uint64_t); i++)
		cr_expect_eq(((uint64_t *)&sum)[i], 2 * (i + 1));
	part = (struct worker_stats){.n_drops[DROP_NO_ROUTE] = 3, .n_drops[DROP_TX_FULL] = 4};
	cr_expect_eq(worker_stats_drops(&part), 7);
}

// Every counter but arrays and histograms, which have names of their own, is in the table once.
Test(stats, every_single_counter_is_listed_once)
{
	static struct worker_stats stats; // counts how often each word is listed
	const size_t n_arrays =
		N_RELAY_PATHS * 2 + N_DROPS + URGENCIES + sizeof(stats.relay) / sizeof(uint64_t);
	uint64_t *words = (uint64_t *)&stats;
	struct stats_counter counter;
	size_t n = 0;

	for (; stats_counter_get(n, &counter); n++) {
		cr_expect_eq(stats_counter_read(&stats, &counter), 0, "%s", counter.name);
		words[counter.offset / sizeof(uint64_t)]++;
		cr_expect_gt(strlen(counter.text), 10);
	}
	cr_expect_eq(n + n_arrays, sizeof(stats) / sizeof(uint64_t));
	for (size_t i = 0; i < N_DROPS; i++)
		cr_expect_eq(stats.n_drops[i], 0);
}
