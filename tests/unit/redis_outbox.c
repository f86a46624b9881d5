// What Redis is told: in order, again after a link broke, and within bounds. The server is this
// file.
#include "redis/redis.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define PING "*1\r\n$4\r\nPING\r\n"

static struct event_base *base;
static struct redis *redis;
static char path[64];
static int listener;
static int server = -1; // our end of the link

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

static void turn_loop(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	usleep(1000);
}

static void open_redis(void)
{
	static const char *const realms[] = {NULL};
	static const struct redis_callbacks to = {on_users, on_realm, NULL};
	struct redis_config config = {
		.path = path,
		.realms = realms,
		.n_realms = 1,
		.timeout_ms = 5000,
		.refresh_s = 3600,
		.cache_s = 60,
		.unknown_cache_s = 10,
		.n_cached_max = 16,
		.n_waiting_max = 2,
	};
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(path, sizeof(path), "/tmp/redis_outbox-%d", (int)getpid());
	memcpy(address.sun_path, path, sizeof(path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 4), 0);
	base = event_base_new();
	cr_assert_eq(redis_open(&redis, &config), 0);
	cr_assert_eq(redis_start(redis, base, &to), 0);
}

static void close_redis(void)
{
	redis_close(redis);
	event_base_free(base);
	unlink(path);
}

TestSuite(redis_outbox, .init = open_redis, .fini = close_redis, .timeout = 30);

static void expect(const char *bytes)
{
	const size_t n = strlen(bytes);
	static char got[1 << 20];
	size_t n_got = 0;

	for (int i = 0; i < 5000 && n_got < n; i++) {
		const ssize_t n_read = read(server, got + n_got, n - n_got);

		n_got += n_read > 0 ? (size_t)n_read : 0;
		turn_loop();
	}
	cr_assert_eq(n_got, n, "%.*s", (int)n_got, got);
	cr_assert_arr_eq(got, bytes, n, "%.*s", (int)n_got, got);
}

static void expect_silence(void)
{
	char byte;

	for (int i = 0; i < 20; i++)
		turn_loop();
	cr_expect_lt(read(server, &byte, 1), 0);
}

static struct redis_stats stats(void)
{
	struct redis_stats now;

	redis_stats_get(redis, &now);
	return now;
}

static void say(const char *reply)
{
	cr_assert_eq(write(server, reply, strlen(reply)), (ssize_t)strlen(reply));
}

static void come_up(void)
{
	for (int i = 0; i < 5000; i++) {
		server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
		if (server >= 0)
			break;
		turn_loop();
	}
	cr_assert(server >= 0);
	expect(PING);
	say("+PONG\r\n");
	for (int i = 0; i < 5000 && !stats().is_up; i++)
		turn_loop();
}

static void tell(const char *value)
{
	const struct redis_word words[] = {{"RPUSH", 5}, {"k", 1}, {value, strlen(value)}};

	redis_tell(redis, words, 3);
}

static void expect_told(const char *value)
{
	char text[128];

	snprintf(text, sizeof(text), "*3\r\n$5\r\nRPUSH\r\n$1\r\nk\r\n$%zu\r\n%s\r\n",
		strlen(value), value);
	expect(text);
}

static void wait_told(uint64_t n)
{
	for (int i = 0; i < 5000 && stats().n_told < n; i++)
		turn_loop();
	cr_assert_eq(stats().n_told, n);
}

Test(redis_outbox, what_was_said_before_the_link_is_up_goes_first)
{
	tell("one");
	cr_expect_eq(stats().n_untold, 1);
	come_up();
	tell("two");
	expect_told("one");
	expect_told("two");
	say(":1\r\n");
	wait_told(1);
	cr_expect_eq(stats().n_untold, 1);
	say(":2\r\n");
	wait_told(2);
	cr_expect_eq(stats().n_untold, 0);
}

Test(redis_outbox, what_has_no_answer_is_said_again_by_the_next_link)
{
	come_up();
	tell("one");
	tell("two");
	expect_told("one");
	expect_told("two");
	say(":1\r\n");
	wait_told(1);
	close(server);
	tell("three");
	come_up();
	expect_told("two");
	expect_told("three");
	say(":2\r\n:3\r\n");
	wait_told(3);
}

Test(redis_outbox, an_error_is_counted_and_not_said_again)
{
	come_up();
	tell("one");
	expect_told("one");
	say("-WRONGTYPE no list\r\n");
	tell("two");
	expect_told("two");
	say(":1\r\n");
	wait_told(1);
	cr_expect_eq(stats().n_told_refused, 1);
	cr_expect_eq(stats().n_untold, 0);
}

Test(redis_outbox, of_too_many_the_oldest_are_lost_and_counted)
{
	char value[16];

	for (unsigned i = 0; i < REDIS_OUTBOX_MAX + 3; i++) {
		snprintf(value, sizeof(value), "%u", i);
		tell(value);
	}
	cr_expect_eq(stats().n_untold, REDIS_OUTBOX_MAX);
	cr_expect_eq(stats().n_told_lost, 3);
	come_up();
	expect_told("3");
	expect_told("4");
}

Test(redis_outbox, what_is_on_its_way_is_not_lost_for_want_of_room)
{
	char value[16];

	come_up();
	for (unsigned i = 0; i < REDIS_OUTBOX_MAX + 3; i++) {
		snprintf(value, sizeof(value), "%u", i);
		tell(value);
	}
	cr_expect_eq(stats().n_told_lost, 3);
	for (unsigned i = 0; i < 64; i++) {
		snprintf(value, sizeof(value), "%u", i);
		expect_told(value);
	}
	expect_silence();
	say(":1\r\n");
	wait_told(1);
	expect_told("67");
}
