#include "base/base.h"
#include "stats/stats.h"

#include <criterion/criterion.h>

static unsigned bucket_of(uint64_t ns)
{
	struct latency latency = {0};
	unsigned bucket = 0;

	latency_record(&latency, ns);
	cr_assert_eq(latency.sum_ns, ns);
	while (bucket < LATENCY_BUCKETS && latency.n[bucket] == 0)
		bucket++;
	cr_assert_lt(bucket, LATENCY_BUCKETS, "%lu", ns);
	cr_assert_eq(latency.n[bucket], 1);
	return bucket;
}

Test(stats_latency, a_bucket_holds_its_end_and_not_one_more)
{
	for (unsigned i = 0; i < LATENCY_BUCKETS - 1; i++) {
		const uint64_t end_ns = latency_bucket_end_ns(i);

		cr_expect_eq(bucket_of(end_ns), i, "%lu", end_ns);
		cr_expect_eq(bucket_of(end_ns + 1), i + 1, "%lu", end_ns + 1);
	}
	cr_expect_eq(bucket_of(0), 0);
	cr_expect_eq(bucket_of(UINT64_MAX), LATENCY_BUCKETS - 1);
	cr_expect_eq(latency_bucket_end_ns(LATENCY_BUCKETS - 1), UINT64_MAX);
}

Test(stats_latency, ends_grow_by_half_at_most)
{
	cr_expect_eq(latency_bucket_end_ns(0), LATENCY_LEAST_NS);
	cr_expect_eq(latency_bucket_end_ns(LATENCY_BUCKETS - 2),
		(uint64_t)LATENCY_LEAST_NS << LATENCY_OCTAVES);
	for (unsigned i = 1; i < LATENCY_BUCKETS - 1; i++) {
		const uint64_t before = latency_bucket_end_ns(i - 1);

		cr_expect_gt(latency_bucket_end_ns(i), before);
		cr_expect_leq(latency_bucket_end_ns(i), before + before / 2);
	}
}

Test(stats_latency, any_value_lies_between_its_buckets_ends)
{
	struct random random = {.state = 1};

	for (unsigned i = 0; i < 100000; i++) {
		const uint64_t ns = random_next(&random) >> (i % 64);
		const unsigned bucket = bucket_of(ns);

		cr_expect_leq(ns, latency_bucket_end_ns(bucket));
		cr_expect(bucket == 0 || ns > latency_bucket_end_ns(bucket - 1));
	}
}
