// The Redis of users: coturn's connection string, words of NAME=VALUE.
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#define REDIS_PORT 6379
#define DATABASE_MAX 1023
#define TIMEOUT_MAX_MS 60000

struct words {
	const char *address;
	const char *port;
	const char *database;
	const char *timeout_s;
};

static bool is_one_of(const char *name, const char *const *names)
{
	for (; *names; names++) {
		if (strcmp(name, *names) == 0)
			return true;
	}
	return false;
}

// The names that coturn reads alike.
static void take_word(struct plan *plan, struct words *words, const char *name, const char *value)
{
	static const char *const address[] = {"ip", "host", "addr", "ipaddr", "hostaddr", NULL};
	static const char *const database[] = {"db", "dbname", "database", NULL};
	static const char *const user[] = {"user", "uname", "name", "username", NULL};
	static const char *const password[] = {"password", "passwd", "secret", "pwd", NULL};
	static const char *const timeout[] = {"connect_timeout", "timeout", NULL};

	if (is_one_of(name, address))
		words->address = value;
	else if (strcmp(name, "port") == 0 || strcmp(name, "p") == 0)
		words->port = value;
	else if (is_one_of(name, database))
		words->database = value;
	else if (is_one_of(name, user))
		plan->redis_user = value;
	else if (is_one_of(name, password))
		plan->redis_password = value;
	else if (is_one_of(name, timeout))
		words->timeout_s = value;
	else
		notes_add(&plan->notes, NOTE_LOST, plan->redis.what,
			"%s is not taken; there is no TLS to Redis, which wants a tunnel", name);
}

static uint32_t number(struct plan *plan, const char *text, uint32_t preset, uint32_t max)
{
	unsigned long value;
	char *end;

	if (!text)
		return preset;
	value = strtoul(text, &end, 10);
	if (*text && !*end && value <= max)
		return (uint32_t)value;
	notes_add(&plan->notes, NOTE_LOST, plan->redis.what,
		"a port, database or timeout there is no number from 0 to %u; it is %u", max,
		preset);
	return preset;
}

static void take_server(struct plan *plan, const char *address, uint32_t port)
{
	if (!address || strcmp(address, "localhost") == 0)
		address = "127.0.0.1";
	if (ip_parse(&plan->redis_server.ip, address) < 0) {
		ip_parse(&plan->redis_server.ip, "127.0.0.1");
		notes_add(&plan->notes, NOTE_LOST, plan->redis.what,
			"%s is no address; the server is 127.0.0.1", address);
	}
	plan->redis_server.port = (uint16_t)(port ? port : REDIS_PORT);
}

void plan_complete_redis(struct plan *plan)
{
	struct words words = {0};
	char *saved;
	uint32_t timeout_s;

	// The settings are ours and are not read again.
	for (char *word = strtok_r((char *)plan->redis.text, " \t", &saved); word;
		word = strtok_r(NULL, " \t", &saved)) {
		char *equals = strchr(word, '=');

		if (equals)
			*equals++ = '\0';
		take_word(plan, &words, word, equals ? equals : "");
	}
	take_server(plan, words.address, number(plan, words.port, REDIS_PORT, UINT16_MAX));
	plan->redis_database = number(plan, words.database, 0, DATABASE_MAX);
	timeout_s = number(plan, words.timeout_s, 0, TIMEOUT_MAX_MS / 1000);
	plan->redis_timeout_ms = timeout_s * 1000;
	if (plan->redis_password && !*plan->redis_password)
		plan->redis_password = NULL;
	if (plan->redis_user && !plan->redis_password)
		plan->redis_user = NULL;
	if (plan->no_dynamic_lists.what)
		notes_add(&plan->notes, NOTE_DIFFERS, plan->no_dynamic_lists.what,
			"with Redis, limits and peers there hold beside those of the file");
}
