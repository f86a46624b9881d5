// The shape of the file: libcyaml's schema and what it loads into, values still as text.
//
// A member is NULL, or its count zero, where the key is absent.
#ifndef CONF_SCHEMA_H
#define CONF_SCHEMA_H

#include "source.h"

#include <cyaml/cyaml.h>

enum raw_role {
	RAW_ROLE_SERVER,
	RAW_ROLE_CLIENT,
};

struct raw_route {
	char *to;
	char *via;
};

struct raw_neighbour {
	char *address;
	char *mac;
};

struct raw_port {
	char *name;
	char *device;
	enum raw_role *role;
	char *mirror;
	char *mac;
	uint32_t *mtu;
	uint32_t *vlan;
	char **addresses;
	size_t n_addresses;
	struct raw_route *routes;
	size_t n_routes;
	struct raw_neighbour *neighbours;
	size_t n_neighbours;
};

struct raw_relay {
	char *address;
	char *external;
	char *ports;
};

enum raw_algorithms {
	RAW_ALGORITHMS_AUTO, // SHA-256 is offered where every user has such a key
	RAW_ALGORITHMS_SHA256,
	RAW_ALGORITHMS_MD5,
};

enum raw_switch {
	RAW_OFF,
	RAW_ON,
};

struct raw_user {
	char *name;
	char *password;
	char *key;
	char *key_sha256;
};

enum raw_channels {
	RAW_CHANNELS_RFC8656,
	RAW_CHANNELS_RFC5766,
};

struct raw_answers {
	uint32_t *bindings_per_source;
	uint32_t *bindings;
	uint32_t *challenges_per_source;
	uint32_t *challenges;
	uint32_t *ratio_percent;
};

struct raw_rates {
	uint32_t *allocation_kbit_s;
	uint32_t *allocation_packets_s;
	uint32_t *user_kbit_s;
	uint32_t *user_packets_s;
	uint32_t *all_kbit_s;
	uint32_t *all_packets_s;
	uint32_t *burst_ms;
};

struct raw_limits {
	uint32_t *allocations;
	uint32_t *allocations_per_user;
	uint32_t *lifetime_s;
	uint32_t *lifetime_max_s;
	char **alternate_servers;
	size_t n_alternate_servers;
	enum raw_channels channels;
	uint32_t *permissions_per_allocation;
	uint32_t *channels_per_allocation;
	uint32_t *new_peers_per_user_s;
	uint32_t *new_peers_s;
	struct raw_answers answers;
	struct raw_rates rates;
};

struct raw_peers {
	enum conf_peer_profile profile;
	char **allow;
	size_t n_allow;
	char **deny;
	size_t n_deny;
	char **dry_run;
	size_t n_dry_run;
	char **nat64_prefixes;
	size_t n_nat64_prefixes;
};

// `auth`, and each of `realms`.
struct raw_realm {
	char *name;
	char **listen; // of `realms` only, as the limits and peers
	size_t n_listen;
	struct raw_limits *limits;
	struct raw_peers *peers;
	struct raw_user *users;
	size_t n_users;
	char **rest_secrets;
	size_t n_rest_secrets;
	char **rest_secrets_sha256;
	size_t n_rest_secrets_sha256;
	enum raw_algorithms password_algorithms;
	enum raw_switch username_anonymity;
	enum raw_switch redis;
	uint32_t *nonce_lifetime_s;
};

struct raw_redis {
	char *server;
	char *username;
	char *password;
	uint32_t *database;
	uint32_t *timeout_ms;
	uint32_t *refresh_s;
	uint32_t *cache_s;
	uint32_t *unknown_cache_s;
	uint32_t *cached_users;
	uint32_t *waiting_users;
};

struct raw_token_key {
	char *kid;
	char *key;
};

struct raw_tokens {
	char *server_name;
	struct raw_token_key *keys;
	size_t n_keys;
};

struct raw_stun {
	char *alternate_address;
	char *software;
	enum raw_switch rfc3489;
};

struct raw_admin {
	char *socket;
	char *group;
};

struct raw_workers {
	uint32_t *count;
	uint16_t *cpus;
	size_t n_cpus;
	uint32_t *control_cpu;
	enum conf_poll poll;
};

struct raw_memory {
	enum conf_hugepages hugepages;
	uint32_t *mbufs;
};

struct raw_http {
	char **listen;
	size_t n_listen;
	enum raw_switch page;
	enum raw_switch coturn_names;
};

struct raw_records {
	uint32_t *observe_percent;
	char *file;
	char *redis;
	enum raw_switch coturn_status;
};

struct raw_log {
	enum log_level *level;
	enum log_format format;
	enum log_users user_names;
	uint32_t *stats_interval_s;
};

struct raw {
	struct raw_port *ports;
	size_t n_ports;
	char **listen;
	size_t n_listen;
	struct raw_relay *relay;
	size_t n_relay;
	struct raw_realm auth;
	struct raw_realm *realms;
	size_t n_realms;
	struct raw_redis *redis;
	struct raw_limits limits;
	struct raw_stun stun;
	enum raw_switch mobility;
	struct raw_tokens tokens;
	struct raw_peers peers;
	struct raw_workers workers;
	struct raw_memory memory;
	struct raw_http http;
	struct raw_records records;
	struct raw_log log;
	char *user;
	char *group;
	struct raw_admin admin;
};

struct number {
	const char *key;
	uint32_t min;
	uint32_t max;
	uint32_t preset; // where the key is absent
};

// Bytes of text in `auth`.
#define REALM_BYTES_MAX 127
#define NAME_BYTES_MAX 508 // RFC 8489 §14.3
#define PASSWORD_BYTES_MAX 256

#define SERVER_NAME_BYTES_MAX 255
#define KID_BYTES_MAX 127
#define SOFTWARE_BYTES_MAX 127 // RFC 8489 §14.14

extern const cyaml_schema_value_t schema_root;

// Range and default of a numeric key; every CYAML_UINT of the schema has an entry.
const struct number *schema_number(const char *key);

// Load by the schema. `source` must have passed shape_check(), so that only memory can be missing;
// still, what libcyaml says becomes the error. Strings and arrays may be taken over (set to NULL)
// and freed with free(). Returns 0; -EINVAL with the error line written; -ENOMEM.
int schema_load(struct raw **out, struct source *source, const uint8_t *yaml, size_t n_bytes);
void schema_free(struct raw *raw);

#endif
