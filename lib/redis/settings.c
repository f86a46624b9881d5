#include "settings.h"

#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 256 // a realm of 127 bytes and the rest
#define SECRET_BYTES_MAX 256
#define N_QUOTAS 2

enum reading {
	READ_SECRETS,
	READ_ALLOWED,
	READ_DENIED,
	READ_QUOTAS,
	READINGS,
};

static const char *const keys[READINGS] = {
	[READ_SECRETS] = "secret",
	[READ_ALLOWED] = "allowed-peer-ip",
	[READ_DENIED] = "denied-peer-ip",
};

static void forget(struct settings *s)
{
	for (size_t i = 0; i < s->n_secrets; i++) {
		explicit_bzero(s->secrets[i], strlen(s->secrets[i]));
		free(s->secrets[i]);
	}
	free(s->allow.items);
	free(s->deny.items);
	s->n_secrets = 0;
	s->allow = (struct settings_peers){0};
	s->deny = (struct settings_peers){0};
	memset(s->quotas, 0, sizeof(s->quotas));
	s->digest = 0;
	s->failed = false;
}

int settings_init(struct settings *settings, struct redis *redis, size_t realm_idx,
	const char *name, const struct hash_key *hash_key)
{
	settings->redis = redis;
	settings->realm_idx = realm_idx;
	settings->hash_key = hash_key;
	settings->name = name ? strdup(name) : NULL;
	return !name || settings->name ? 0 : -ENOMEM;
}

void settings_fini(struct settings *settings)
{
	forget(settings);
	free(settings->name);
}

// One line an odd value; which one, but not the secret itself.
static void complain(const struct settings *s, enum reading what, const char *wrong)
{
	char text[KEY_BYTES];

	log_event(LOG_WARNING, "redis.setting", "realm=\"%s\" key=%s wrong=%s",
		log_escape(text, sizeof(text), s->name, strlen(s->name)),
		what == READ_QUOTAS ? "quota" : keys[what], wrong);
}

// Sets have no order: the sum is the same in any.
static void add_digest(struct settings *s, enum reading what, const struct redisReply *value)
{
	const uint64_t hash = hash_bytes(s->hash_key, value->str, value->len);

	s->digest += hash_bytes(s->hash_key, &(uint64_t){hash + what}, sizeof(uint64_t));
}

static bool is_text(const struct redisReply *value)
{
	return value->type == REDIS_REPLY_STRING && value->len > 0 &&
		memchr(value->str, '\0', value->len) == NULL;
}

static void take_secrets(struct settings *s, const struct redisReply *set)
{
	for (size_t i = 0; i < set->elements; i++) {
		const struct redisReply *value = set->element[i];

		if (!is_text(value) || value->len > SECRET_BYTES_MAX) {
			complain(s, READ_SECRETS, "no_text");
			continue;
		}
		if (s->n_secrets == SETTINGS_SECRETS_MAX) {
			complain(s, READ_SECRETS, "too_many");
			return;
		}
		s->secrets[s->n_secrets] = strdup(value->str);
		if (!s->secrets[s->n_secrets]) {
			s->failed = true;
			return;
		}
		s->n_secrets++;
		add_digest(s, READ_SECRETS, value);
	}
}

// A list that is too long is not cut: nobody knows what would be missing.
static void take_peers(struct settings *s, enum reading what, const struct redisReply *set)
{
	struct settings_peers *peers = what == READ_ALLOWED ? &s->allow : &s->deny;

	if (set->elements > SETTINGS_PEERS_MAX) {
		complain(s, what, "too_many");
		s->failed = true;
		return;
	}
	peers->items = calloc(set->elements + 1, sizeof(*peers->items));
	if (!peers->items) {
		s->failed = true;
		return;
	}
	for (size_t i = 0; i < set->elements; i++) {
		const struct redisReply *value = set->element[i];

		if (!is_text(value) || range_parse(&peers->items[peers->n], value->str)) {
			complain(s, what, "no_address_or_range");
			continue;
		}
		peers->n++;
		add_digest(s, what, value);
	}
}

static void take_quotas(struct settings *s, const struct redisReply *values)
{
	for (size_t i = 0; i < values->elements && i < N_QUOTAS; i++) {
		const struct redisReply *value = values->element[i];
		char *end;
		unsigned long quota;

		if (value->type == REDIS_REPLY_NIL)
			continue;
		quota = is_text(value) ? strtoul(value->str, &end, 10) : 0;
		if (!is_text(value) || *end != '\0' || value->str[0] < '0' || value->str[0] > '9' ||
			quota > SETTINGS_QUOTA_MAX) {
			complain(s, READ_QUOTAS, "no_number");
			continue;
		}
		s->quotas[i] = (uint32_t)quota;
		add_digest(s, READ_QUOTAS + (enum reading)i, value);
	}
}

static void tell(struct settings *s)
{
	struct turn_rest_secret secrets[SETTINGS_SECRETS_MAX];
	const struct turn_realm_update update = {
		.rest_secrets = secrets,
		.n_rest_secrets = s->n_secrets,
		.n_allocations_max = s->quotas[0],
		.n_allocations_per_user = s->quotas[1],
		.allow = s->allow.items,
		.n_allow = s->allow.n,
		.deny = s->deny.items,
		.n_deny = s->deny.n,
	};

	for (size_t i = 0; i < s->n_secrets; i++)
		secrets[i] = (struct turn_rest_secret){.text = s->secrets[i]};
	if (redis_tell_realm(s->redis, s->realm_idx, &update))
		return;
	s->told = true;
	s->told_digest = s->digest;
}

static void take(struct settings *s, enum reading what, const struct redisReply *reply)
{
	if (!reply || reply->type != REDIS_REPLY_ARRAY)
		s->failed = true;
	else if (what == READ_SECRETS)
		take_secrets(s, reply);
	else if (what == READ_QUOTAS)
		take_quotas(s, reply);
	else
		take_peers(s, what, reply);
	if (--s->n_due > 0)
		return;
	if (!s->failed && !(s->told && s->told_digest == s->digest))
		tell(s);
	forget(s);
}

static void on_secrets(struct redisAsyncContext *ac, void *reply, void *settings)
{
	link_heard(ac);
	take(settings, READ_SECRETS, reply);
}

static void on_allowed(struct redisAsyncContext *ac, void *reply, void *settings)
{
	link_heard(ac);
	take(settings, READ_ALLOWED, reply);
}

static void on_denied(struct redisAsyncContext *ac, void *reply, void *settings)
{
	link_heard(ac);
	take(settings, READ_DENIED, reply);
}

static void on_quotas(struct redisAsyncContext *ac, void *reply, void *settings)
{
	link_heard(ac);
	take(settings, READ_QUOTAS, reply);
}

static int ask_set(struct settings *s, struct link *link, enum reading what, redisCallbackFn *to)
{
	char key[KEY_BYTES];
	const char *const words[] = {"SMEMBERS", key};

	snprintf(key, sizeof(key), "turn/realm/%s/%s", s->name, keys[what]);
	return link_send(link, to, s, 2, words, NULL);
}

static int ask_quotas(struct settings *s, struct link *link)
{
	char total[KEY_BYTES];
	char user[KEY_BYTES];
	const char *const words[] = {"MGET", total, user};

	snprintf(total, sizeof(total), "turn/realm/%s/total-quota", s->name);
	snprintf(user, sizeof(user), "turn/realm/%s/user-quota", s->name);
	return link_send(link, on_quotas, s, 3, words, NULL);
}

void settings_read(struct settings *settings, struct link *link)
{
	if (!settings->name || settings->n_due > 0)
		return;
	settings->n_due += ask_set(settings, link, READ_SECRETS, on_secrets) == 0;
	settings->n_due += ask_set(settings, link, READ_ALLOWED, on_allowed) == 0;
	settings->n_due += ask_set(settings, link, READ_DENIED, on_denied) == 0;
	settings->n_due += ask_quotas(settings, link) == 0;
	settings->failed = settings->n_due < READINGS;
}
