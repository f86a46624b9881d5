// Users as people know them: what limits count by. A configured user is one; REST users whose names
// differ only in their time ("1700000000:alice") are one together. An account exists while an
// identity belongs to it, and rests behind that for as long as its new peers count: nobody gets rid
// of them by ending his last allocation. The same name in another realm is another account.
#ifndef TURN_ACCOUNTS_H
#define TURN_ACCOUNTS_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct realm;

struct account {
	struct account *next; // in its bucket
	const struct realm *realm;
	uint32_t n_identities;
	uint32_t n_allocations;
	uint32_t n_widowed; // reserved ports whose allocation has ended
	uint32_t idx; // while it has allocations, its own among all such
	struct bucket fresh; // new peer addresses
	struct account *next_resting;
	bool resting; // it is in that list, for which it may have come back meanwhile
	uint16_t n_bytes;
	uint8_t name[];
};

struct accounts {
	struct account **buckets;
	size_t n_buckets; // a power of two
	struct hash_key hash_key;
	uint32_t *free_idxs; // a stack of those that were given back
	size_t n_free_idxs_max;
	uint32_t n_free_idxs;
	uint32_t n_idxs; // ever given out
	struct account *first_resting; // who was left first
	struct account *last_resting;
};

// Returns 0; -ENOMEM.
int accounts_init(struct accounts *accounts, size_t n_expected, const struct hash_key *hash_key);
// All of them were dropped before; those that rest end here.
void accounts_fini(struct accounts *accounts);
// For one identity more; made where there is none yet. NULL without memory.
struct account *accounts_hold(
	struct accounts *accounts, const struct realm *realm, const uint8_t *name, size_t n_bytes);
// For one identity more.
struct account *account_share(struct account *account);
// An allocation more or less. No more accounts than were expected may have some.
void accounts_add_allocation(struct accounts *accounts, struct account *account);
void accounts_remove_allocation(struct accounts *accounts, struct account *account);
void accounts_drop(struct accounts *accounts, struct account *account);
// Those that rest end where they owe nothing by that rate.
void accounts_wake(struct accounts *accounts, const struct bucket_rate *rate, uint64_t now_ms);
// Those of a realm that is to end.
void accounts_forget(struct accounts *accounts, const struct realm *realm);
// The account of that realm and name, in `next` for one identity, becomes one here or makes way for
// the one that is here: that one is held for the identity.
struct account *accounts_adopt(struct accounts *accounts, struct accounts *next,
	struct account *account, const struct realm *realm);
// Of the two rooms for indices, the larger becomes ours.
void accounts_adopt_room(struct accounts *accounts, struct accounts *next);
// As many indices are out as accounts have allocations, and no two of them are the same.
bool accounts_are_sound(const struct accounts *accounts);

#endif
