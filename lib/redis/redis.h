// Users, REST secrets, quotas and peer lists from Redis, under the keys that coturn uses:
//
//     turn/realm/REALM/user/NAME/key           32 hex digits, MD5(NAME:REALM:PASSWORD)
//     turn/realm/REALM/user/NAME/key-sha256    64 hex digits, SHA-256 of the same; ours alone
//     turn/realm/REALM/secret                  a set of REST secrets
//     turn/realm/REALM/total-quota, user-quota            allocations of the realm, of each user
//     turn/realm/REALM/allowed-peer-ip, denied-peer-ip    sets of addresses, ranges and networks
//
// And the other way, whatever redis_tell() is given.
//
// Asynchronous in the caller's event loop; nothing here waits. What was read is cached within
// bounds. While Redis cannot be reached, users that are cached stay good however old they are, and
// so do the settings of realms; the link is tried again with growing pauses. One thread calls all
// of it.
//
// Order of calls: redis_open(); turn_create() with redis_source(); redis_start(); redis_close()
// when no turn_handle() comes any more.
#ifndef REDIS_H
#define REDIS_H

#include "base/base.h"
#include "turn/turn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

struct redis_config {
	const char *path; // a local socket; NULL: `server`
	struct endpoint server;
	const char *user; // of Redis's access lists; NULL: the default one
	const char *password; // NULL: none
	uint32_t database;
	const char *const *realms; // by their index in lib/turn; NULL: not in Redis
	size_t n_realms;
	uint32_t timeout_ms; // without an answer for so long the link is given up
	uint32_t refresh_s; // how often the settings of realms are read
	uint32_t cache_s; // how long a user is good without asking again
	uint32_t unknown_cache_s; // how long a name that nobody has
	uint32_t n_cached_max; // users, and as many unknown names
	uint32_t n_waiting_max; // users that are asked for at one time
};

struct redis_callbacks {
	// Users were answered, or will not be: requests that got TURN_LATER may come again.
	void (*on_users)(void *context);
	// Returns 0, or what is wrong: then it is told again after the next reading.
	int (*on_realm)(void *context, size_t realm_idx, const struct turn_realm_update *update);
	void *context;
};

struct redis_stats {
	bool is_up;
	uint32_t n_cached;
	uint32_t n_cached_unknown;
	uint32_t n_waiting;
	uint64_t n_asked; // users that Redis was asked for
	uint64_t n_failed; // of them, without an answer that could be used
	uint64_t n_full; // not asked for: too many were waiting
	uint64_t n_links; // how often a link came up
	uint32_t n_untold; // that wait for Redis
	uint64_t n_told;
	uint64_t n_told_refused; // Redis answered with an error
	uint64_t n_told_lost; // the oldest, for want of room
};

#define REDIS_WORDS_MAX 6
#define REDIS_OUTBOX_MAX 4096 // commands that wait

struct redis_word {
	const void *bytes;
	size_t n_bytes;
};

struct redis;

// All of the config is copied; no link is made yet. Returns 0; -ENOMEM.
int redis_open(struct redis **out, const struct redis_config *config);
// Make links from now on. `base` and what the callbacks use must outlive it. The process ignores
// SIGPIPE from then on, for hiredis writes to whom may be gone. Returns 0; -ENOMEM.
int redis_start(struct redis *redis, struct event_base *base, const struct redis_callbacks *to);
// No callback comes after it. What Redis was never told is said in the log. NULL is fine.
void redis_close(struct redis *redis);
struct turn_source redis_source(struct redis *redis);
// Tell Redis something: a command of up to REDIS_WORDS_MAX words, copied. It never waits. Commands
// go out in their order, when Redis can be reached; those that were on their way when a link broke
// go out again. Past REDIS_OUTBOX_MAX the oldest is lost and counted.
void redis_tell(struct redis *redis, const struct redis_word *words, size_t n);
void redis_stats_get(const struct redis *redis, struct redis_stats *out);

#endif
