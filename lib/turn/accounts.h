// Users as people know them: what limits count by. A configured user is one; REST users whose names
// differ only in their time ("1700000000:alice") are one together. An account exists while an
// identity belongs to it. The same name in another realm is another account.
#ifndef TURN_ACCOUNTS_H
#define TURN_ACCOUNTS_H

#include "base/base.h"

#include <stddef.h>
#include <stdint.h>

struct realm;

struct account {
	struct account *next; // in its bucket
	const struct realm *realm;
	uint32_t n_identities;
	uint32_t n_allocations;
	uint16_t n_bytes;
	uint8_t name[];
};

struct accounts {
	struct account **buckets;
	size_t n_buckets; // a power of two
	struct hash_key hash_key;
};

// Returns 0; -ENOMEM.
int accounts_init(struct accounts *accounts, size_t n_expected, const struct hash_key *hash_key);
// All of them were dropped before.
void accounts_fini(struct accounts *accounts);
// For one identity more; made where there is none yet. NULL without memory.
struct account *accounts_hold(
	struct accounts *accounts, const struct realm *realm, const uint8_t *name, size_t n_bytes);
void accounts_drop(struct accounts *accounts, struct account *account);

#endif
