// What an instance holds. Private to lib/redis.
#ifndef REDIS_STATE_H
#define REDIS_STATE_H

#include "cache.h"
#include "link.h"
#include "outbox.h"
#include "redis.h"
#include "settings.h"

struct redis {
	struct link link;
	struct outbox outbox;
	struct cache cache;
	struct settings *settings; // of each realm
	size_t n_realms;
	struct hash_key hash_key;
	struct event *refresh;
	uint32_t refresh_s;
	uint32_t n_waiting_max;
	struct redis_callbacks to;
	bool closing;
	uint64_t n_asked;
	uint64_t n_failed;
	uint64_t n_full;
};

int redis_tell_realm(struct redis *redis, size_t realm_idx, const struct turn_realm_update *update);

#endif
