// From attributes to values.
#include "stun.h"

#include <errno.h>

#define ADDRESS_HEADER_BYTES 4 // a reserved byte, the family, the port

static const struct stun_attr *find_from(
	const struct stun_view *view, const struct stun_attr *attr, uint16_t type)
{
	for (; attr < view->attrs + view->n_attrs; attr++) {
		if (attr->type == type)
			return attr;
	}
	return NULL;
}

const struct stun_attr *stun_find(const struct stun_view *view, uint16_t type)
{
	return find_from(view, view->attrs, type);
}

const struct stun_attr *stun_find_next(const struct stun_view *view, const struct stun_attr *after)
{
	return find_from(view, after + 1, after->type);
}

static bool contains(const uint16_t *types, size_t n_types, uint16_t type)
{
	for (size_t i = 0; i < n_types; i++) {
		if (types[i] == type)
			return true;
	}
	return false;
}

size_t stun_unknown(const struct stun_view *view, const uint16_t *known, size_t n_known,
	uint16_t out[static STUN_UNKNOWN_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < view->n_attrs && n < STUN_UNKNOWN_MAX; i++) {
		const uint16_t type = view->attrs[i].type;

		if (type < 0x8000 && !contains(known, n_known, type) && !contains(out, n, type))
			out[n++] = type;
	}
	return n;
}

int stun_get_u32(const struct stun_attr *attr, uint32_t *out)
{
	if (attr->n_bytes != sizeof(*out))
		return -EBADMSG;
	*out = load_be32(attr->value);
	return 0;
}

int stun_get_channel(const struct stun_attr *attr, uint16_t *out)
{
	// RFC 8656 §18.1: the two bytes after the number are ignored.
	if (attr->n_bytes != 4)
		return -EBADMSG;
	*out = load_be16(attr->value);
	return 0;
}

int stun_get_address(const struct stun_attr *attr, struct endpoint *out)
{
	size_t ip_bytes;

	if (attr->n_bytes < ADDRESS_HEADER_BYTES)
		return -EBADMSG;
	// RFC 8489 §14.1: the first byte is ignored.
	ip_bytes = family_bytes(attr->value[1]);
	if (ip_bytes == 0 || attr->n_bytes != ADDRESS_HEADER_BYTES + ip_bytes)
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->ip.family = attr->value[1];
	memcpy(out->ip.bytes, attr->value + ADDRESS_HEADER_BYTES, ip_bytes);
	out->port = load_be16(attr->value + 2);
	return 0;
}

int stun_get_xor_address(
	const struct stun_attr *attr, const uint8_t *transaction_id, struct endpoint *out)
{
	uint8_t mask[IPV6_BYTES];
	size_t ip_bytes;

	if (stun_get_address(attr, out) != 0)
		return -EBADMSG;
	// RFC 8489 §14.2: the cookie, and for IPv6 the transaction id after it.
	store_be32(mask, STUN_MAGIC_COOKIE);
	memcpy(mask + 4, transaction_id, STUN_TRANSACTION_BYTES);
	ip_bytes = family_bytes(out->ip.family);
	for (size_t i = 0; i < ip_bytes; i++)
		out->ip.bytes[i] ^= mask[i];
	out->port ^= STUN_MAGIC_COOKIE >> 16;
	return 0;
}
