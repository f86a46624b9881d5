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

#define OFFER_BYTES_MAX 8 // of PASSWORD-ALGORITHMS: two algorithms without parameters

struct realm {
	char *name;
	size_t name_bytes;
	struct endpoint *services;
	size_t n_services;
	// First the configured ones, then those of the source.
	struct secret *rest_secrets;
	size_t n_rest_secrets;
	size_t n_own_secrets;
	uint8_t offer[OFFER_BYTES_MAX]; // the value of PASSWORD-ALGORITHMS
	size_t offer_bytes; // 0: none is offered
	uint8_t features; // STUN Security Features, the first of three bytes (RFC 8489 §18.1)
	uint8_t nonce_secret[STUN_SHA256_BYTES]; // of this realm: its nonces are stale in others
	bool uses_source;
	uint32_t n_allocations_max; // 0: no limit
	uint32_t n_own_allocations_max; // as configured
	uint32_t n_allocations_per_user; // 0: no limit
	uint32_t n_own_allocations_per_user;
	struct peers peers;

	uint32_t n_allocations;
	uint64_t n_created;
	uint64_t n_unauthenticated;
	uint64_t n_quota_reached;
};

// False where it is no realm, or asks for what its users cannot give.
bool realm_is_possible(const struct turn_realm_config *config);
// A zeroed realm, without its users and peers. Returns 0; -ENOMEM; realm_fini() is due in any case.
int realm_init(struct realm *realm, const struct turn_realm_config *config, struct stun_mac *mac,
	const uint8_t nonce_secret[static 32]);
void realm_fini(struct realm *realm);
int realm_update(struct realm *realm, const struct turn_realm_update *update);
// The one that `service` asks for.
struct realm *realm_of(const struct turn *turn, const struct endpoint *service);

#endif
