// Keys, HMACs, and what the integrity attributes cover.
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <openssl/evp.h>

static struct stun_mac *mac;

static void setup(void)
{
	cr_assert_eq(stun_mac_create(&mac), 0);
}

static void teardown(void)
{
	stun_mac_destroy(mac);
}

TestSuite(stun_integrity, .init = setup, .fini = teardown);

// RFC 8489 §9.2.2's own example: "user", "realm", "pass".
Test(stun_integrity, md5_key_is_that_of_the_text)
{
	struct stun_key key;

	stun_key_md5(mac, &key, "user", 4, "realm", 5, "pass", 4);
	cr_assert_eq(key.n_bytes, 16);
	cr_assert_arr_eq(
		key.bytes, "\x84\x93\xfb\xc5\x3b\xa5\x82\xfb\x4c\x04\x4c\x45\x6b\xdc\x40\xeb", 16);
}

// By sha256sum.
Test(stun_integrity, sha256_key_is_the_digest_of_the_three_joined)
{
	struct stun_key key;

	stun_key_sha256(mac, &key, "user", 4, "realm", 5, "pass", 4);
	cr_assert_eq(key.n_bytes, 32);
	cr_assert_arr_eq(key.bytes,
		"\x07\xe9\x34\x11\x7a\xbd\x40\x83\x6e\x7c\x63\x29\xb5\x47\x31\xb2"
		"\xb2\xd2\xa5\xf9\xa7\x1f\x54\x49\x22\xd7\x5e\x07\x30\xd8\x25\x1b",
		32);
}

// RFC 2202 §3 case 2; RFC 4231 §4.3.
Test(stun_integrity, hmacs_are_those_of_the_rfcs)
{
	uint8_t out[STUN_SHA256_BYTES];

	stun_hmac_sha1(mac, out, "Jefe", 4, "what do ya want for nothing?", 28);
	cr_assert_arr_eq(out,
		"\xef\xfc\xdf\x6a\xe5\xeb\x2f\xa2\xd2\x74\x16\xd5\xf1\x84\xdf\x9c\x25\x9a\x7c\x79",
		20);
	stun_hmac_sha256(mac, out, "Jefe", 4, "what do ya want for nothing?", 28);
	cr_assert_arr_eq(out,
		"\x5b\xdc\xc1\x46\xbf\x60\x75\x4e\x6a\x04\x24\x26\x08\x95\x75\xc7"
		"\x5a\x00\x3f\x08\x9d\x27\x39\x83\x9d\xec\x58\xb9\x64\xec\x38\x43",
		32);
}

// The first vectors of its authors, for 128 bits: key 00 01 .. 0f, nothing and one byte of 0.
Test(stun_integrity, siphash_is_that_of_its_authors)
{
	uint8_t key[STUN_SIPHASH_BYTES];
	uint8_t out[STUN_SIPHASH_BYTES];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	stun_siphash(mac, out, key, "", 0);
	cr_assert_arr_eq(
		out, "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93", 16);
	stun_siphash(mac, out, key, "", 1);
	cr_assert_arr_eq(
		out, "\xda\x87\xc1\xd8\x6b\x99\xaf\x44\x34\x76\x59\x11\x9b\x22\xfc\x45", 16);
}

// RFC 2202 §3 case 6 and RFC 4231 §4.7: keys longer than a block.
Test(stun_integrity, long_keys_are_hashed_first)
{
	const char *data = "Test Using Larger Than Block-Size Key - Hash Key First";
	uint8_t out[STUN_SHA256_BYTES];
	uint8_t key[131];

	memset(key, 0xaa, sizeof(key));
	stun_hmac_sha1(mac, out, key, 80, data, strlen(data));
	cr_assert_arr_eq(out,
		"\xaa\x4a\xe5\xe1\x52\x72\xd0\x0e\x95\x70\x56\x37\xce\x8a\x3b\x55\xed\x40\x21\x12",
		20);
	stun_hmac_sha256(mac, out, key, 131, data, strlen(data));
	cr_assert_arr_eq(out,
		"\x60\xe4\x31\x59\x1e\xe0\xb6\x7f\x0d\x8a\x26\xaa\xcb\xf5\xb7\x7f"
		"\x8e\x0b\xc6\x21\x37\x28\xc5\x14\x05\x46\x04\x0f\x0e\xe3\x7f\x54",
		32);
}

// Keys by turns and again, up to a block and longer, that differ in a byte or in length.
Test(stun_integrity, a_key_is_never_taken_for_the_one_before)
{
	static const struct {
		uint8_t fill;
		size_t n_bytes;
	} keys[] = {{1, 16}, {1, 16}, {2, 16}, {2, 0}, {2, 64}, {2, 63}, {2, 80}, {2, 63}, {1, 63},
		{3, 80}, {4, 80}};
	uint8_t expected[STUN_SHA1_BYTES];
	uint8_t out[STUN_SHA1_BYTES];
	struct stun_mac *fresh;
	uint8_t key[80];

	for (size_t i = 0; i < N_ELEMENTS(keys); i++) {
		memset(key, keys[i].fill, sizeof(key));
		stun_hmac_sha1(mac, out, key, keys[i].n_bytes, "data", 4);
		cr_assert_eq(stun_mac_create(&fresh), 0);
		stun_hmac_sha1(fresh, expected, key, keys[i].n_bytes, "data", 4);
		stun_mac_destroy(fresh);
		cr_assert_arr_eq(out, expected, sizeof(out), "key %zu", i);
	}
}

// HMAC-SHA1 of nothing under no key, by Python's hmac: the key before must not linger.
Test(stun_integrity, an_empty_key_is_a_key_of_its_own)
{
	uint8_t out[STUN_SHA1_BYTES];

	stun_hmac_sha1(mac, out, "Jefe", 4, "", 0);
	stun_hmac_sha1(mac, out, NULL, 0, NULL, 0);
	cr_assert_arr_eq(out,
		"\xfb\xdb\x1d\x1b\x18\xaa\x6c\x08\x32\x4b\x7d\x64\xb7\x1f\xb7\x63\x70\x69\x0e\x1d",
		20);
}

static const struct stun_key test_key = {.bytes = "sixteen bytes ok", .n_bytes = 16};

// A message with both integrity attributes and FINGERPRINT, as an RFC 8489 §9.2 client may send.
static size_t write_both(uint8_t *buf, size_t capacity_bytes)
{
	struct stun_writer w;

	stun_writer_init(&w, buf, capacity_bytes, STUN_REQUEST, STUN_REFRESH,
		(const uint8_t *)"abcdefghijkl");
	stun_put_bytes(&w, STUN_ATTR_USERNAME, "joe", 3);
	stun_put_integrity(&w, mac, &test_key);
	stun_put_integrity_sha256(&w, mac, &test_key);
	stun_put_fingerprint(&w);
	return stun_writer_end(&w);
}

Test(stun_integrity, each_covers_what_stands_before_it)
{
	uint8_t buf[128];
	const size_t n_bytes = write_both(buf, sizeof(buf));
	struct stun_view view;

	cr_assert_eq(n_bytes, 20 + 8 + 24 + 36 + 8);
	cr_assert_eq(stun_parse(&view, buf, n_bytes), 0);
	cr_assert(stun_integrity_check(mac, &view, &test_key));
	cr_assert(stun_integrity_sha256_check(mac, &view, &test_key));
	cr_assert(stun_fingerprint_check(&view));

	buf[60] ^= 1; // in the SHA-256 value
	cr_assert(stun_integrity_check(mac, &view, &test_key));
	cr_assert_not(stun_integrity_sha256_check(mac, &view, &test_key));
	cr_assert_not(stun_fingerprint_check(&view));
	buf[60] ^= 1;
	buf[40] ^= 1; // in the SHA-1 value
	cr_assert_not(stun_integrity_check(mac, &view, &test_key));
	cr_assert_not(stun_integrity_sha256_check(mac, &view, &test_key));
}

Test(stun_integrity, checking_does_not_touch_the_message)
{
	uint8_t before[128];
	uint8_t buf[128];
	const size_t n_bytes = write_both(buf, sizeof(buf));
	struct stun_view view;

	memcpy(before, buf, n_bytes);
	cr_assert_eq(stun_parse(&view, buf, n_bytes), 0);
	cr_assert(stun_integrity_check(mac, &view, &test_key));
	cr_assert_arr_eq(buf, before, n_bytes);
}

// Without its last attributes the message still verifies: each length is taken up to its attribute.
Test(stun_integrity, survives_the_loss_of_what_follows_it)
{
	uint8_t buf[128];
	struct stun_view view;

	write_both(buf, sizeof(buf));
	store_be16(buf + 2, 8 + 24);
	cr_assert_eq(stun_parse(&view, buf, 20 + 8 + 24), 0);
	cr_assert(stun_integrity_check(mac, &view, &test_key));
}

Test(stun_integrity, absent_is_false)
{
	struct stun_writer w;
	struct stun_view view;
	uint8_t buf[20];

	stun_writer_init(
		&w, buf, sizeof(buf), STUN_REQUEST, STUN_BINDING, (const uint8_t *)"abcdefghijkl");
	cr_assert_eq(stun_parse(&view, buf, stun_writer_end(&w)), 0);
	cr_assert_not(stun_integrity_check(mac, &view, &test_key));
	cr_assert_not(stun_integrity_sha256_check(mac, &view, &test_key));
	cr_assert_not(stun_fingerprint_check(&view));
}

// A message with a MESSAGE-INTEGRITY-SHA256 of 16 bytes whose other half follows, which happens to
// look like an attribute: about one transaction id in 16,000 gives such a half.
static int parse_truncated(struct stun_view *out, uint8_t buf[static 56], uint32_t transaction)
{
	struct stun_writer w;
	uint8_t id[STUN_TRANSACTION_BYTES] = {0};

	store_be32(id, transaction);
	stun_writer_init(&w, buf, 56, STUN_REQUEST, STUN_BINDING, id);
	store_be16(buf + 2, 36);
	stun_hmac_sha256(mac, buf + 24, test_key.bytes, test_key.n_bytes, buf, 20);
	store_be16(buf + 20, STUN_ATTR_MESSAGE_INTEGRITY_SHA256);
	store_be16(buf + 22, 16);
	return stun_parse(out, buf, 56);
}

// RFC 8656 does not let TURN cut MESSAGE-INTEGRITY-SHA256 short.
Test(stun_integrity, a_truncated_sha256_is_false_even_where_the_rest_follows)
{
	struct stun_view view;
	uint32_t transaction = 0;
	uint8_t buf[56];

	while (parse_truncated(&view, buf, transaction) != 0)
		cr_assert_lt(transaction++, 1000000);
	cr_assert_eq(view.integrity_sha256_bytes, 16);
	cr_assert_not(stun_integrity_sha256_check(mac, &view, &test_key));
	store_be16(buf + 22, 32);
	cr_assert_eq(stun_parse(&view, buf, sizeof(buf)), 0);
	cr_assert(stun_integrity_sha256_check(mac, &view, &test_key));
}

Test(stun_integrity, one_value_does_not_serve_for_the_other_kind)
{
	struct stun_writer w;
	struct stun_view view;
	uint8_t buf[128];

	stun_writer_init(
		&w, buf, sizeof(buf), STUN_REQUEST, STUN_BINDING, (const uint8_t *)"abcdefghijkl");
	stun_put_integrity(&w, mac, &test_key);
	cr_assert_eq(stun_parse(&view, buf, stun_writer_end(&w)), 0);
	cr_assert(stun_integrity_check(mac, &view, &test_key));
	cr_assert_not(stun_integrity_sha256_check(mac, &view, &test_key));
}

Test(stun_mac, destroy_takes_null)
{
	stun_mac_destroy(NULL);
}

// What a FIPS host does: no provider offers the digests that the property query asks for.
Test(stun_mac, create_without_the_digests_is_enotsup)
{
	struct stun_mac *none = NULL;

	cr_assert_eq(EVP_set_default_properties(NULL, "fips=yes"), 1);
	cr_assert_eq(stun_mac_create(&none), -ENOTSUP);
	cr_assert_null(none);
}
