// A request as a client means it, and an answer as a client reads it: what the reference model
// judges and what the wire carries. Neither the model nor who draws requests ever sees a byte of
// STUN.
#ifndef SIM_REQUEST_H
#define SIM_REQUEST_H

#include "base/base.h"
#include "stun/stun.h"

#include <stdbool.h>
#include <stdint.h>

#define REALM "sim"
#define REALMS_MAX 2
#define OFFER "\x00\x02\x00\x00\x00\x01\x00\x00" // SHA-256, then MD5
#define OFFER_TURNED "\x00\x01\x00\x00\x00\x02\x00\x00" // what a man in the middle may try
#define OFFER_BYTES 8
#define TOKEN_BYTES 8
#define TICKET_BYTES 32
#define PASS_BYTES_MAX 96
#define NONCE_BYTES_MAX 128
#define PEERS_MAX 12

static inline const char *realm_name(uint8_t realm)
{
	return realm ? "another realm" : REALM;
}

// An access token (RFC 7635), as its issuer made it.
struct pass {
	uint8_t bytes[PASS_BYTES_MAX];
	size_t n;
	int64_t made_s;
	uint32_t lifetime_s;
	bool genuine; // sealed with the key of its kid, for us
};

// A name, and the keys of its password. A REST user's name holds when it ends. Who has a token has
// the key in it, and its kid for a name.
struct user {
	char name[32];
	char account[32]; // whom its allocations count for
	uint8_t realm; // whose name went into the keys
	uint8_t number; // of a configured one in his realm
	struct stun_key md5;
	struct stun_key sha256;
	struct stun_key mac; // n_bytes 0: has no token
	struct pass pass;
	int64_t expires_s; // 0: configured
	bool exists;
};

// As an answer gave it to the client at `owner`.
struct nonce {
	uint8_t bytes[NONCE_BYTES_MAX];
	size_t n;
	struct endpoint service; // that gave it
	struct endpoint owner;
	uint64_t made_ms;
	bool genuine; // every byte is as it was given
	bool has_cookie;
	bool offered; // algorithms, with it
};

// The same for MOBILITY-TICKET (RFC 8016).
struct ticket {
	uint8_t bytes[TICKET_BYTES];
	uint64_t life; // the number of its allocation
	unsigned generation;
	bool genuine;
};

enum signature {
	SIGNATURE_NONE,
	SIGNATURE_RIGHT,
	SIGNATURE_WRONG,
};

struct login {
	struct user user;
	struct nonce nonce;
	bool has_name;
	bool has_userhash;
	bool has_realm;
	bool has_nonce;
	bool has_pass; // ACCESS-TOKEN
	bool has_offer;
	bool offer_is_true;
	bool offer_is_short; // where it is not true; else it is turned around
	bool has_choice;
	uint16_t choice; // enum stun_password_algorithm, or another number
	uint16_t key; // enum stun_password_algorithm: the one it signs with
	uint8_t sha1; // enum signature
	uint8_t sha256;
};

// Attributes that a request can have, or have malformed.
enum request_attr {
	HAS_LIFETIME = 1 << 0,
	HAS_TRANSPORT = 1 << 1,
	HAS_FAMILY = 1 << 2,
	HAS_ADDITIONAL = 1 << 3,
	HAS_EVEN_PORT = 1 << 4,
	HAS_TOKEN = 1 << 5,
	HAS_CHANNEL = 1 << 6,
	HAS_PEER = 1 << 7, // malformed: the last one
	HAS_DONT_FRAGMENT = 1 << 8,
	HAS_UNKNOWN_REQUIRED = 1 << 9,
	HAS_UNKNOWN_OPTIONAL = 1 << 10,
	HAS_TICKET = 1 << 11, // empty but in a Refresh
};

struct request {
	uint16_t method;
	uint8_t class;
	uint8_t fingerprint; // enum signature
	struct endpoint service;
	struct endpoint client;
	unsigned tuple; // the number of these two together
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	struct login login;
	unsigned has; // enum request_attr
	unsigned malformed;
	uint32_t lifetime_s;
	uint8_t protocol;
	uint8_t family;
	uint8_t additional;
	bool pair; // the R bit of EVEN-PORT
	uint8_t token[TOKEN_BYTES];
	struct ticket ticket;
	uint16_t channel;
	struct endpoint peers[PEERS_MAX];
	unsigned n_peers;
};

#define ANSWER_NONE (-1)

struct answer {
	int code; // 0: success; ANSWER_NONE
	struct endpoint relayed[2]; // IPv4, IPv6; family none: not there, so in all of these
	unsigned n_relayed;
	struct endpoint mapped;
	struct endpoint alternate;
	uint8_t token[TOKEN_BYTES];
	bool has_token;
	bool has_lifetime;
	uint32_t lifetime_s;
	bool has_address_error;
	uint8_t lacking_family; // of ADDRESS-ERROR-CODE
	int lacking_code;
	bool has_ticket;
	uint8_t ticket[TICKET_BYTES];
	int realm; // -1: not there; -2: none of ours
	bool has_server; // THIRD-PARTY-AUTHORIZATION
	bool has_offer;
	bool has_unknown;
	struct nonce nonce; // n 0: not there
	unsigned n_attrs; // of all kinds, integrity and FINGERPRINT apart
	bool has_sha1;
	bool has_sha256;
	bool has_fingerprint;
};

static inline bool request_has(const struct request *request, enum request_attr attr)
{
	return request->has & attr;
}

static inline bool request_spoils(const struct request *request, enum request_attr attr)
{
	return request->has & request->malformed & attr;
}

#endif
