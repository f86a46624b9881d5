// What Redis said about users, kept for a while: known ones and unknown ones apart, so that a flood
// of names that nobody has drives out nobody. Of either kind the one that was not asked for longest
// goes first. Pure: time is an argument.
#ifndef REDIS_CACHE_H
#define REDIS_CACHE_H

#include "base/base.h"
#include "turn/turn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_RETRY_MS 1000 // what got no answer is not asked for again before

enum cache_state {
	CACHE_UNKNOWN, // there is no such user
	CACHE_KNOWN,
	CACHE_FAILED, // nothing is known, for there was no answer
};

struct cache_list {
	struct cache_user *newest;
	struct cache_user *oldest;
	size_t n;
};

struct cache_user {
	struct cache_user *next; // in its bucket
	struct cache_list *list; // NULL while it is asked for: it stays until there is an answer
	struct cache_user *newer;
	struct cache_user *older;
	uint64_t expires_ms; // then Redis is asked again
	enum cache_state state;
	struct turn_keys keys; // where known
	uint32_t realm_idx;
	uint16_t n_bytes;
	uint8_t name[];
};

struct cache {
	struct cache_user **buckets;
	size_t n_buckets; // a power of two
	struct hash_key hash_key;
	size_t n_max; // of each list
	size_t n_asked;
	uint64_t known_ms;
	uint64_t unknown_ms;
	struct cache_list known;
	struct cache_list unknown; // and failed
};

// At most `n_max` users of either kind, good for so long. Returns 0; -ENOMEM.
int cache_init(struct cache *cache, size_t n_max, uint64_t known_ms, uint64_t unknown_ms);
void cache_fini(struct cache *cache);
// NULL: nothing is known of it.
struct cache_user *cache_find(
	struct cache *cache, size_t realm_idx, const void *name, size_t n_bytes);
// It is about to be asked for: `user`, or where that is NULL a new one of that name. NULL without
// memory.
struct cache_user *cache_ask(struct cache *cache, struct cache_user *user, size_t realm_idx,
	const void *name, size_t n_bytes);
// The answer to that; `keys` NULL: there is no such user.
void cache_answer(struct cache *cache, struct cache_user *user, const struct turn_keys *keys,
	uint64_t now_ms);
// There is no answer: who was known stays so.
void cache_no_answer(struct cache *cache, struct cache_user *user, uint64_t now_ms);

#endif
