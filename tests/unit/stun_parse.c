// What the parser takes, what it refuses, and what it leaves out of the view.
#include "stun/stun.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#define MESSAGE_BYTES_MAX 65552

// A message being laid down by hand, so that it may be wrong.
struct draft {
	uint8_t *buf;
	size_t n_bytes;
};

static struct draft draft_new(void)
{
	struct draft d = {.buf = calloc(1, MESSAGE_BYTES_MAX), .n_bytes = STUN_HEADER_BYTES};

	memcpy(d.buf,
		"\x00\x01\x00\x00\x21\x12\xa4\x42"
		"abcdefghijkl",
		STUN_HEADER_BYTES);
	return d;
}

// An attribute whose header says `said_bytes` but takes `real_bytes`, a multiple of four.
static void draft_add(struct draft *d, uint16_t type, uint16_t said_bytes, size_t real_bytes)
{
	store_be16(d->buf + d->n_bytes, type);
	store_be16(d->buf + d->n_bytes + 2, said_bytes);
	d->n_bytes += STUN_ATTR_HEADER_BYTES + real_bytes;
	store_be16(d->buf + 2, (uint16_t)(d->n_bytes - STUN_HEADER_BYTES));
}

// Parse at the exact size on the heap, so that the address sanitizer sees a read past the end.
static int draft_parse(struct draft *d, struct stun_view *out)
{
	d->buf = realloc(d->buf, d->n_bytes);
	return stun_parse(out, d->buf, d->n_bytes);
}

static int draft_result(struct draft *d)
{
	struct stun_view view;
	const int err = draft_parse(d, &view);

	free(d->buf);
	return err;
}

static enum stun_kind classify_start(uint16_t start, size_t n_bytes)
{
	uint8_t *payload = calloc(1, n_bytes ? n_bytes : 1);
	enum stun_kind kind;

	if (n_bytes > 0)
		payload[0] = start >> 8;
	if (n_bytes > 1)
		payload[1] = start & 0xff;
	kind = stun_classify(payload, n_bytes);
	free(payload);
	return kind;
}

Test(stun_classify, channels_are_0x4000_to_0x7fff)
{
	cr_assert_eq(classify_start(0x3fff, 20), STUN_KIND_OTHER);
	cr_assert_eq(classify_start(0x4000, 20), STUN_KIND_CHANNEL);
	cr_assert_eq(classify_start(0x4fff, 20), STUN_KIND_CHANNEL);
	cr_assert_eq(classify_start(0x7fff, 20), STUN_KIND_CHANNEL);
	cr_assert_eq(classify_start(0x8000, 20), STUN_KIND_OTHER);
	cr_assert_eq(classify_start(0xffff, 20), STUN_KIND_OTHER);
}

Test(stun_classify, a_channel_needs_its_four_bytes)
{
	for (size_t n = 0; n < 4; n++)
		cr_assert_eq(classify_start(0x4000, n), STUN_KIND_OTHER, "%zu bytes", n);
	cr_assert_eq(classify_start(0x4000, 4), STUN_KIND_CHANNEL);
}

Test(stun_classify, a_message_needs_its_header_and_its_cookie)
{
	struct draft d = draft_new();

	cr_assert_eq(stun_classify(d.buf, 20), STUN_KIND_MESSAGE);
	cr_assert_eq(stun_classify(d.buf, 19), STUN_KIND_OTHER);
	for (size_t i = 4; i < 8; i++) {
		d.buf[i] ^= 0x01;
		cr_assert_eq(stun_classify(d.buf, 20), STUN_KIND_OTHER, "cookie byte %zu", i - 4);
		d.buf[i] ^= 0x01;
	}
	d.buf[0] = 0x3f;
	cr_assert_eq(stun_classify(d.buf, 20), STUN_KIND_MESSAGE);
	d.buf[0] = 0x80;
	cr_assert_eq(stun_classify(d.buf, 20), STUN_KIND_OTHER);
	free(d.buf);
}

Test(stun_parse, the_wrong_cookie_is_refused)
{
	struct draft d = draft_new();

	d.buf[7] ^= 1;
	cr_assert_eq(draft_result(&d), -EBADMSG);
}

Test(stun_parse, a_header_alone_is_a_message)
{
	struct draft d = draft_new();

	cr_assert_eq(draft_result(&d), 0);
}

// RFC 8489 §5, figure 3; RFC 8656 §17 for TURN's methods. The types are those seen on the wire.
static const struct {
	uint16_t type;
	uint16_t method;
	uint8_t class;
} types[] = {
	{0x0001, STUN_BINDING, STUN_REQUEST},
	{0x0011, STUN_BINDING, STUN_INDICATION},
	{0x0101, STUN_BINDING, STUN_SUCCESS},
	{0x0111, STUN_BINDING, STUN_ERROR},
	{0x0003, STUN_ALLOCATE, STUN_REQUEST},
	{0x0113, STUN_ALLOCATE, STUN_ERROR},
	{0x0104, STUN_REFRESH, STUN_SUCCESS},
	{0x0016, STUN_SEND, STUN_INDICATION},
	{0x0017, STUN_DATA, STUN_INDICATION},
	{0x0008, STUN_CREATE_PERMISSION, STUN_REQUEST},
	{0x0109, STUN_CHANNEL_BIND, STUN_SUCCESS},
	{0x3eef, 0xfff, STUN_REQUEST},
	{0x3fff, 0xfff, STUN_ERROR},
	{0x0200, 0x080, STUN_REQUEST},
	{0x0020, 0x010, STUN_REQUEST},
};

Test(stun_parse, method_and_class_are_taken_apart)
{
	struct draft d = draft_new();
	struct stun_view view;

	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		store_be16(d.buf, types[i].type);
		cr_assert_eq(stun_parse(&view, d.buf, d.n_bytes), 0);
		cr_assert_eq(view.method, types[i].method, "%#x", types[i].type);
		cr_assert_eq(view.class, types[i].class, "%#x", types[i].type);
	}
	free(d.buf);
}

Test(stun_write, method_and_class_are_put_together)
{
	struct stun_writer w;
	uint8_t buf[STUN_HEADER_BYTES];

	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		stun_writer_init(&w, buf, sizeof(buf), (enum stun_class)types[i].class,
			types[i].method, (const uint8_t *)"abcdefghijkl");
		cr_assert_eq(load_be16(buf), types[i].type);
	}
}

Test(stun_parse, a_lying_message_length_is_refused)
{
	static const uint16_t lies[] = {0, 4, 11, 13, 16, 0x800c, 0xfffc, 0xffff};

	for (size_t i = 0; i < N_ELEMENTS(lies); i++) {
		struct draft d = draft_new();

		draft_add(&d, STUN_ATTR_SOFTWARE, 8, 8);
		store_be16(d.buf + 2, lies[i]);
		cr_assert_eq(draft_result(&d), -EBADMSG, "%#x", lies[i]);
	}
}

Test(stun_parse, a_length_that_is_no_multiple_of_four_is_refused_even_where_it_is_true)
{
	for (size_t odd = 1; odd < 4; odd++) {
		struct draft d = draft_new();

		d.n_bytes += 4 + odd;
		store_be16(d.buf + 2, (uint16_t)(4 + odd));
		cr_assert_eq(draft_result(&d), -EBADMSG);
	}
}

Test(stun_parse, an_attribute_past_the_end_is_refused)
{
	static const uint16_t lies[] = {9, 12, 0x7fff, 0xfff8, 0xfffc, 0xffff};

	for (size_t i = 0; i < N_ELEMENTS(lies); i++) {
		struct draft d = draft_new();

		draft_add(&d, STUN_ATTR_SOFTWARE, 4, 4);
		draft_add(&d, STUN_ATTR_DATA, lies[i], 8);
		cr_assert_eq(draft_result(&d), -EBADMSG, "%#x", lies[i]);
	}
}

Test(stun_parse, padding_may_hold_anything_and_is_not_counted)
{
	struct draft d = draft_new();
	struct stun_view view;

	draft_add(&d, STUN_ATTR_DATA, 5, 8);
	memset(d.buf + 24, 0xee, 8);
	draft_add(&d, STUN_ATTR_DONT_FRAGMENT, 0, 0);
	cr_assert_eq(draft_parse(&d, &view), 0);
	cr_assert_eq(view.n_attrs, 2);
	cr_assert_eq(view.attrs[0].n_bytes, 5);
	cr_assert_eq(view.attrs[0].value, view.buf + 24);
	cr_assert_eq(view.attrs[1].type, STUN_ATTR_DONT_FRAGMENT);
	cr_assert_eq(view.attrs[1].n_bytes, 0);
	free(d.buf);
}

Test(stun_parse, nothing_may_follow_fingerprint)
{
	static const uint16_t followers[] = {
		STUN_ATTR_SOFTWARE,
		STUN_ATTR_FINGERPRINT,
		STUN_ATTR_MESSAGE_INTEGRITY,
		STUN_ATTR_MESSAGE_INTEGRITY_SHA256,
	};

	for (size_t i = 0; i < N_ELEMENTS(followers); i++) {
		struct draft d = draft_new();

		draft_add(&d, STUN_ATTR_FINGERPRINT, 4, 4);
		draft_add(&d, followers[i], 20, 20);
		cr_assert_eq(draft_result(&d), -EBADMSG, "%#x", followers[i]);
	}
}

static const struct {
	uint16_t type;
	uint16_t n_bytes;
	int err;
} integrity_lengths[] = {
	{STUN_ATTR_MESSAGE_INTEGRITY, 20, 0},
	{STUN_ATTR_MESSAGE_INTEGRITY, 0, -EBADMSG},
	{STUN_ATTR_MESSAGE_INTEGRITY, 19, -EBADMSG},
	{STUN_ATTR_MESSAGE_INTEGRITY, 24, -EBADMSG},
	{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 12, -EBADMSG},
	{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 16, 0},
	{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 18, -EBADMSG},
	{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 28, 0},
	{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 32, 0},
	{STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 36, -EBADMSG},
	{STUN_ATTR_FINGERPRINT, 0, -EBADMSG},
	{STUN_ATTR_FINGERPRINT, 3, -EBADMSG},
	{STUN_ATTR_FINGERPRINT, 4, 0},
	{STUN_ATTR_FINGERPRINT, 8, -EBADMSG},
};

Test(stun_parse, integrity_and_fingerprint_have_legal_lengths)
{
	for (size_t i = 0; i < N_ELEMENTS(integrity_lengths); i++) {
		const uint16_t n_bytes = integrity_lengths[i].n_bytes;
		struct draft d = draft_new();

		draft_add(&d, integrity_lengths[i].type, n_bytes, round_up(n_bytes, 4));
		cr_assert_eq(draft_result(&d), integrity_lengths[i].err, "row %zu", i);
	}
}

Test(stun_parse, after_message_integrity_only_sha256_and_fingerprint_are_seen)
{
	struct draft d = draft_new();
	struct stun_view view;

	draft_add(&d, STUN_ATTR_USERNAME, 4, 4);
	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY, 20, 20);
	draft_add(&d, STUN_ATTR_REALM, 4, 4);
	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY, 4, 4);
	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 32, 32);
	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 4, 4);
	draft_add(&d, STUN_ATTR_FINGERPRINT, 4, 4);
	cr_assert_eq(draft_parse(&d, &view), 0);
	cr_assert_eq(view.n_attrs, 1);
	cr_assert_null(stun_find(&view, STUN_ATTR_REALM));
	cr_assert_eq(view.integrity_offset, 28);
	cr_assert_eq(view.integrity_sha256_offset, 68);
	cr_assert_eq(view.fingerprint_offset, 112);
	free(d.buf);
}

Test(stun_parse, after_sha256_only_fingerprint_is_seen)
{
	struct draft d = draft_new();
	struct stun_view view;

	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, 16, 16);
	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY, 20, 20);
	draft_add(&d, STUN_ATTR_XOR_PEER_ADDRESS, 8, 8);
	draft_add(&d, STUN_ATTR_FINGERPRINT, 4, 4);
	cr_assert_eq(draft_parse(&d, &view), 0);
	cr_assert_eq(view.n_attrs, 0);
	cr_assert_eq(view.integrity_offset, 0);
	cr_assert_eq(view.integrity_sha256_offset, 20);
	cr_assert_eq(view.integrity_sha256_bytes, 16);
	cr_assert_eq(view.fingerprint_offset, 76);
	free(d.buf);
}

Test(stun_parse, thirty_two_attributes_are_taken_and_one_more_is_e2big)
{
	struct draft d = draft_new();
	struct stun_view view;

	for (int i = 0; i < STUN_ATTRS_MAX; i++)
		draft_add(&d, STUN_ATTR_DONT_FRAGMENT, 0, 0);
	cr_assert_eq(stun_parse(&view, d.buf, d.n_bytes), 0);
	cr_assert_eq(view.n_attrs, STUN_ATTRS_MAX);
	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY, 20, 20);
	draft_add(&d, STUN_ATTR_DONT_FRAGMENT, 0, 0);
	cr_assert_eq(stun_parse(&view, d.buf, d.n_bytes), 0);
	d.n_bytes -= 28;
	draft_add(&d, STUN_ATTR_DONT_FRAGMENT, 0, 0);
	cr_assert_eq(draft_result(&d), -E2BIG);
}

// Over TCP a message may be longer than 65,535 bytes: the length field does not count the header.
Test(stun_parse, the_longest_message_keeps_its_offsets)
{
	struct draft d = draft_new();
	struct stun_view view;

	draft_add(&d, STUN_ATTR_DATA, 65496, 65496);
	draft_add(&d, STUN_ATTR_MESSAGE_INTEGRITY, 20, 20);
	draft_add(&d, STUN_ATTR_FINGERPRINT, 4, 4);
	cr_assert_eq(d.n_bytes, MESSAGE_BYTES_MAX);
	cr_assert_eq(draft_parse(&d, &view), 0);
	cr_assert_eq(view.attrs[0].n_bytes, 65496);
	cr_assert_eq(view.integrity_offset, 65520);
	cr_assert_eq(view.fingerprint_offset, 65544);
	free(d.buf);
}
