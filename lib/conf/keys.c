#include "keys.h"

#include <inttypes.h>
#include <stdio.h>

static const void *at(const struct key *key, const void *in)
{
	return (const char *)in + key->offset;
}

static void write_u32(const struct key *key, const void *in, size_t i, char *text)
{
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%" PRIu32, *(const uint32_t *)at(key, in));
}

static void write_u16(const struct key *key, const void *in, size_t i, char *text)
{
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%u", *(const uint16_t *)at(key, in));
}

static void write_bool(const struct key *key, const void *in, size_t i, char *text)
{
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%s", key->words[*(const bool *)at(key, in)]);
}

static void write_enum(const struct key *key, const void *in, size_t i, char *text)
{
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%s", key->words[*(const unsigned *)at(key, in)]);
}

static void write_string(const struct key *key, const void *in, size_t i, char *text)
{
	const char *string = *(char *const *)at(key, in);

	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%s", string ? string : "none");
}

static void write_endpoint(const struct key *key, const void *in, size_t i, char *text)
{
	const struct endpoint *endpoint = at(key, in);

	(void)i;
	if (endpoint->ip.family == FAMILY_NONE)
		snprintf(text, KEY_TEXT_BYTES, "none");
	else
		endpoint_format(endpoint, text);
}

static void write_hex(char *text, const uint8_t *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

// The file.

// Ports and realms are compared one by one where both files have them; here, which there are.
static size_t count_ports(const void *in)
{
	return ((const struct conf *)in)->n_ports;
}

static void write_port(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	snprintf(text, KEY_TEXT_BYTES, "%s", ((const struct conf *)in)->ports[i].name);
}

static size_t count_realms(const void *in)
{
	return ((const struct conf *)in)->n_realms - 1;
}

static void write_realm(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	snprintf(text, KEY_TEXT_BYTES, "%s", ((const struct conf *)in)->realms[i + 1].name);
}

static void write_first_realm(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%s", ((const struct conf *)in)->realms[0].name);
}

// Those of `listen` stand first, before those of the realms.
static size_t count_listen(const void *in)
{
	const struct conf *conf = in;
	size_t n = conf->n_listen;

	for (size_t i = 1; i < conf->n_realms; i++)
		n -= conf->realms[i].n_listen;
	return n;
}

static void write_listen(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	endpoint_format(&((const struct conf *)in)->listen[i], text);
}

static size_t count_relay(const void *in)
{
	return ((const struct conf *)in)->n_relay;
}

static void write_relay(const struct key *key, const void *in, size_t i, char *text)
{
	const struct relay_range *relay = &((const struct conf *)in)->relay[i];
	const struct endpoint first = {relay->ip, relay->port_min};
	char first_text[ADDR_TEXT_BYTES];
	char external[ADDR_TEXT_BYTES] = "";

	(void)key;
	if (relay->external.family != FAMILY_NONE)
		ip_format(&relay->external, external);
	snprintf(text, KEY_TEXT_BYTES, "%s-%u%s%s", endpoint_format(&first, first_text),
		relay->port_max, external[0] ? "=" : "", external);
}

static size_t count_alternates(const void *in)
{
	const struct conf *conf = in;

	return (conf->alternates[0].ip.family != FAMILY_NONE) +
		(size_t)(conf->alternates[1].ip.family != FAMILY_NONE);
}

static void write_alternate(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	endpoint_format(&((const struct conf *)in)->alternates[i], text);
}

static size_t count_http_listen(const void *in)
{
	return ((const struct conf *)in)->http.n_listen;
}

static void write_http_listen(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	endpoint_format(&((const struct conf *)in)->http.listen[i], text);
}

static void write_redis_server(const struct key *key, const void *in, size_t i, char *text)
{
	const struct conf *conf = in;

	(void)key;
	(void)i;
	if (!conf->has_redis)
		snprintf(text, KEY_TEXT_BYTES, "none");
	else if (conf->redis.path)
		snprintf(text, KEY_TEXT_BYTES, "unix:%s", conf->redis.path);
	else
		endpoint_format(&conf->redis.server, text);
}

// Without a server they say nothing.
static void write_redis_number(const struct key *key, const void *in, size_t i, char *text)
{
	if (((const struct conf *)in)->has_redis)
		write_u32(key, in, i, text);
	else
		snprintf(text, KEY_TEXT_BYTES, "none");
}

static size_t count_token_keys(const void *in)
{
	return ((const struct conf *)in)->n_token_keys;
}

static void write_token_key(const struct key *key, const void *in, size_t i, char *text)
{
	const struct conf_token_key *token = &((const struct conf *)in)->token_keys[i];
	const int n = snprintf(text, KEY_TEXT_BYTES, "%s\n", token->kid);

	(void)key;
	write_hex(text + n, token->key, token->key_bytes);
}

static size_t count_cpus(const void *in)
{
	const struct conf *conf = in;

	return conf->worker_cpus ? conf->n_workers : 0;
}

static void write_cpu(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	snprintf(text, KEY_TEXT_BYTES, "%u", ((const struct conf *)in)->worker_cpus[i]);
}

static void write_control_cpu(const struct key *key, const void *in, size_t i, char *text)
{
	const int cpu = *(const int *)at(key, in);

	(void)i;
	if (cpu < 0)
		snprintf(text, KEY_TEXT_BYTES, "chosen");
	else
		snprintf(text, KEY_TEXT_BYTES, "%d", cpu);
}

static const char *const switches[] = {"off", "on"};
static const char *const channels[] = {"rfc8656", "rfc5766"};
static const char *const polls[] = {"adaptive", "busy"};
static const char *const hugepages[] = {"auto", "require", "off"};
static const char *const levels[] = {"error", "warning", "info", "debug"};
static const char *const formats[] = {"auto", "text", "json", "journal"};
static const char *const user_names[] = {"plain", "hashed", "off"};

#define AT(type, member) .offset = offsetof(struct type, member)
#define U32(key_name, type, member, key_when)                                                \
	{                                                                                    \
		.name = (key_name), .when = (key_when), .write = write_u32, AT(type, member) \
	}
#define REDIS_NUMBER(key_name, member)                                                \
	{                                                                             \
		.name = (key_name), .when = KEY_RESTART, .write = write_redis_number, \
		AT(conf, member)                                                      \
	}
#define U16(key_name, type, member, key_when)                                                \
	{                                                                                    \
		.name = (key_name), .when = (key_when), .write = write_u16, AT(type, member) \
	}
#define BOOL(key_name, type, member, names, key_when)                                          \
	{                                                                                      \
		.name = (key_name), .when = (key_when), .write = write_bool, .words = (names), \
		AT(type, member)                                                               \
	}
#define ENUM(key_name, type, member, names, key_when)                                          \
	{                                                                                      \
		.name = (key_name), .when = (key_when), .write = write_enum, .words = (names), \
		AT(type, member)                                                               \
	}
#define STRING(key_name, type, member, key_when)                                                \
	{                                                                                       \
		.name = (key_name), .when = (key_when), .write = write_string, AT(type, member) \
	}
#define LIST(key_name, n, item, key_when)                                             \
	{                                                                             \
		.name = (key_name), .when = (key_when), .count = (n), .write = (item) \
	}

static const struct key file_keys[] = {
	{"ports", .members = "name", .when = KEY_RESTART, .count = count_ports,
		.write = write_port},
	LIST("listen", count_listen, write_listen, KEY_NOW),
	{"relay", .members = "address external ports", .when = KEY_NOW, .count = count_relay,
		.write = write_relay},
	{"auth.realm", .when = KEY_NOW, .write = write_first_realm},
	{"realms", .members = "name", .when = KEY_NOW, .unordered = true, .count = count_realms,
		.write = write_realm},
	U32("auth.nonce-lifetime-s", conf, nonce_lifetime_s, KEY_NOW),
	{"redis.server", .when = KEY_RESTART, .write = write_redis_server},
	STRING("redis.username", conf, redis.username, KEY_RESTART),
	{"redis.password", .when = KEY_RESTART, .secret = true, .write = write_string,
		AT(conf, redis.password)},
	REDIS_NUMBER("redis.database", redis.database),
	REDIS_NUMBER("redis.timeout-ms", redis.timeout_ms),
	REDIS_NUMBER("redis.refresh-s", redis.refresh_s),
	REDIS_NUMBER("redis.cache-s", redis.cache_s),
	REDIS_NUMBER("redis.unknown-cache-s", redis.unknown_cache_s),
	REDIS_NUMBER("redis.cached-users", redis.n_cached_max),
	REDIS_NUMBER("redis.waiting-users", redis.n_waiting_max),
	U32("limits.allocations", conf, n_allocations_max, KEY_NOW),
	U32("limits.lifetime-s", conf, allocation_lifetime_s, KEY_NOW),
	U32("limits.lifetime-max-s", conf, allocation_lifetime_max_s, KEY_NOW),
	LIST("limits.alternate-servers", count_alternates, write_alternate, KEY_NOW),
	BOOL("limits.channels", conf, rfc5766_channels, channels, KEY_NOW),
	U32("limits.permissions-per-allocation", conf, n_permissions_max, KEY_NOW),
	U32("limits.channels-per-allocation", conf, n_channels_max, KEY_NOW),
	U32("limits.new-peers-per-user-s", conf, new_peers_per_user_s, KEY_NOW),
	U32("limits.new-peers-s", conf, new_peers_s, KEY_NOW),
	U32("limits.answers.bindings-per-source", conf, answers.bindings_per_source, KEY_NOW),
	U32("limits.answers.bindings", conf, answers.bindings, KEY_NOW),
	U32("limits.answers.challenges-per-source", conf, answers.challenges_per_source, KEY_NOW),
	U32("limits.answers.challenges", conf, answers.challenges, KEY_NOW),
	U32("limits.answers.ratio-percent", conf, answers.ratio_percent, KEY_NOW),
	U32("limits.rates.allocation-kbit-s", conf, rates.allocation.kbit_per_s, KEY_NOW),
	U32("limits.rates.allocation-packets-s", conf, rates.allocation.packets_per_s, KEY_NOW),
	U32("limits.rates.user-kbit-s", conf, rates.user.kbit_per_s, KEY_NOW),
	U32("limits.rates.user-packets-s", conf, rates.user.packets_per_s, KEY_NOW),
	U32("limits.rates.all-kbit-s", conf, rates.all.kbit_per_s, KEY_NOW),
	U32("limits.rates.all-packets-s", conf, rates.all.packets_per_s, KEY_NOW),
	U32("limits.rates.burst-ms", conf, rates.burst_ms, KEY_NOW),
	{"stun.alternate-address", .when = KEY_NOW, .write = write_endpoint,
		AT(conf, discovery_alternate)},
	STRING("stun.software", conf, software, KEY_NOW),
	BOOL("stun.rfc3489", conf, serves_classic, switches, KEY_NOW),
	BOOL("mobility", conf, allows_mobility, switches, KEY_NOW),
	STRING("tokens.server-name", conf, token_server_name, KEY_NOW),
	{"tokens.keys", .members = "kid key", .when = KEY_NOW, .secret = true,
		.count = count_token_keys, .write = write_token_key},
	U16("workers.count", conf, n_workers, KEY_RESTART),
	LIST("workers.cpus", count_cpus, write_cpu, KEY_RESTART),
	{"workers.control-cpu", .when = KEY_RESTART, .write = write_control_cpu,
		AT(conf, control_cpu)},
	ENUM("workers.poll", conf, poll, polls, KEY_RESTART),
	ENUM("memory.hugepages", conf, hugepages, hugepages, KEY_RESTART),
	U32("memory.mbufs", conf, n_mbufs, KEY_RESTART),
	LIST("http.listen", count_http_listen, write_http_listen, KEY_RESTART),
	BOOL("http.page", conf, http.page, switches, KEY_RESTART),
	BOOL("http.coturn-names", conf, http.coturn_names, switches, KEY_RESTART),
	STRING("records.file", conf, records.file, KEY_RESTART),
	STRING("records.redis", conf, records.redis, KEY_RESTART),
	U32("records.observe-percent", conf, records.observe_percent, KEY_RESTART),
	BOOL("records.coturn-status", conf, records.coturn_status, switches, KEY_RESTART),
	ENUM("log.level", conf, log.level, levels, KEY_NOW),
	ENUM("log.format", conf, log.format, formats, KEY_NOW),
	ENUM("log.user-names", conf, log.users, user_names, KEY_NOW),
	U32("log.stats-interval-s", conf, stats_interval_s, KEY_NOW),
	STRING("user", conf, user, KEY_RESTART),
	STRING("group", conf, group, KEY_RESTART),
	STRING("admin.socket", conf, admin.socket, KEY_RESTART),
	STRING("admin.group", conf, admin.group, KEY_RESTART),
};

const struct key_table keys_of_file = {file_keys, N_ELEMENTS(file_keys)};

// A port.

static void write_name(const struct key *key, const void *in, size_t i, char *text)
{
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%s", (const char *)at(key, in));
}

static void write_device(const struct key *key, const void *in, size_t i, char *text)
{
	static const char *const kinds[] = {
		"af_packet", "af_xdp", "virtio_user", "vhost", "memif", "pci"};
	const struct conf_port *port = in;

	(void)key;
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%s:%s", kinds[port->kind], port->target);
}

static void write_mac_bytes(char *text, const uint8_t *mac)
{
	snprintf(text, KEY_TEXT_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
}

static void write_mac(const struct key *key, const void *in, size_t i, char *text)
{
	static const uint8_t none[6];
	const uint8_t *mac = at(key, in);

	(void)i;
	if (memcmp(mac, none, sizeof(none)) == 0)
		snprintf(text, KEY_TEXT_BYTES, "the device's own");
	else
		write_mac_bytes(text, mac);
}

static size_t count_addresses(const void *in)
{
	return ((const struct conf_port *)in)->n_addresses;
}

static void write_address(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	prefix_format(&((const struct conf_port *)in)->addresses[i], text);
}

static size_t count_routes(const void *in)
{
	return ((const struct conf_port *)in)->n_routes;
}

static void write_route(const struct key *key, const void *in, size_t i, char *text)
{
	const struct static_route *route = &((const struct conf_port *)in)->routes[i];
	char to[ADDR_TEXT_BYTES];
	char via[ADDR_TEXT_BYTES];

	(void)key;
	snprintf(text, KEY_TEXT_BYTES, "%s=%s", prefix_format(&route->to, to),
		ip_format(&route->via, via));
}

static size_t count_neighbours(const void *in)
{
	return ((const struct conf_port *)in)->n_neighbours;
}

static void write_neighbour(const struct key *key, const void *in, size_t i, char *text)
{
	const struct static_neighbour *neighbour = &((const struct conf_port *)in)->neighbours[i];
	size_t n;

	(void)key;
	ip_format(&neighbour->address, text);
	n = strlen(text);
	text[n] = '=';
	write_mac_bytes(text + n + 1, neighbour->mac);
}

static void write_role(const struct key *key, const void *in, size_t i, char *text)
{
	const struct conf_port *port = in;

	(void)key;
	(void)i;
	snprintf(text, KEY_TEXT_BYTES, "%s",
		port->kind != CONF_MEMIF     ? "none"
			: port->memif_server ? "server"
					     : "client");
}

static const struct key port_keys[] = {
	{"ports.device", .when = KEY_RESTART, .write = write_device},
	{"ports.role", .when = KEY_RESTART, .write = write_role},
	{"ports.mirror", .when = KEY_RESTART, .write = write_name, AT(conf_port, mirror)},
	{"ports.mac", .when = KEY_RESTART, .write = write_mac, AT(conf_port, mac)},
	U16("ports.mtu", conf_port, mtu_bytes, KEY_RESTART),
	U16("ports.vlan", conf_port, vlan, KEY_RESTART),
	LIST("ports.addresses", count_addresses, write_address, KEY_RESTART),
	{"ports.routes", .members = "to via", .when = KEY_RESTART, .count = count_routes,
		.write = write_route},
	{"ports.neighbours", .members = "address mac", .when = KEY_RESTART,
		.count = count_neighbours, .write = write_neighbour},
};

const struct key_table keys_of_port = {port_keys, N_ELEMENTS(port_keys)};

// A realm: that of `auth`, or one of `realms`.

static size_t count_realm_listen(const void *in)
{
	return ((const struct conf_realm *)in)->n_listen;
}

static void write_realm_listen(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	endpoint_format(&((const struct conf_realm *)in)->listen[i], text);
}

static size_t count_users(const void *in)
{
	return ((const struct conf_realm *)in)->n_users;
}

static void write_user(const struct key *key, const void *in, size_t i, char *text)
{
	const struct conf_user *user = &((const struct conf_realm *)in)->users[i];
	int n = snprintf(
		text, KEY_TEXT_BYTES, "%s\n%s\n", user->name, user->password ? user->password : "");

	(void)key;
	if (user->has_key)
		write_hex(text + n, user->key, sizeof(user->key));
	n += user->has_key ? 2 * (int)sizeof(user->key) : 0;
	if (user->has_key_sha256)
		write_hex(text + n, user->key_sha256, sizeof(user->key_sha256));
}

static size_t count_secrets(const void *in)
{
	return ((const struct conf_realm *)in)->n_rest_secrets;
}

static void write_secret(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	snprintf(text, KEY_TEXT_BYTES, "%s", ((const struct conf_realm *)in)->rest_secrets[i]);
}

static size_t count_secrets_sha256(const void *in)
{
	return ((const struct conf_realm *)in)->n_rest_secrets_sha256;
}

static void write_secret_sha256(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	snprintf(text, KEY_TEXT_BYTES, "%s",
		((const struct conf_realm *)in)->rest_secrets_sha256[i]);
}

static size_t count_allow(const void *in)
{
	return ((const struct conf_realm *)in)->peers.n_allow;
}

static void write_allow(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	range_format(&((const struct conf_realm *)in)->peers.allow[i], text);
}

static size_t count_deny(const void *in)
{
	return ((const struct conf_realm *)in)->peers.n_deny;
}

static void write_deny(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	range_format(&((const struct conf_realm *)in)->peers.deny[i], text);
}

static size_t count_dry_run(const void *in)
{
	return ((const struct conf_realm *)in)->peers.n_dry_run;
}

static void write_dry_run(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	range_format(&((const struct conf_realm *)in)->peers.dry_run[i], text);
}

static size_t count_nat64(const void *in)
{
	return ((const struct conf_realm *)in)->peers.n_nat64;
}

static void write_nat64(const struct key *key, const void *in, size_t i, char *text)
{
	(void)key;
	prefix_format(&((const struct conf_realm *)in)->peers.nat64[i], text);
}

static const char *const algorithms[] = {"md5", "sha256"};
static const char *const profiles[] = {"public", "lan"};

static const struct key realm_keys[] = {
	LIST("realms.listen", count_realm_listen, write_realm_listen, KEY_NOW),
	{"realms.users", "auth.users", .members = "name password key key-sha256", .when = KEY_NOW,
		.secret = true, .count = count_users, .write = write_user},
	{"realms.rest-secrets", "auth.rest-secrets", .when = KEY_NOW, .secret = true,
		.count = count_secrets, .write = write_secret},
	{"realms.rest-secrets-sha256", "auth.rest-secrets-sha256", .when = KEY_NOW, .secret = true,
		.count = count_secrets_sha256, .write = write_secret_sha256},
	{"realms.password-algorithms", "auth.password-algorithms", .when = KEY_NOW,
		.write = write_bool, .words = algorithms, AT(conf_realm, offers_sha256)},
	{"realms.username-anonymity", "auth.username-anonymity", .when = KEY_NOW,
		.write = write_bool, .words = switches, AT(conf_realm, asks_userhash)},
	{"realms.redis", "auth.redis", .when = KEY_RESTART_IF_SET, .write = write_bool,
		.words = switches, AT(conf_realm, uses_redis)},
	U32("realms.limits.allocations", conf_realm, n_allocations_max, KEY_NOW),
	{"realms.limits.allocations-per-user", "limits.allocations-per-user", .when = KEY_NOW,
		.write = write_u32, AT(conf_realm, n_allocations_per_user)},
	{"realms.peers.profile", "peers.profile", .when = KEY_NOW, .write = write_enum,
		.words = profiles, AT(conf_realm, peers.profile)},
	{"realms.peers.allow", "peers.allow", .when = KEY_NOW, .count = count_allow,
		.write = write_allow},
	{"realms.peers.deny", "peers.deny", .when = KEY_NOW, .count = count_deny,
		.write = write_deny},
	{"realms.peers.dry-run", "peers.dry-run", .when = KEY_NOW, .count = count_dry_run,
		.write = write_dry_run},
	{"realms.peers.nat64-prefixes", "peers.nat64-prefixes", .when = KEY_NOW,
		.count = count_nat64, .write = write_nat64},
};

const struct key_table keys_of_realm = {realm_keys, N_ELEMENTS(realm_keys)};
