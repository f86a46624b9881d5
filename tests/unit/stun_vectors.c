// The sample messages of RFC 5769 and of RFC 8489 appendix B.1 as erratum 6268 corrects it.
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

// clang-format off
// RFC 5769 §2.1; padded with blanks.
static const uint8_t request[] = {
	0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
	0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10,
	0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73, 0x74, 0x20, 0x63, 0x6c,
	0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
	0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36,
	0x00, 0x06, 0x00, 0x09, 0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76,
	0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14, 0x9a, 0xea, 0xa7, 0x0c,
	0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
	0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf,
};

// RFC 5769 §2.2; padded with a blank.
static const uint8_t response4[] = {
	0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
	0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
	0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
	0x00, 0x20, 0x00, 0x08, 0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43,
	0x00, 0x08, 0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
	0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b, 0xe7, 0xd7,
	0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96,
};

// RFC 5769 §2.3; padded with a blank.
static const uint8_t response6[] = {
	0x01, 0x01, 0x00, 0x48, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01,
	0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x0b,
	0x74, 0x65, 0x73, 0x74, 0x20, 0x76, 0x65, 0x63, 0x74, 0x6f, 0x72, 0x20,
	0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa,
	0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
	0x00, 0x08, 0x00, 0x14, 0xa3, 0x82, 0x95, 0x4e, 0x4b, 0xe6, 0x7b, 0xf1,
	0x17, 0x84, 0xc9, 0x7c, 0x82, 0x92, 0xc2, 0x75, 0xbf, 0xe3, 0xed, 0x41,
	0x80, 0x28, 0x00, 0x04, 0xc8, 0xfb, 0x0b, 0x4c,
};

// RFC 5769 §2.4.
static const uint8_t long_term[] = {
	0x00, 0x01, 0x00, 0x60, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33,
	0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x06, 0x00, 0x12,
	0xe3, 0x83, 0x9e, 0xe3, 0x83, 0x88, 0xe3, 0x83, 0xaa, 0xe3, 0x83, 0x83,
	0xe3, 0x82, 0xaf, 0xe3, 0x82, 0xb9, 0x00, 0x00, 0x00, 0x15, 0x00, 0x1c,
	0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64, 0x36,
	0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76, 0x79,
	0x36, 0x34, 0x73, 0x41, 0x00, 0x14, 0x00, 0x0b, 0x65, 0x78, 0x61, 0x6d,
	0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00, 0x00, 0x08, 0x00, 0x14,
	0xf6, 0x70, 0x24, 0x65, 0x6d, 0xd6, 0x4a, 0x3e, 0x02, 0xb8, 0xe0, 0x71,
	0x2e, 0x85, 0xc9, 0xa2, 0x8c, 0xa8, 0x96, 0x66,
};

// RFC 8489 §B.1, erratum 6268.
static const uint8_t long_term_sha256[] = {
	0x00, 0x01, 0x00, 0x90, 0x21, 0x12, 0xa4, 0x42, 0x78, 0xad, 0x34, 0x33,
	0xc6, 0xad, 0x72, 0xc0, 0x29, 0xda, 0x41, 0x2e, 0x00, 0x1e, 0x00, 0x20,
	0x4a, 0x3c, 0xf3, 0x8f, 0xef, 0x69, 0x92, 0xbd, 0xa9, 0x52, 0xc6, 0x78,
	0x04, 0x17, 0xda, 0x0f, 0x24, 0x81, 0x94, 0x15, 0x56, 0x9e, 0x60, 0xb2,
	0x05, 0xc4, 0x6e, 0x41, 0x40, 0x7f, 0x17, 0x04, 0x00, 0x15, 0x00, 0x29,
	0x6f, 0x62, 0x4d, 0x61, 0x74, 0x4a, 0x6f, 0x73, 0x32, 0x41, 0x41, 0x41,
	0x43, 0x66, 0x2f, 0x2f, 0x34, 0x39, 0x39, 0x6b, 0x39, 0x35, 0x34, 0x64,
	0x36, 0x4f, 0x4c, 0x33, 0x34, 0x6f, 0x4c, 0x39, 0x46, 0x53, 0x54, 0x76,
	0x79, 0x36, 0x34, 0x73, 0x41, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x0b,
	0x65, 0x78, 0x61, 0x6d, 0x70, 0x6c, 0x65, 0x2e, 0x6f, 0x72, 0x67, 0x00,
	0x00, 0x1d, 0x00, 0x04, 0x00, 0x02, 0x00, 0x00, 0x00, 0x1c, 0x00, 0x20,
	0xb5, 0xc7, 0xbf, 0x00, 0x5b, 0x6c, 0x52, 0xa2, 0x1c, 0x51, 0xc5, 0xe8,
	0x92, 0xf8, 0x19, 0x24, 0x13, 0x62, 0x96, 0xcb, 0x92, 0x7c, 0x43, 0x14,
	0x93, 0x09, 0x27, 0x8c, 0xc6, 0x51, 0x8e, 0x65,
};

// The three above whose padding is blanks, from MESSAGE-INTEGRITY's value on, when padded with
// zeros as this writer does; computed with Python's hmac and zlib.
static const uint8_t request_zero_tail[] = {
	0x79, 0x07, 0xc2, 0xd2, 0xed, 0xbf, 0xea, 0x48, 0x0e, 0x4c, 0x76, 0xd8,
	0x29, 0x62, 0xd5, 0xc3, 0x74, 0x2a, 0xf9, 0xe3, 0x80, 0x28, 0x00, 0x04,
	0xe3, 0x52, 0x92, 0x8d,
};

static const uint8_t response4_zero_tail[] = {
	0x5d, 0x6b, 0x58, 0xbe, 0xad, 0x94, 0xe0, 0x7e, 0xef, 0x0d, 0xfc, 0x12,
	0x82, 0xa2, 0xbd, 0x08, 0x43, 0x14, 0x10, 0x28, 0x80, 0x28, 0x00, 0x04,
	0x25, 0x16, 0x7a, 0x15,
};

static const uint8_t response6_zero_tail[] = {
	0xbd, 0x03, 0x6d, 0x6a, 0x33, 0x17, 0x50, 0xdf, 0xe2, 0xed, 0xc5, 0x8e,
	0x64, 0x34, 0x55, 0xcf, 0xf5, 0xc8, 0xe2, 0x64, 0x80, 0x28, 0x00, 0x04,
	0x4f, 0x26, 0x02, 0x93,
};
// clang-format on

static const struct vector {
	const char *name;
	const uint8_t *bytes;
	size_t n_bytes;
	size_t covered_bytes; // up to the end of its integrity attribute
	bool fingerprint;
} vectors[] = {
	{"request", request, sizeof(request), 100, true},
	{"response4", response4, sizeof(response4), 72, true},
	{"response6", response6, sizeof(response6), 84, true},
	{"long_term", long_term, sizeof(long_term), 116, false},
	{"long_term_sha256", long_term_sha256, sizeof(long_term_sha256), 164, false},
};

#define SHORT_TERM_PASSWORD "VOkJxbRl1RmTxUk/WvJxBt"
// U+30DE U+30C8 U+30EA U+30C3 U+30AF U+30B9
#define USERNAME "\xe3\x83\x9e\xe3\x83\x88\xe3\x83\xaa\xe3\x83\x83\xe3\x82\xaf\xe3\x82\xb9"
#define REALM "example.org"
#define PASSWORD "TheMatrIX" // after OpaqueString
#define NONCE "f//499k954d6OL34oL9FSTvy64sA"
#define NONCE_SHA256 "obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"

static struct stun_mac *mac;

static void setup(void)
{
	cr_assert_eq(stun_mac_create(&mac), 0);
}

static void teardown(void)
{
	stun_mac_destroy(mac);
}

TestSuite(stun_vectors, .init = setup, .fini = teardown);

static struct stun_key key_of(const struct vector *v)
{
	struct stun_key key = {.n_bytes = strlen(SHORT_TERM_PASSWORD)};

	memcpy(key.bytes, SHORT_TERM_PASSWORD, key.n_bytes);
	if (v->bytes == long_term)
		stun_key_md5(mac, &key, USERNAME, strlen(USERNAME), REALM, strlen(REALM), PASSWORD,
			strlen(PASSWORD));
	if (v->bytes == long_term_sha256)
		stun_key_sha256(mac, &key, USERNAME, strlen(USERNAME), REALM, strlen(REALM),
			PASSWORD, strlen(PASSWORD));
	return key;
}

static bool integrity_check(
	const struct vector *v, const uint8_t *bytes, const struct stun_key *key)
{
	struct stun_view view;

	if (stun_parse(&view, bytes, v->n_bytes) != 0)
		return false;
	return v->bytes == long_term_sha256 ? stun_integrity_sha256_check(mac, &view, key)
					    : stun_integrity_check(mac, &view, key);
}

static struct stun_view parsed(const uint8_t *bytes, size_t n_bytes)
{
	struct stun_view view;

	cr_assert_eq(stun_parse(&view, bytes, n_bytes), 0);
	return view;
}

static void expect_bytes(const struct stun_attr *attr, uint16_t type, const char *text)
{
	cr_assert_eq(attr->type, type);
	cr_assert_eq(attr->n_bytes, strlen(text));
	cr_assert_arr_eq(attr->value, text, attr->n_bytes);
}

Test(stun_vectors, request_attributes_are_those_of_the_text)
{
	const struct stun_view view = parsed(request, sizeof(request));
	uint32_t priority;

	cr_assert_eq(view.class, STUN_REQUEST);
	cr_assert_eq(view.method, STUN_BINDING);
	cr_assert_arr_eq(
		view.transaction_id, "\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae", 12);
	cr_assert_eq(view.n_attrs, 4);
	expect_bytes(&view.attrs[0], STUN_ATTR_SOFTWARE, "STUN test client");
	cr_assert_eq(view.attrs[1].type, STUN_ATTR_PRIORITY);
	cr_assert_eq(stun_get_u32(&view.attrs[1], &priority), 0);
	cr_assert_eq(priority, 0x6e0001ff);
	expect_bytes(&view.attrs[2], STUN_ATTR_ICE_CONTROLLED, "\x93\x2f\xf9\xb1\x51\x26\x3b\x36");
	expect_bytes(&view.attrs[3], STUN_ATTR_USERNAME, "evtj:h6vY");
	cr_assert_eq(view.integrity_offset, 76);
	cr_assert_eq(view.fingerprint_offset, 100);
	cr_assert_eq(view.integrity_sha256_offset, 0);
}

static void expect_mapped(const struct stun_view *view, const char *text)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_XOR_MAPPED_ADDRESS);
	struct endpoint expected;
	struct endpoint mapped;

	cr_assert_eq(view->class, STUN_SUCCESS);
	cr_assert_eq(view->method, STUN_BINDING);
	cr_assert_eq(view->n_attrs, 2);
	expect_bytes(&view->attrs[0], STUN_ATTR_SOFTWARE, "test vector");
	cr_assert_eq(endpoint_parse(&expected, text), 0);
	cr_assert_not_null(attr);
	cr_assert_eq(stun_get_xor_address(attr, view->transaction_id, &mapped), 0);
	cr_assert(endpoint_equal(&mapped, &expected));
}

Test(stun_vectors, response4_maps_192_0_2_1)
{
	const struct stun_view view = parsed(response4, sizeof(response4));

	expect_mapped(&view, "192.0.2.1:32853");
}

Test(stun_vectors, response6_maps_2001_db8)
{
	const struct stun_view view = parsed(response6, sizeof(response6));

	expect_mapped(&view, "[2001:db8:1234:5678:11:2233:4455:6677]:32853");
}

Test(stun_vectors, long_term_attributes_are_those_of_the_text)
{
	const struct stun_view view = parsed(long_term, sizeof(long_term));

	cr_assert_eq(view.n_attrs, 3);
	expect_bytes(&view.attrs[0], STUN_ATTR_USERNAME, USERNAME);
	expect_bytes(&view.attrs[1], STUN_ATTR_NONCE, NONCE);
	expect_bytes(&view.attrs[2], STUN_ATTR_REALM, REALM);
	cr_assert_eq(view.fingerprint_offset, 0);
}

Test(stun_vectors, long_term_sha256_attributes_are_those_of_the_text)
{
	const struct stun_view view = parsed(long_term_sha256, sizeof(long_term_sha256));
	uint32_t algorithm;

	cr_assert_eq(view.n_attrs, 4);
	cr_assert_eq(view.attrs[0].type, STUN_ATTR_USERHASH);
	cr_assert_eq(view.attrs[0].n_bytes, STUN_SHA256_BYTES);
	expect_bytes(&view.attrs[1], STUN_ATTR_NONCE, NONCE_SHA256);
	expect_bytes(&view.attrs[2], STUN_ATTR_REALM, REALM);
	cr_assert_eq(view.attrs[3].type, STUN_ATTR_PASSWORD_ALGORITHM);
	cr_assert_eq(stun_get_u32(&view.attrs[3], &algorithm), 0);
	cr_assert_eq(algorithm, 0x00020000); // SHA-256, no parameters
	cr_assert_eq(view.integrity_offset, 0);
	cr_assert_eq(view.integrity_sha256_offset, 128);
	cr_assert_eq(view.integrity_sha256_bytes, STUN_SHA256_BYTES);
}

Test(stun_vectors, integrity_holds_with_the_right_key_only)
{
	for (const struct vector *v = vectors; v < vectors + N_ELEMENTS(vectors); v++) {
		struct stun_key key = key_of(v);

		cr_assert(integrity_check(v, v->bytes, &key), "%s", v->name);
		key.bytes[key.n_bytes - 1] ^= 1;
		cr_assert_not(integrity_check(v, v->bytes, &key), "%s", v->name);
	}
}

Test(stun_vectors, integrity_fails_where_any_bit_flips)
{
	for (const struct vector *v = vectors; v < vectors + N_ELEMENTS(vectors); v++) {
		const struct stun_key key = key_of(v);
		uint8_t copy[256];

		memcpy(copy, v->bytes, v->n_bytes);
		for (size_t bit = 0; bit < v->covered_bytes * 8; bit++) {
			copy[bit / 8] ^= 1 << bit % 8;
			cr_assert_not(integrity_check(v, copy, &key), "%s bit %zu", v->name, bit);
			copy[bit / 8] ^= 1 << bit % 8;
		}
	}
}

static bool fingerprint_check(const uint8_t *bytes, size_t n_bytes)
{
	struct stun_view view;

	return stun_parse(&view, bytes, n_bytes) == 0 && stun_fingerprint_check(&view);
}

Test(stun_vectors, fingerprint_holds_where_present)
{
	for (const struct vector *v = vectors; v < vectors + N_ELEMENTS(vectors); v++)
		cr_assert_eq(
			fingerprint_check(v->bytes, v->n_bytes), v->fingerprint, "%s", v->name);
}

Test(stun_vectors, fingerprint_fails_where_any_bit_flips)
{
	for (const struct vector *v = vectors; v < vectors + N_ELEMENTS(vectors); v++) {
		uint8_t copy[256];

		memcpy(copy, v->bytes, v->n_bytes);
		for (size_t bit = 0; bit < v->n_bytes * 8; bit++) {
			copy[bit / 8] ^= 1 << bit % 8;
			cr_assert_not(
				fingerprint_check(copy, v->n_bytes), "%s bit %zu", v->name, bit);
			copy[bit / 8] ^= 1 << bit % 8;
		}
	}
}

// On the heap at its exact size, so that the address sanitizer sees a read past the cut.
static int parse_cut(const struct vector *v, size_t n_bytes, bool fix_length)
{
	uint8_t *cut = malloc(n_bytes);
	struct stun_view view;
	int err;

	memcpy(cut, v->bytes, n_bytes);
	if (fix_length && n_bytes >= STUN_HEADER_BYTES)
		store_be16(cut + 2, (uint16_t)(n_bytes - STUN_HEADER_BYTES));
	err = stun_parse(&view, cut, n_bytes);
	free(cut);
	return err;
}

Test(stun_vectors, every_truncation_is_refused)
{
	for (const struct vector *v = vectors; v < vectors + N_ELEMENTS(vectors); v++) {
		for (size_t n = 0; n < v->n_bytes; n++)
			cr_assert_eq(parse_cut(v, n, false), -EBADMSG, "%s at %zu", v->name, n);
	}
}

Test(stun_vectors, a_truncation_with_its_length_put_right_parses_at_attribute_borders_only)
{
	static const size_t borders[] = {20, 36, 48, 72};
	size_t n_parsed = 0;

	for (size_t n = 0; n < sizeof(response4); n++) {
		if (parse_cut(&vectors[1], n, true) != 0)
			continue;
		cr_assert_lt(n_parsed, N_ELEMENTS(borders));
		cr_assert_eq(n, borders[n_parsed++]);
	}
	cr_assert_eq(n_parsed, N_ELEMENTS(borders));
}

static void expect_written(const struct stun_writer *w, const uint8_t *expected, size_t n_bytes)
{
	cr_assert_eq(stun_writer_end(w), n_bytes);
	for (size_t i = 0; i < n_bytes; i++)
		cr_assert_eq(w->buf[i], expected[i], "byte %zu", i);
}

Test(stun_vectors, request_is_written_with_zero_padding)
{
	const struct stun_key key = key_of(&vectors[0]);
	uint8_t expected[sizeof(request)];
	uint8_t buf[sizeof(request)];
	struct stun_writer w;

	memcpy(expected, request, sizeof(request));
	memset(expected + 73, 0, 3);
	memcpy(expected + 80, request_zero_tail, sizeof(request_zero_tail));
	stun_writer_init(&w, buf, sizeof(buf), STUN_REQUEST, STUN_BINDING, request + 8);
	stun_put_bytes(&w, STUN_ATTR_SOFTWARE, "STUN test client", 16);
	stun_put_u32(&w, STUN_ATTR_PRIORITY, 0x6e0001ff);
	stun_put_bytes(&w, STUN_ATTR_ICE_CONTROLLED, "\x93\x2f\xf9\xb1\x51\x26\x3b\x36", 8);
	stun_put_bytes(&w, STUN_ATTR_USERNAME, "evtj:h6vY", 9);
	stun_put_integrity(&w, mac, &key);
	stun_put_fingerprint(&w);
	expect_written(&w, expected, sizeof(expected));
}

static void expect_response_written(const struct vector *v, const char *mapped, const uint8_t *tail)
{
	const struct stun_key key = key_of(v);
	struct endpoint endpoint;
	struct stun_writer w;
	uint8_t expected[256];
	uint8_t buf[256];

	memcpy(expected, v->bytes, v->n_bytes);
	expected[35] = 0;
	memcpy(expected + v->n_bytes - sizeof(response4_zero_tail), tail,
		sizeof(response4_zero_tail));
	cr_assert_eq(endpoint_parse(&endpoint, mapped), 0);
	stun_writer_init(&w, buf, v->n_bytes, STUN_SUCCESS, STUN_BINDING, v->bytes + 8);
	stun_put_bytes(&w, STUN_ATTR_SOFTWARE, "test vector", 11);
	stun_put_xor_address(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &endpoint);
	stun_put_integrity(&w, mac, &key);
	stun_put_fingerprint(&w);
	expect_written(&w, expected, v->n_bytes);
}

Test(stun_vectors, responses_are_written_with_zero_padding)
{
	expect_response_written(&vectors[1], "192.0.2.1:32853", response4_zero_tail);
	expect_response_written(
		&vectors[2], "[2001:db8:1234:5678:11:2233:4455:6677]:32853", response6_zero_tail);
}

Test(stun_vectors, long_term_is_written_byte_for_byte)
{
	const struct stun_key key = key_of(&vectors[3]);
	uint8_t buf[sizeof(long_term)];
	struct stun_writer w;

	stun_writer_init(&w, buf, sizeof(buf), STUN_REQUEST, STUN_BINDING, long_term + 8);
	stun_put_bytes(&w, STUN_ATTR_USERNAME, USERNAME, strlen(USERNAME));
	stun_put_bytes(&w, STUN_ATTR_NONCE, NONCE, strlen(NONCE));
	stun_put_bytes(&w, STUN_ATTR_REALM, REALM, strlen(REALM));
	stun_put_integrity(&w, mac, &key);
	expect_written(&w, long_term, sizeof(long_term));
}

Test(stun_vectors, long_term_sha256_is_written_byte_for_byte)
{
	const struct stun_key key = key_of(&vectors[4]);
	uint8_t buf[sizeof(long_term_sha256)];
	struct stun_writer w;

	stun_writer_init(&w, buf, sizeof(buf), STUN_REQUEST, STUN_BINDING, long_term_sha256 + 8);
	stun_put_bytes(&w, STUN_ATTR_USERHASH, long_term_sha256 + 24, STUN_SHA256_BYTES);
	stun_put_bytes(&w, STUN_ATTR_NONCE, NONCE_SHA256, strlen(NONCE_SHA256));
	stun_put_bytes(&w, STUN_ATTR_REALM, REALM, strlen(REALM));
	stun_put_u32(&w, STUN_ATTR_PASSWORD_ALGORITHM, 0x00020000);
	stun_put_integrity_sha256(&w, mac, &key);
	expect_written(&w, long_term_sha256, sizeof(long_term_sha256));
}
