#include "link.h"

#include <errno.h>
#include <event2/event.h>
#include <hiredis/adapters/libevent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 10000
#define TICK_MS 50
#define REASON_BYTES 256

uint64_t link_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * MS_IN_S + (uint64_t)now.tv_nsec / NS_IN_MS;
}

static void say_down(const char *reason)
{
	char text[REASON_BYTES];

	log_event(LOG_WARNING, "redis.down", "reason=%s",
		log_escape(text, sizeof(text), reason, strlen(reason)));
}

// The next attempt comes after a pause that doubles, with a random part, so that many relays do not
// come back to a restarted Redis at once.
static void plan_retry(struct link *link)
{
	uint32_t random;

	random_secret(&random, sizeof(random));
	link->ac = NULL;
	link->up = false;
	link->n_due = 0;
	link->heard_ms = 0;
	link->retry_ms = link_now_ms() + link->pause_ms / 2 + random % (link->pause_ms / 2 + 1);
	link->pause_ms = link->pause_ms < PAUSE_MAX_MS / 2 ? 2 * link->pause_ms : PAUSE_MAX_MS;
}

// Its callbacks run now or, from inside one of them, when that returns.
static void give_up(struct link *link, const char *reason)
{
	struct redisAsyncContext *ac = link->ac;

	if (!link->closing)
		say_down(reason);
	plan_retry(link);
	redisAsyncFree(ac);
}

static void on_connect(const struct redisAsyncContext *ac, int status)
{
	struct link *link = ac->data;

	if (status == REDIS_OK || ac != link->ac)
		return;
	say_down(ac->errstr);
	plan_retry(link); // hiredis frees it
}

static void on_disconnect(const struct redisAsyncContext *ac, int status)
{
	struct link *link = ac->data;

	if (ac != link->ac)
		return; // we gave it up
	say_down(status == REDIS_OK ? "closed" : ac->errstr);
	plan_retry(link);
}

void *link_heard(struct redisAsyncContext *ac)
{
	struct link *link = ac->data;

	if (ac == link->ac) {
		link->n_due--;
		link->heard_ms = link->n_due ? link_now_ms() : 0;
	}
	return link->owner;
}

static int put(struct link *link, redisCallbackFn *callback, void *argument, int n,
	const char *const *words, const size_t *word_bytes)
{
	// hiredis does not write to the words.
	if (redisAsyncCommandArgv(
		    link->ac, callback, argument, n, (const char **)words, word_bytes))
		return -ENOTCONN;
	if (link->n_due++ == 0)
		link->heard_ms = link_now_ms();
	return 0;
}

int link_send(struct link *link, redisCallbackFn *callback, void *argument, int n,
	const char *const *words, const size_t *word_bytes)
{
	return link->up ? put(link, callback, argument, n, words, word_bytes) : -ENOTCONN;
}

// Of AUTH, SELECT and PING, in that order: the last one opens the link.
static void on_welcome(struct redisAsyncContext *ac, void *answer, void *argument)
{
	const struct redisReply *reply = answer;
	const bool is_last = argument != NULL;
	struct link *link = ac->data;

	link_heard(ac);
	if (!reply || ac != link->ac)
		return;
	if (reply->type == REDIS_REPLY_ERROR) {
		give_up(link, reply->str);
		return;
	}
	if (!is_last)
		return;
	link->up = true;
	link->pause_ms = PAUSE_MIN_MS;
	link->n_ups++;
	log_event(LOG_INFO, "redis.up", "server=%s", link->path ? link->path : link->address);
	link->on_up(link->owner);
}

static int say_hello(struct link *link)
{
	const char *const auth[] = {
		"AUTH", link->user ? link->user : link->password, link->password};
	char database[16];
	const char *const select[] = {"SELECT", database};
	const char *const ping[] = {"PING"};
	int rc = 0;

	snprintf(database, sizeof(database), "%u", link->database);
	if (link->password)
		rc = put(link, on_welcome, NULL, link->user ? 3 : 2, auth, NULL);
	if (!rc && link->database)
		rc = put(link, on_welcome, NULL, 2, select, NULL);
	return rc ? rc : put(link, on_welcome, link, 1, ping, NULL);
}

static void connect_now(struct link *link)
{
	struct redisAsyncContext *ac = link->path ? redisAsyncConnectUnix(link->path)
						  : redisAsyncConnect(link->address, link->port);

	if (!ac || ac->err || redisLibeventAttach(ac, link->base)) {
		say_down(ac ? ac->errstr : "no memory");
		if (ac)
			redisAsyncFree(ac);
		plan_retry(link);
		return;
	}
	ac->data = link;
	link->ac = ac;
	redisAsyncSetConnectCallback(ac, on_connect);
	redisAsyncSetDisconnectCallback(ac, on_disconnect);
	if (say_hello(link))
		give_up(link, "no memory");
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
	struct link *link = argument;
	const uint64_t now_ms = link_now_ms();

	(void)fd;
	(void)what;
	if (!link->ac && now_ms >= link->retry_ms)
		connect_now(link);
	else if (link->ac && link->heard_ms && now_ms - link->heard_ms > link->timeout_ms)
		give_up(link, "timeout");
}

// A copy of a text that may be absent. False without memory.
static bool copy(char **out, const char *text)
{
	*out = text ? strdup(text) : NULL;
	return !text || *out;
}

int link_init(struct link *link, const struct redis_config *config, void *owner,
	void (*on_up)(void *owner))
{
	*link = (struct link){
		.owner = owner,
		.on_up = on_up,
		.port = config->server.port,
		.database = config->database,
		.timeout_ms = config->timeout_ms,
		.pause_ms = PAUSE_MIN_MS,
	};
	if (!config->path)
		ip_format(&config->server.ip, link->address);
	return copy(&link->path, config->path) && copy(&link->user, config->user) &&
			copy(&link->password, config->password)
		? 0
		: -ENOMEM;
}

int link_start(struct link *link, struct event_base *base)
{
	const struct timeval interval = {0, TICK_MS * 1000L};

	link->base = base;
	link->timer = event_new(base, -1, EV_PERSIST, on_tick, link);
	if (!link->timer || event_add(link->timer, &interval))
		return -ENOMEM;
	connect_now(link);
	return 0;
}

void link_fini(struct link *link)
{
	link->closing = true;
	if (link->timer)
		event_free(link->timer);
	if (link->ac)
		give_up(link, "");
	if (link->password)
		explicit_bzero(link->password, strlen(link->password));
	free(link->password);
	free(link->path);
	free(link->user);
}
