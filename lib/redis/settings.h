// What Redis says about a realm as a whole: read over and over, told where it has changed.
#ifndef REDIS_SETTINGS_H
#define REDIS_SETTINGS_H

#include "link.h"
#include "redis.h"

#define SETTINGS_SECRETS_MAX 64
#define SETTINGS_PEERS_MAX 4096 // of either list
#define SETTINGS_QUOTA_MAX 4194304

// One list of peers, or what is read of it.
struct settings_peers {
	struct ip_range *items;
	size_t n;
};

struct settings {
	struct redis *redis;
	size_t realm_idx;
	char *name; // of the realm; NULL: not in Redis
	const struct hash_key *hash_key;
	// Of this reading:
	unsigned n_due; // answers
	bool failed; // one of them was none: all stays as it was
	uint64_t digest; // of all that was read, in any order
	char *secrets[SETTINGS_SECRETS_MAX];
	size_t n_secrets;
	uint32_t quotas[2]; // total, user
	struct settings_peers allow;
	struct settings_peers deny;

	bool told;
	uint64_t told_digest;
};

int settings_init(struct settings *settings, struct redis *redis, size_t realm_idx,
	const char *name, const struct hash_key *hash_key);
void settings_fini(struct settings *settings);
// Begin a reading, unless one is under way.
void settings_read(struct settings *settings, struct link *link);
// True where it has been read at least once, or nothing is to be read.
static inline bool settings_are_there(const struct settings *settings)
{
	return !settings->name || settings->told;
}

#endif
