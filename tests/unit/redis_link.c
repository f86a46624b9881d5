// The link and the look-ups against a server of this file, which says what a test wants it to say:
// what goes over the wire byte by byte, and what becomes of odd answers.
#include "redis/redis.h"

#include "redis/state.h"

#include <criterion/criterion.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MD5_TEXT "8493fbc53ba582fb4c044c456bdc40eb"
#define PING "*1\r\n$4\r\nPING\r\n"
#define EMPTY "*0\r\n"
#define NO_QUOTAS "*2\r\n$-1\r\n$-1\r\n"

static struct event_base *base;
static struct redis *redis;
static struct turn_source source;
static char path[64];
static int listener;
static int server = -1; // our end of the link
static unsigned n_users_told;
static unsigned n_realms_told;
static int realm_says;
static struct turn_realm_update told;
static char told_secret[64];
static char told_peers[256];

static void on_users(void *context)
{
	(void)context;
	n_users_told++;
}

static int on_realm(void *context, size_t realm_idx, const struct turn_realm_update *update)
{
	char text[RANGE_TEXT_BYTES];

	(void)context;
	cr_assert_eq(realm_idx, 1);
	told = *update;
	n_realms_told++;
	if (update->n_rest_secrets)
		snprintf(told_secret, sizeof(told_secret), "%s", update->rest_secrets[0].text);
	told_peers[0] = '\0';
	for (size_t i = 0; i < update->n_deny; i++)
		snprintf(told_peers + strlen(told_peers), sizeof(told_peers) - strlen(told_peers),
			"%s ", range_format(&update->deny[i], text));
	return realm_says;
}

static void turn_loop(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
	usleep(1000);
}

#define wait_for(condition)                                  \
	do {                                                 \
		bool met_ = false;                           \
		for (int i_ = 0; i_ < 5000 && !met_; i_++) { \
			turn_loop();                         \
			met_ = (condition);                  \
		}                                            \
		cr_assert(met_, #condition);                 \
	} while (0)

static void listen_at(const char *where)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", where);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	cr_assert(listener >= 0);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 4), 0);
}

static void open_with(struct redis_config config)
{
	static const char *const realms[] = {NULL, "blue"};
	static const struct redis_callbacks to = {on_users, on_realm, NULL};

	snprintf(path, sizeof(path), "/tmp/redis_link-%d", (int)getpid());
	listen_at(path);
	base = event_base_new();
	config.path = path;
	config.realms = realms;
	config.n_realms = 2;
	config.timeout_ms = config.timeout_ms ? config.timeout_ms : 5000;
	config.refresh_s = 3600;
	config.cache_s = 60;
	config.unknown_cache_s = 10;
	config.n_cached_max = 16;
	config.n_waiting_max = 2;
	cr_assert_eq(redis_open(&redis, &config), 0);
	source = redis_source(redis);
	cr_assert_eq(redis_start(redis, base, &to), 0);
}

static void open_redis(void)
{
	open_with((struct redis_config){0});
}

static void close_redis(void)
{
	redis_close(redis);
	event_base_free(base);
	unlink(path);
}

TestSuite(redis_link, .init = open_redis, .fini = close_redis, .timeout = 30);
TestSuite(redis_hello, .fini = close_redis, .timeout = 30);

static bool accept_link(void)
{
	server = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	return server >= 0;
}

// The next bytes from the relay are just these.
static void expect(const char *bytes, size_t n)
{
	char got[4096];
	size_t n_got = 0;

	for (int i = 0; i < 5000 && n_got < n; i++) {
		const ssize_t n_read = read(server, got + n_got, n - n_got);

		n_got += n_read > 0 ? (size_t)n_read : 0;
		turn_loop();
	}
	cr_assert_eq(n_got, n, "%.*s", (int)n_got, got);
	cr_assert_arr_eq(got, bytes, n, "%.*s", (int)n_got, got);
}

#define EXPECT(text) expect(text, sizeof(text) - 1)

static void say(const char *reply)
{
	cr_assert_eq(write(server, reply, strlen(reply)), (ssize_t)strlen(reply));
}

static void expect_settings_read(void)
{
	EXPECT("*2\r\n$8\r\nSMEMBERS\r\n$22\r\nturn/realm/blue/secret\r\n"
	       "*2\r\n$8\r\nSMEMBERS\r\n$31\r\nturn/realm/blue/allowed-peer-ip\r\n"
	       "*2\r\n$8\r\nSMEMBERS\r\n$30\r\nturn/realm/blue/denied-peer-ip\r\n"
	       "*3\r\n$4\r\nMGET\r\n$27\r\nturn/realm/blue/total-quota\r\n"
	       "$26\r\nturn/realm/blue/user-quota\r\n");
}

static void come_up(void)
{
	wait_for(accept_link());
	EXPECT(PING);
	say("+PONG\r\n");
	expect_settings_read();
	say(EMPTY EMPTY EMPTY NO_QUOTAS);
	wait_for(n_realms_told == 1);
}

static enum turn_lookup find(const char *name, bool may_ask)
{
	struct turn_keys keys;

	return source.find(source.context, 1, name, strlen(name), may_ask, &keys);
}

static void expect_asked_for_ann(void)
{
	EXPECT("*3\r\n$4\r\nMGET\r\n$28\r\nturn/realm/blue/user/ann/key\r\n"
	       "$35\r\nturn/realm/blue/user/ann/key-sha256\r\n");
}

Test(redis_link, before_it_is_up_and_settings_are_read_nobody_is_asked_for)
{
	cr_expect_eq(find("ann", true), TURN_OUT_OF_REACH);
	wait_for(accept_link());
	EXPECT(PING);
	say("+PONG\r\n");
	expect_settings_read();
	cr_expect_eq(find("ann", true), TURN_OUT_OF_REACH, "it could be a REST user");
	say(EMPTY EMPTY EMPTY NO_QUOTAS);
	wait_for(n_realms_told == 1);
	cr_expect_eq(find("ann", true), TURN_ASKED);
}

Test(redis_link, user_is_asked_for_once_and_then_known)
{
	struct turn_keys keys;

	come_up();
	cr_expect_eq(find("ann", false), TURN_UNKNOWN, "nobody may ask");
	cr_expect_eq(find("ann", true), TURN_ASKED);
	cr_expect_eq(find("ann", true), TURN_ASKED);
	expect_asked_for_ann();
	say("*2\r\n$32\r\n" MD5_TEXT "\r\n$-1\r\n");
	wait_for(n_users_told == 1);
	cr_expect_eq(source.find(source.context, 1, "ann", 3, true, &keys), TURN_FOUND);
	cr_expect_eq(keys.md5[0], 0x84);
	cr_expect_eq(keys.md5[15], 0xeb);
	cr_expect_not(keys.has_sha256);
	cr_expect_eq(find("ann", false), TURN_FOUND);
	cr_expect_eq(redis->n_asked, 1);
}

Test(redis_link, both_keys_are_taken)
{
	struct turn_keys keys;

	come_up();
	cr_expect_eq(find("ann", true), TURN_ASKED);
	expect_asked_for_ann();
	say("*2\r\n$32\r\n" MD5_TEXT "\r\n$64\r\n" MD5_TEXT MD5_TEXT "\r\n");
	wait_for(n_users_told == 1);
	cr_expect_eq(source.find(source.context, 1, "ann", 3, true, &keys), TURN_FOUND);
	cr_expect(keys.has_sha256);
	cr_expect_eq(keys.sha256[31], 0xeb);
}

struct answer_row {
	const char *reply;
	enum turn_lookup then;
};

Test(redis_link, what_is_no_key_is_no_user_and_what_is_no_answer_is_no_answer)
{
	static const struct answer_row rows[] = {
		{"*2\r\n$-1\r\n$-1\r\n", TURN_UNKNOWN},
		{"*2\r\n$-1\r\n$64\r\n" MD5_TEXT MD5_TEXT "\r\n", TURN_UNKNOWN},
		{"*2\r\n$4\r\npass\r\n$-1\r\n", TURN_UNKNOWN},
		{"*2\r\n$32\r\n8493fbc53ba582fb4c044c456bdc40eX\r\n$-1\r\n", TURN_UNKNOWN},
		{"*2\r\n$34\r\n" MD5_TEXT "00\r\n$-1\r\n", TURN_UNKNOWN},
		{"*2\r\n:7\r\n$-1\r\n", TURN_UNKNOWN},
		{"-LOADING Redis is loading the dataset in memory\r\n", TURN_OUT_OF_REACH},
		{"*1\r\n$-1\r\n", TURN_OUT_OF_REACH},
		{"+OK\r\n", TURN_OUT_OF_REACH},
		{"$-1\r\n", TURN_OUT_OF_REACH},
	};

	come_up();
	for (unsigned i = 0; i < N_ELEMENTS(rows); i++) {
		struct cache_user *user;

		cr_expect_eq(find("ann", true), TURN_ASKED);
		expect_asked_for_ann();
		say(rows[i].reply);
		wait_for(n_users_told == i + 1);
		cr_expect_eq(find("ann", true), rows[i].then, "%s", rows[i].reply);
		user = cache_find(&redis->cache, 1, "ann", 3);
		user->expires_ms = 0;
	}
}

// Nothing of a name is a word of its own, or another key.
Test(redis_link, names_cannot_say_anything_to_redis)
{
	static const char name[] = "x\r\nDEL *\r\n%s%n";

	come_up();
	cr_expect_eq(source.find(source.context, 1, name, sizeof(name) - 1, true,
			     &(struct turn_keys){0}),
		TURN_ASKED);
	EXPECT("*3\r\n$4\r\nMGET\r\n$39\r\nturn/realm/blue/user/x\r\nDEL *\r\n%s%n/key\r\n"
	       "$46\r\nturn/realm/blue/user/x\r\nDEL *\r\n%s%n/key-sha256\r\n");
}

Test(redis_link, of_more_than_may_wait_nobody_is_asked_for)
{
	struct redis_stats stats;

	come_up();
	cr_expect_eq(find("a", true), TURN_ASKED);
	cr_expect_eq(find("b", true), TURN_ASKED);
	cr_expect_eq(find("c", true), TURN_OUT_OF_REACH);
	redis_stats_get(redis, &stats);
	cr_expect_eq(stats.n_waiting, 2);
	cr_expect_eq(stats.n_full, 1);
	say("*2\r\n$-1\r\n$-1\r\n");
	wait_for(n_users_told == 1);
	cr_expect_eq(find("c", true), TURN_ASKED);
}

Test(redis_link, when_the_link_breaks_all_who_wait_are_told_and_the_known_stay)
{
	come_up();
	cr_expect_eq(find("ann", true), TURN_ASKED);
	expect_asked_for_ann();
	say("*2\r\n$32\r\n" MD5_TEXT "\r\n$-1\r\n");
	wait_for(n_users_told == 1);
	cache_find(&redis->cache, 1, "ann", 3)->expires_ms = 0;
	cr_expect_eq(find("ann", true), TURN_ASKED, "its time is over");
	cr_expect_eq(find("bob", true), TURN_ASKED);
	close(server);
	wait_for(n_users_told == 3);
	cr_expect_eq(find("ann", true), TURN_FOUND);
	cr_expect_eq(find("bob", true), TURN_OUT_OF_REACH);
	cache_find(&redis->cache, 1, "ann", 3)->expires_ms = 0;
	cr_expect_eq(find("ann", true), TURN_FOUND, "however old");
	wait_for(accept_link());
	EXPECT(PING);
	say("+PONG\r\n");
	wait_for(redis->link.up);
	cr_expect_eq(find("ann", true), TURN_ASKED, "now it can be asked again");
}

Test(redis_hello, silent_server_is_given_up)
{
	open_with((struct redis_config){.timeout_ms = 100});
	come_up();
	cr_expect_eq(find("ann", true), TURN_ASKED);
	wait_for(n_users_told == 1);
	cr_expect_not(redis->link.up);
	cr_expect_eq(find("ann", true), TURN_OUT_OF_REACH);
	wait_for(accept_link());
}

Test(redis_hello, it_says_who_it_is)
{
	open_with((struct redis_config){.user = "me", .password = "pw", .database = 7});
	wait_for(accept_link());
	EXPECT("*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$2\r\npw\r\n*2\r\n$6\r\nSELECT\r\n$"
	       "1\r\n7\r\n" PING);
	say("+OK\r\n+OK\r\n");
	for (int i = 0; i < 20; i++)
		turn_loop();
	cr_expect_not(redis->link.up);
	say("+PONG\r\n");
	wait_for(redis->link.up);
}

Test(redis_hello, who_is_refused_tries_again_later)
{
	open_with((struct redis_config){.password = "wrong"});
	wait_for(accept_link());
	EXPECT("*2\r\n$4\r\nAUTH\r\n$5\r\nwrong\r\n" PING);
	say("-WRONGPASS invalid\r\n-NOAUTH Authentication required.\r\n");
	wait_for(!redis->link.ac);
	cr_expect_eq(redis->link.n_ups, 0);
	wait_for(accept_link());
}

Test(redis_link, settings_are_read_and_odd_values_left_out)
{
	wait_for(accept_link());
	EXPECT(PING);
	say("+PONG\r\n");
	expect_settings_read();
	say("*3\r\n$0\r\n\r\n$3\r\na");
	cr_assert_eq(write(server, "\0b\r\n$5\r\nnorth\r\n", 15), 15); // a zero byte within
	say(EMPTY);
	say("*4\r\n$9\r\n192.0.2.1\r\n$19\r\n192.0.2.5-192.0.2.9\r\n$13\r\n2001:db8::/32\r\n"
	    "$3\r\nall\r\n");
	say("*2\r\n$2\r\n12\r\n$3\r\n-12\r\n");
	wait_for(n_realms_told == 1);
	cr_expect_eq(told.n_rest_secrets, 1);
	cr_expect_str_eq(told_secret, "north");
	cr_expect_str_eq(told_peers, "192.0.2.1/32 192.0.2.5-192.0.2.9 2001:db8::/32 ");
	cr_expect_eq(told.n_allocations_max, 12);
	cr_expect_eq(told.n_allocations_per_user, 0);
}

Test(redis_link, settings_are_told_again_only_where_they_changed)
{
	come_up();
	settings_read(&redis->settings[1], &redis->link);
	expect_settings_read();
	say(EMPTY EMPTY EMPTY NO_QUOTAS);
	wait_for(redis->settings[1].n_due == 0);
	cr_expect_eq(n_realms_told, 1);
	settings_read(&redis->settings[1], &redis->link);
	expect_settings_read();
	say(EMPTY EMPTY "*2\r\n$7\r\n9.0.0.1\r\n$7\r\n9.0.0.2\r\n" NO_QUOTAS);
	wait_for(n_realms_told == 2);
	settings_read(&redis->settings[1], &redis->link);
	expect_settings_read();
	say(EMPTY EMPTY "*2\r\n$7\r\n9.0.0.2\r\n$7\r\n9.0.0.1\r\n" NO_QUOTAS);
	wait_for(redis->settings[1].n_due == 0);
	cr_expect_eq(n_realms_told, 2, "sets have no order");
	settings_read(&redis->settings[1], &redis->link);
	expect_settings_read();
	say(EMPTY "*2\r\n$7\r\n9.0.0.2\r\n$7\r\n9.0.0.1\r\n" EMPTY NO_QUOTAS);
	wait_for(n_realms_told == 3);
}

Test(redis_link, settings_that_were_not_taken_are_told_again)
{
	come_up();
	realm_says = -ENOMEM;
	for (unsigned n_told = 2; n_told < 5; n_told++) {
		settings_read(&redis->settings[1], &redis->link);
		expect_settings_read();
		say(EMPTY EMPTY "*1\r\n$7\r\n9.0.0.1\r\n" NO_QUOTAS);
		wait_for(redis->settings[1].n_due == 0);
		cr_expect_eq(n_realms_told, n_told < 4 ? n_told : 3);
		realm_says = 0;
	}
}

Test(redis_link, settings_that_could_not_all_be_read_stay_as_they_were)
{
	come_up();
	settings_read(&redis->settings[1], &redis->link);
	expect_settings_read();
	say(EMPTY "*1\r\n$9\r\n192.0.2.1\r\n"
		  "-WRONGTYPE\r\n" NO_QUOTAS);
	wait_for(redis->settings[1].n_due == 0);
	cr_expect_eq(n_realms_told, 1);
}
