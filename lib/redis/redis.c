#include "redis.h"

#include "state.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define USER_KEY_BYTES (256 + TURN_USERNAME_BYTES_MAX)

// The bytes of hex digits. False where they are something else.
static bool parse_hex(uint8_t *out, size_t n_bytes, const struct redisReply *value)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";

	if (value->type != REDIS_REPLY_STRING || value->len != 2 * n_bytes)
		return false;
	for (size_t i = 0; i < 2 * n_bytes; i++) {
		const char *at = value->str[i] ? strchr(digits, value->str[i]) : NULL;

		if (!at)
			return false;
		out[i / 2] = (uint8_t)(out[i / 2] << 4 | ((at - digits) & 15));
	}
	return true;
}

static void complain_of_key(const struct redis *redis, const struct cache_user *user)
{
	const char *realm = redis->settings[user->realm_idx].name;
	char name[LOG_USER_BYTES];

	log_event(LOG_WARNING, "redis.key", "user=\"%s\" wrong=no_hex_digits",
		log_user(name, realm, user->name, user->n_bytes));
}

// `reply` is of both keys. A user without an MD5 key is none, as for coturn.
static bool take_keys(const struct redis *redis, struct turn_keys *keys,
	const struct cache_user *user, const struct redisReply *reply)
{
	const struct redisReply *md5 = reply->element[0];
	const struct redisReply *sha256 = reply->element[1];

	if (md5->type == REDIS_REPLY_NIL)
		return false;
	keys->has_sha256 = parse_hex(keys->sha256, sizeof(keys->sha256), sha256);
	if (!keys->has_sha256 && sha256->type != REDIS_REPLY_NIL)
		complain_of_key(redis, user);
	if (parse_hex(keys->md5, sizeof(keys->md5), md5))
		return true;
	complain_of_key(redis, user);
	return false;
}

static void on_keys(struct redisAsyncContext *ac, void *answer, void *argument)
{
	const struct redisReply *reply = answer;
	struct redis *redis = link_heard(ac);
	struct cache_user *user = argument;
	struct turn_keys keys = {0};

	if (reply && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2) {
		cache_answer(&redis->cache, user,
			take_keys(redis, &keys, user, reply) ? &keys : NULL, link_now_ms());
		explicit_bzero(&keys, sizeof(keys));
	} else {
		redis->n_failed++;
		cache_no_answer(&redis->cache, user, link_now_ms());
	}
	if (!redis->closing)
		redis->to.on_users(redis->to.context);
}

// Names are any bytes; only the lengths say where they end.
static int ask(struct redis *redis, const struct cache_user *user)
{
	const char *realm = redis->settings[user->realm_idx].name;
	char key[USER_KEY_BYTES];
	char key_sha256[USER_KEY_BYTES];
	const char *const words[] = {"MGET", key, key_sha256};
	size_t n = (size_t)snprintf(key, sizeof(key), "turn/realm/%s/user/", realm);
	size_t n_bytes[] = {4, n + user->n_bytes + 4, n + user->n_bytes + 11};

	memcpy(key + n, user->name, user->n_bytes);
	n += user->n_bytes;
	memcpy(key_sha256, key, n);
	memcpy(key + n, "/key", 4);
	memcpy(key_sha256 + n, "/key-sha256", 11);
	return link_send(&redis->link, on_keys, (void *)user, 3, words, n_bytes);
}

// Before the settings are there, a REST user would be taken for a name that nobody has.
static bool can_ask(const struct redis *redis, size_t realm_idx)
{
	return redis->link.up && settings_are_there(&redis->settings[realm_idx]) &&
		redis->cache.n_asked < redis->n_waiting_max;
}

static enum turn_lookup begin(struct redis *redis, struct cache_user *user, size_t realm_idx,
	const void *name, size_t n_bytes)
{
	if (!can_ask(redis, realm_idx)) {
		redis->n_full += redis->link.up && redis->cache.n_asked >= redis->n_waiting_max;
		return TURN_OUT_OF_REACH;
	}
	user = cache_ask(&redis->cache, user, realm_idx, name, n_bytes);
	if (!user)
		return TURN_OUT_OF_REACH;
	if (ask(redis, user)) {
		cache_no_answer(&redis->cache, user, link_now_ms());
		return TURN_OUT_OF_REACH;
	}
	redis->n_asked++;
	return TURN_ASKED;
}

static enum turn_lookup find(void *context, size_t realm_idx, const void *name, size_t n_bytes,
	bool may_ask, struct turn_keys *out)
{
	struct redis *redis = context;
	struct cache_user *user = cache_find(&redis->cache, realm_idx, name, n_bytes);
	const bool is_known = user && user->state == CACHE_KNOWN;
	const bool is_asked = user && !user->list;
	const bool is_fresh = user && !is_asked && link_now_ms() < user->expires_ms;

	// What is too old is good where we cannot, or may not, ask again.
	if (is_known && (is_fresh || !may_ask || !(is_asked || can_ask(redis, realm_idx)))) {
		*out = user->keys;
		return TURN_FOUND;
	}
	if (!may_ask)
		return TURN_UNKNOWN;
	if (is_fresh)
		return user->state == CACHE_UNKNOWN ? TURN_UNKNOWN : TURN_OUT_OF_REACH;
	return is_asked ? TURN_ASKED : begin(redis, user, realm_idx, name, n_bytes);
}

struct turn_source redis_source(struct redis *redis)
{
	return (struct turn_source){find, redis};
}

int redis_tell_realm(struct redis *redis, size_t realm_idx, const struct turn_realm_update *update)
{
	return redis->to.on_realm(redis->to.context, realm_idx, update);
}

static void read_settings(struct redis *redis)
{
	for (size_t i = 0; redis->link.up && i < redis->n_realms; i++)
		settings_read(&redis->settings[i], &redis->link);
}

static void on_up(void *owner)
{
	struct redis *redis = owner;

	read_settings(redis);
	outbox_flush(&redis->outbox);
}

static void on_refresh(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	read_settings(argument);
}

static int init(struct redis *redis, const struct redis_config *config)
{
	int rc;

	redis->refresh_s = config->refresh_s;
	redis->n_waiting_max = config->n_waiting_max;
	random_secret(&redis->hash_key, sizeof(redis->hash_key));
	redis->settings = calloc(config->n_realms + 1, sizeof(*redis->settings));
	if (!redis->settings)
		return -ENOMEM;
	for (; redis->n_realms < config->n_realms; redis->n_realms++)
		if (settings_init(&redis->settings[redis->n_realms], redis, redis->n_realms,
			    config->realms[redis->n_realms], &redis->hash_key))
			return -ENOMEM;
	rc = outbox_init(&redis->outbox, &redis->link);
	rc = rc ? rc
		: cache_init(&redis->cache, config->n_cached_max, config->cache_s * MS_IN_S,
			  config->unknown_cache_s * MS_IN_S);
	return rc ? rc : link_init(&redis->link, config, redis, on_up);
}

int redis_open(struct redis **out, const struct redis_config *config)
{
	struct redis *redis = calloc(1, sizeof(*redis));
	int rc;

	*out = NULL;
	if (!redis)
		return -ENOMEM;
	rc = init(redis, config);
	if (rc) {
		redis_close(redis);
		return rc;
	}
	*out = redis;
	return 0;
}

int redis_start(struct redis *redis, struct event_base *base, const struct redis_callbacks *to)
{
	const struct timeval interval = {redis->refresh_s, 0};

	signal(SIGPIPE, SIG_IGN);
	redis->to = *to;
	redis->refresh = event_new(base, -1, EV_PERSIST, on_refresh, redis);
	if (!redis->refresh || event_add(redis->refresh, &interval))
		return -ENOMEM;
	return link_start(&redis->link, base);
}

static void say_untold(const struct outbox *outbox)
{
	if (outbox->n_lost || outbox->n)
		log_event(LOG_WARNING, "redis.untold", "lost=%" PRIu64 " left=%zu", outbox->n_lost,
			outbox->n);
}

void redis_close(struct redis *redis)
{
	if (!redis)
		return;
	redis->closing = true;
	if (redis->refresh)
		event_free(redis->refresh);
	link_fini(&redis->link);
	say_untold(&redis->outbox);
	outbox_fini(&redis->outbox);
	for (size_t i = 0; i < redis->n_realms; i++)
		settings_fini(&redis->settings[i]);
	free(redis->settings);
	cache_fini(&redis->cache);
	free(redis);
}

void redis_tell(struct redis *redis, const struct redis_word *words, size_t n)
{
	outbox_add(&redis->outbox, words, n);
}

void redis_stats_get(const struct redis *redis, struct redis_stats *out)
{
	*out = (struct redis_stats){
		.is_up = redis->link.up,
		.n_cached = (uint32_t)redis->cache.known.n,
		.n_cached_unknown = (uint32_t)redis->cache.unknown.n,
		.n_waiting = (uint32_t)redis->cache.n_asked,
		.n_asked = redis->n_asked,
		.n_failed = redis->n_failed,
		.n_full = redis->n_full,
		.n_links = redis->link.n_ups,
		.n_untold = (uint32_t)redis->outbox.n,
		.n_told = redis->outbox.n_told,
		.n_told_refused = redis->outbox.n_refused,
		.n_told_lost = redis->outbox.n_lost,
	};
}
