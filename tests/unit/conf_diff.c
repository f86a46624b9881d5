// What a new configuration changes: every key of the schema is compared, and its change is told
// without a secret.
#include "conf/conf.h"
#include "conf/keys.h"
#include "conf/schema.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#define KEY_A "00112233445566778899aabbccddeeff"
#define KEY_B "ff112233445566778899aabbccddeeff"

// Every key is here, so that each can be changed by itself.
static const char base[] =
	"ports:\n"
	"  - name: wan\n"
	"    device: memif:/run/a\n"
	"    role: client\n"
	"    mirror: tp7\n"
	"    mac: 02:00:5e:10:00:01\n"
	"    mtu: 1400\n"
	"    vlan: 7\n"
	"    addresses: [198.18.0.2/24, 198.18.0.3/24]\n"
	"    routes: [{to: 0.0.0.0/0, via: 198.18.0.1}]\n"
	"    neighbours: [{address: 198.18.0.1, mac: 02:00:5e:10:00:02}]\n"
	"listen: [198.18.0.2:3478, 198.18.0.2:3479]\n"
	"relay: [{address: 198.18.0.2, external: 203.0.113.8, ports: 50000-50999}]\n"
	"auth:\n"
	"  realm: example.org\n"
	"  users: [{name: ann, password: very-hush}, {name: bob, key: " KEY_A "}]\n"
	"  rest-secrets: [north-hush]\n"
	"  rest-secrets-sha256: [south-hush]\n"
	"  password-algorithms: md5\n"
	"  redis: on\n"
	"  nonce-lifetime-s: 500\n"
	"realms:\n"
	"  - name: blue\n"
	"    listen: [198.18.0.2:3480]\n"
	"    users: [{name: ann, password: azure-hush}]\n"
	"    password-algorithms: sha256\n"
	"    username-anonymity: off\n"
	"    redis: off\n"
	"    limits: {allocations: 100, allocations-per-user: 10}\n"
	"    peers: {profile: lan, allow: [10.0.0.0/8], deny: [10.1.0.0/16], dry-run: "
	"[10.2.0.0/16], nat64-prefixes: [\"2001:db8:64::/96\"]}\n"
	"redis: {server: 127.0.0.1:6379, username: u, password: redis-hush, database: 1, "
	"timeout-ms: 100, refresh-s: 11, cache-s: 12, unknown-cache-s: 13, cached-users: 14, "
	"waiting-users: 15}\n"
	"limits:\n"
	"  allocations: 1000\n"
	"  allocations-per-user: 20\n"
	"  lifetime-s: 700\n"
	"  lifetime-max-s: 3500\n"
	"  alternate-servers: [198.18.0.9:3478]\n"
	"  channels: rfc5766\n"
	"  permissions-per-allocation: 100\n"
	"  channels-per-allocation: 101\n"
	"  new-peers-per-user-s: 102\n"
	"  new-peers-s: 103\n"
	"  answers: {bindings-per-source: 1, bindings: 2, challenges-per-source: 3, challenges: 4, "
	"ratio-percent: 5}\n"
	"  rates: {allocation-kbit-s: 1, allocation-packets-s: 2, user-kbit-s: 3, user-packets-s: "
	"4, all-kbit-s: 5, all-packets-s: 6, burst-ms: 70}\n"
	"stun: {alternate-address: 198.18.0.3:3481, software: \"a b\", rfc3489: off}\n"
	"mobility: off\n"
	"tokens: {server-name: s.example, keys: [{kid: north, key: " KEY_A "}]}\n"
	"peers: {profile: public, allow: [10.0.0.0/8], deny: [10.1.0.0/16], dry-run: "
	"[10.2.0.0/16], nat64-prefixes: [\"2001:db8:64::/96\"]}\n"
	"workers: {count: 2, cpus: [0, 1], control-cpu: 0, poll: busy}\n"
	"memory: {hugepages: off, mbufs: 4096}\n"
	"http: {listen: [\"127.0.0.1:9641\"], page: off, coturn-names: off}\n"
	"records: {file: /run/records, redis: calls, observe-percent: 3, coturn-status: off}\n"
	"log: {level: info, format: auto, user-names: plain, stats-interval-s: 5}\n"
	"user: relay\n"
	"group: calls\n"
	"admin: {socket: /run/one.sock, group: adm}\n";

static struct conf *load(const char *text)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES];

	cr_assert_eq(conf_load_bytes(&conf, "t", (const uint8_t *)text, strlen(text), error), 0,
		"%s", error);
	return conf;
}

// `text` with the first `find` behind `after` replaced; the caller frees it.
static char *replace(const char *text, const char *after, const char *find, const char *put)
{
	const char *at = strstr(text, after);
	char *out = NULL;

	at = at ? strstr(at, find) : NULL;
	cr_assert_not_null(at, "%s %s", after, find);
	cr_assert_geq(
		asprintf(&out, "%.*s%s%s", (int)(at - text), text, put, at + strlen(find)), 0);
	return out;
}

static void diff_texts(struct conf_diff *diff, const char *from, const char *to)
{
	struct conf *a = load(from);
	struct conf *b = load(to);

	cr_assert_eq(conf_diff(diff, a, b), 0);
	conf_destroy(a);
	conf_destroy(b);
}

struct row {
	const char *after; // in the base: the place from where on
	const char *find;
	const char *put;
	const char *line; // "KEY: TEXT", with "!" before it where a restart is needed
};

// One of each key in the order of the tables. What follows from a change stands in `line` too.
static const struct row rows[] = {
	{"", "memif:/run/a", "memif:/run/b", "!ports[wan].device: memif:/run/a -> memif:/run/b"},
	{"", "name: wan", "name: lan", "!ports: +lan -wan"},
	{"", "role: client", "role: server", "!ports[wan].role: client -> server"},
	{"", "tp7", "tp8", "!ports[wan].mirror: tp7 -> tp8"},
	{"", "mac: 02:00:5e:10:00:01", "mac: 02:00:5e:10:00:03",
		"!ports[wan].mac: 02:00:5e:10:00:01 -> 02:00:5e:10:00:03"},
	{"", "mtu: 1400", "mtu: 1401", "!ports[wan].mtu: 1400 -> 1401"},
	{"", "vlan: 7", "vlan: 8", "!ports[wan].vlan: 7 -> 8"},
	{"", "198.18.0.3/24]", "198.18.0.3/24, 198.18.0.4/24]",
		"!ports[wan].addresses: +198.18.0.4/24"},
	{"", "to: 0.0.0.0/0", "to: 0.0.0.0/1",
		"!ports[wan].routes: -0.0.0.0/0=198.18.0.1 +0.0.0.0/1=198.18.0.1"},
	{"", "00:02}]", "00:04}]",
		"!ports[wan].neighbours: -198.18.0.1=02:00:5e:10:00:02 "
		"+198.18.0.1=02:00:5e:10:00:04"},
	{"", "3479]", "3477]", "listen: +198.18.0.2:3477 -198.18.0.2:3479"},
	{"", "3478, 198.18.0.2:3479]", "3479, 198.18.0.2:3478]", "listen: in another order"},
	{"", "50000-50999", "50000-51000",
		"relay: -198.18.0.2:50000-50999=203.0.113.8 "
		"+198.18.0.2:50000-51000=203.0.113.8"},
	{"", "113.8", "113.9",
		"relay: -198.18.0.2:50000-50999=203.0.113.8 "
		"+198.18.0.2:50000-50999=203.0.113.9"},
	{"", "nonce-lifetime-s: 500", "nonce-lifetime-s: 501", "auth.nonce-lifetime-s: 500 -> 501"},
	{"redis:", "127.0.0.1:6379", "unix:/run/r", "!redis.server: 127.0.0.1:6379 -> unix:/run/r"},
	{"redis:", "username: u", "username: v", "!redis.username: u -> v"},
	{"redis:", "redis-hush", "redis-hush2", "!redis.password: changed"},
	{"redis:", "database: 1", "database: 2", "!redis.database: 1 -> 2"},
	{"redis:", "timeout-ms: 100", "timeout-ms: 101", "!redis.timeout-ms: 100 -> 101"},
	{"redis:", "refresh-s: 11", "refresh-s: 12", "!redis.refresh-s: 11 -> 12"},
	{"redis:", "cache-s: 12", "cache-s: 13", "!redis.cache-s: 12 -> 13"},
	{"redis:", "unknown-cache-s: 13", "unknown-cache-s: 14",
		"!redis.unknown-cache-s: 13 -> 14"},
	{"redis:", "cached-users: 14", "cached-users: 15", "!redis.cached-users: 14 -> 15"},
	{"redis:", "waiting-users: 15", "waiting-users: 16", "!redis.waiting-users: 15 -> 16"},
	{"limits:\n", "allocations: 1000", "allocations: 999", "limits.allocations: 1000 -> 999"},
	{"limits:\n", "lifetime-s: 700", "lifetime-s: 701", "limits.lifetime-s: 700 -> 701"},
	{"limits:\n", "lifetime-max-s: 3500", "lifetime-max-s: 3501",
		"limits.lifetime-max-s: 3500 -> 3501"},
	{"", "alternate-servers: [198.18.0.9:3478]", "alternate-servers: []",
		"limits.alternate-servers: -198.18.0.9:3478"},
	{"limits:\n", "rfc5766", "rfc8656", "limits.channels: rfc5766 -> rfc8656"},
	{"", "permissions-per-allocation: 100", "permissions-per-allocation: 99",
		"limits.permissions-per-allocation: 100 -> 99"},
	{"", "channels-per-allocation: 101", "channels-per-allocation: 99",
		"limits.channels-per-allocation: 101 -> 99"},
	{"", "new-peers-per-user-s: 102", "new-peers-per-user-s: 99",
		"limits.new-peers-per-user-s: 102 -> 99"},
	{"", "new-peers-s: 103", "new-peers-s: 99", "limits.new-peers-s: 103 -> 99"},
	{"answers", "bindings-per-source: 1", "bindings-per-source: 9",
		"limits.answers.bindings-per-source: 1 -> 9"},
	{"answers", "bindings: 2", "bindings: 9", "limits.answers.bindings: 2 -> 9"},
	{"answers", "challenges-per-source: 3", "challenges-per-source: 9",
		"limits.answers.challenges-per-source: 3 -> 9"},
	{"answers", "challenges: 4", "challenges: 9", "limits.answers.challenges: 4 -> 9"},
	{"answers", "ratio-percent: 5", "ratio-percent: 9", "limits.answers.ratio-percent: 5 -> 9"},
	{"rates", "allocation-kbit-s: 1", "allocation-kbit-s: 9",
		"limits.rates.allocation-kbit-s: 1 -> 9"},
	{"rates", "allocation-packets-s: 2", "allocation-packets-s: 9",
		"limits.rates.allocation-packets-s: 2 -> 9"},
	{"rates", "user-kbit-s: 3", "user-kbit-s: 9", "limits.rates.user-kbit-s: 3 -> 9"},
	{"rates", "user-packets-s: 4", "user-packets-s: 9", "limits.rates.user-packets-s: 4 -> 9"},
	{"rates", "all-kbit-s: 5", "all-kbit-s: 9", "limits.rates.all-kbit-s: 5 -> 9"},
	{"rates", "all-packets-s: 6", "all-packets-s: 9", "limits.rates.all-packets-s: 6 -> 9"},
	{"rates", "burst-ms: 70", "burst-ms: 90", "limits.rates.burst-ms: 70 -> 90"},
	{"stun:", "alternate-address: 198.18.0.3:3481, ", "",
		"stun.alternate-address: 198.18.0.3:3481 -> none"},
	{"stun:", "a b", "c", "stun.software: a b -> c"},
	{"stun:", "rfc3489: off", "rfc3489: on", "stun.rfc3489: off -> on"},
	{"", "mobility: off", "mobility: on", "mobility: off -> on"},
	{"tokens:", "s.example", "t.example", "tokens.server-name: s.example -> t.example"},
	{"tokens:", KEY_A, KEY_B, "tokens.keys: 0 added, 0 removed, 1 changed"},
	{"", "count: 2, cpus: [0, 1]", "count: 1, cpus: [0]",
		"!workers.count: 2 -> 1\n!workers.cpus: -1"},
	{"", "cpus: [0, 1]", "cpus: [0, 2]", "!workers.cpus: -1 +2"},
	{"", "control-cpu: 0", "control-cpu: 1", "!workers.control-cpu: 0 -> 1"},
	{"", "poll: busy", "poll: adaptive", "!workers.poll: busy -> adaptive"},
	{"", "hugepages: off", "hugepages: auto", "!memory.hugepages: off -> auto"},
	{"", "mbufs: 4096", "mbufs: 4097", "!memory.mbufs: 4096 -> 4097"},
	{"", "127.0.0.1:9641", "127.0.0.1:9642", "!http.listen: -127.0.0.1:9641 +127.0.0.1:9642"},
	{"", "page: off", "page: on", "!http.page: off -> on"},
	{"", "coturn-names: off", "coturn-names: on", "!http.coturn-names: off -> on"},
	{"", "/run/records", "/run/others", "!records.file: /run/records -> /run/others"},
	{"", "redis: calls", "redis: others", "!records.redis: calls -> others"},
	{"", "observe-percent: 3", "observe-percent: 4", "!records.observe-percent: 3 -> 4"},
	{"", "coturn-status: off", "coturn-status: on", "!records.coturn-status: off -> on"},
	{"", "level: info", "level: debug", "log.level: info -> debug"},
	{"", "format: auto", "format: json", "log.format: auto -> json"},
	{"", "user-names: plain", "user-names: off", "log.user-names: plain -> off"},
	{"", "stats-interval-s: 5", "stats-interval-s: 6", "log.stats-interval-s: 5 -> 6"},
	{"", "user: relay", "user: nobody", "!user: relay -> nobody"},
	{"", "group: calls\n", "", "!group: calls -> none"},
	{"", "/run/one.sock", "/run/two.sock", "!admin.socket: /run/one.sock -> /run/two.sock"},
	{"", "group: adm", "group: staff", "!admin.group: adm -> staff"},
	{"auth:", "example.org", "example.net", "!auth.realm: example.org -> example.net"},
	{"auth:", "very-hush", "other-hush", "auth.users: 0 added, 0 removed, 1 changed"},
	{"auth:", "name: bob", "name: cat", "auth.users: 1 added, 1 removed, 0 changed"},
	{"auth:", KEY_A, KEY_B, "auth.users: 0 added, 0 removed, 1 changed"},
	{"auth:", "key: " KEY_A, "key: " KEY_A ", key-sha256: " KEY_A KEY_A,
		"auth.users: 0 added, 0 removed, 1 changed"},
	{"auth:", "north-hush", "north-hush, west-hush",
		"auth.rest-secrets: 1 added, 0 removed, 0 changed"},
	{"auth:", "south-hush", "east-hush",
		"auth.rest-secrets-sha256: 1 added, 1 removed, 0 changed"},
	{"blue", "name: ann", "name: dan", "realms[blue].users: 1 added, 1 removed, 0 changed"},
	{"blue", "azure-hush", "blue-hush", "realms[blue].users: 0 added, 0 removed, 1 changed"},
	{"realms", "name: blue", "name: green", "realms: -blue +green"},
	{"blue", "3480", "3482", "realms[blue].listen: -198.18.0.2:3480 +198.18.0.2:3482"},
	{"blue", "password-algorithms: sha256", "password-algorithms: md5",
		"realms[blue].password-algorithms: sha256 -> md5"},
	{"blue", "username-anonymity: off", "username-anonymity: on",
		"realms[blue].username-anonymity: off -> on"},
	{"blue", "redis: off", "redis: on", "!realms[blue].redis: off -> on"},
	{"blue", "allocations: 100", "allocations: 99",
		"realms[blue].limits.allocations: 100 -> 99"},
	{"blue", "allocations-per-user: 10", "allocations-per-user: 9",
		"realms[blue].limits.allocations-per-user: 10 -> 9"},
	{"limits:\n", "allocations-per-user: 20", "allocations-per-user: 21",
		"limits.allocations-per-user: 20 -> 21"},
	{"blue", "profile: lan", "profile: public", "realms[blue].peers.profile: lan -> public"},
	{"blue", "10.0.0.0/8", "10.0.0.1-10.0.0.9",
		"realms[blue].peers.allow: -10.0.0.0/8 +10.0.0.1-10.0.0.9"},
	{"blue", "10.1.0.0/16", "10.3.0.0/16",
		"realms[blue].peers.deny: -10.1.0.0/16 +10.3.0.0/16"},
	{"blue", "10.2.0.0/16", "10.3.0.0/16",
		"realms[blue].peers.dry-run: -10.2.0.0/16 +10.3.0.0/16"},
	{"blue", "db8:64::", "db8:65::",
		"realms[blue].peers.nat64-prefixes: -2001:db8:64::/96 +2001:db8:65::/96"},
	{"\npeers:", "profile: public", "profile: lan", "peers.profile: public -> lan"},
	{"\npeers:", "10.0.0.0/8", "10.4.0.0/16", "peers.allow: -10.0.0.0/8 +10.4.0.0/16"},
	{"\npeers:", "10.1.0.0/16", "10.3.0.0/16", "peers.deny: -10.1.0.0/16 +10.3.0.0/16"},
	{"\npeers:", "10.2.0.0/16", "10.3.0.0/16", "peers.dry-run: -10.2.0.0/16 +10.3.0.0/16"},
	{"\npeers:", "db8:64::", "db8:65::",
		"peers.nat64-prefixes: -2001:db8:64::/96 +2001:db8:65::/96"},
};

static void write_lines(const struct conf_diff *diff, char out[static 2048])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < diff->n; i++)
		n += (size_t)snprintf(out + n, 2048 - n, "%s%s%s: %s", i ? "\n" : "",
			diff->changes[i].needs_restart ? "!" : "", diff->changes[i].key,
			diff->changes[i].text);
}

// What a change from one text to another is told as, and without which secrets.
static void expect_lines(const char *before, const char *after, const char *wanted)
{
	struct conf_diff diff;
	char lines[2048];

	diff_texts(&diff, before, after);
	write_lines(&diff, lines);
	cr_expect_str_eq(lines, wanted);
	cr_expect_null(strstr(lines, "hush"), "%s", lines);
	cr_expect_null(strstr(lines, KEY_A), "%s", lines);
	conf_diff_free(&diff);
}

static void check_row(const struct row *row)
{
	char *changed = replace(base, row->after, row->find, row->put);

	expect_lines(base, changed, row->line);
	free(changed);
}

Test(conf_diff, each_key_is_told_in_one_line)
{
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		check_row(&rows[i]);
}

Test(conf_diff, the_same_file_differs_in_nothing)
{
	expect_lines(base, base, "");
}

// Is the key of that path in this table, by itself or as a member?
static bool is_in_table(const struct key_table *table, const char *path)
{
	const char *leaf = strrchr(path, '.') ? strrchr(path, '.') + 1 : path;

	for (size_t i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];
		const char *names[] = {key->name, key->first};

		for (size_t k = 0; k < N_ELEMENTS(names) && names[k]; k++) {
			const size_t n = strlen(names[k]);
			char members[128];
			char word[64];

			if (strcmp(names[k], path) == 0)
				return true;
			snprintf(
				members, sizeof(members), " %s ", key->members ? key->members : "");
			snprintf(word, sizeof(word), " %s ", leaf);
			if (key->members && strncmp(names[k], path, n) == 0 &&
				path + n + 1 == leaf && strstr(members, word))
				return true;
		}
	}
	return false;
}

static unsigned check_schema(const char *path, const cyaml_schema_value_t *schema);

static unsigned check_fields(const char *path, const cyaml_schema_field_t *fields)
{
	unsigned n = 0;

	for (; fields->key; fields++) {
		char inner[256];

		snprintf(inner, sizeof(inner), "%s%s%s", path, *path ? "." : "", fields->key);
		n += check_schema(inner, &fields->value);
	}
	return n;
}

// The leaves of the schema: lists of plain values are leaves too.
static unsigned check_schema(const char *path, const cyaml_schema_value_t *schema)
{
	if (schema->type == CYAML_MAPPING)
		return check_fields(path, schema->mapping.fields);
	if (schema->type == CYAML_SEQUENCE && schema->sequence.entry->type == CYAML_MAPPING)
		return check_schema(path, schema->sequence.entry);
	cr_expect(is_in_table(&keys_of_file, path) || is_in_table(&keys_of_port, path) ||
			is_in_table(&keys_of_realm, path),
		"%s is not in lib/conf/keys.c: a reload would overlook it", path);
	return 1;
}

Test(conf_diff, every_key_of_the_schema_is_compared)
{
	cr_expect_geq(check_schema("", &schema_root), 90);
}

// Each row of the tables is seen by the test of its line.
static bool is_told(const char *name)
{
	const char *dot = strchr(name, '.');
	const size_t n_head = dot ? (size_t)(dot - name) : strlen(name);

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const char *at = rows[i].line;

		for (; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
			const char *key = at + (*at == '!');
			const char *tail = key + n_head;
			const char *rest = dot ? dot : "";

			if (strncmp(key, name, n_head) != 0)
				continue;
			if (*tail == '[' && strchr(tail, ']'))
				tail = strchr(tail, ']') + 1;
			if (strncmp(tail, rest, strlen(rest)) == 0 && tail[strlen(rest)] == ':')
				return true;
		}
	}
	return false;
}

static void check_told(const struct key_table *table)
{
	for (size_t i = 0; i < table->n; i++) {
		const struct key *key = &table->keys[i];

		cr_expect(is_told(key->name) || (key->first && is_told(key->first)),
			"no row above changes %s", key->name);
	}
}

Test(conf_diff, every_key_of_the_tables_has_a_row)
{
	check_told(&keys_of_file);
	check_told(&keys_of_port);
	check_told(&keys_of_realm);
}

Test(conf_diff, a_new_realm_that_asks_redis_needs_a_restart)
{
	static const char realm[] = "realms:\n"
				    "  - {name: red, listen: [198.18.0.2:3500], redis: on}\n";
	char *with = replace(base, "", "realms:\n", realm);
	char *without = replace(with, "red", "redis: on}", "redis: off, rest-secrets: [s]}");

	expect_lines(base, with, "!realms: +red");
	expect_lines(base, without, "realms: +red");
	expect_lines(with, base, "realms: -red");
	free(with);
	free(without);
}

// Redis's side knows realms by name, wherever they stand in the file.
Test(conf_diff, a_realm_of_a_new_name_that_asks_redis_needs_a_restart)
{
	char *off = replace(base, "auth:", "redis: on", "redis: off");
	char *renamed = replace(off, "auth:", "example.org", "example.net");
	char *blue = replace(base, "blue", "redis: off", "redis: on");
	char *half = replace(blue, "auth:", "example.org", "BLUE");
	char *other = replace(half, "realms:", "name: blue", "name: example.org");
	char *swapped = replace(other, "auth:", "BLUE", "blue");
	struct conf_diff diff;

	expect_lines(off, renamed, "auth.realm: example.org -> example.net");
	diff_texts(&diff, blue, swapped);
	cr_assert_geq(diff.n, 2);
	cr_expect_str_eq(diff.changes[0].key, "auth.realm");
	cr_expect_not(diff.changes[0].needs_restart);
	cr_expect_str_eq(diff.changes[1].key, "realms");
	cr_expect_not(diff.changes[1].needs_restart);
	conf_diff_free(&diff);
	diff_texts(&diff, base, swapped); // blue has not asked before
	cr_assert_geq(diff.n, 2);
	cr_expect(diff.changes[0].needs_restart);
	cr_expect_not(diff.changes[1].needs_restart);
	conf_diff_free(&diff);
	free(off);
	free(renamed);
	free(blue);
	free(half);
	free(other);
	free(swapped);
}

Test(conf_diff, redis_is_left_without_a_restart)
{
	char *on = replace(base, "blue", "redis: off", "redis: on");

	expect_lines(on, base, "realms[blue].redis: on -> off");
	free(on);
}

Test(conf_diff, the_order_of_realms_means_nothing)
{
	static const char red[] = "  - {name: red, listen: [198.18.0.2:3500], rest-secrets: [s]}\n";
	char *first = replace(base, "", "realms:\n", "realms:\nRED");
	char *last = replace(base, "", "redis: {", "REDredis: {");
	char *a = replace(first, "", "RED", red);
	char *b = replace(last, "", "RED", red);

	expect_lines(a, b, "");
	free(first);
	free(last);
	free(a);
	free(b);
}

Test(conf_diff, a_long_list_is_cut_and_says_so)
{
	char list[8192] = "deny: [10.9.0.0";
	size_t n = strlen(list);
	struct conf_diff diff;
	char *changed;

	for (unsigned i = 1; i <= 200; i++)
		n += (size_t)snprintf(list + n, sizeof(list) - n, ", 10.9.0.%u", i);
	snprintf(list + n, sizeof(list) - n, ", 10.1.0.0/16]");
	changed = replace(base, "\npeers:", "deny: [10.1.0.0/16]", list);
	diff_texts(&diff, base, changed);
	cr_assert_eq(diff.n, 1);
	cr_expect_str_eq(diff.changes[0].key, "peers.deny");
	cr_expect_eq(strncmp(diff.changes[0].text, "+10.9.0.0/32 +10.9.0.1/32 ", 26), 0);
	cr_expect_not_null(strstr(diff.changes[0].text, " and 17"));
	cr_expect_str_eq(diff.changes[0].text + strlen(diff.changes[0].text) - 5, " more");
	conf_diff_free(&diff);
	free(changed);
}

// How many rows of a list have a key that begins so.
static size_t count_keys(const struct conf_diff *list, const char *head)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		n += strncmp(list->changes[i].key, head, strlen(head)) == 0;
	return n;
}

static void expect_value(const struct conf_diff *list, const char *key, const char *text)
{
	for (size_t i = 0; i < list->n; i++) {
		if (strcmp(list->changes[i].key, key) != 0)
			continue;
		cr_expect_str_eq(list->changes[i].text, text, "%s", key);
		return;
	}
	cr_expect_fail("no %s", key);
}

static size_t count_first(const struct key_table *table)
{
	size_t n = 0;

	for (size_t i = 0; i < table->n; i++)
		n += table->keys[i].first != NULL;
	return n;
}

// Each key of the tables once, also of each port and realm, and no secret.
Test(conf_diff, a_list_has_every_key_with_its_value)
{
	struct conf *conf = load(base);
	struct conf_diff list;

	cr_assert_eq(conf_list(&list, conf), 0);
	cr_expect_eq(list.n,
		keys_of_file.n + keys_of_port.n + keys_of_realm.n + count_first(&keys_of_realm));
	for (size_t i = 0; i < list.n; i++) {
		const char *text = list.changes[i].text;

		cr_expect_gt(strlen(text), 0, "%s", list.changes[i].key);
		cr_expect_null(strstr(text, "hush"), "%s: %s", list.changes[i].key, text);
		cr_expect_null(strstr(text, KEY_A), "%s: %s", list.changes[i].key, text);
		for (size_t k = 0; k < i; k++)
			cr_expect_str_neq(list.changes[i].key, list.changes[k].key);
	}
	expect_value(&list, "memory.mbufs", "4096");
	expect_value(&list, "auth.users", "2");
	expect_value(&list, "redis.password", "set");
	expect_value(&list, "tokens.keys", "1");
	expect_value(&list, "listen", "198.18.0.2:3478 198.18.0.2:3479");
	expect_value(&list, "realms[blue].listen", "198.18.0.2:3480");
	expect_value(&list, "ports[wan].role", "client");
	conf_diff_free(&list);
	conf_destroy(conf);
}

// The realm of `auth` has the file's listeners and limits, and stands nowhere among `realms`.
Test(conf_diff, a_list_has_no_key_that_is_not_there)
{
	char *device = replace(base, "", "memif:/run/a\n    role: client", "af_packet:eth0");
	struct conf *conf = load(device);
	struct conf_diff list;

	cr_assert_eq(conf_list(&list, conf), 0);
	cr_expect_eq(count_keys(&list, "realms["), keys_of_realm.n);
	cr_expect_eq(count_keys(&list, "realms[blue]."), keys_of_realm.n);
	expect_value(&list, "ports[wan].role", "none");
	conf_diff_free(&list);
	conf_destroy(conf);
	free(device);
}

Test(conf_diff, a_list_tells_ranges_of_ipv6_and_no_numbers_of_a_redis_that_is_not_there)
{
	static const char small[] =
		"ports: [{name: w, device: af_packet:e, addresses: [\"2001:db8::2/64\"]}]\n"
		"listen: [\"[2001:db8::2]:3478\"]\n"
		"relay: [{address: \"2001:db8::2\"}]\n"
		"auth: {realm: r, users: [{name: a, password: b}]}\n";
	struct conf *conf = load(small);
	struct conf_diff list;

	cr_assert_eq(conf_list(&list, conf), 0);
	expect_value(&list, "relay", "[2001:db8::2]:49152-65535");
	for (size_t i = 0; i < list.n; i++)
		if (strncmp(list.changes[i].key, "redis.", 6) == 0)
			expect_value(&list, list.changes[i].key, "none");
	conf_diff_free(&list);
	conf_destroy(conf);
}
