// STUN messages in place: one bounded parser, one writer, and their integrity (RFC 8489, RFC 8656).
//
// Order of calls for a request: stun_classify() tells STUN from ChannelData; stun_parse() finds the
// attributes; stun_get_*() read one; stun_integrity_check() verifies. For an answer:
// stun_writer_init(), stun_put_*() in any order, then stun_put_integrity*() and last
// stun_put_fingerprint(), stun_writer_end().
//
// Everything works on the caller's bytes and never allocates, except struct stun_mac, which keeps
// OpenSSL contexts and belongs to one thread.
#ifndef STUN_H
#define STUN_H

#include "base/base.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUN_HEADER_BYTES 20
#define STUN_ATTR_HEADER_BYTES 4
#define STUN_TRANSACTION_BYTES 12
#define STUN_MAGIC_COOKIE 0x2112a442u
#define STUN_FINGERPRINT_XOR 0x5354554eu
#define STUN_ATTRS_MAX 32
#define STUN_UNKNOWN_MAX 8
#define STUN_SOFTWARE_BYTES_MAX 127 // RFC 8489 §14.14: fewer than 128 characters
#define STUN_MD5_BYTES 16
#define STUN_SHA1_BYTES 20
#define STUN_SHA256_BYTES 32
#define STUN_CHANNEL_HEADER_BYTES 4
#define STUN_CHANNEL_MIN 0x4000 // RFC 8656 §12
#define STUN_CHANNEL_MAX 0x4fff
#define STUN_CHANNEL_MAX_RFC5766 0x7fff // what older clients choose from

enum stun_class {
	STUN_REQUEST = 0,
	STUN_INDICATION = 1,
	STUN_SUCCESS = 2,
	STUN_ERROR = 3,
};

enum stun_method {
	STUN_BINDING = 0x001,
	STUN_SHARED_SECRET = 0x002, // RFC 3489 only
	STUN_ALLOCATE = 0x003,
	STUN_REFRESH = 0x004,
	STUN_SEND = 0x006,
	STUN_DATA = 0x007,
	STUN_CREATE_PERMISSION = 0x008,
	STUN_CHANNEL_BIND = 0x009,
};

enum stun_attr_type {
	STUN_ATTR_MAPPED_ADDRESS = 0x0001,
	STUN_ATTR_CHANGE_REQUEST = 0x0003,
	STUN_ATTR_SOURCE_ADDRESS = 0x0004, // RFC 3489 only
	STUN_ATTR_CHANGED_ADDRESS = 0x0005, // RFC 3489 only
	STUN_ATTR_USERNAME = 0x0006,
	STUN_ATTR_MESSAGE_INTEGRITY = 0x0008,
	STUN_ATTR_ERROR_CODE = 0x0009,
	STUN_ATTR_UNKNOWN_ATTRIBUTES = 0x000a,
	STUN_ATTR_CHANNEL_NUMBER = 0x000c,
	STUN_ATTR_LIFETIME = 0x000d,
	STUN_ATTR_XOR_PEER_ADDRESS = 0x0012,
	STUN_ATTR_DATA = 0x0013,
	STUN_ATTR_REALM = 0x0014,
	STUN_ATTR_NONCE = 0x0015,
	STUN_ATTR_XOR_RELAYED_ADDRESS = 0x0016,
	STUN_ATTR_REQUESTED_ADDRESS_FAMILY = 0x0017,
	STUN_ATTR_EVEN_PORT = 0x0018,
	STUN_ATTR_REQUESTED_TRANSPORT = 0x0019,
	STUN_ATTR_DONT_FRAGMENT = 0x001a,
	STUN_ATTR_ACCESS_TOKEN = 0x001b,
	STUN_ATTR_MESSAGE_INTEGRITY_SHA256 = 0x001c,
	STUN_ATTR_PASSWORD_ALGORITHM = 0x001d,
	STUN_ATTR_USERHASH = 0x001e,
	STUN_ATTR_XOR_MAPPED_ADDRESS = 0x0020,
	STUN_ATTR_RESERVATION_TOKEN = 0x0022,
	STUN_ATTR_PRIORITY = 0x0024,
	STUN_ATTR_USE_CANDIDATE = 0x0025,
	STUN_ATTR_PADDING = 0x0026,
	STUN_ATTR_RESPONSE_PORT = 0x0027,
	STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY = 0x8000,
	STUN_ATTR_ADDRESS_ERROR_CODE = 0x8001,
	STUN_ATTR_PASSWORD_ALGORITHMS = 0x8002,
	STUN_ATTR_ICMP = 0x8004,
	STUN_ATTR_SOFTWARE = 0x8022,
	STUN_ATTR_ALTERNATE_SERVER = 0x8023,
	STUN_ATTR_FINGERPRINT = 0x8028,
	STUN_ATTR_ICE_CONTROLLED = 0x8029,
	STUN_ATTR_ICE_CONTROLLING = 0x802a,
	STUN_ATTR_RESPONSE_ORIGIN = 0x802b,
	STUN_ATTR_OTHER_ADDRESS = 0x802c,
	STUN_ATTR_THIRD_PARTY_AUTHORIZATION = 0x802e,
	STUN_ATTR_MOBILITY_TICKET = 0x8030,
	// What RFC 8656 made 0x8000 and 0x8001: coturn and its clients still say it so.
	STUN_ATTR_SSODA_ADDITIONAL_ADDRESS_FAMILY = 0x8032,
	STUN_ATTR_SSODA_ADDRESS_ERROR_CODE = 0x8033,
};

// RFC 8489 §14.8, RFC 8656 §19; 430, 432 and 433: RFC 3489 §11.2.9 only.
enum stun_code {
	STUN_CODE_NONE = 0,
	STUN_TRY_ALTERNATE = 300,
	STUN_BAD_REQUEST = 400,
	STUN_UNAUTHENTICATED = 401,
	STUN_FORBIDDEN = 403,
	STUN_MOBILITY_FORBIDDEN = 405, // RFC 8016
	STUN_UNKNOWN_ATTRIBUTE = 420,
	STUN_STALE_CREDENTIALS = 430,
	STUN_MISSING_USERNAME = 432,
	STUN_USE_TLS = 433,
	STUN_ALLOCATION_MISMATCH = 437,
	STUN_STALE_NONCE = 438,
	STUN_ADDRESS_FAMILY_NOT_SUPPORTED = 440,
	STUN_WRONG_CREDENTIALS = 441,
	STUN_UNSUPPORTED_TRANSPORT = 442,
	STUN_PEER_ADDRESS_FAMILY_MISMATCH = 443,
	STUN_ALLOCATION_QUOTA_REACHED = 486,
	STUN_SERVER_ERROR = 500,
	STUN_INSUFFICIENT_CAPACITY = 508,
};

// What the first bytes of a datagram to a TURN port say (RFC 8656 §12, table 3; RFC 7983).
enum stun_kind {
	STUN_KIND_OTHER,
	STUN_KIND_MESSAGE, // a whole header whose two top bits are 00 and whose magic cookie stands
	STUN_KIND_CHANNEL, // a whole header of 0x4000..0x7fff; the length is not yet checked
};

struct stun_attr {
	uint16_t type;
	uint16_t n_bytes; // of the value, without padding
	const uint8_t *value;
};

struct stun_view {
	const uint8_t *buf;
	size_t n_bytes; // header + attributes; bytes of `buf` past it are not part of the message
	uint16_t method; // 12 bits
	uint8_t class; // enum stun_class
	bool is_classic; // of RFC 3489: the cookie's four bytes are the transaction id's first
	const uint8_t *transaction_id; // STUN_TRANSACTION_BYTES
	// Attributes before the first integrity attribute, in order. After MESSAGE-INTEGRITY only
	// MESSAGE-INTEGRITY-SHA256 and FINGERPRINT are seen, after MESSAGE-INTEGRITY-SHA256 only
	// FINGERPRINT; everything else there is ignored (RFC 8489 §14.5, §14.6). The three
	// themselves are not in here.
	struct stun_attr attrs[STUN_ATTRS_MAX];
	uint16_t n_attrs;
	uint16_t integrity_sha256_bytes; // length of its value: 16..32, a multiple of 4
	// Offsets of the attribute headers in `buf`, up to 65,548; 0 where absent.
	uint32_t integrity_offset;
	uint32_t integrity_sha256_offset;
	uint32_t fingerprint_offset;
};

// Inline, for every packet to a service passes here; media come first.
static inline enum stun_kind stun_classify(const uint8_t *payload, size_t n_bytes)
{
	static_assert(STUN_CHANNEL_MIN == 0x4000 && STUN_CHANNEL_MAX_RFC5766 == 0x7fff,
		"the two top bits tell a channel");
	if (n_bytes >= STUN_CHANNEL_HEADER_BYTES && payload[0] >> 6 == 1)
		return STUN_KIND_CHANNEL;
	if (n_bytes >= STUN_HEADER_BYTES && payload[0] >> 6 == 0 &&
		load_be32(payload + 4) == STUN_MAGIC_COOKIE)
		return STUN_KIND_MESSAGE;
	return STUN_KIND_OTHER;
}

// Whether the length field is of this message: with the header, all of its bytes, in words of four.
static inline bool stun_is_whole(const uint8_t *buf, size_t n_bytes)
{
	const size_t length = load_be16(buf + 2);

	return length % 4 == 0 && STUN_HEADER_BYTES + length == n_bytes;
}

// The attribute at `*offset` of a whole message, and the offset of the next one; false where it
// does not end inside. The message and each step are multiples of four bytes: where a byte is left,
// a header fits.
static inline bool stun_step(
	struct stun_attr *attr, const uint8_t *buf, size_t n_bytes, size_t *offset)
{
	const uint8_t *header = buf + *offset;

	attr->type = load_be16(header);
	attr->n_bytes = load_be16(header + 2);
	attr->value = header + STUN_ATTR_HEADER_BYTES;
	*offset += STUN_ATTR_HEADER_BYTES + round_up(attr->n_bytes, 4);
	return *offset <= n_bytes;
}

// Find all STUN attributes of a message without copying.
//
// `out` points into `buf`, which must outlive it. Checks: the cookie, that the length field is a
// multiple of four and equals n_bytes - 20, that each attribute with its padding ends inside, that
// nothing follows FINGERPRINT, that integrity attributes have a legal length. Values are not
// judged. Safe from any core; never allocates.
//
// Returns 0; -EBADMSG if this is not STUN or a length lies; -E2BIG past STUN_ATTRS_MAX.
int stun_parse(struct stun_view *out, const uint8_t *buf, size_t n_bytes);

// Whether it could be a request of RFC 3489: whole, without the cookie, and one of its two methods.
bool stun_is_classic(const uint8_t *buf, size_t n_bytes);
// stun_parse(), and such requests besides: to those FINGERPRINT and MESSAGE-INTEGRITY-SHA256 are
// attributes like any other.
int stun_parse_any(struct stun_view *out, const uint8_t *buf, size_t n_bytes);

// The first attribute of that type, or NULL (RFC 8489 §14: later ones of it are ignored).
const struct stun_attr *stun_find(const struct stun_view *view, uint16_t type);
// The next one of the same type after `after`, or NULL: for XOR-PEER-ADDRESS, which may repeat
// (RFC 8656 §10.1).
const struct stun_attr *stun_find_next(const struct stun_view *view, const struct stun_attr *after);

// Collect comprehension-required types (below 0x8000) that are not among `known`: up to
// STUN_UNKNOWN_MAX, each once. Returns how many.
size_t stun_unknown(const struct stun_view *view, const uint16_t *known, size_t n_known,
	uint16_t out[static STUN_UNKNOWN_MAX]);

// Read an attribute's value. Return 0, or -EBADMSG where its length or family is wrong.
int stun_get_u32(const struct stun_attr *attr, uint32_t *out);
int stun_get_channel(
	const struct stun_attr *attr, uint16_t *out); // any number; the range is the caller's
int stun_get_address(const struct stun_attr *attr, struct endpoint *out);
int stun_get_xor_address(
	const struct stun_attr *attr, const uint8_t *transaction_id, struct endpoint *out);

// True where FINGERPRINT is present and right (RFC 8489 §14.7).
bool stun_fingerprint_check(const struct stun_view *view);

// Writing. The writer keeps the header's length right after each call. A put that does not fit (the
// buffer, or the 16-bit length fields), an address of no family, and every put after those set
// `overflow`, write nothing, and make stun_writer_end() return 0.
struct stun_writer {
	uint8_t *buf;
	size_t capacity_bytes;
	size_t n_bytes;
	bool overflow;
};

// Write the header. `transaction_id` may lie in `buf` itself: it is read first.
void stun_writer_init(struct stun_writer *w, uint8_t *buf, size_t capacity_bytes,
	enum stun_class class, uint16_t method, const uint8_t *transaction_id);
// Turn the Binding request that lies where `w`, still empty, writes into its success response:
// header and XOR-MAPPED-ADDRESS. The client's address, 4 or 16 bytes, and port are as they lie in
// its packet. Needs 44 bytes of capacity.
void stun_put_mapped(
	struct stun_writer *w, enum family family, const uint8_t *ip, uint16_t port_be);
void stun_put_bytes(struct stun_writer *w, uint16_t type, const void *value, size_t n_bytes);
void stun_put_u32(struct stun_writer *w, uint16_t type, uint32_t value);
void stun_put_channel(struct stun_writer *w, uint16_t channel);
void stun_put_address(struct stun_writer *w, uint16_t type, const struct endpoint *endpoint);
void stun_put_xor_address(struct stun_writer *w, uint16_t type, const struct endpoint *endpoint);
// ERROR-CODE with the RFC's reason phrase, or an empty one (less to amplify).
void stun_put_error(struct stun_writer *w, enum stun_code code, bool with_reason);
const char *stun_reason_phrase(enum stun_code code); // "Forbidden"; of none empty
void stun_put_unknown(struct stun_writer *w, const uint16_t *types, size_t n_types);
void stun_put_fingerprint(struct stun_writer *w);
// Bytes of the finished message, or 0 after an overflow.
static inline size_t stun_writer_end(const struct stun_writer *w)
{
	return w->overflow ? 0 : w->n_bytes;
}

// NAT behaviour discovery (RFC 5780): with two addresses and two ports we are at all four of their
// pairs.
struct stun_discovery {
	struct endpoint primary;
	struct endpoint alternate; // another IP and another port; family none: there is none
};

// The pair that differs from `service` in both. False where `service` is none of the four.
bool stun_discovery_other(const struct stun_discovery *discovery, const struct endpoint *service,
	struct endpoint *out);
// What RFC 5780 §6.1 adds to each Binding answer: MAPPED-ADDRESS, RESPONSE-ORIGIN, OTHER-ADDRESS.
void stun_put_discovery(struct stun_writer *w, const struct endpoint *client,
	const struct endpoint *origin, const struct endpoint *other);

// RFC 8489 §18.5.
enum stun_password_algorithm {
	STUN_PASSWORD_MD5 = 1,
	STUN_PASSWORD_SHA256 = 2,
};

// Keys and integrity (RFC 8489 §9.2.2, §14.5, §14.6).

#define STUN_KEY_BYTES_MAX 64
#define STUN_SIPHASH_BYTES 16 // of a key, and of what comes of it

struct stun_key {
	uint8_t bytes[STUN_KEY_BYTES_MAX];
	uint8_t n_bytes; // 16 for MD5, 32 for SHA-256, or the password itself (short-term)
};

// MAC contexts and digests fetched once. One thread uses it.
struct stun_mac;

// Returns 0; -ENOMEM, or -ENOTSUP where OpenSSL lacks a digest (FIPS hosts lack MD5).
int stun_mac_create(struct stun_mac **out);
void stun_mac_destroy(struct stun_mac *mac); // NULL is fine

// key = MD5(username ":" realm ":" password). All three are bytes, already prepared (OpaqueString).
void stun_key_md5(struct stun_mac *mac, struct stun_key *out, const void *username,
	size_t username_bytes, const void *realm, size_t realm_bytes, const void *password,
	size_t password_bytes);
// key = SHA-256(username ":" realm ":" password).
void stun_key_sha256(struct stun_mac *mac, struct stun_key *out, const void *username,
	size_t username_bytes, const void *realm, size_t realm_bytes, const void *password,
	size_t password_bytes);
// USERHASH (RFC 8489 §14.4): SHA-256(username ":" realm), both prepared.
void stun_userhash(struct stun_mac *mac, uint8_t out[static STUN_SHA256_BYTES],
	const void *username, size_t username_bytes, const void *realm, size_t realm_bytes);
// HMAC over any bytes, for REST passwords and keys: `out` takes 20 or 32 bytes.
void stun_hmac_sha1(struct stun_mac *mac, uint8_t *out, const void *key, size_t key_bytes,
	const void *data, size_t n);
void stun_hmac_sha256(struct stun_mac *mac, uint8_t *out, const void *key, size_t key_bytes,
	const void *data, size_t n);
// SipHash-2-4 of 128 bits, for nonces: a stranger without the key can make none, and it takes a
// quarter of an HMAC's time.
void stun_siphash(struct stun_mac *mac, uint8_t out[static STUN_SIPHASH_BYTES],
	const uint8_t key[static STUN_SIPHASH_BYTES], const void *data, size_t n);

// Constant-time check of MESSAGE-INTEGRITY (false where absent) and of MESSAGE-INTEGRITY-SHA256
// (full 32 bytes only: RFC 8656 does not let TURN truncate).
bool stun_integrity_check(
	struct stun_mac *mac, const struct stun_view *view, const struct stun_key *key);
bool stun_integrity_sha256_check(
	struct stun_mac *mac, const struct stun_view *view, const struct stun_key *key);

void stun_put_integrity(struct stun_writer *w, struct stun_mac *mac, const struct stun_key *key);
void stun_put_integrity_sha256(
	struct stun_writer *w, struct stun_mac *mac, const struct stun_key *key);

#endif
