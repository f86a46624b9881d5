// The small parts against values from elsewhere.
#include "turn/base64.h"
#include "turn/pool.h"

#include <criterion/criterion.h>
#include <string.h>

// RFC 4648 §10.
Test(turn_parts, base64_encodes_the_rfcs_examples)
{
	static const char *const rows[][2] = {{"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"},
		{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[16] = "";

		base64_encode(out, (const uint8_t *)rows[i][0], strlen(rows[i][0]));
		cr_expect_str_eq(out, rows[i][1]);
	}
}

Test(turn_parts, base64_decodes_all_characters_and_refuses_others)
{
	uint8_t out[6];

	cr_expect(base64_decode(out, "Zm9vYmFy", 8));
	cr_expect_eq(memcmp(out, "foobar", 6), 0);
	cr_expect(base64_decode(out, "+/+/", 4));
	cr_expect_eq(memcmp(out, "\xfb\xff\xbf", 3), 0);
	cr_expect(!base64_decode(out, "Zg==", 4));
	cr_expect(!base64_decode(out, "Zm9\0", 4));
	cr_expect(!base64_decode(out, "Zm9-", 4));
}

Test(turn_parts, pool_keeps_indices_and_zeroes_nodes_over_many_chunks)
{
	struct pool pool;
	const uint32_t n = 3 * POOL_CHUNK_NODES;

	pool_init(&pool, 16);
	cr_assert_eq(pool_reserve(&pool, n), 0);
	for (uint32_t i = 1; i <= n; i++) {
		cr_assert_eq(pool_take(&pool), i);
		memset(pool_at(&pool, i), 0xaa, 16);
	}
	for (uint32_t i = 1; i <= n; i += 2)
		pool_give(&pool, i);
	cr_expect(pool_is_sound(&pool));
	for (uint32_t i = 0; i < n / 2; i++) {
		const uint32_t idx = pool_take(&pool);

		cr_assert_eq(idx % 2, 1);
		cr_assert_eq(memcmp(pool_at(&pool, idx), (uint8_t[16]){0}, 16), 0);
	}
	cr_expect_eq(pool.n_used, n);
	cr_expect_eq(pool_reserve(&pool, 1), 0);
	cr_expect_eq(pool_take(&pool), n + 1);
	cr_expect(pool_is_sound(&pool));
	pool_fini(&pool);
}
