// The configuration file: YAML by a libcyaml schema, judged as a whole before anything starts.
//
// conf_load() gives either a complete, checked configuration or one line that says file, line, key
// and what is allowed. The result is read-only and owns all it points to. Keys, units, defaults and
// ranges are documented in config/turnpike.yaml. Control core only.
#ifndef CONF_H
#define CONF_H

#include "base/base.h"
#include "opaque.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONF_PORTS_MAX 8
#define CONF_WORKERS_MAX 64
#define CONF_HTTP_LISTEN_MAX 8
#define CONF_NAME_BYTES 16 // an interface name: 15 characters
#define CONF_ERROR_BYTES 512
#define CONF_ADMIN_SOCKET "/run/turnpike/admin.sock" // the default

enum conf_device_kind {
	CONF_AF_PACKET, // af_packet:INTERFACE
	CONF_AF_XDP, // af_xdp:INTERFACE
	CONF_VIRTIO_USER, // virtio_user:SOCKET-PATH (we are the client)
	CONF_VHOST, // vhost:SOCKET-PATH (we serve the socket)
	CONF_MEMIF, // memif:SOCKET-PATH, role server or client
	CONF_PCI, // pci:0000:3b:00.0
};

struct conf_port {
	char name[CONF_NAME_BYTES]; // unique; [A-Za-z0-9_-]
	enum conf_device_kind kind;
	char *target; // what follows "kind:"
	bool memif_server; // memif only
	char mirror[CONF_NAME_BYTES]; // the TAP's name; default "tp0", "tp1", ... by position
	uint8_t mac[6]; // all zero: the device's own, or a random local one
	uint16_t mtu_bytes; // IP bytes in a frame; 576..9000, with IPv6 from 1280; default 1500
	uint16_t vlan; // 0: untagged; 1..4094: every frame carries this 802.1Q tag
	struct prefix *addresses; // the host's address with its prefix length; at least one
	size_t n_addresses;
	struct static_route *routes;
	size_t n_routes;
	struct static_neighbour *neighbours;
	size_t n_neighbours;
};

struct conf_user {
	char *name;
	char *password; // NULL where the key is given
	bool has_key;
	bool has_key_sha256; // only beside the other one
	uint8_t key[16]; // MD5(name ":" realm ":" password)
	uint8_t key_sha256[32]; // SHA-256 of the same
};

// Shared with who issues tokens (RFC 7635).
struct conf_token_key {
	char *kid;
	uint8_t key[32];
	size_t key_bytes; // 16 or 32
};

enum conf_poll {
	CONF_POLL_ADAPTIVE,
	CONF_POLL_BUSY,
};

enum conf_hugepages {
	CONF_HUGEPAGES_AUTO, // used where there are enough free ones
	CONF_HUGEPAGES_REQUIRE, // refuse to start without
	CONF_HUGEPAGES_OFF,
};

enum conf_peer_profile {
	CONF_PEERS_PUBLIC, // private ranges are refused as peers
	CONF_PEERS_LAN, // private ranges are allowed
};

struct conf_peers {
	enum conf_peer_profile profile;
	struct ip_range *allow;
	size_t n_allow;
	struct ip_range *deny;
	size_t n_deny;
	struct ip_range *dry_run; // would be denied, and is only counted
	size_t n_dry_run;
	struct prefix *nat64; // of 32, 40, 48, 56, 64 or 96 bits
	size_t n_nat64;
};

// Who may log in, and for what. What a realm of `realms` does not say itself is as in the first.
struct conf_realm {
	char *name;
	struct endpoint *listen; // its own listeners; the first realm has all others
	size_t n_listen;
	struct conf_user *users;
	size_t n_users;
	char **rest_secrets; // each may sign: rotation is add, wait, remove
	size_t n_rest_secrets;
	char **rest_secrets_sha256; // the same, for passwords by HMAC-SHA256
	size_t n_rest_secrets_sha256;
	bool offers_sha256; // in PASSWORD-ALGORITHMS (RFC 8489 §9.2.4); else all use MD5
	bool asks_userhash; // clients hide their names
	bool uses_redis; // users, REST secrets, limits and peers are there too
	uint32_t n_allocations_max; // of the realm; 0: no limit but that of all
	uint32_t n_allocations_per_user; // 0..4194304, default 0: no limit
	struct conf_peers peers;
};

// A second, and at once; 0: no limit.
struct conf_answers {
	uint32_t bindings_per_source;
	uint32_t bindings;
	uint32_t challenges_per_source;
	uint32_t challenges;
	uint32_t ratio_percent;
};

struct conf_redis {
	char *path; // a local socket; NULL: `server`
	struct endpoint server;
	char *username; // NULL: the default user
	char *password; // NULL: none
	uint32_t database; // 0..1023, default 0
	uint32_t timeout_ms; // 50..60000, default 1000
	uint32_t refresh_s; // of what holds for a realm: 1..3600, default 10
	uint32_t cache_s; // of users: 1..86400, default 60
	uint32_t unknown_cache_s; // of names that nobody has: 1..3600, default 10
	uint32_t n_cached_max; // 1..4194304, default 65536, and as many unknown names
	uint32_t n_waiting_max; // 1..4096, default 256
};

// Of application data, each way by itself; 0: no limit.
struct conf_rate {
	uint32_t kbit_per_s;
	uint32_t packets_per_s;
};

struct conf_rates {
	struct conf_rate allocation;
	struct conf_rate user;
	struct conf_rate all;
	uint32_t burst_ms;
};

// Metrics, health and the page; no listener: nothing is served.
struct conf_http {
	struct endpoint *listen; // TCP addresses of this host
	size_t n_listen; // 0..CONF_HTTP_LISTEN_MAX
	bool page;
	bool coturn_names; // metrics also under coturn's names
};

// One record for each allocation that has ended; neither set: none are written.
struct conf_records {
	char *file; // an absolute path; NULL: none
	char *redis; // the key of a list; NULL: none
	uint32_t observe_percent; // of the allocations: how well their media comes; default 0
	bool coturn_status; // coturn's keys and messages about allocations, in Redis
};

// For turnpikectl.
struct conf_admin {
	char *socket; // NULL: none
	char *group; // may use it beside the owner; NULL: nobody
};

struct conf {
	struct conf_port *ports;
	size_t n_ports; // 1..CONF_PORTS_MAX

	// Service addresses, UDP, those of all realms; each IP is an address of some port.
	struct endpoint *listen;
	size_t n_listen; // at least one
	struct relay_range *relay;
	size_t n_relay; // at least one; each address is an address of some port

	struct conf_realm *realms;
	size_t n_realms; // at least one: the first is that of `auth`
	bool has_redis;
	struct conf_redis redis;
	uint32_t nonce_lifetime_s; // 10..3600, default 600

	uint32_t allocation_lifetime_s; // default and least: 600
	uint32_t allocation_lifetime_max_s; // 600..86400, default 3600
	uint32_t n_allocations_max; // 1..4194304, default 16384, or fewer: the relay ports

	// Other servers, for clients when this one is full: at most one of each family.
	struct endpoint alternates[2];
	uint32_t n_permissions_max; // of an allocation: 1..128, default 128
	uint32_t n_channels_max; // the same
	uint32_t new_peers_per_user_s; // 0: no limit
	uint32_t new_peers_s;
	struct conf_rates rates;
	struct conf_answers answers; // to those who have not shown who they are
	bool rfc5766_channels; // channel numbers up to 0x7fff instead of 0x4fff

	// The second address and port of RFC 5780, beside listen[0]; family none: there is none.
	struct endpoint discovery_alternate;
	bool serves_classic; // clients of RFC 3489
	bool allows_mobility; // RFC 8016
	char *token_server_name; // NULL: no tokens are taken
	struct conf_token_key *token_keys;
	size_t n_token_keys;
	char *software; // SOFTWARE of every answer; NULL: none

	uint16_t n_workers; // 1..CONF_WORKERS_MAX, default as many as `worker_cpus`, or 1
	// n_workers of them, or NULL: the CPUs we may run on, in turn, control's last.
	uint16_t *worker_cpus;
	int control_cpu; // -1: chosen
	enum conf_poll poll;

	enum conf_hugepages hugepages;
	uint32_t n_mbufs; // 0: computed from ports and workers

	struct conf_http http;
	struct conf_records records;
	struct log_config log; // default: info, auto, plain
	uint32_t stats_interval_s; // 0: only at the end; default 60
	struct conf_admin admin;

	char *user; // whom the process becomes once all is open; NULL: it stays who it is
	char *group; // NULL: that user's
};

// Read and judge `path`. On success `*out` is the caller's, to be given to conf_destroy().
//
// Returns 0; -ENOENT, -EACCES or another -errno where the file can't be read; -EINVAL where its
// content can't be used; -ENOMEM. On failure `error` holds one line, without a newline:
// "FILE:LINE: KEY: what is wrong; allowed: what is right".
int conf_load(struct conf **out, const char *path, char error[static CONF_ERROR_BYTES]);
// The same from memory; `name` stands for the file in messages. For tests and fuzzing.
int conf_load_bytes(struct conf **out, const char *name, const uint8_t *yaml, size_t n_bytes,
	char error[static CONF_ERROR_BYTES]);
void conf_destroy(struct conf *conf); // NULL is fine

#define CONF_CHANGE_KEY_BYTES 256
#define CONF_CHANGE_TEXT_BYTES 384

// A key whose value differs. Secrets are never in it: how many came, went or changed is.
struct conf_change {
	char key[CONF_CHANGE_KEY_BYTES]; // "limits.allocations", "realms[blue].peers.deny"
	char text[CONF_CHANGE_TEXT_BYTES]; // "1000 -> 2000"; of lists "+ADDED -REMOVED"
	bool needs_restart;
};

struct conf_diff {
	struct conf_change *changes; // in the order of the file's keys
	size_t n;
};

// What `to` has other than `from`, by the table of all keys in keys.c. conf_diff_free() is due in
// any case. Returns 0; -ENOMEM.
int conf_diff(struct conf_diff *out, const struct conf *from, const struct conf *to);
// All keys with their values in `text`, as above; of secrets how many there are, or whether. The
// same is due. Returns 0; -ENOMEM.
int conf_list(struct conf_diff *out, const struct conf *conf);
void conf_diff_free(struct conf_diff *diff);

#endif
