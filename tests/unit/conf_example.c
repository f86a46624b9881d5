// The annotated example is loaded as it stands, and holds every key there is. TURNPIKE_CONFIG_DIR
// says where it lies.
#include "conf/conf.h"
#include "conf/schema.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static char path[4096];
static char example[64 * 1024];

static void find_example(void)
{
	const char *dir = getenv("TURNPIKE_CONFIG_DIR");
	FILE *file;

	snprintf(path, sizeof(path), "%s/turnpike.yaml", dir == NULL ? "config" : dir);
	file = fopen(path, "r");
	cr_assert_not_null(file, "%s", path);
	example[fread(example, 1, sizeof(example) - 1, file)] = '\0';
	fclose(file);
}

TestSuite(conf_example, .init = find_example);

static struct conf *load_example(void)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES];

	cr_assert_eq(conf_load(&conf, path, error), 0, "%s", error);
	return conf;
}

Test(conf_example, it_has_one_port_in_the_lab)
{
	struct conf *conf = load_example();
	char text[ADDR_TEXT_BYTES];

	cr_assert_eq(conf->n_ports, 1);
	cr_expect_eq(conf->ports[0].kind, CONF_AF_PACKET);
	cr_expect_str_eq(conf->ports[0].target, "wire0");
	cr_assert_eq(conf->ports[0].n_addresses, 1);
	cr_expect_str_eq(prefix_format(&conf->ports[0].addresses[0], text), "198.18.0.2/24");
	cr_expect_eq(conf->http.n_listen, 0);
	cr_expect_not(conf->http.page || conf->http.coturn_names);
	cr_expect_not(conf->records.file || conf->records.redis || conf->records.coturn_status);
	cr_assert_eq(conf->n_listen, 1);
	cr_expect_str_eq(endpoint_format(&conf->listen[0], text), "198.18.0.2:3478");
	cr_assert_eq(conf->n_relay, 1);
	cr_expect_str_eq(ip_format(&conf->relay[0].ip, text), "198.18.0.2");
	cr_expect_eq(conf->relay[0].port_min, 49152);
	cr_expect_eq(conf->relay[0].port_max, 65535);
	conf_destroy(conf);
}

Test(conf_example, it_has_a_demo_user_and_the_labs_peers)
{
	struct conf *conf = load_example();
	char range[RANGE_TEXT_BYTES];

	cr_expect_str_eq(conf->realms[0].name, "turnpike.example");
	cr_assert_eq(conf->realms[0].n_users, 1);
	cr_expect_str_eq(conf->realms[0].users[0].name, "demo");
	cr_expect_str_eq(conf->realms[0].users[0].password, "change-me");
	cr_expect_eq(conf->realms[0].n_rest_secrets, 0);
	cr_expect_eq(conf->realms[0].peers.profile, CONF_PEERS_PUBLIC);
	cr_assert_eq(conf->realms[0].peers.n_allow, 1);
	cr_expect_str_eq(range_format(&conf->realms[0].peers.allow[0], range), "198.18.0.0/15");
	cr_expect_eq(conf->n_workers, 1);
	cr_expect_eq(conf->poll, CONF_POLL_ADAPTIVE);
	conf_destroy(conf);
}

// `name` as a key somewhere in the example, live or in a comment.
static bool shows_key(const char *name)
{
	const size_t n = strlen(name);

	for (const char *at = strstr(example, name); at != NULL; at = strstr(at + 1, name)) {
		if (at > example && strchr(" {", at[-1]) != NULL && at[n] == ':')
			return true;
		if (at > example && at[-1] == '\n' && at[n] == ':')
			return true;
	}
	return false;
}

// What the loader itself says is allowed where `text` has a key it doesn't know.
static size_t check_allowed_keys(const char *text)
{
	struct conf *conf;
	char error[CONF_ERROR_BYTES];
	size_t n = 0;
	char *list;

	cr_assert_eq(
		conf_load_bytes(&conf, "t", (const uint8_t *)text, strlen(text), error), -EINVAL);
	list = strstr(error, "; allowed: ");
	cr_assert_not_null(list, "%s", error);
	for (char *key = strtok(list + strlen("; allowed: "), ", "); key != NULL;
		key = strtok(NULL, ", ")) {
		cr_expect(shows_key(key), "%s is missing", key);
		n++;
	}
	return n;
}

Test(conf_example, every_key_is_in_it)
{
	cr_expect_eq(check_allowed_keys("x: 1"), 19);
	cr_expect_eq(check_allowed_keys("ports: [{x: 1}]"), 10);
	cr_expect_eq(check_allowed_keys("ports: [{routes: [{x: 1}]}]"), 2);
	cr_expect_eq(check_allowed_keys("ports: [{neighbours: [{x: 1}]}]"), 2);
	cr_expect_eq(check_allowed_keys("relay: [{x: 1}]"), 3);
	cr_expect_eq(check_allowed_keys("auth: {x: 1}"), 8);
	cr_expect_eq(check_allowed_keys("auth: {users: [{x: 1}]}"), 4);
	cr_expect_eq(check_allowed_keys("realms: [{x: 1}]"), 10);
	cr_expect_eq(check_allowed_keys("redis: {x: 1}"), 10);
	cr_expect_eq(check_allowed_keys("realms: [{limits: {x: 1}}]"), 2);
	cr_expect_eq(check_allowed_keys("realms: [{peers: {x: 1}}]"), 5);
	cr_expect_eq(check_allowed_keys("limits: {x: 1}"), 12);
	cr_expect_eq(check_allowed_keys("limits: {answers: {x: 1}}"), 5);
	cr_expect_eq(check_allowed_keys("limits: {rates: {x: 1}}"), 7);
	cr_expect_eq(check_allowed_keys("stun: {x: 1}"), 3);
	cr_expect_eq(check_allowed_keys("tokens: {x: 1}"), 2);
	cr_expect_eq(check_allowed_keys("tokens: {keys: [{x: 1}]}"), 2);
	cr_expect_eq(check_allowed_keys("peers: {x: 1}"), 5);
	cr_expect_eq(check_allowed_keys("workers: {x: 1}"), 4);
	cr_expect_eq(check_allowed_keys("memory: {x: 1}"), 2);
	cr_expect_eq(check_allowed_keys("http: {x: 1}"), 3);
	cr_expect_eq(check_allowed_keys("records: {x: 1}"), 4);
	cr_expect_eq(check_allowed_keys("log: {x: 1}"), 4);
	cr_expect_eq(check_allowed_keys("admin: {x: 1}"), 2);
}

// Take the "# " from the line of `key`.
static void uncomment(const char *key)
{
	char commented[64];
	char *at;

	snprintf(commented, sizeof(commented), "# %s: ", key);
	at = strstr(example, commented);
	cr_assert_not_null(at, "%s", key);
	memmove(at, at + 2, strlen(at + 2) + 1);
}

// The same for lines that begin with one of these, in order.
static void uncomment_lines(const char *const *lines)
{
	for (; *lines != NULL; lines++) {
		char *at = strstr(example, *lines);

		cr_assert_not_null(at, "%s", *lines);
		memmove(at, at + 2, strlen(at + 2) + 1);
	}
}

Test(conf_example, the_defaults_in_comments_are_the_defaults)
{
	static const char *const nested[] = {"# rates:\n", "#   allocation-kbit-s: ",
		"#   allocation-packets-s: ", "#   user-kbit-s: ", "#   user-packets-s: ",
		"#   all-kbit-s: ", "#   all-packets-s: ", "#   burst-ms: ", "# answers:\n",
		"#   bindings-per-source: ", "#   bindings: ", "#   challenges-per-source: ",
		"#   challenges: ", "#   ratio-percent: ", NULL};
	static const char *const keys[] = {"mirror", "mtu", "vlan", "nonce-lifetime-s",
		"allocations-per-user", "permissions-per-allocation", "channels-per-allocation",
		"new-peers-per-user-s", "new-peers-s", "mobility", "lifetime-s", "lifetime-max-s",
		"mbufs", "stats-interval-s"};
	struct conf *by_default = load_example();
	struct conf *written;
	char error[CONF_ERROR_BYTES];

	for (size_t i = 0; i < N_ELEMENTS(keys); i++)
		uncomment(keys[i]);
	uncomment_lines(nested);
	cr_assert_eq(
		conf_load_bytes(&written, "t", (const uint8_t *)example, strlen(example), error), 0,
		"%s", error);
	cr_expect_str_eq(written->ports[0].mirror, by_default->ports[0].mirror);
	cr_expect_eq(written->ports[0].mtu_bytes, by_default->ports[0].mtu_bytes);
	cr_expect_eq(written->ports[0].vlan, by_default->ports[0].vlan);
	cr_expect_eq(written->nonce_lifetime_s, by_default->nonce_lifetime_s);
	cr_expect_eq(written->realms[0].n_allocations_per_user,
		by_default->realms[0].n_allocations_per_user);
	cr_expect_eq(written->allocation_lifetime_s, by_default->allocation_lifetime_s);
	cr_expect_eq(written->allocation_lifetime_max_s, by_default->allocation_lifetime_max_s);
	cr_expect_eq(written->allows_mobility, by_default->allows_mobility);
	cr_expect_eq(written->n_permissions_max, by_default->n_permissions_max);
	cr_expect_eq(written->n_channels_max, by_default->n_channels_max);
	cr_expect_eq(written->new_peers_per_user_s, by_default->new_peers_per_user_s);
	cr_expect_eq(written->new_peers_s, by_default->new_peers_s);
	cr_expect_eq(memcmp(&written->rates, &by_default->rates, sizeof(written->rates)), 0);
	cr_expect_eq(memcmp(&written->answers, &by_default->answers, sizeof(written->answers)), 0);
	cr_expect_eq(written->n_mbufs, by_default->n_mbufs);
	cr_expect_eq(written->stats_interval_s, by_default->stats_interval_s);
	conf_destroy(written);
	conf_destroy(by_default);
}

// Those of stun.alternate-address and of the relay of IPv6.
static void add_addresses(void)
{
	static const char first[] = "addresses: [\"198.18.0.2/24\"";
	static const char second[] = ", \"198.18.0.3/24\", \"2001:db8:18::2/64\"";
	char *at = strstr(example, first);

	cr_assert_not_null(at);
	at += strlen(first);
	memmove(at + strlen(second), at, strlen(at) + 1);
	memcpy(at, second, strlen(second));
}

// The same for the lines from "# KEY:" to the first that is no comment.
static void uncomment_block(const char *key)
{
	char commented[64];
	char *at;

	snprintf(commented, sizeof(commented), "\n# %s:\n", key);
	at = strstr(example, commented);
	cr_assert_not_null(at, "%s", key);
	for (at++; at[0] == '#' && at[1] == ' '; at = strchr(at, '\n') + 1)
		memmove(at, at + 2, strlen(at + 2) + 1);
}

Test(conf_example, the_realms_in_comments_are_accepted)
{
	char error[CONF_ERROR_BYTES];
	char text[ADDR_TEXT_BYTES];
	const struct conf_realm *realm;
	struct conf *conf;

	uncomment_block("realms");
	cr_assert_eq(conf_load_bytes(&conf, "t", (const uint8_t *)example, strlen(example), error),
		0, "%s", error);
	cr_assert_eq(conf->n_realms, 2);
	realm = &conf->realms[1];
	cr_expect_str_eq(realm->name, "customer.example");
	cr_assert_eq(realm->n_listen, 1);
	cr_expect_str_eq(endpoint_format(&realm->listen[0], text), "198.18.0.2:3479");
	cr_expect_eq(realm->n_users, 1);
	cr_expect_eq(realm->n_allocations_max, 1000);
	cr_expect_eq(realm->n_allocations_per_user, 10);
	cr_expect_eq(realm->peers.n_allow, 1);
	conf_destroy(conf);
}

Test(conf_example, the_redis_in_comments_is_accepted_and_has_the_defaults)
{
	char error[CONF_ERROR_BYTES];
	char text[ADDR_TEXT_BYTES];
	const struct conf_redis *redis;
	struct conf *conf;

	uncomment_block("redis");
	memcpy(strstr(example, "# redis: off"), "redis: on   ", 12);
	cr_assert_eq(conf_load_bytes(&conf, "t", (const uint8_t *)example, strlen(example), error),
		0, "%s", error);
	cr_assert(conf->has_redis && conf->realms[0].uses_redis);
	redis = &conf->redis;
	cr_expect_null(redis->path);
	cr_expect_str_eq(endpoint_format(&redis->server, text), "127.0.0.1:6379");
	cr_expect_str_eq(redis->username, "turnpike");
	cr_expect_str_eq(redis->password, "change-me");
	cr_expect_eq(redis->database, schema_number("database")->preset);
	cr_expect_eq(redis->timeout_ms, schema_number("timeout-ms")->preset);
	cr_expect_eq(redis->refresh_s, schema_number("refresh-s")->preset);
	cr_expect_eq(redis->cache_s, schema_number("cache-s")->preset);
	cr_expect_eq(redis->unknown_cache_s, schema_number("unknown-cache-s")->preset);
	cr_expect_eq(redis->n_cached_max, schema_number("cached-users")->preset);
	cr_expect_eq(redis->n_waiting_max, schema_number("waiting-users")->preset);
	conf_destroy(conf);
}

Test(conf_example, the_examples_in_comments_are_accepted)
{
	static const char *const keys[] = {"mac", "external", "rest-secrets", "rest-secrets-sha256",
		"alternate-servers", "deny", "dry-run", "nat64-prefixes", "cpus", "control-cpu"};
	struct conf *conf;
	char error[CONF_ERROR_BYTES];

	for (size_t i = 0; i < N_ELEMENTS(keys); i++)
		uncomment(keys[i]);
	for (const char *const *line = (const char *const[]){"# routes:\n", "#   - {to",
		     "#   - {to", "# neighbours:\n", "#   - {address", "#   - {address",
		     "# - {address: \"2001", "# tokens:\n", "#   server-name: ", "#   keys:\n",
		     "#     - {kid: ", "# stun:\n", "#   software: ", "#   alternate-address: ",
		     "#   rfc3489: ", "# - {name: keyed", "# - {name: both", "#    0123456789",
		     NULL};
		*line != NULL; line++) {
		char *at = strstr(example, *line);

		cr_assert_not_null(at, "%s", *line);
		memmove(at, at + 2, strlen(at + 2) + 1);
	}
	add_addresses();
	cr_assert_eq(conf_load_bytes(&conf, "t", (const uint8_t *)example, strlen(example), error),
		0, "%s", error);
	cr_expect_eq(conf->ports[0].n_routes, 2);
	cr_expect_eq(conf->ports[0].n_neighbours, 2);
	cr_expect_eq(conf->n_relay, 2);
	cr_expect_eq(conf->realms[0].n_users, 3);
	cr_expect_eq(conf->n_token_keys, 1);
	cr_expect_str_eq(conf->software, "relay of example.org");
	cr_expect_not(conf->serves_classic);
	cr_expect(conf->realms[0].users[2].has_key_sha256);
	conf_destroy(conf);
}
