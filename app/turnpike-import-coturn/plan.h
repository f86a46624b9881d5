// What the configuration of turnpike will say: filled from coturn's settings, completed and checked
// by plan_complete(), written by plan_write().
//
// Texts belong to the settings and to main()'s arguments, which outlive the plan.
#ifndef IMPORT_PLAN_H
#define IMPORT_PLAN_H

#include "base/base.h"
#include "settings.h"

#include <stdint.h>

#define PORTS_MAX 8
#define ADDRESSES_MAX 64
#define RANGES_MAX 1024
#define USERS_MAX 4096
#define SECRETS_MAX 16
#define GATEWAYS_MAX 2
#define DEVICE_BYTES 128

// A text and the setting it came from, for notes.
struct said {
	const char *text; // NULL: not said
	const char *what;
};

struct plan_user {
	char *name; // owned
	const char *secret; // behind the colon: a password, or 0x and a key
	bool is_key;
};

struct plan_external {
	struct ip_addr external;
	struct ip_addr inside; // family none: any relay address of that family
	const char *what;
};

struct plan_relay {
	struct ip_addr ip;
	struct ip_addr external; // family none: itself
	uint16_t port_min;
	uint16_t port_max;
};

struct plan_port {
	char device[DEVICE_BYTES];
	struct prefix addresses[ADDRESSES_MAX];
	size_t n_addresses;
};

struct plan {
	struct notes notes;

	// Of our own command line.
	const char *device; // NULL: the interface that has the address
	struct prefix own[ADDRESSES_MAX];
	size_t n_own;
	struct ip_addr gateways[GATEWAYS_MAX];
	size_t n_gateways;

	// As coturn has it.
	struct ip_addr listening_ips[ADDRESSES_MAX];
	size_t n_listening_ips;
	struct endpoint aux[ADDRESSES_MAX];
	size_t n_aux;
	struct ip_addr relay_ips[ADDRESSES_MAX];
	size_t n_relay_ips;
	struct plan_external externals[ADDRESSES_MAX];
	size_t n_externals;
	struct said listening_device;
	uint32_t listening_port;
	uint32_t alternate_port; // 0: listening_port + 1
	uint32_t port_min;
	uint32_t port_max;
	bool no_discovery;
	bool no_classic;
	bool no_tcp;
	bool no_tls;
	bool no_tcp_relay;
	struct said certificate;

	bool asks_credentials;
	bool no_auth;
	bool uses_secrets;
	struct said realm;
	struct plan_user *users;
	size_t n_users;
	const char *secrets[SECRETS_MAX];
	size_t n_secrets;
	struct said database; // of users, that is not Redis
	struct said redis; // cut into words by plan_complete_redis()
	struct said no_dynamic_lists;

	struct ip_range allow[RANGES_MAX];
	size_t n_allow;
	struct ip_range deny[RANGES_MAX];
	size_t n_deny;
	bool mobility;

	struct endpoint alternates[2];
	size_t n_alternates;
	uint32_t user_quota; // 0: none; as the others
	uint32_t total_quota;
	uint32_t session_kbit_s;
	uint32_t all_kbit_s;
	uint32_t nonce_lifetime_s;
	uint32_t lifetime_max_s;
	bool limits_challenges;
	uint32_t challenges_per_source;
	bool is_debug;

	// Made by plan_complete().
	struct plan_port ports[PORTS_MAX];
	size_t n_ports;
	struct endpoint listen[ADDRESSES_MAX];
	size_t n_listen;
	struct plan_relay relay[ADDRESSES_MAX];
	size_t n_relay;
	struct endpoint discovery; // family none: none
	char realm_text[256];
	char password[33]; // of the user that is made where nobody else could log in; or ""
	struct endpoint redis_server;
	const char *redis_user;
	const char *redis_password; // NULL: none
	uint32_t redis_database;
	uint32_t redis_timeout_ms; // 0: the default
};

// Handlers of the table, in the file that is named before them.
// addresses.c
void take_listening_device(struct plan *plan, const struct setting *setting);
void take_listening_ip(struct plan *plan, const struct setting *setting);
void take_listening_port(struct plan *plan, const struct setting *setting);
void take_alternate_port(struct plan *plan, const struct setting *setting);
void take_aux_server(struct plan *plan, const struct setting *setting);
void take_relay_ip(struct plan *plan, const struct setting *setting);
void take_external_ip(struct plan *plan, const struct setting *setting);
void take_min_port(struct plan *plan, const struct setting *setting);
void take_max_port(struct plan *plan, const struct setting *setting);
void take_alternate_server(struct plan *plan, const struct setting *setting);
// access.c
void take_lt_cred_mech(struct plan *plan, const struct setting *setting);
void take_no_auth(struct plan *plan, const struct setting *setting);
void take_use_auth_secret(struct plan *plan, const struct setting *setting);
void take_static_auth_secret(struct plan *plan, const struct setting *setting);
void take_user(struct plan *plan, const struct setting *setting);
void take_realm(struct plan *plan, const struct setting *setting);
void take_database(struct plan *plan, const struct setting *setting);
void take_redis(struct plan *plan, const struct setting *setting);
void take_no_dynamic_lists(struct plan *plan, const struct setting *setting);
void take_separator(struct plan *plan, const struct setting *setting);
void take_allowed_peer(struct plan *plan, const struct setting *setting);
void take_denied_peer(struct plan *plan, const struct setting *setting);
// limits.c
void take_user_quota(struct plan *plan, const struct setting *setting);
void take_total_quota(struct plan *plan, const struct setting *setting);
void take_max_bps(struct plan *plan, const struct setting *setting);
void take_bps_capacity(struct plan *plan, const struct setting *setting);
void take_stale_nonce(struct plan *plan, const struct setting *setting);
void take_max_lifetime(struct plan *plan, const struct setting *setting);
void take_channel_lifetime(struct plan *plan, const struct setting *setting);
void take_permission_lifetime(struct plan *plan, const struct setting *setting);
void take_challenge_limit(struct plan *plan, const struct setting *setting);
void take_challenge_rate(struct plan *plan, const struct setting *setting);
// switches.c
void take_no_rfc5780(struct plan *plan, const struct setting *setting);
void take_rfc5780(struct plan *plan, const struct setting *setting);
void take_no_classic(struct plan *plan, const struct setting *setting);
void take_classic(struct plan *plan, const struct setting *setting);
void take_no_tcp(struct plan *plan, const struct setting *setting);
void take_no_tls(struct plan *plan, const struct setting *setting);
void take_no_tcp_relay(struct plan *plan, const struct setting *setting);
void take_certificate(struct plan *plan, const struct setting *setting);
void take_mobility(struct plan *plan, const struct setting *setting);
void take_debug(struct plan *plan, const struct setting *setting);
void take_default_family(struct plan *plan, const struct setting *setting);

// For handlers: the number that a value begins with, as turnserver reads it. False, after a note,
// where there is none or it is above `max`.
bool plan_number(struct plan *plan, const struct setting *setting, uint64_t max, uint64_t *number);
// For handlers of flags: false, after a note, also where the value is no word of yes or no.
bool plan_is_on(struct plan *plan, const struct setting *setting);
// Puts it into a list of ADDRESSES_MAX, once. False where there is no room.
bool plan_add_ip(struct ip_addr *list, size_t *n, const struct ip_addr *ip);

// Every setting to its handler or its note.
void plan_take(struct plan *plan, const struct settings *settings);
// Find the devices, make the lists, and note what is assumed. Returns 0; -EADDRNOTAVAIL where there
// is no address at all, after a line on stderr.
int plan_complete(struct plan *plan);
int plan_complete_addresses(struct plan *plan); // the part in ports.c; as above
void plan_complete_access(struct plan *plan); // the part in access.c
void plan_complete_redis(struct plan *plan); // the part in redis.c
void plan_write(const struct plan *plan, const char *from, FILE *out);
void plan_free(struct plan *plan);

#endif
