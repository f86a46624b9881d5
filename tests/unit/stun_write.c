// What the writer lays down, and that it never writes past what it was given.
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

static const uint8_t id[] = "abcdefghijkl";

static struct stun_writer writer_of(uint8_t *buf, size_t capacity_bytes)
{
	struct stun_writer w;

	stun_writer_init(&w, buf, capacity_bytes, STUN_ERROR, STUN_ALLOCATE, id);
	return w;
}

// The attributes written must be exactly these bytes.
static void expect_attrs(const struct stun_writer *w, const char *expected, size_t n_bytes)
{
	cr_assert_eq(stun_writer_end(w), STUN_HEADER_BYTES + n_bytes);
	cr_assert_eq(load_be16(w->buf + 2), n_bytes);
	for (size_t i = 0; i < n_bytes; i++)
		cr_assert_eq(w->buf[STUN_HEADER_BYTES + i], (uint8_t)expected[i], "byte %zu", i);
}

#define EXPECT_ATTRS(w, literal) expect_attrs(w, literal, sizeof(literal) - 1)

static struct endpoint endpoint_of(const char *text)
{
	struct endpoint endpoint;

	cr_assert_eq(endpoint_parse(&endpoint, text), 0);
	return endpoint;
}

Test(stun_write, header_is_type_zero_length_cookie_and_id)
{
	uint8_t buf[20];
	const struct stun_writer w = writer_of(buf, sizeof(buf));

	cr_assert_eq(stun_writer_end(&w), 20);
	cr_assert_arr_eq(buf,
		"\x01\x13\x00\x00\x21\x12\xa4\x42"
		"abcdefghijkl",
		20);
}

// An answer may be written over its request, whose id then lies anywhere in the buffer.
Test(stun_write, transaction_id_may_lie_in_the_buffer)
{
	for (size_t at = 0; at <= 20; at++) {
		uint8_t buf[32];
		struct stun_writer w;

		memset(buf, 0xee, sizeof(buf));
		memcpy(buf + at, id, STUN_TRANSACTION_BYTES);
		stun_writer_init(&w, buf, sizeof(buf), STUN_SUCCESS, STUN_BINDING, buf + at);
		cr_assert_arr_eq(buf + 8, id, STUN_TRANSACTION_BYTES, "id at %zu", at);
	}
}

Test(stun_write, padding_is_zero_and_not_in_the_attribute_length)
{
	uint8_t buf[64];
	struct stun_writer w;

	memset(buf, 0xee, sizeof(buf));
	w = writer_of(buf, sizeof(buf));
	stun_put_bytes(&w, STUN_ATTR_SOFTWARE, "", 0);
	stun_put_bytes(&w, STUN_ATTR_SOFTWARE, "a", 1);
	stun_put_bytes(&w, STUN_ATTR_SOFTWARE, "abc", 3);
	stun_put_bytes(&w, STUN_ATTR_SOFTWARE, "abcd", 4);
	EXPECT_ATTRS(&w,
		"\x80\x22\x00\x00"
		"\x80\x22\x00\x01"
		"a\0\0\0"
		"\x80\x22\x00\x03"
		"abc\0"
		"\x80\x22\x00\x04"
		"abcd");
}

Test(stun_write, length_is_right_after_each_put)
{
	uint8_t buf[64];
	struct stun_writer w = writer_of(buf, sizeof(buf));

	stun_put_u32(&w, STUN_ATTR_LIFETIME, 600);
	cr_assert_eq(load_be16(buf + 2), 8);
	stun_put_bytes(&w, STUN_ATTR_REALM, "x", 1);
	cr_assert_eq(load_be16(buf + 2), 16);
	stun_put_fingerprint(&w);
	cr_assert_eq(load_be16(buf + 2), 24);
}

Test(stun_write, numbers_are_in_network_order)
{
	uint8_t buf[64];
	struct stun_writer w = writer_of(buf, sizeof(buf));

	stun_put_u32(&w, STUN_ATTR_LIFETIME, 0x01020304);
	stun_put_channel(&w, 0x4abc);
	EXPECT_ATTRS(&w,
		"\x00\x0d\x00\x04\x01\x02\x03\x04"
		"\x00\x0c\x00\x04\x4a\xbc\x00\x00");
}

Test(stun_write, addresses_of_both_families)
{
	const struct endpoint v4 = endpoint_of("192.0.2.1:3478");
	const struct endpoint v6 = endpoint_of("[2001:db8::ff]:65535");
	uint8_t buf[128];
	struct stun_writer w = writer_of(buf, sizeof(buf));

	stun_put_address(&w, STUN_ATTR_ALTERNATE_SERVER, &v4);
	stun_put_address(&w, STUN_ATTR_ALTERNATE_SERVER, &v6);
	stun_put_xor_address(&w, STUN_ATTR_XOR_RELAYED_ADDRESS, &v4);
	EXPECT_ATTRS(&w,
		"\x80\x23\x00\x08"
		"\x00\x01\x0d\x96\xc0\x00\x02\x01"
		"\x80\x23\x00\x14"
		"\x00\x02\xff\xff\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\xff"
		"\x00\x16\x00\x08"
		"\x00\x01\x2c\x84\xe1\x12\xa6\x43");
}

Test(stun_write, xor_addresses_come_back)
{
	static const char *const texts[] = {
		"0.0.0.0:0", "255.255.255.255:65535", "198.51.100.7:49152", "[::]:0",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535",
		"[2001:db8:1:2:3:4:5:6]:8466", // port 0x2112 is hidden as 0
	};

	for (size_t i = 0; i < N_ELEMENTS(texts); i++) {
		const struct endpoint in = endpoint_of(texts[i]);
		uint8_t buf[64];
		struct stun_writer w = writer_of(buf, sizeof(buf));
		struct stun_view view;
		struct endpoint out;

		stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &in);
		cr_assert_eq(stun_parse(&view, buf, stun_writer_end(&w)), 0);
		cr_assert_eq(stun_get_xor_address(&view.attrs[0], view.transaction_id, &out), 0);
		cr_assert(endpoint_equal(&in, &out), "%s", texts[i]);
	}
}

Test(stun_write, an_error_counts_its_reason_but_not_the_padding)
{
	uint8_t buf[128];
	struct stun_writer w = writer_of(buf, sizeof(buf));

	stun_put_error(&w, STUN_UNAUTHENTICATED, true);
	stun_put_error(&w, STUN_STALE_NONCE, false);
	EXPECT_ATTRS(&w,
		"\x00\x09\x00\x13"
		"\x00\x00\x04\x01"
		"Unauthenticated\0"
		"\x00\x09\x00\x04"
		"\x00\x00\x04\x26");
}

// RFC 8489 §14.8, RFC 8656 §19.
Test(stun_write, each_error_has_its_reason)
{
	static const struct {
		enum stun_code code;
		const char *reason;
	} errors[] = {
		{300, "Try Alternate"},
		{400, "Bad Request"},
		{401, "Unauthenticated"},
		{403, "Forbidden"},
		{420, "Unknown Attribute"},
		{430, "Stale Credentials"},
		{432, "Missing Username"},
		{433, "Use TLS"},
		{437, "Allocation Mismatch"},
		{438, "Stale Nonce"},
		{440, "Address Family not Supported"},
		{441, "Wrong Credentials"},
		{442, "Unsupported Transport Protocol"},
		{443, "Peer Address Family Mismatch"},
		{486, "Allocation Quota Reached"},
		{500, "Server Error"},
		{508, "Insufficient Capacity"},
	};

	for (size_t i = 0; i < N_ELEMENTS(errors); i++) {
		const size_t reason_bytes = strlen(errors[i].reason);
		uint8_t buf[128];
		struct stun_writer w = writer_of(buf, sizeof(buf));

		stun_put_error(&w, errors[i].code, true);
		cr_assert_eq(load_be16(buf + 22), 4 + reason_bytes);
		cr_assert_eq(buf[26] * 100 + buf[27], errors[i].code);
		cr_assert_arr_eq(buf + 28, errors[i].reason, reason_bytes);
	}
}

Test(stun_write, unknown_attributes_are_a_list_of_types)
{
	static const uint16_t types[] = {0x7fff, 0x0002, 0x0017};
	uint8_t buf[64];
	struct stun_writer w = writer_of(buf, sizeof(buf));

	stun_put_unknown(&w, types, N_ELEMENTS(types));
	EXPECT_ATTRS(&w, "\x00\x0a\x00\x06\x7f\xff\x00\x02\x00\x17\x00\x00");
}

static void put(struct stun_writer *w, struct stun_mac *mac, int which)
{
	static const uint16_t types[] = {1, 2, 3};
	const struct endpoint v4 = {.ip.family = FAMILY_IPV4};
	const struct endpoint v6 = {.ip.family = FAMILY_IPV6};
	const struct stun_key key = {.n_bytes = 16};

	switch (which) {
	case 0:
		return stun_put_bytes(w, STUN_ATTR_REALM, "abcde", 5);
	case 1:
		return stun_put_u32(w, STUN_ATTR_LIFETIME, 1);
	case 2:
		return stun_put_channel(w, 0x4000);
	case 3:
		return stun_put_address(w, STUN_ATTR_MAPPED_ADDRESS, &v4);
	case 4:
		return stun_put_xor_address(w, STUN_ATTR_XOR_MAPPED_ADDRESS, &v6);
	case 5:
		return stun_put_error(w, STUN_FORBIDDEN, true);
	case 6:
		return stun_put_unknown(w, types, N_ELEMENTS(types));
	case 7:
		return stun_put_fingerprint(w);
	case 8:
		return stun_put_integrity(w, mac, &key);
	case 9:
		return stun_put_integrity_sha256(w, mac, &key);
	}
}

Test(stun_write, a_put_that_lacks_a_byte_writes_nothing)
{
	static const size_t needed_bytes[] = {12, 8, 8, 12, 24, 20, 12, 8, 24, 36};
	struct stun_mac *mac;

	cr_assert_eq(stun_mac_create(&mac), 0);
	for (int i = 0; i < (int)N_ELEMENTS(needed_bytes); i++) {
		for (size_t room = 0; room <= needed_bytes[i]; room++) {
			const bool fits = room == needed_bytes[i];
			uint8_t *buf = malloc(STUN_HEADER_BYTES + room);
			struct stun_writer w = writer_of(buf, STUN_HEADER_BYTES + room);

			memset(buf + STUN_HEADER_BYTES, 0xee, room);
			put(&w, mac, i);
			cr_assert_eq(w.overflow, !fits, "put %d, room %zu", i, room);
			cr_assert_eq(stun_writer_end(&w), fits ? STUN_HEADER_BYTES + room : 0);
			cr_assert_eq(load_be16(buf + 2), fits ? room : 0);
			for (size_t j = 0; j < room && !fits; j++)
				cr_assert_eq(buf[STUN_HEADER_BYTES + j], 0xee);
			free(buf);
		}
	}
	stun_mac_destroy(mac);
}

Test(stun_write, an_overflow_stays)
{
	uint8_t buf[28];
	struct stun_writer w = writer_of(buf, sizeof(buf));

	stun_put_bytes(&w, STUN_ATTR_REALM, "abcde", 5);
	stun_put_u32(&w, STUN_ATTR_LIFETIME, 1);
	cr_assert(w.overflow);
	cr_assert_eq(w.n_bytes, 20);
	cr_assert_eq(stun_writer_end(&w), 0);
}

Test(stun_write, a_buffer_shorter_than_the_header_stays_untouched)
{
	struct stun_mac *mac;

	cr_assert_eq(stun_mac_create(&mac), 0);
	for (size_t n = 0; n < STUN_HEADER_BYTES; n++) {
		uint8_t *buf = calloc(1, n ? n : 1);
		struct stun_writer w = writer_of(buf, n);

		for (int i = 0; i < 10; i++)
			put(&w, mac, i);
		cr_assert_eq(stun_writer_end(&w), 0);
		for (size_t j = 0; j < n; j++)
			cr_assert_eq(buf[j], 0);
		free(buf);
	}
	stun_mac_destroy(mac);
}

Test(stun_write, an_address_of_no_family_overflows)
{
	const struct endpoint none = {.port = 1};
	uint8_t buf[64];
	struct stun_writer w = writer_of(buf, sizeof(buf));

	stun_put_xor_address(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &none);
	cr_assert_eq(stun_writer_end(&w), 0);
}

Test(stun_write, values_and_messages_end_where_the_length_fields_do)
{
	const size_t capacity_bytes = 200000;
	uint8_t *buf = malloc(capacity_bytes);
	uint8_t *value = calloc(1, 65537);
	struct stun_writer w = writer_of(buf, capacity_bytes);

	stun_put_bytes(&w, STUN_ATTR_DATA, value, 65536);
	cr_assert(w.overflow);
	w = writer_of(buf, capacity_bytes);
	stun_put_bytes(&w, STUN_ATTR_DATA, value, SIZE_MAX);
	cr_assert(w.overflow);
	w = writer_of(buf, capacity_bytes);
	stun_put_bytes(&w, STUN_ATTR_DATA, value, 65529); // 4 + 65532 after padding
	cr_assert(w.overflow);
	w = writer_of(buf, capacity_bytes);
	stun_put_bytes(&w, STUN_ATTR_DATA, value, 65528);
	cr_assert_eq(stun_writer_end(&w), 65552);
	cr_assert_eq(load_be16(buf + 2), 65532);
	stun_put_bytes(&w, STUN_ATTR_DONT_FRAGMENT, NULL, 0);
	cr_assert_eq(stun_writer_end(&w), 0);
	free(value);
	free(buf);
}

// The answer in the place of its request is the one that the parts would make.
Test(stun_write, mapped_answer_is_what_its_parts_make)
{
	static const char *const clients[] = {"203.0.113.9:54321", "[2001:db8:1::9:ff]:1"};

	for (size_t i = 0; i < N_ELEMENTS(clients); i++) {
		const struct endpoint client = endpoint_of(clients[i]);
		uint8_t expected[48] = {0};
		uint8_t buf[48] = {0};
		struct stun_writer parts;
		struct stun_writer w = {.buf = buf, .capacity_bytes = 44};

		stun_writer_init(
			&parts, expected, sizeof(expected), STUN_SUCCESS, STUN_BINDING, id);
		stun_put_xor_address(&parts, STUN_ATTR_XOR_MAPPED_ADDRESS, &client);
		stun_writer_init(
			&(struct stun_writer){0}, buf, sizeof(buf), STUN_REQUEST, STUN_BINDING, id);
		stun_put_mapped(&w, (enum family)client.ip.family, client.ip.bytes,
			__builtin_bswap16(client.port));
		cr_expect_eq(stun_writer_end(&w), stun_writer_end(&parts), "%s", clients[i]);
		cr_expect_arr_eq(buf, expected, sizeof(buf), "%s", clients[i]);
		stun_put_u32(&w, STUN_ATTR_LIFETIME, 1);
		cr_expect_eq(stun_writer_end(&w), i == 0 ? 40 : 0, "what is put next");
	}
}
