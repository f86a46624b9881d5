#include "base/base.h"

#include <criterion/criterion.h>

#define TICKS_PER_S 1000

static unsigned take_all(
	struct bucket *bucket, const struct bucket_rate *rate, uint64_t now, unsigned n_asked)
{
	unsigned n = 0;

	for (unsigned i = 0; i < n_asked; i++)
		n += bucket_take(bucket, rate, now, 1);
	return n;
}

Test(base_bucket, it_holds_a_burst_and_fills_at_its_rate)
{
	const struct bucket_rate rate = bucket_rate_of(10, 1000, TICKS_PER_S);
	struct bucket bucket = {0};
	unsigned n = 0;

	cr_expect_eq(take_all(&bucket, &rate, 5000, 100), 10);
	cr_expect_eq(take_all(&bucket, &rate, 5099, 100), 0);
	cr_expect_eq(take_all(&bucket, &rate, 5100, 100), 1);
	cr_expect_eq(take_all(&bucket, &rate, 5500, 100), 4);
	cr_expect_eq(take_all(&bucket, &rate, 60000, 100), 10);
	for (uint64_t now = 60001; now <= 160000; now++)
		n += take_all(&bucket, &rate, now, 3);
	cr_expect_eq(n, 1000, "%u", n);
}

Test(base_bucket, more_than_one_a_tick)
{
	const struct bucket_rate rate = bucket_rate_of(50000, 100, TICKS_PER_S);
	struct bucket bucket = {0};
	unsigned n = 0;

	cr_expect_geq(take_all(&bucket, &rate, 7, 10000), 5000);
	for (uint64_t now = 8; now < 1008; now++)
		n += take_all(&bucket, &rate, now, 1000);
	// A token is a whole number of parts of a tick: 20.48 are 20.
	cr_expect(n >= 50000 && n <= 51300, "%u", n);
}

Test(base_bucket, many_tokens_at_once_or_none)
{
	const struct bucket_rate rate = bucket_rate_of(1000, 1000, TICKS_PER_S);
	struct bucket bucket = {0};

	cr_expect(bucket_take(&bucket, &rate, 1, 600));
	cr_expect_not(bucket_take(&bucket, &rate, 1, 600));
	cr_expect(bucket_take(&bucket, &rate, 1, 400));
	cr_expect_not(bucket_take(&bucket, &rate, 1, 1));
	cr_expect_not(bucket_take(&bucket, &rate, 100000, 1001));
}

Test(base_bucket, one_token_at_least)
{
	const struct bucket_rate rate = bucket_rate_of(1, 10, TICKS_PER_S);
	struct bucket bucket = {0};

	cr_expect_eq(take_all(&bucket, &rate, 9, 5), 1);
	cr_expect_eq(take_all(&bucket, &rate, 1008, 5), 0);
	cr_expect_eq(take_all(&bucket, &rate, 1009, 5), 1);
}

Test(base_bucket, time_wraps)
{
	const struct bucket_rate rate = bucket_rate_of(10, 1000, TICKS_PER_S);
	const uint64_t last = UINT64_MAX / BUCKET_TICK_PARTS;
	struct bucket bucket = {(last - 5000) * BUCKET_TICK_PARTS};

	cr_expect_eq(take_all(&bucket, &rate, last - 50, 100), 10);
	cr_expect_eq(take_all(&bucket, &rate, last - 40, 100), 0);
	cr_expect_eq(take_all(&bucket, &rate, last + 51, 100), 1);
	cr_expect_eq(take_all(&bucket, &rate, last + 151, 100), 1);
}

// 2^54 ticks of a CPU's counter are two months.
Test(base_bucket, one_that_was_never_used_is_full_before_time_wraps)
{
	const struct bucket_rate rate = bucket_rate_of(10, 1000, TICKS_PER_S);
	struct bucket bucket = {0};

	cr_expect_eq(take_all(&bucket, &rate, (1ULL << 54) - 999, 100), 10);
	bucket = (struct bucket){0};
	cr_expect_eq(take_all(&bucket, &rate, (1ULL << 54) - 1, 100), 10);
	cr_expect_eq(take_all(&bucket, &rate, (1ULL << 54) + 99, 100), 1);
}

static struct budget open_budget(uint32_t per_source, uint32_t total)
{
	const struct budget_config config = {.per_source = per_source,
		.total = total,
		.ticks_per_s = TICKS_PER_S,
		.seed = {0x1234567890abcdef, 0xfedcba0987654321},
		.numa_node = NUMA_NODE_ANY};
	struct budget budget;

	cr_assert_eq(budget_create(&budget, &config), 0);
	return budget;
}

static unsigned take_for(struct budget *budget, const char *source, uint64_t now, unsigned n_asked)
{
	struct ip_addr ip;
	unsigned n = 0;

	cr_assert_eq(ip_parse(&ip, source), 0);
	for (unsigned i = 0; i < n_asked; i++)
		n += budget_take(budget, (enum family)ip.family, ip.bytes, now);
	return n;
}

Test(base_budget, each_source_has_its_own)
{
	struct budget budget = open_budget(5, 0);

	cr_expect_eq(take_for(&budget, "192.0.2.1", 9, 100), 5);
	cr_expect_eq(take_for(&budget, "192.0.2.2", 9, 100), 5);
	cr_expect_eq(take_for(&budget, "2001:db8::1", 9, 100), 5);
	cr_expect_eq(take_for(&budget, "192.0.2.1", 209, 100), 1);
	budget_destroy(&budget);
}

Test(base_budget, an_ipv6_network_is_one_source)
{
	struct budget budget = open_budget(5, 0);

	cr_expect_eq(take_for(&budget, "2001:db8::1", 9, 3), 3);
	cr_expect_eq(take_for(&budget, "2001:db8::ffff:ffff:ffff:ffff", 9, 100), 2);
	cr_expect_eq(take_for(&budget, "2001:db8:0:1::1", 9, 100), 5);
	budget_destroy(&budget);
}

Test(base_budget, all_together_have_one_too)
{
	struct budget budget = open_budget(5, 12);

	cr_expect_eq(take_for(&budget, "192.0.2.1", 9, 100), 5);
	cr_expect_eq(take_for(&budget, "192.0.2.2", 9, 100), 5);
	cr_expect_eq(take_for(&budget, "192.0.2.3", 9, 100), 2);
	budget_destroy(&budget);
	budget = open_budget(0, 12);
	cr_expect_eq(take_for(&budget, "192.0.2.1", 9, 100), 12);
	budget_destroy(&budget);
}

Test(base_budget, none_is_no_limit)
{
	struct budget budget = open_budget(0, 0);

	cr_expect_eq(take_for(&budget, "192.0.2.1", 9, 100000), 100000);
	budget_destroy(&budget);
}

// However many sources there seem to be, memory stays and the sum is bounded by the buckets.
Test(base_budget, two_to_the_24_sources)
{
	struct budget budget = open_budget(2, 0);
	unsigned n = 0, n_used = 0;

	for (uint32_t i = 0; i < 1u << 24; i++) {
		uint8_t ip[4];

		store_u32(ip, i * 0x9e3779b1u);
		n += budget_take(&budget, FAMILY_IPV4, ip, 1);
	}
	for (size_t i = 0; i < BUDGET_SOURCES; i++)
		n_used += budget.sources[i].full_at != 0;
	// Each is asked 512 times: none stays unused, and none gives more than it has.
	cr_expect_eq(n_used, BUDGET_SOURCES);
	cr_expect_eq(n, 2 * BUDGET_SOURCES);
	budget_destroy(&budget);
}

Test(base_budget, neighbours_meet_no_more_often_than_by_chance)
{
	struct budget budget = open_budget(1, 0);
	unsigned n = 0;

	for (uint32_t i = 0; i < 4096; i++) {
		const uint8_t ip[4] = {10, 20, (uint8_t)(i >> 8), (uint8_t)i};

		n += budget_take(&budget, FAMILY_IPV4, ip, 1);
	}
	// 4,096 of 32,768: by chance 3,850 are alone or first.
	cr_expect(n > 3700, "%u", n);
	budget_destroy(&budget);
}
