// Who may ask: the configured users, and the REST users that own an allocation. An identity (realm,
// name, key and account) exists once, whatever the number of its allocations, and holds as long as
// one of them or the configuration.
#ifndef TURN_USERS_H
#define TURN_USERS_H

#include "turn/accounts.h"
#include "turn/turn.h"

#include "base/base.h"
#include "stun/stun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct realm;

// Who signed a request.
struct principal {
	const uint8_t *name;
	size_t n_bytes;
	struct turn_keys keys;
	bool rest; // its name begins with a time
};

struct identity {
	struct identity *next; // in its bucket
	struct realm *realm;
	uint32_t n_references; // of allocations; a configured one lives without
	bool configured;
	bool revoked; // was configured, and lives by its allocations: its key is good for nothing
	bool kept; // while a new configuration is adopted
	struct account *account;
	struct turn_keys keys;
	uint16_t n_bytes;
	uint8_t name[];
};

// RFC 8489 §14.4: SHA-256(name ":" realm), of a configured one.
struct userhash {
	uint8_t bytes[STUN_SHA256_BYTES];
	struct identity *identity;
};

struct users {
	struct identity **buckets;
	struct userhash *hashes; // open addressing, at most half full; identity NULL is free
	size_t n_hashes; // a power of two
	size_t n_buckets; // a power of two
	size_t n; // identities
	struct hash_key hash_key;
	struct accounts accounts;
};

// For `n_configured` identities and `n_others`, in all realms. Returns 0; -ENOMEM.
int users_init(struct users *users, size_t n_configured, size_t n_others);
// A configured one. Returns 0; -ENOMEM; -EINVAL for a name that cannot be, or is there already.
int users_add(struct users *users, struct stun_mac *mac, struct realm *realm,
	const struct turn_user *user);
// The configured ones of `next`, in the place of those here: into the realms' successors. Who is
// not there is revoked. What `next` has left is for users_fini().
void users_adopt(struct users *users, struct users *next);
void users_fini(struct users *users);
// The configured one of that realm and name, or NULL.
const struct identity *users_find(
	const struct users *users, const struct realm *realm, const void *name, size_t n_bytes);
const struct identity *users_find_hash(const struct users *users, const struct realm *realm,
	const uint8_t hash[static STUN_SHA256_BYTES]);
// Take a reference to the identity of who has just signed, made where there is none yet. It counts
// for `account`, or NULL: for the one of its own. NULL without memory.
struct identity *users_hold(struct users *users, struct realm *realm, const struct principal *who,
	struct account *account);
// One reference more.
struct identity *identity_share(struct identity *identity);
void users_drop(struct users *users, struct identity *identity);
bool identity_is(const struct identity *identity, const void *name, size_t n_bytes);
// The allocations that all accounts of a realm count.
uint64_t users_count_allocations(const struct users *users, const struct realm *realm);
uint64_t users_count_widowed(const struct users *users, const struct realm *realm);
// The identities of a realm.
size_t users_count(const struct users *users, const struct realm *realm);
// The references all identities have; -1 where one has none and should not be.
int64_t users_count_references(const struct users *users);

#endif
