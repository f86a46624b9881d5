// `redis`: where it is, and how much of it is kept.
#include "text.h"
#include "values.h"

#include <errno.h>
#include <string.h>

#define UNIX "unix:"

static int take_server(
	struct conf_redis *redis, char *server, struct source *source, const struct place *place)
{
	if (strncmp(server, UNIX, strlen(UNIX)) != 0) {
		if (endpoint_parse(&redis->server, server) == 0 && redis->server.port != 0)
			return 0;
		return source_fail(source, place, server,
			"is neither ADDRESS:PORT nor unix:PATH; allowed: one like 127.0.0.1:6379");
	}
	if (text_check_socket(source, place, server + strlen(UNIX)) < 0)
		return -EINVAL;
	redis->path = strdup(server + strlen(UNIX));
	return redis->path ? 0 : -ENOMEM;
}

int values_take_redis(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place here = {NULL, "redis", 0};
	const struct place server = {&here, "server", 0};
	const struct place username = {&here, "username", 0};
	struct raw_redis *from = raw->redis;
	struct conf_redis *to = &conf->redis;

	if (from == NULL)
		return 0;
	conf->has_redis = true;
	to->username = values_steal(&from->username);
	to->password = values_steal(&from->password);
	to->database = values_number(from->database, "database");
	to->timeout_ms = values_number(from->timeout_ms, "timeout-ms");
	to->refresh_s = values_number(from->refresh_s, "refresh-s");
	to->cache_s = values_number(from->cache_s, "cache-s");
	to->unknown_cache_s = values_number(from->unknown_cache_s, "unknown-cache-s");
	to->n_cached_max = values_number(from->cached_users, "cached-users");
	to->n_waiting_max = values_number(from->waiting_users, "waiting-users");
	if (to->username && !to->password)
		return source_fail(source, &username, NULL,
			"a user without a password; allowed: both, or password alone, or neither");
	return take_server(to, from->server, source, &server);
}
