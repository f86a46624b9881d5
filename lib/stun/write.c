// From values to bytes. reserve() alone writes attribute headers, padding and the message length.
#include "stun.h"

#define LENGTH_MAX 65532 // the largest multiple of four that the header's length field holds
#define BINDING_SUCCESS 0x0101u
#define MAPPED_BYTES_MAX \
	(STUN_HEADER_BYTES + STUN_ATTR_HEADER_BYTES + ADDRESS_HEADER_BYTES + IPV6_BYTES)
#define ADDRESS_HEADER_BYTES 4 // a reserved byte, the family, the port

void stun_writer_init(struct stun_writer *w, uint8_t *buf, size_t capacity_bytes,
	enum stun_class class, uint16_t method, const uint8_t *transaction_id)
{
	const uint16_t class_bits = (class & 1) << 4 | (class & 2) << 7;
	const uint16_t method_bits =
		(method & 0x000f) | (method & 0x0070) << 1 | (method & 0x0f80) << 2;
	uint8_t id[STUN_TRANSACTION_BYTES];

	w->buf = buf;
	w->capacity_bytes = capacity_bytes;
	w->n_bytes = 0;
	w->overflow = capacity_bytes < STUN_HEADER_BYTES;
	if (w->overflow)
		return;
	memcpy(id, transaction_id, sizeof(id));
	store_be16(buf, class_bits | method_bits);
	store_be16(buf + 2, 0);
	store_be32(buf + 4, STUN_MAGIC_COOKIE);
	memcpy(buf + 8, id, sizeof(id));
	w->n_bytes = STUN_HEADER_BYTES;
}

// Append an attribute; the caller fills the value. NULL after an overflow.
static uint8_t *reserve(struct stun_writer *w, uint16_t type, size_t n_bytes)
{
	const size_t padded_bytes = round_up(n_bytes, 4);
	uint8_t *attr = w->buf + w->n_bytes;
	size_t end;

	if (n_bytes > UINT16_MAX)
		w->overflow = true;
	if (w->overflow)
		return NULL;
	end = w->n_bytes + STUN_ATTR_HEADER_BYTES + padded_bytes;
	if (end > w->capacity_bytes || end > STUN_HEADER_BYTES + LENGTH_MAX) {
		w->overflow = true;
		return NULL;
	}
	store_be16(attr, type);
	store_be16(attr + 2, (uint16_t)n_bytes);
	for (size_t i = n_bytes; i < padded_bytes; i++)
		attr[STUN_ATTR_HEADER_BYTES + i] = 0;
	w->n_bytes = end;
	store_be16(w->buf + 2, (uint16_t)(end - STUN_HEADER_BYTES));
	return attr + STUN_ATTR_HEADER_BYTES;
}

void stun_put_bytes(struct stun_writer *w, uint16_t type, const void *value, size_t n_bytes)
{
	uint8_t *out = reserve(w, type, n_bytes);

	if (out && n_bytes > 0)
		memcpy(out, value, n_bytes);
}

void stun_put_u32(struct stun_writer *w, uint16_t type, uint32_t value)
{
	uint8_t *out = reserve(w, type, sizeof(value));

	if (out)
		store_be32(out, value);
}

void stun_put_channel(struct stun_writer *w, uint16_t channel)
{
	stun_put_u32(w, STUN_ATTR_CHANNEL_NUMBER, (uint32_t)channel << 16);
}

// The first two bytes of `mask` also hide the port.
static void put_masked(struct stun_writer *w, uint16_t type, const struct endpoint *endpoint,
	const uint8_t mask[static IPV6_BYTES])
{
	const uint8_t family = endpoint->ip.family;
	const uint8_t *ip = endpoint->ip.bytes;
	uint8_t *out;

	w->overflow |= family_bytes(family) == 0;
	out = reserve(w, type, ADDRESS_HEADER_BYTES + family_bytes(family));
	if (!out)
		return;
	store_be32(out, (uint32_t)family << 16 | (endpoint->port ^ load_be16(mask)));
	out += ADDRESS_HEADER_BYTES;
	store_u32(out, load_u32(ip) ^ load_u32(mask));
	for (size_t at = 4; family == FAMILY_IPV6 && at < IPV6_BYTES; at += 4)
		store_u32(out + at, load_u32(ip + at) ^ load_u32(mask + at));
}

void stun_put_address(struct stun_writer *w, uint16_t type, const struct endpoint *endpoint)
{
	static const uint8_t no_mask[IPV6_BYTES];

	put_masked(w, type, endpoint, no_mask);
}

void stun_put_xor_address(struct stun_writer *w, uint16_t type, const struct endpoint *endpoint)
{
	if (w->overflow)
		return;
	// RFC 8489 §14.2: the cookie and the transaction id, as they lie in the header.
	put_masked(w, type, endpoint, w->buf + 4);
}

// In words of eight bytes, which the checksum loads next: the cookie and the transaction id, which
// hide the address, are there.
void stun_put_mapped(struct stun_writer *w, enum family family, const uint8_t *ip, uint16_t port_be)
{
	const uint16_t value_bytes = (uint16_t)(ADDRESS_HEADER_BYTES + family_bytes(family));
	const uint32_t type = BINDING_SUCCESS << 16 | (STUN_ATTR_HEADER_BYTES + value_bytes);
	const uint32_t attr = (uint32_t)STUN_ATTR_XOR_MAPPED_ADDRESS << 16 | value_bytes;
	uint8_t *buf = w->buf;
	const uint8_t *mask = buf + 4;
	const uint32_t head = (uint32_t)family << 8 | (uint32_t)(port_be ^ load_u16(mask)) << 16;
	const uint32_t ip_first = load_u32(ip) ^ load_u32(mask);

	assert(w->capacity_bytes >= MAPPED_BYTES_MAX);
	store_u64(buf, __builtin_bswap32(type) | (uint64_t)load_u32(mask) << 32);
	store_u64(buf + 16, load_u32(mask + 12) | (uint64_t)__builtin_bswap32(attr) << 32);
	store_u64(buf + 24, head | (uint64_t)ip_first << 32);
	if (family == FAMILY_IPV6) {
		store_u64(buf + 32, load_u64(ip + 4) ^ load_u64(mask + 4));
		store_u32(buf + 40, load_u32(ip + 12) ^ load_u32(mask + 12));
	}
	w->n_bytes = STUN_HEADER_BYTES + STUN_ATTR_HEADER_BYTES + value_bytes;
}

const char *stun_reason_phrase(enum stun_code code)
{
	switch (code) {
	case STUN_TRY_ALTERNATE:
		return "Try Alternate";
	case STUN_BAD_REQUEST:
		return "Bad Request";
	case STUN_UNAUTHENTICATED:
		return "Unauthenticated";
	case STUN_FORBIDDEN:
		return "Forbidden";
	case STUN_MOBILITY_FORBIDDEN:
		return "Mobility Forbidden";
	case STUN_UNKNOWN_ATTRIBUTE:
		return "Unknown Attribute";
	case STUN_STALE_CREDENTIALS:
		return "Stale Credentials";
	case STUN_MISSING_USERNAME:
		return "Missing Username";
	case STUN_USE_TLS:
		return "Use TLS";
	case STUN_ALLOCATION_MISMATCH:
		return "Allocation Mismatch";
	case STUN_STALE_NONCE:
		return "Stale Nonce";
	case STUN_ADDRESS_FAMILY_NOT_SUPPORTED:
		return "Address Family not Supported";
	case STUN_WRONG_CREDENTIALS:
		return "Wrong Credentials";
	case STUN_UNSUPPORTED_TRANSPORT:
		return "Unsupported Transport Protocol";
	case STUN_PEER_ADDRESS_FAMILY_MISMATCH:
		return "Peer Address Family Mismatch";
	case STUN_ALLOCATION_QUOTA_REACHED:
		return "Allocation Quota Reached";
	case STUN_SERVER_ERROR:
		return "Server Error";
	case STUN_INSUFFICIENT_CAPACITY:
		return "Insufficient Capacity";
	case STUN_CODE_NONE:
		break;
	}
	return "";
}

void stun_put_error(struct stun_writer *w, enum stun_code code, bool with_reason)
{
	const char *reason = with_reason ? stun_reason_phrase(code) : "";
	const size_t reason_bytes = strlen(reason);
	uint8_t *out = reserve(w, STUN_ATTR_ERROR_CODE, 4 + reason_bytes);

	if (!out)
		return;
	store_be16(out, 0);
	out[2] = (uint8_t)(code / 100);
	out[3] = (uint8_t)(code % 100);
	memcpy(out + 4, reason, reason_bytes);
}

void stun_put_unknown(struct stun_writer *w, const uint16_t *types, size_t n_types)
{
	uint8_t *out = reserve(w, STUN_ATTR_UNKNOWN_ATTRIBUTES, n_types * sizeof(*types));

	for (size_t i = 0; out && i < n_types; i++)
		store_be16(out + i * sizeof(*types), types[i]);
}
