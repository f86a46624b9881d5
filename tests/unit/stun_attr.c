// Finding attributes and reading their values.
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <errno.h>

static const uint8_t id[] = "abcdefghijkl";

static struct stun_attr attr_of(const void *value, size_t n_bytes)
{
	return (struct stun_attr){.n_bytes = (uint16_t)n_bytes, .value = value};
}

static struct stun_view view_of(const uint16_t *types, uint16_t n_types)
{
	struct stun_view view = {.n_attrs = n_types};

	for (uint16_t i = 0; i < n_types; i++)
		view.attrs[i] = (struct stun_attr){.type = types[i], .n_bytes = i};
	return view;
}

Test(stun_find, finds_the_first_and_then_each_next_of_a_type)
{
	static const uint16_t types[] = {0x12, 0x13, 0x12, 0x14, 0x12};
	const struct stun_view view = view_of(types, N_ELEMENTS(types));
	const struct stun_attr *peer = stun_find(&view, STUN_ATTR_XOR_PEER_ADDRESS);

	cr_assert_eq(peer, &view.attrs[0]);
	peer = stun_find_next(&view, peer);
	cr_assert_eq(peer, &view.attrs[2]);
	peer = stun_find_next(&view, peer);
	cr_assert_eq(peer, &view.attrs[4]);
	cr_assert_null(stun_find_next(&view, peer));
	cr_assert_null(stun_find(&view, STUN_ATTR_NONCE));
}

Test(stun_find, does_not_look_past_the_last_attribute)
{
	static const uint16_t types[] = {0x12, 0x13};
	struct stun_view view = view_of(types, N_ELEMENTS(types));

	view.n_attrs = 1;
	cr_assert_null(stun_find(&view, 0x13));
}

Test(stun_unknown, collects_required_types_once_and_skips_the_known_and_the_optional)
{
	static const uint16_t types[] = {0x7fff, 0x8000, 0x0006, 0x0002, 0x7fff, 0xffff, 0x0002};
	static const uint16_t known[] = {0x0006, 0x0014};
	const struct stun_view view = view_of(types, N_ELEMENTS(types));
	uint16_t out[STUN_UNKNOWN_MAX];

	cr_assert_eq(stun_unknown(&view, known, N_ELEMENTS(known), out), 2);
	cr_assert_eq(out[0], 0x7fff);
	cr_assert_eq(out[1], 0x0002);
}

Test(stun_unknown, stops_at_its_bound)
{
	uint16_t types[STUN_ATTRS_MAX];
	uint16_t out[STUN_UNKNOWN_MAX + 1];
	struct stun_view view;

	for (uint16_t i = 0; i < STUN_ATTRS_MAX; i++)
		types[i] = 0x100 + i;
	view = view_of(types, N_ELEMENTS(types));
	out[STUN_UNKNOWN_MAX] = 0xbeef;
	cr_assert_eq(stun_unknown(&view, NULL, 0, out), STUN_UNKNOWN_MAX);
	for (uint16_t i = 0; i < STUN_UNKNOWN_MAX; i++)
		cr_assert_eq(out[i], 0x100 + i);
	cr_assert_eq(out[STUN_UNKNOWN_MAX], 0xbeef);
}

Test(stun_get, u32_is_four_bytes)
{
	uint32_t value = 0;

	for (size_t n = 0; n <= 8; n++) {
		const struct stun_attr attr = attr_of("\x01\x02\x03\x04\x05\x06\x07\x08", n);

		cr_assert_eq(stun_get_u32(&attr, &value), n == 4 ? 0 : -EBADMSG, "%zu bytes", n);
	}
	cr_assert_eq(value, 0x01020304);
}

Test(stun_get, channel_ignores_the_reserved_half)
{
	const struct stun_attr attr = attr_of("\x4f\xff\xde\xad", 4);
	const struct stun_attr narrow = attr_of("\x40\x00", 2);
	uint16_t channel;

	cr_assert_eq(stun_get_channel(&attr, &channel), 0);
	cr_assert_eq(channel, 0x4fff);
	cr_assert_eq(stun_get_channel(&narrow, &channel), -EBADMSG);
}

static const struct {
	const char *name;
	const char *value;
	size_t n_bytes;
	int err;
} addresses[] = {
	{"empty", "", 0, -EBADMSG},
	{"the family alone", "\0\1", 2, -EBADMSG},
	{"no address", "\0\1\x0d\x96", 4, -EBADMSG},
	{"IPv4", "\0\1\x0d\x96\xc0\0\2\1", 8, 0},
	{"IPv4, first byte set", "\xff\1\x0d\x96\xc0\0\2\1", 8, 0},
	{"IPv4, a byte short", "\0\1\x0d\x96\xc0\0\2", 7, -EBADMSG},
	{"IPv4, four too many", "\0\1\x0d\x96\xc0\0\2\1\0\0\0\0", 12, -EBADMSG},
	{"IPv4 as long as IPv6", "\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, -EBADMSG},
	{"IPv6", "\0\2\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20, 0},
	{"IPv6 as short as IPv4", "\0\2\x0d\x96\xc0\0\2\1", 8, -EBADMSG},
	{"family 0, as long", "\0\0\x0d\x96\xc0\0\2\1", 8, -EBADMSG},
	{"family 0, no address", "\0\0\x0d\x96", 4, -EBADMSG},
	{"family 3", "\0\3\x0d\x96\xc0\0\2\1", 8, -EBADMSG},
};

Test(stun_get, addresses_of_the_wrong_length_or_family_are_refused)
{
	struct endpoint out;

	for (size_t i = 0; i < N_ELEMENTS(addresses); i++) {
		const struct stun_attr attr = attr_of(addresses[i].value, addresses[i].n_bytes);

		cr_assert_eq(
			stun_get_address(&attr, &out), addresses[i].err, "%s", addresses[i].name);
		cr_assert_eq(stun_get_xor_address(&attr, id, &out), addresses[i].err, "%s",
			addresses[i].name);
	}
}

Test(stun_get, an_address_leaves_no_byte_of_the_endpoint_unset)
{
	const struct stun_attr attr = attr_of("\0\1\x0d\x96\xc0\0\2\1", 8);
	struct endpoint expected;
	struct endpoint out;

	memset(&expected, 0, sizeof(expected));
	expected.ip.family = FAMILY_IPV4;
	memcpy(expected.ip.bytes, "\xc0\0\2\1", 4);
	expected.port = 3478;
	memset(&out, 0xaa, sizeof(out));
	cr_assert_eq(stun_get_address(&attr, &out), 0);
	cr_assert_arr_eq(&out, &expected, sizeof(out));
	// RFC 8489 §14.2: port ^ 0x2112, address ^ 0x2112a442.
	expected.port = 0x0d96 ^ 0x2112;
	memcpy(expected.ip.bytes, "\xe1\x12\xa6\x43", 4);
	memset(&out, 0xaa, sizeof(out));
	cr_assert_eq(stun_get_xor_address(&attr, id, &out), 0);
	cr_assert_arr_eq(&out, &expected, sizeof(out));
}
