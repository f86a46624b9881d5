// From bytes to a view: what a datagram is, and where the attributes of a message lie.
#include "stun.h"

#include <errno.h>

#define FINGERPRINT_BYTES 4
#define SHA256_TRUNCATED_BYTES_MIN 16

static bool is_sealed(const struct stun_view *view)
{
	return view->integrity_offset != 0 || view->integrity_sha256_offset != 0;
}

static uint32_t header_offset(const struct stun_view *view, const struct stun_attr *attr)
{
	return (uint32_t)(attr->value - STUN_ATTR_HEADER_BYTES - view->buf);
}

static int place_integrity(struct stun_view *out, const struct stun_attr *attr)
{
	if (is_sealed(out))
		return 0;
	if (attr->n_bytes != STUN_SHA1_BYTES)
		return -EBADMSG;
	out->integrity_offset = header_offset(out, attr);
	return 0;
}

static int place_integrity_sha256(struct stun_view *out, const struct stun_attr *attr)
{
	if (out->integrity_sha256_offset != 0)
		return 0;
	// RFC 8489 §14.6: at least 16 bytes, at most 32, a multiple of four.
	if (attr->n_bytes < SHA256_TRUNCATED_BYTES_MIN || attr->n_bytes > STUN_SHA256_BYTES ||
		attr->n_bytes % 4 != 0)
		return -EBADMSG;
	out->integrity_sha256_offset = header_offset(out, attr);
	out->integrity_sha256_bytes = attr->n_bytes;
	return 0;
}

static int place(struct stun_view *out, const struct stun_attr *attr)
{
	switch (attr->type) {
	case STUN_ATTR_MESSAGE_INTEGRITY:
		return place_integrity(out, attr);
	// Neither is anything to RFC 3489: one not to be understood, the other to be ignored.
	case STUN_ATTR_MESSAGE_INTEGRITY_SHA256:
		if (out->is_classic)
			break;
		return place_integrity_sha256(out, attr);
	case STUN_ATTR_FINGERPRINT:
		if (out->is_classic)
			break;
		out->fingerprint_offset = header_offset(out, attr);
		return attr->n_bytes == FINGERPRINT_BYTES ? 0 : -EBADMSG;
	}
	// RFC 8489 §14.5, §14.6: what follows an integrity attribute is not covered by it.
	if (is_sealed(out))
		return 0;
	if (out->n_attrs == STUN_ATTRS_MAX)
		return -E2BIG;
	out->attrs[out->n_attrs++] = *attr;
	return 0;
}

static int find_attrs(struct stun_view *out)
{
	size_t offset = STUN_HEADER_BYTES;

	while (offset < out->n_bytes) {
		struct stun_attr attr;
		int err;

		// RFC 8489 §14.7: FINGERPRINT is the last attribute.
		if (!stun_step(&attr, out->buf, out->n_bytes, &offset) ||
			out->fingerprint_offset != 0)
			return -EBADMSG;
		err = place(out, &attr);
		if (err)
			return err;
	}
	return 0;
}

// A whole message.
static int parse(struct stun_view *out, const uint8_t *buf, size_t n_bytes, bool is_classic)
{
	const uint16_t type = load_be16(buf);

	out->is_classic = is_classic;
	out->buf = buf;
	out->n_bytes = n_bytes;
	// RFC 8489 §5, figure 3: the class bits C1 and C0 lie between those of the method.
	out->method = (type & 0x000f) | (type & 0x00e0) >> 1 | (type & 0x3e00) >> 2;
	out->class = (type >> 4 & 1) | (type >> 7 & 2);
	out->transaction_id = buf + STUN_HEADER_BYTES - STUN_TRANSACTION_BYTES;
	out->n_attrs = 0;
	out->integrity_offset = 0;
	out->integrity_sha256_offset = 0;
	out->integrity_sha256_bytes = 0;
	out->fingerprint_offset = 0;
	return find_attrs(out);
}

int stun_parse(struct stun_view *out, const uint8_t *buf, size_t n_bytes)
{
	if (stun_classify(buf, n_bytes) != STUN_KIND_MESSAGE || !stun_is_whole(buf, n_bytes))
		return -EBADMSG;
	return parse(out, buf, n_bytes, false);
}

bool stun_is_classic(const uint8_t *buf, size_t n_bytes)
{
	if (n_bytes < STUN_HEADER_BYTES || !stun_is_whole(buf, n_bytes))
		return false;
	return load_be32(buf + 4) != STUN_MAGIC_COOKIE &&
		(load_be16(buf) == STUN_BINDING || load_be16(buf) == STUN_SHARED_SECRET);
}

int stun_parse_any(struct stun_view *out, const uint8_t *buf, size_t n_bytes)
{
	if (stun_is_classic(buf, n_bytes))
		return parse(out, buf, n_bytes, true);
	return stun_parse(out, buf, n_bytes);
}
