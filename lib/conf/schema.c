#include "schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define LIST_MAX 1024
#define ACCOUNT_BYTES_MAX 32 // of Linux
#define USERS_MAX 4096
#define SECRETS_MAX 16
#define ENDPOINTS_MAX 64
#define REALMS_MAX 63 // beside that of `auth`
#define NAT64_MAX 16

#define FIELD_TEXT(key, type, member, max) \
	CYAML_FIELD_STRING_PTR(key, CYAML_FLAG_POINTER, type, member, 1, max)
#define FIELD_TEXT_OPTIONAL(key, type, member, max) \
	CYAML_FIELD_STRING_PTR(key, OPTIONAL, type, member, 1, max)
#define FIELD_NUMBER(key, type, member) CYAML_FIELD_UINT_PTR(key, OPTIONAL, type, member)
#define FIELD_LIST(key, flags, type, member, entry, min, max) \
	CYAML_FIELD_SEQUENCE_COUNT(key, flags, type, member, n_##member, entry, min, max)

static const cyaml_strval_t roles[] = {
	{"server", RAW_ROLE_SERVER},
	{"client", RAW_ROLE_CLIENT},
};

static const cyaml_strval_t profiles[] = {
	{"public", CONF_PEERS_PUBLIC},
	{"lan", CONF_PEERS_LAN},
};

static const cyaml_strval_t channels[] = {
	{"rfc8656", RAW_CHANNELS_RFC8656},
	{"rfc5766", RAW_CHANNELS_RFC5766},
};

static const cyaml_strval_t algorithms[] = {
	{"auto", RAW_ALGORITHMS_AUTO},
	{"sha256", RAW_ALGORITHMS_SHA256},
	{"md5", RAW_ALGORITHMS_MD5},
};

static const cyaml_strval_t switches[] = {
	{"off", RAW_OFF},
	{"on", RAW_ON},
};

static const cyaml_strval_t polls[] = {
	{"adaptive", CONF_POLL_ADAPTIVE},
	{"busy", CONF_POLL_BUSY},
};

static const cyaml_strval_t hugepages[] = {
	{"auto", CONF_HUGEPAGES_AUTO},
	{"require", CONF_HUGEPAGES_REQUIRE},
	{"off", CONF_HUGEPAGES_OFF},
};

static const cyaml_strval_t levels[] = {
	{"error", LOG_ERROR},
	{"warning", LOG_WARNING},
	{"info", LOG_INFO},
	{"debug", LOG_DEBUG},
};

static const cyaml_strval_t formats[] = {
	{"auto", LOG_AUTO},
	{"text", LOG_TEXT},
	{"json", LOG_JSON},
	{"journal", LOG_JOURNAL},
};

static const cyaml_strval_t user_names[] = {
	{"plain", LOG_USERS_PLAIN},
	{"hashed", LOG_USERS_HASHED},
	{"off", LOG_USERS_OFF},
};

static const cyaml_schema_value_t text_entry = {
	CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, 256),
};

static const cyaml_schema_value_t cpu_entry = {
	CYAML_VALUE_UINT(CYAML_FLAG_DEFAULT, uint16_t),
};

static const cyaml_schema_field_t route_fields[] = {
	FIELD_TEXT("to", struct raw_route, to, 256),
	FIELD_TEXT("via", struct raw_route, via, 256),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t route_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_route, route_fields),
};

static const cyaml_schema_field_t neighbour_fields[] = {
	FIELD_TEXT("address", struct raw_neighbour, address, 256),
	FIELD_TEXT("mac", struct raw_neighbour, mac, 256),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t neighbour_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_neighbour, neighbour_fields),
};

static const cyaml_schema_field_t port_fields[] = {
	FIELD_TEXT("name", struct raw_port, name, CONF_NAME_BYTES - 1),
	FIELD_TEXT("device", struct raw_port, device, 256),
	CYAML_FIELD_ENUM_PTR("role", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_port, role,
		roles, N_ELEMENTS(roles)),
	FIELD_TEXT_OPTIONAL("mirror", struct raw_port, mirror, CONF_NAME_BYTES - 1),
	FIELD_TEXT_OPTIONAL("mac", struct raw_port, mac, 256),
	FIELD_NUMBER("mtu", struct raw_port, mtu),
	FIELD_NUMBER("vlan", struct raw_port, vlan),
	FIELD_LIST("addresses", CYAML_FLAG_POINTER, struct raw_port, addresses, &text_entry, 1,
		ENDPOINTS_MAX),
	FIELD_LIST("routes", OPTIONAL, struct raw_port, routes, &route_entry, 0, LIST_MAX),
	FIELD_LIST(
		"neighbours", OPTIONAL, struct raw_port, neighbours, &neighbour_entry, 0, LIST_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t port_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_port, port_fields),
};

static const cyaml_schema_field_t relay_fields[] = {
	FIELD_TEXT("address", struct raw_relay, address, 256),
	FIELD_TEXT_OPTIONAL("external", struct raw_relay, external, 256),
	FIELD_TEXT_OPTIONAL("ports", struct raw_relay, ports, 256),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t relay_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_relay, relay_fields),
};

static const cyaml_schema_field_t user_fields[] = {
	FIELD_TEXT("name", struct raw_user, name, NAME_BYTES_MAX),
	FIELD_TEXT_OPTIONAL("password", struct raw_user, password, PASSWORD_BYTES_MAX),
	FIELD_TEXT_OPTIONAL("key", struct raw_user, key, 256),
	FIELD_TEXT_OPTIONAL("key-sha256", struct raw_user, key_sha256, 256),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t user_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_user, user_fields),
};

// What a realm has, whether it is that of `auth` or one of `realms`.
#define CREDENTIALS                                                                                \
	FIELD_LIST("users", OPTIONAL, struct raw_realm, users, &user_entry, 0, USERS_MAX),         \
		FIELD_LIST("rest-secrets", OPTIONAL, struct raw_realm, rest_secrets, &text_entry,  \
			0, SECRETS_MAX),                                                           \
		FIELD_LIST("rest-secrets-sha256", OPTIONAL, struct raw_realm, rest_secrets_sha256, \
			&text_entry, 0, SECRETS_MAX),                                              \
		CYAML_FIELD_ENUM("password-algorithms", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,   \
			struct raw_realm, password_algorithms, algorithms,                         \
			N_ELEMENTS(algorithms)),                                                   \
		CYAML_FIELD_ENUM("username-anonymity", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,    \
			struct raw_realm, username_anonymity, switches, N_ELEMENTS(switches)),     \
		CYAML_FIELD_ENUM("redis", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,                 \
			struct raw_realm, redis, switches, N_ELEMENTS(switches))

static const cyaml_schema_field_t auth_fields[] = {
	FIELD_TEXT("realm", struct raw_realm, name, REALM_BYTES_MAX),
	CREDENTIALS,
	FIELD_NUMBER("nonce-lifetime-s", struct raw_realm, nonce_lifetime_s),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t answers_fields[] = {
	FIELD_NUMBER("bindings-per-source", struct raw_answers, bindings_per_source),
	FIELD_NUMBER("bindings", struct raw_answers, bindings),
	FIELD_NUMBER("challenges-per-source", struct raw_answers, challenges_per_source),
	FIELD_NUMBER("challenges", struct raw_answers, challenges),
	FIELD_NUMBER("ratio-percent", struct raw_answers, ratio_percent),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t rates_fields[] = {
	FIELD_NUMBER("allocation-kbit-s", struct raw_rates, allocation_kbit_s),
	FIELD_NUMBER("allocation-packets-s", struct raw_rates, allocation_packets_s),
	FIELD_NUMBER("user-kbit-s", struct raw_rates, user_kbit_s),
	FIELD_NUMBER("user-packets-s", struct raw_rates, user_packets_s),
	FIELD_NUMBER("all-kbit-s", struct raw_rates, all_kbit_s),
	FIELD_NUMBER("all-packets-s", struct raw_rates, all_packets_s),
	FIELD_NUMBER("burst-ms", struct raw_rates, burst_ms),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t limits_fields[] = {
	FIELD_NUMBER("allocations", struct raw_limits, allocations),
	FIELD_NUMBER("allocations-per-user", struct raw_limits, allocations_per_user),
	FIELD_NUMBER("lifetime-s", struct raw_limits, lifetime_s),
	FIELD_NUMBER("lifetime-max-s", struct raw_limits, lifetime_max_s),
	FIELD_LIST("alternate-servers", OPTIONAL, struct raw_limits, alternate_servers, &text_entry,
		0, 2),
	CYAML_FIELD_ENUM("channels", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_limits,
		channels, channels, N_ELEMENTS(channels)),
	FIELD_NUMBER("permissions-per-allocation", struct raw_limits, permissions_per_allocation),
	FIELD_NUMBER("channels-per-allocation", struct raw_limits, channels_per_allocation),
	FIELD_NUMBER("new-peers-per-user-s", struct raw_limits, new_peers_per_user_s),
	FIELD_NUMBER("new-peers-s", struct raw_limits, new_peers_s),
	CYAML_FIELD_MAPPING(
		"answers", CYAML_FLAG_OPTIONAL, struct raw_limits, answers, answers_fields),
	CYAML_FIELD_MAPPING("rates", CYAML_FLAG_OPTIONAL, struct raw_limits, rates, rates_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t token_key_fields[] = {
	FIELD_TEXT("kid", struct raw_token_key, kid, KID_BYTES_MAX),
	FIELD_TEXT("key", struct raw_token_key, key, 256),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t token_key_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_token_key, token_key_fields),
};

static const cyaml_schema_field_t tokens_fields[] = {
	FIELD_TEXT("server-name", struct raw_tokens, server_name, SERVER_NAME_BYTES_MAX),
	FIELD_LIST("keys", CYAML_FLAG_POINTER, struct raw_tokens, keys, &token_key_entry, 1,
		SECRETS_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t stun_fields[] = {
	FIELD_TEXT_OPTIONAL("alternate-address", struct raw_stun, alternate_address, 256),
	FIELD_TEXT_OPTIONAL("software", struct raw_stun, software, SOFTWARE_BYTES_MAX),
	CYAML_FIELD_ENUM("rfc3489", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_stun,
		rfc3489, switches, N_ELEMENTS(switches)),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t peers_fields[] = {
	CYAML_FIELD_ENUM("profile", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_peers,
		profile, profiles, N_ELEMENTS(profiles)),
	FIELD_LIST("allow", OPTIONAL, struct raw_peers, allow, &text_entry, 0, LIST_MAX),
	FIELD_LIST("deny", OPTIONAL, struct raw_peers, deny, &text_entry, 0, LIST_MAX),
	FIELD_LIST("dry-run", OPTIONAL, struct raw_peers, dry_run, &text_entry, 0, LIST_MAX),
	FIELD_LIST("nat64-prefixes", OPTIONAL, struct raw_peers, nat64_prefixes, &text_entry, 0,
		NAT64_MAX),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t realm_limits_fields[] = {
	FIELD_NUMBER("allocations", struct raw_limits, allocations),
	FIELD_NUMBER("allocations-per-user", struct raw_limits, allocations_per_user),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t realm_fields[] = {
	FIELD_TEXT("name", struct raw_realm, name, REALM_BYTES_MAX),
	FIELD_LIST("listen", CYAML_FLAG_POINTER, struct raw_realm, listen, &text_entry, 1,
		ENDPOINTS_MAX),
	CREDENTIALS,
	CYAML_FIELD_MAPPING_PTR("limits", OPTIONAL, struct raw_realm, limits, realm_limits_fields),
	CYAML_FIELD_MAPPING_PTR("peers", OPTIONAL, struct raw_realm, peers, peers_fields),
	CYAML_FIELD_END,
};

static const cyaml_schema_value_t realm_entry = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct raw_realm, realm_fields),
};

static const cyaml_schema_field_t redis_fields[] = {
	FIELD_TEXT("server", struct raw_redis, server, 256),
	FIELD_TEXT_OPTIONAL("username", struct raw_redis, username, 256),
	FIELD_TEXT_OPTIONAL("password", struct raw_redis, password, 512),
	FIELD_NUMBER("database", struct raw_redis, database),
	FIELD_NUMBER("timeout-ms", struct raw_redis, timeout_ms),
	FIELD_NUMBER("refresh-s", struct raw_redis, refresh_s),
	FIELD_NUMBER("cache-s", struct raw_redis, cache_s),
	FIELD_NUMBER("unknown-cache-s", struct raw_redis, unknown_cache_s),
	FIELD_NUMBER("cached-users", struct raw_redis, cached_users),
	FIELD_NUMBER("waiting-users", struct raw_redis, waiting_users),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t workers_fields[] = {
	FIELD_NUMBER("count", struct raw_workers, count),
	FIELD_LIST("cpus", OPTIONAL, struct raw_workers, cpus, &cpu_entry, 1, CONF_WORKERS_MAX),
	FIELD_NUMBER("control-cpu", struct raw_workers, control_cpu),
	CYAML_FIELD_ENUM("poll", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_workers, poll,
		polls, N_ELEMENTS(polls)),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t memory_fields[] = {
	CYAML_FIELD_ENUM("hugepages", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_memory,
		hugepages, hugepages, N_ELEMENTS(hugepages)),
	FIELD_NUMBER("mbufs", struct raw_memory, mbufs),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t http_fields[] = {
	FIELD_LIST(
		"listen", OPTIONAL, struct raw_http, listen, &text_entry, 0, CONF_HTTP_LISTEN_MAX),
	CYAML_FIELD_ENUM("page", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_http, page,
		switches, N_ELEMENTS(switches)),
	CYAML_FIELD_ENUM("coturn-names", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_http,
		coturn_names, switches, N_ELEMENTS(switches)),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t records_fields[] = {
	FIELD_NUMBER("observe-percent", struct raw_records, observe_percent),
	FIELD_TEXT_OPTIONAL("file", struct raw_records, file, 4000),
	FIELD_TEXT_OPTIONAL("redis", struct raw_records, redis, 256),
	CYAML_FIELD_ENUM("coturn-status", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL,
		struct raw_records, coturn_status, switches, N_ELEMENTS(switches)),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t log_fields[] = {
	CYAML_FIELD_ENUM_PTR("level", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_log,
		level, levels, N_ELEMENTS(levels)),
	CYAML_FIELD_ENUM("format", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_log, format,
		formats, N_ELEMENTS(formats)),
	CYAML_FIELD_ENUM("user-names", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw_log,
		user_names, user_names, N_ELEMENTS(user_names)),
	FIELD_NUMBER("stats-interval-s", struct raw_log, stats_interval_s),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t admin_fields[] = {
	FIELD_TEXT_OPTIONAL("socket", struct raw_admin, socket, 256),
	FIELD_TEXT_OPTIONAL("group", struct raw_admin, group, 32),
	CYAML_FIELD_END,
};

static const cyaml_schema_field_t root_fields[] = {
	FIELD_LIST("ports", CYAML_FLAG_POINTER, struct raw, ports, &port_entry, 1, CONF_PORTS_MAX),
	FIELD_LIST("listen", CYAML_FLAG_POINTER, struct raw, listen, &text_entry, 1, ENDPOINTS_MAX),
	FIELD_LIST("relay", CYAML_FLAG_POINTER, struct raw, relay, &relay_entry, 1, ENDPOINTS_MAX),
	CYAML_FIELD_MAPPING("auth", CYAML_FLAG_DEFAULT, struct raw, auth, auth_fields),
	FIELD_LIST("realms", OPTIONAL, struct raw, realms, &realm_entry, 0, REALMS_MAX),
	CYAML_FIELD_MAPPING_PTR("redis", OPTIONAL, struct raw, redis, redis_fields),
	CYAML_FIELD_MAPPING("limits", CYAML_FLAG_OPTIONAL, struct raw, limits, limits_fields),
	CYAML_FIELD_MAPPING("stun", CYAML_FLAG_OPTIONAL, struct raw, stun, stun_fields),
	CYAML_FIELD_ENUM("mobility", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct raw, mobility,
		switches, N_ELEMENTS(switches)),
	CYAML_FIELD_MAPPING("tokens", CYAML_FLAG_OPTIONAL, struct raw, tokens, tokens_fields),
	CYAML_FIELD_MAPPING("peers", CYAML_FLAG_OPTIONAL, struct raw, peers, peers_fields),
	CYAML_FIELD_MAPPING("workers", CYAML_FLAG_OPTIONAL, struct raw, workers, workers_fields),
	CYAML_FIELD_MAPPING("memory", CYAML_FLAG_OPTIONAL, struct raw, memory, memory_fields),
	CYAML_FIELD_MAPPING("http", CYAML_FLAG_OPTIONAL, struct raw, http, http_fields),
	CYAML_FIELD_MAPPING("records", CYAML_FLAG_OPTIONAL, struct raw, records, records_fields),
	CYAML_FIELD_MAPPING("log", CYAML_FLAG_OPTIONAL, struct raw, log, log_fields),
	FIELD_TEXT_OPTIONAL("user", struct raw, user, ACCOUNT_BYTES_MAX),
	FIELD_TEXT_OPTIONAL("group", struct raw, group, ACCOUNT_BYTES_MAX),
	CYAML_FIELD_MAPPING("admin", CYAML_FLAG_OPTIONAL, struct raw, admin, admin_fields),
	CYAML_FIELD_END,
};

const cyaml_schema_value_t schema_root = {
	CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct raw, root_fields),
};

const struct number *schema_number(const char *key)
{
	static const struct number numbers[] = {
		{"mtu", 576, 9000, 1500},
		{"vlan", 0, 4094, 0},
		{"nonce-lifetime-s", 10, 3600, 600},
		{"allocations", 1, 4194304, 16384},
		{"allocations-per-user", 0, 4194304, 0},
		{"lifetime-s", 600, 3600, 600},
		{"lifetime-max-s", 600, 86400, 3600},
		{"bindings-per-source", 0, 100000000, 1000},
		{"bindings", 0, 100000000, 0},
		{"challenges-per-source", 0, 100000000, 1000},
		{"challenges", 0, 100000000, 0},
		{"ratio-percent", 0, 10000, 0},
		{"database", 0, 1023, 0},
		{"timeout-ms", 50, 60000, 1000},
		{"refresh-s", 1, 3600, 10},
		{"cache-s", 1, 86400, 60},
		{"unknown-cache-s", 1, 3600, 10},
		{"cached-users", 1, 4194304, 65536},
		{"waiting-users", 1, 4096, 256},
		{"observe-percent", 0, 100, 0},
		{"allocation-kbit-s", 0, 400000000, 0},
		{"allocation-packets-s", 0, 400000000, 0},
		{"user-kbit-s", 0, 400000000, 0},
		{"user-packets-s", 0, 400000000, 0},
		{"all-kbit-s", 0, 400000000, 0},
		{"all-packets-s", 0, 400000000, 0},
		{"burst-ms", 10, 10000, 500},
		{"permissions-per-allocation", 1, 128, 128},
		{"channels-per-allocation", 1, 128, 128},
		{"new-peers-per-user-s", 0, 1000000, 0},
		{"new-peers-s", 0, 100000000, 0},
		{"count", 1, CONF_WORKERS_MAX, 1},
		{"cpus", 0, 1023, 0},
		{"control-cpu", 0, 1023, 0},
		{"mbufs", 0, 16777216, 0},
		{"stats-interval-s", 0, 86400, 60},
	};

	for (size_t i = 0; i < N_ELEMENTS(numbers); i++) {
		if (strcmp(numbers[i].key, key) == 0)
			return &numbers[i];
	}
	abort();
}

struct complaint {
	char text[256];
};

// The first message names the cause; what follows is libcyaml's way back out.
static void __attribute__((format(printf, 3, 0)))
keep_complaint(cyaml_log_t level, void *context, const char *format, va_list args)
{
	struct complaint *complaint = context;

	(void)level;
	if (complaint->text[0] == '\0')
		vsnprintf(complaint->text, sizeof(complaint->text), format, args);
}

static void *allocate(void *context, void *old, size_t n_bytes)
{
	(void)context;
	if (n_bytes > 0)
		return realloc(old, n_bytes);
	free(old);
	return NULL;
}

int schema_load(struct raw **out, struct source *source, const uint8_t *yaml, size_t n_bytes)
{
	struct complaint complaint = {""};
	const cyaml_config_t config = {
		.log_fn = keep_complaint,
		.log_ctx = &complaint,
		.mem_fn = allocate,
		.log_level = CYAML_LOG_ERROR,
		.flags = CYAML_CFG_NO_ALIAS,
	};
	cyaml_data_t *data = NULL;
	const cyaml_err_t err = cyaml_load_data(yaml, n_bytes, &config, &schema_root, &data, NULL);

	*out = data;
	if (err == CYAML_OK)
		return 0;
	if (err == CYAML_ERR_OOM)
		return -ENOMEM;
	return source_fail(source, NULL, NULL, "%s: %s; allowed: what config/turnpike.yaml shows",
		cyaml_strerror(err), complaint.text);
}

void schema_free(struct raw *raw)
{
	const cyaml_config_t config = {.mem_fn = allocate};

	cyaml_free(&config, &schema_root, raw, 0);
}
