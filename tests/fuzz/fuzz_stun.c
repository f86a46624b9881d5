// Any bytes through the parser, every getter and every check; then what was understood is written
// again and must be understood the same. Also links with any main() that replays files.
#include "stun/stun.h"

#include <stdlib.h>

#define PASSWORD "VOkJxbRl1RmTxUk/WvJxBt" // that of RFC 5769 §2.1 to §2.3, which are seeds
#define MESSAGE_BYTES_MAX 65552
#define TRAILER_BYTES (24 + 36 + 8) // both integrity attributes and FINGERPRINT

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool inside(const struct stun_view *view, const uint8_t *at, size_t n_bytes)
{
	return at >= view->buf + STUN_HEADER_BYTES && at + n_bytes <= view->buf + view->n_bytes;
}

// An address that could be read is written as the same bytes, the reserved first one apart.
static void rewrite_address(const struct stun_view *view, const struct stun_attr *attr)
{
	uint8_t buf[64];
	struct stun_writer w;
	struct endpoint endpoint;

	if (stun_get_xor_address(attr, view->transaction_id, &endpoint) != 0)
		return;
	must(family_bytes(endpoint.ip.family) + 4 == attr->n_bytes);
	stun_writer_init(&w, buf, sizeof(buf), STUN_REQUEST, view->method, view->transaction_id);
	stun_put_xor_address(&w, attr->type, &endpoint);
	must(stun_writer_end(&w) == (size_t)24 + attr->n_bytes);
	must(memcmp(buf + 25, attr->value + 1, attr->n_bytes - 1) == 0);
	must(stun_get_address(attr, &endpoint) == 0);
	stun_writer_init(&w, buf, sizeof(buf), STUN_REQUEST, view->method, view->transaction_id);
	stun_put_address(&w, attr->type, &endpoint);
	must(memcmp(buf + 25, attr->value + 1, attr->n_bytes - 1) == 0);
}

static void read_attrs(const struct stun_view *view)
{
	uint16_t unknown[STUN_UNKNOWN_MAX];
	uint32_t number;
	uint16_t channel;

	must(view->n_attrs <= STUN_ATTRS_MAX);
	must(stun_unknown(view, NULL, 0, unknown) <= STUN_UNKNOWN_MAX);
	for (size_t i = 0; i < view->n_attrs; i++) {
		const struct stun_attr *attr = &view->attrs[i];
		const struct stun_attr *next = stun_find_next(view, attr);

		must(inside(view, attr->value, attr->n_bytes));
		must(stun_find(view, attr->type) <= attr);
		must(!next || (next > attr && next->type == attr->type));
		must((stun_get_u32(attr, &number) == 0) == (attr->n_bytes == 4));
		must((stun_get_channel(attr, &channel) == 0) == (attr->n_bytes == 4));
		must(attr->n_bytes != 4 || channel == number >> 16);
		rewrite_address(view, attr);
	}
}

static size_t rewrite(const struct stun_view *view, struct stun_mac *mac,
	const struct stun_key *key, uint8_t *out, size_t out_bytes)
{
	struct stun_writer w;

	stun_writer_init(&w, out, out_bytes, (enum stun_class)view->class, view->method,
		view->transaction_id);
	for (size_t i = 0; i < view->n_attrs; i++)
		stun_put_bytes(
			&w, view->attrs[i].type, view->attrs[i].value, view->attrs[i].n_bytes);
	stun_put_integrity(&w, mac, key);
	stun_put_integrity_sha256(&w, mac, key);
	stun_put_fingerprint(&w);
	return stun_writer_end(&w);
}

static void expect_same(const struct stun_view *a, const struct stun_view *b)
{
	must(a->method == b->method && a->class == b->class && a->n_attrs == b->n_attrs);
	must(memcmp(a->transaction_id, b->transaction_id, STUN_TRANSACTION_BYTES) == 0);
	for (size_t i = 0; i < a->n_attrs; i++) {
		must(a->attrs[i].type == b->attrs[i].type);
		must(a->attrs[i].n_bytes == b->attrs[i].n_bytes);
		must(memcmp(a->attrs[i].value, b->attrs[i].value, a->attrs[i].n_bytes) == 0);
	}
}

static void check_rewritten(
	const struct stun_view *view, struct stun_mac *mac, const struct stun_key *key)
{
	static uint8_t out[MESSAGE_BYTES_MAX];
	const size_t n_bytes = rewrite(view, mac, key, out, sizeof(out));
	struct stun_view again;

	if (n_bytes == 0) {
		must(view->n_bytes + TRAILER_BYTES > MESSAGE_BYTES_MAX);
		return;
	}
	must(stun_parse(&again, out, n_bytes) == 0);
	expect_same(view, &again);
	must(stun_integrity_check(mac, &again, key));
	must(stun_integrity_sha256_check(mac, &again, key));
	must(stun_fingerprint_check(&again));
	out[n_bytes - TRAILER_BYTES - 1] ^= 1;
	must(!stun_integrity_check(mac, &again, key));
	must(!stun_integrity_sha256_check(mac, &again, key));
	must(!stun_fingerprint_check(&again));
}

static bool try(const uint8_t *data, size_t n_bytes)
{
	static struct stun_mac *mac;
	struct stun_key key = {.bytes = PASSWORD, .n_bytes = sizeof(PASSWORD) - 1};
	const enum stun_kind kind = stun_classify(data, n_bytes);
	struct stun_view view;

	if (!mac)
		must(stun_mac_create(&mac) == 0);
	if (stun_parse(&view, data, n_bytes) != 0)
		return false;
	must(kind == STUN_KIND_MESSAGE);
	must(view.n_bytes == n_bytes);
	read_attrs(&view);
	stun_fingerprint_check(&view);
	stun_integrity_check(mac, &view, &key);
	stun_integrity_sha256_check(mac, &view, &key);
	check_rewritten(&view, mac, &key);
	return true;
}

// What has no cookie and looks like RFC 3489 is read within the same bounds.
static void try_classic(const uint8_t *data, size_t n_bytes)
{
	struct stun_view view;

	if (stun_parse_any(&view, data, n_bytes) != 0 || !view.is_classic)
		return;
	must(stun_classify(data, n_bytes) == STUN_KIND_OTHER);
	must(view.class == STUN_REQUEST && view.n_bytes == n_bytes);
	read_attrs(&view);
}

// A random change of size rarely leaves a true length, so a refused input has a second go with its
// header put right.
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	const size_t whole_bytes = n_bytes & ~(size_t)3;
	uint8_t *copy;

	try_classic(data, n_bytes);
	if (try(data, n_bytes) || n_bytes < STUN_HEADER_BYTES || n_bytes > MESSAGE_BYTES_MAX)
		return 0;
	copy = malloc(whole_bytes);
	must(copy);
	memcpy(copy, data, whole_bytes);
	copy[0] &= 0x3f;
	store_be16(copy + 2, (uint16_t)(whole_bytes - STUN_HEADER_BYTES));
	store_be32(copy + 4, STUN_MAGIC_COOKIE);
	try(copy, whole_bytes);
	free(copy);
	return 0;
}
