// A realm: its secrets, limits and peers, and which listeners ask for it. A request belongs to the
// realm of the listener where it arrived. ORIGIN has no say: the client writes it before it has
// shown who it is, and would name the realm with the fewest rules.
#ifndef TURN_REALM_H
#define TURN_REALM_H

#include "turn/peer.h"
#include "turn/turn.h"

#include "stun/stun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct secret {
	char *bytes;
	size_t n_bytes;
	bool sha256;
};

// Allocations at one time; 0: no limit.
struct limits {
	uint32_t in_all;
	uint32_t per_user;
};

#define OFFER_BYTES_MAX 8 // of PASSWORD-ALGORITHMS: two algorithms without parameters

struct realm {
	char *name;
	size_t name_bytes;
	// First the configured ones, then those of the source.
	struct secret *rest_secrets;
	size_t n_rest_secrets;
	size_t n_own_secrets;
	uint8_t offer[OFFER_BYTES_MAX]; // the value of PASSWORD-ALGORITHMS
	size_t offer_bytes; // 0: none is offered
	uint8_t features; // STUN Security Features, the first of three bytes (RFC 8489 §18.1)
	bool offer_changed; // since the start: there are clients that know another one
	uint8_t nonce_key[STUN_SIPHASH_BYTES]; // of this realm: its nonces are stale in others
	bool uses_source;
	size_t source_idx; // its number at the start; SIZE_MAX: the source has no say in it
	struct limits own_limits; // as configured
	struct limits source_limits; // each that is not 0 stands for the configured one
	struct peers peers;

	bool gone; // no longer configured
	struct realm *successor; // while a new configuration is adopted: where users go
	uint32_t n_identities;
	uint32_t n_allocations;
	uint32_t n_widowed; // reserved ports whose allocation has ended
	uint64_t n_created;
	uint64_t n_unauthenticated;
	uint64_t n_quota_reached;
};

// False where it is no realm, or asks for what its users cannot give.
bool realm_is_possible(const struct turn_realm_config *config);
// A zeroed realm, without its users and peers. Returns 0; -ENOMEM; realm_destroy() is due in any
// case.
int realm_init(struct realm *realm, const struct turn_realm_config *config, struct stun_mac *mac,
	const uint8_t nonce_secret[static 32]);
void realm_destroy(struct realm *realm); // NULL is fine
int realm_update(struct realm *realm, const struct turn_realm_update *update);
// What the source has said about `old` holds for `realm` too, where that uses it, and rules about
// peers count on where they are the same. Returns 0; -ENOMEM.
int realm_carry(struct realm *realm, const struct realm *old);
// What is configured becomes that of `next`, which gets what was; the rest stays.
void realm_adopt(struct realm *realm, struct realm *next);
// Those that hold now.
struct limits realm_limits(const struct realm *realm);

#endif
