#include "cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct cache_user **bucket_of(const struct cache *cache, const void *name, size_t n_bytes)
{
	return &cache->buckets[hash_bytes(&cache->hash_key, name, n_bytes) &
		(cache->n_buckets - 1)];
}

static void leave(struct cache_user *user)
{
	struct cache_list *list = user->list;

	if (!list)
		return;
	*(user->newer ? &user->newer->older : &list->newest) = user->older;
	*(user->older ? &user->older->newer : &list->oldest) = user->newer;
	user->newer = NULL;
	user->older = NULL;
	user->list = NULL;
	list->n--;
}

static void destroy(struct cache *cache, struct cache_user *user)
{
	struct cache_user **link = bucket_of(cache, user->name, user->n_bytes);

	leave(user);
	while (*link != user)
		link = &(*link)->next;
	*link = user->next;
	explicit_bzero(&user->keys, sizeof(user->keys));
	free(user);
}

static void join(struct cache *cache, struct cache_list *list, struct cache_user *user)
{
	user->list = list;
	user->older = list->newest;
	*(list->newest ? &list->newest->newer : &list->oldest) = user;
	list->newest = user;
	list->n++;
	if (list->n > cache->n_max)
		destroy(cache, list->oldest);
}

int cache_init(struct cache *cache, size_t n_max, uint64_t known_ms, uint64_t unknown_ms)
{
	*cache = (struct cache){
		.n_buckets = next_power_of_two(2 * n_max),
		.n_max = n_max,
		.known_ms = known_ms,
		.unknown_ms = unknown_ms,
	};
	random_secret(&cache->hash_key, sizeof(cache->hash_key));
	cache->buckets = calloc(cache->n_buckets, sizeof(struct cache_user *));
	return cache->buckets ? 0 : -ENOMEM;
}

void cache_fini(struct cache *cache)
{
	for (size_t i = 0; cache->buckets && i < cache->n_buckets; i++)
		while (cache->buckets[i])
			destroy(cache, cache->buckets[i]);
	free(cache->buckets);
	cache->buckets = NULL;
}

struct cache_user *cache_find(
	struct cache *cache, size_t realm_idx, const void *name, size_t n_bytes)
{
	struct cache_user *user = *bucket_of(cache, name, n_bytes);
	struct cache_list *list;

	while (user &&
		!(user->realm_idx == realm_idx && user->n_bytes == n_bytes &&
			memcmp(user->name, name, n_bytes) == 0))
		user = user->next;
	if (!user || !user->list)
		return user;
	list = user->list;
	leave(user);
	join(cache, list, user);
	return user;
}

struct cache_user *cache_ask(struct cache *cache, struct cache_user *user, size_t realm_idx,
	const void *name, size_t n_bytes)
{
	struct cache_user **bucket = bucket_of(cache, name, n_bytes);

	if (!user) {
		user = calloc(1, sizeof(*user) + n_bytes);
		if (!user)
			return NULL;
		user->realm_idx = (uint32_t)realm_idx;
		user->n_bytes = (uint16_t)n_bytes;
		memcpy(user->name, name, n_bytes);
		user->next = *bucket;
		*bucket = user;
	}
	leave(user);
	cache->n_asked++;
	return user;
}

void cache_answer(
	struct cache *cache, struct cache_user *user, const struct turn_keys *keys, uint64_t now_ms)
{
	cache->n_asked--;
	user->state = keys ? CACHE_KNOWN : CACHE_UNKNOWN;
	user->expires_ms = now_ms + (keys ? cache->known_ms : cache->unknown_ms);
	if (keys)
		user->keys = *keys;
	else
		explicit_bzero(&user->keys, sizeof(user->keys));
	join(cache, keys ? &cache->known : &cache->unknown, user);
}

void cache_no_answer(struct cache *cache, struct cache_user *user, uint64_t now_ms)
{
	cache->n_asked--;
	user->expires_ms = now_ms + CACHE_RETRY_MS;
	if (user->state != CACHE_KNOWN)
		user->state = CACHE_FAILED;
	join(cache, user->state == CACHE_KNOWN ? &cache->known : &cache->unknown, user);
}
