// A link's whole life for LeakSanitizer: to nobody, and to somebody who never answers while users
// are asked for. Not a Criterion test, whose processes never end the ordinary way.
#include "redis/redis.h"

#include "redis/state.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void expect(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "redis_leak: %s\n", what);
	exit(1);
}

static void on_users(void *context)
{
	(void)context;
}

static int on_realm(void *context, size_t realm_idx, const struct turn_realm_update *update)
{
	(void)context;
	(void)realm_idx;
	(void)update;
	return 0;
}

// What the link is told by a server that listens and never speaks.
static void live(const char *path, bool is_there)
{
	static const char *const realms[] = {"realm", NULL};
	static const struct redis_callbacks to = {on_users, on_realm, NULL};
	const struct redis_config config = {
		.path = path,
		.user = "u",
		.password = "p",
		.database = 1,
		.realms = realms,
		.n_realms = 2,
		.timeout_ms = 5000,
		.refresh_s = 1,
		.cache_s = 60,
		.unknown_cache_s = 60,
		.n_cached_max = 4,
		.n_waiting_max = 4,
	};
	struct event_base *base = event_base_new();
	struct turn_keys keys = {.md5 = {1}};
	struct turn_source source;
	struct redis *redis;

	expect(redis_open(&redis, &config) == 0, "open");
	source = redis_source(redis);
	expect(redis_start(redis, base, &to) == 0, "start");
	for (int i = 0; i < 20; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
	expect(source.find(source.context, 0, "ann", 3, true, &keys) == TURN_OUT_OF_REACH, "ann");
	// As if it were up: what is asked for when the link is closed.
	cache_answer(&redis->cache, cache_ask(&redis->cache, NULL, 0, "eve", 3), &keys, 0);
	if (is_there) {
		expect(redis->link.ac != NULL, "a link");
		redis->link.up = true;
		redis->settings[0].told = true;
		expect(source.find(source.context, 0, "bob", 3, true, &keys) == TURN_ASKED, "bob");
		expect(source.find(source.context, 0, "eve", 3, true, &keys) == TURN_ASKED, "eve");
		settings_read(&redis->settings[0], &redis->link);
	}
	redis_close(redis);
	event_base_free(base);
}

int main(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/redis_leak-%d", (int)getpid());
	expect(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
			listen(listener, 1) == 0,
		"a socket");
	live(address.sun_path, true);
	close(listener);
	unlink(address.sun_path);
	live(address.sun_path, false);
	libevent_global_shutdown();
	return 0;
}
