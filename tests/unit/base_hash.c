#include "base/base.h"

#include <criterion/criterion.h>

// CPython's hash() of bytes with PYTHONHASHSEED=0: SipHash-1-3 under a zero key.
Test(base_hash, it_is_siphash_1_3)
{
	const struct hash_key zero = {{0, 0}};
	uint8_t counting[38];

	for (uint8_t i = 0; i < sizeof(counting); i++)
		counting[i] = i;
	cr_expect_eq(hash_bytes(&zero, "a", 1), 0x407448d2b89b1813);
	cr_expect_eq(hash_bytes(&zero, "1234567", 7), 0xa33d651594fdae81);
	cr_expect_eq(hash_bytes(&zero, "12345678", 8), 0x3489982430560a87);
	cr_expect_eq(hash_bytes(&zero, "123456789", 9), 0x0fbc0f0007965fcf);
	cr_expect_eq(hash_bytes(&zero, counting, sizeof(counting)), 0xc680ae8a8c584ddf);
}

Test(base_hash, it_depends_on_each_word_of_the_key)
{
	const struct hash_key keys[] = {{{0, 0}}, {{1, 0}}, {{0, 1}}};

	cr_expect_neq(hash_bytes(&keys[0], "a", 1), hash_bytes(&keys[1], "a", 1));
	cr_expect_neq(hash_bytes(&keys[0], "a", 1), hash_bytes(&keys[2], "a", 1));
	cr_expect_neq(hash_bytes(&keys[1], "a", 1), hash_bytes(&keys[2], "a", 1));
}
