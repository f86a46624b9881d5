// More than a test could send in packets.
#include "worker/rates.h"

#include <criterion/criterion.h>

// How many packets of 65,000 bytes may pass at once.
static unsigned take_many(struct rates *rates, uint32_t user_idx, unsigned n_max)
{
	const struct flow_rewrite to = {.allocation_idx = user_idx, .user_idx = user_idx};
	const uint64_t now_ticks = 2 * rates->epoch_ticks;
	unsigned n = 0;

	while (n < n_max && rates_take(rates, &to, 1, 65000, now_ticks) == DROP_NONE)
		n++;
	return n;
}

// Ten gigabytes are for all, and half of them for each.
Test(rates, who_had_four_gigabytes_has_had_much)
{
	const struct worker_config config = {
		.rates = {.all.bytes_per_s = 1000000000, .burst_ms = 10000, .n_allocations = 2},
		.numa_node = NUMA_NODE_ANY,
	};
	struct rates rates;
	unsigned n_first;

	cr_assert_eq(rates_create(&rates, &config, 1000000), 0);
	cr_expect_eq(take_many(&rates, 1, 1), 1);
	n_first = take_many(&rates, 0, 200000);
	cr_expect_lt(n_first, 5000000000 / 65000 + 1, "%u", n_first);
	cr_expect_gt(take_many(&rates, 1, 200000), 70000);
	rates_destroy(&rates);
}
