#include "base/base.h"

#include <criterion/criterion.h>

Test(base_random, secrets_differ_and_fill_every_byte)
{
	// In 64 fills, the chance that some byte stays zero all the time is 4096 * 2^-512.
	uint8_t seen[4096] = {0};
	uint8_t first[4096];
	uint8_t again[4096];

	random_secret(first, sizeof(first));
	for (int i = 0; i < 64; i++) {
		random_secret(again, sizeof(again));
		cr_assert_neq(memcmp(first, again, sizeof(first)), 0);
		for (size_t at = 0; at < sizeof(seen); at++)
			seen[at] |= again[at];
	}
	for (size_t at = 0; at < sizeof(seen); at++)
		cr_assert_neq(seen[at], 0);
}

Test(base_random, secrets_stay_inside_their_bytes)
{
	uint8_t bytes[3] = {1, 2, 3};

	random_secret(bytes + 1, 0);
	cr_assert_arr_eq(bytes, ((uint8_t[]){1, 2, 3}), 3);
	random_secret(bytes + 1, 1);
	cr_assert_eq(bytes[0], 1);
	cr_assert_eq(bytes[2], 3);
}

Test(base_random, the_seeded_generator_is_splitmix64)
{
	// The first outputs that are published for seed 1234567.
	struct random r = {.state = 1234567};

	cr_assert_eq(random_next(&r), 6457827717110365317ULL);
	cr_assert_eq(random_next(&r), 3203168211198807973ULL);
	cr_assert_eq(random_next(&r), 9817491932198370423ULL);
}

Test(base_random, below_stays_below_and_reaches_both_ends)
{
	struct random r = {.state = 1};
	uint32_t n_seen[3] = {0};

	for (int i = 0; i < 3000; i++) {
		const uint32_t value = random_below(&r, 3);

		cr_assert_lt(value, 3);
		n_seen[value]++;
	}
	for (int i = 0; i < 3; i++)
		cr_assert_gt(n_seen[i], 800);
	cr_assert_eq(random_below(&r, 1), 0);
}
