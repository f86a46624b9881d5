// The table of coturn's options. A row without a function says why there is nothing to take, which
// is told where the option is set.
#include "plan.h"

// clang-format off
#define TAKEN(name, letter, argument, function) {name, letter, argument, function, 0, NULL}
#define LOST(name, letter, argument, why) {name, letter, argument, NULL, NOTE_LOST, why}
#define NEEDLESS(name, letter, argument, why) {name, letter, argument, NULL, NOTE_NEEDLESS, why}
// clang-format on
#define FLAG ARGUMENT_FLAG
#define TEXT ARGUMENT_TEXT

#define NO_TLS "TLS and DTLS are not served"
#define NO_OLD_TLS "TLS and DTLS are not served, of any version"
#define TO_STDERR "the log goes to standard error, which systemd's journal keeps and stamps"
#define TURNPIKECTL "turnpikectl is the control tool, on a local socket"
#define NO_WEB_ADMIN "users are in the configuration or Redis; there is no web administration"
#define NO_METRICS "is opened by choice: see http.listen and http.coturn-names"
#define BY_SYSTEMD "systemd starts it and keeps its process"
#define BURSTS "packets are taken and sent in bursts past the kernel in any case"
#define NO_STATE "an unauthenticated request makes no state in any case"

const struct option_row option_rows[] = {
	// Addresses and ports.
	TAKEN("listening-device", 'd', TEXT, take_listening_device),
	TAKEN("listening-port", 'p', TEXT, take_listening_port),
	NEEDLESS("tls-listening-port", 0, TEXT, NO_TLS),
	TAKEN("alt-listening-port", 0, TEXT, take_alternate_port),
	NEEDLESS("alt-tls-listening-port", 0, TEXT, NO_TLS),
	LOST("tcp-proxy-port", 0, TEXT, "TCP is not served, nor the PROXY protocol"),
	TAKEN("listening-ip", 'L', TEXT, take_listening_ip),
	TAKEN("aux-server", 0, TEXT, take_aux_server),
	NEEDLESS("udp-self-balance", 0, FLAG, "all workers share every listener; the NIC spreads"),
	NEEDLESS("relay-device", 'i', TEXT, "the port that has the relay's address relays"),
	TAKEN("relay-ip", 'E', TEXT, take_relay_ip),
	TAKEN("external-ip", 'X', TEXT, take_external_ip),
	TAKEN("min-port", 0, TEXT, take_min_port),
	TAKEN("max-port", 0, TEXT, take_max_port),
	NEEDLESS("relay-threads", 'm', TEXT,
		"a worker polls a CPU of its own and moves what many threads do; see workers"),
	NEEDLESS("cpus", 0, TEXT, "see workers: a worker polls a CPU of its own"),
	NEEDLESS("ne", 0, TEXT, "there is one network engine"),
	NEEDLESS("udp-recvmmsg", 0, FLAG, BURSTS),
	NEEDLESS("udp-sendmmsg", 0, FLAG, BURSTS),
	NEEDLESS("udp-gso", 0, FLAG, BURSTS),

	// Transports.
	LOST("no-udp", 0, FLAG, "UDP is what there is"),
	TAKEN("no-tcp", 0, FLAG, take_no_tcp),
	TAKEN("no-tls", 0, FLAG, take_no_tls),
	NEEDLESS("no-dtls", 0, FLAG, "DTLS is not served"),
	LOST("dtls", 0, FLAG, "DTLS is not served"),
	LOST("no-udp-relay", 0, FLAG, "UDP is what is relayed"),
	TAKEN("no-tcp-relay", 0, FLAG, take_no_tcp_relay),
	TAKEN("cert", 0, TEXT, take_certificate),
	NEEDLESS("pkey", 0, TEXT, NO_TLS),
	NEEDLESS("pkey-pwd", 0, TEXT, NO_TLS),
	LOST("CA-file", 0, TEXT, NO_TLS ", so no client certificate is checked"),
	LOST("raw-public-keys", 0, FLAG, NO_TLS),
	NEEDLESS("cipher-list", 0, TEXT, NO_TLS),
	NEEDLESS("ec-curve-name", 0, TEXT, NO_TLS),
	NEEDLESS("dh-file", 0, TEXT, NO_TLS),
	NEEDLESS("dh566", 0, FLAG, NO_TLS),
	NEEDLESS("dh1066", 0, FLAG, NO_TLS),
	NEEDLESS("dh2066", 0, FLAG, NO_TLS),
	NEEDLESS("no-sslv2", 0, FLAG, NO_OLD_TLS),
	NEEDLESS("no-sslv3", 0, FLAG, NO_OLD_TLS),
	NEEDLESS("no-tlsv1", 0, FLAG, NO_OLD_TLS),
	NEEDLESS("no-tlsv1_1", 0, FLAG, NO_OLD_TLS),
	NEEDLESS("no-tlsv1_2", 0, FLAG, NO_OLD_TLS),
	LOST("acme-redirect", 0, TEXT, "no HTTP is served on the ports of STUN"),
	NEEDLESS("respond-http-unsupported", 0, FLAG, "no HTTP is served on the ports of STUN"),

	// Who may use it.
	TAKEN("lt-cred-mech", 'a', FLAG, take_lt_cred_mech),
	TAKEN("no-auth", 'z', FLAG, take_no_auth),
	TAKEN("use-auth-secret", 0, FLAG, take_use_auth_secret),
	TAKEN("static-auth-secret", 0, TEXT, take_static_auth_secret),
	TAKEN("rest-api-separator", 'C', TEXT, take_separator),
	NEEDLESS("secret-ts-exp-time", 0, TEXT, "the name of a REST user says until when"),
	TAKEN("user", 'u', TEXT, take_user),
	TAKEN("realm", 'r', TEXT, take_realm),
	LOST("check-origin-consistency", 0, FLAG,
		"ORIGIN has no say: a request belongs to the realm of its listener"),
	LOST("oauth", 0, FLAG,
		"the keys shared with the authorization server are in coturn's database; write "
		"them "
		"into tokens"),
	LOST("server-name", 0, TEXT, "goes with the keys of oauth: tokens.server-name"),
	TAKEN("userdb", 'b', TEXT, take_database),
	TAKEN("db", 'b', TEXT, take_database),
	TAKEN("psql-userdb", 'e', TEXT, take_database),
	TAKEN("sql-userdb", 'e', TEXT, take_database),
	TAKEN("mysql-userdb", 'M', TEXT, take_database),
	TAKEN("mongo-userdb", 'J', TEXT, take_database),
	TAKEN("redis-userdb", 'N', TEXT, take_redis),
	LOST("redis-statsdb", 'O', TEXT,
		"see records.coturn-status, which tells the Redis of `redis`"),
	NEEDLESS("secret-key-file", 0, TEXT, "it is for the password of a MySQL database"),
	NEEDLESS("no-auth-pings", 0, FLAG, "Redis is asked for what is needed, never waited for"),
	TAKEN("no-dynamic-ip-list", 0, FLAG, take_no_dynamic_lists),
	TAKEN("no-dynamic-realms", 0, FLAG, take_no_dynamic_lists),

	// Whom they may reach.
	TAKEN("allowed-peer-ip", 0, TEXT, take_allowed_peer),
	TAKEN("denied-peer-ip", 0, TEXT, take_denied_peer),
	LOST("allow-loopback-peers", 0, FLAG, "this box's own loopback is never a peer"),
	NEEDLESS("no-loopback-peers", 0, FLAG, "loopback addresses are never peers"),
	NEEDLESS("no-multicast-peers", 0, FLAG, "multicast addresses are never peers"),
	LOST("server-relay", 0, FLAG, "peers without a permission are never let through"),

	// How much.
	TAKEN("user-quota", 'q', TEXT, take_user_quota),
	TAKEN("total-quota", 'Q', TEXT, take_total_quota),
	TAKEN("max-bps", 's', TEXT, take_max_bps),
	TAKEN("bps-capacity", 'B', TEXT, take_bps_capacity),
	TAKEN("stale-nonce", 0, FLAG, take_stale_nonce),
	TAKEN("max-allocate-lifetime", 0, FLAG, take_max_lifetime),
	TAKEN("channel-lifetime", 0, FLAG, take_channel_lifetime),
	TAKEN("permission-lifetime", 0, FLAG, take_permission_lifetime),
	NEEDLESS("max-allocate-timeout", 0, TEXT, NO_STATE),
	TAKEN("unauthorized-ratelimit", 0, FLAG, take_challenge_limit),
	TAKEN("unauthorized-ratelimit-rps", 0, TEXT, take_challenge_rate),
	NEEDLESS("drop-invalid-packets", 0, FLAG, "what is no STUN is dropped and counted"),
	NEEDLESS("stateless-nonce", 0, FLAG, NO_STATE),
	LOST("stateless-nonce-secret", 0, TEXT,
		"servers do not share the key of nonces: a client that changes to another asks "
		"once "
		"more"),
	TAKEN("alternate-server", 0, TEXT, take_alternate_server),
	LOST("tls-alternate-server", 0, TEXT, NO_TLS),

	// What STUN and TURN say.
	NEEDLESS("fingerprint", 'f', FLAG, "an answer has FINGERPRINT where its request had it"),
	NEEDLESS("no-software-attribute", 0, FLAG, "answers have no SOFTWARE unless stun says so"),
	NEEDLESS("prod", 0, FLAG, "answers have no SOFTWARE unless stun says so"),
	LOST("software-attribute", 0, FLAG, "what SOFTWARE says is chosen in stun.software"),
	LOST("secure-stun", 0, FLAG, "Binding requests are answered without credentials"),
	LOST("stun-only", 'S', FLAG, "TURN cannot be turned off"),
	LOST("no-stun", 0, FLAG,
		"Binding requests are answered; limits.answers says how many a second"),
	TAKEN("no-rfc5780", 0, FLAG, take_no_rfc5780),
	TAKEN("rfc5780", 0, FLAG, take_rfc5780),
	TAKEN("no-stun-backward-compatibility", 0, FLAG, take_no_classic),
	TAKEN("stun-backward-compatibility", 0, FLAG, take_classic),
	NEEDLESS("response-origin-only-with-rfc5780", 0, FLAG,
		"RESPONSE-ORIGIN is only sent with an alternate-address"),
	TAKEN("mobility", 0, FLAG, take_mobility),
	LOST("keep-address-family", 'K', FLAG,
		"who asks for no family gets IPv4, as RFC 8656 has it"),
	TAKEN("allocation-default-address-family", 'A', TEXT, take_default_family),

	// The log and metrics.
	NEEDLESS("verbose", 'v', FLAG, "log.level is info by default"),
	TAKEN("Verbose", 'V', FLAG, take_debug),
	NEEDLESS("log-file", 'l', TEXT, TO_STDERR),
	NEEDLESS("no-stdout-log", 0, FLAG, TO_STDERR),
	NEEDLESS("syslog", 0, FLAG, TO_STDERR),
	NEEDLESS("syslog-facility", 0, TEXT, TO_STDERR),
	NEEDLESS("simple-log", 0, FLAG, TO_STDERR),
	NEEDLESS("new-log-timestamp", 0, FLAG, TO_STDERR),
	NEEDLESS("new-log-timestamp-format", 0, TEXT, TO_STDERR),
	LOST("log-binding", 0, FLAG, "Binding requests are counted, not logged"),
	LOST("prometheus", 0, FLAG, NO_METRICS),
	LOST("prometheus-port", 0, TEXT, NO_METRICS),
	LOST("prometheus-address", 0, TEXT, NO_METRICS),
	LOST("prometheus-path", 0, TEXT, NO_METRICS),
	LOST("prometheus-username-labels", 0, FLAG, "metrics never carry a user's name"),

	// The process and its administration.
	NEEDLESS("daemon", 'o', FLAG, BY_SYSTEMD),
	NEEDLESS("pidfile", 0, TEXT, BY_SYSTEMD),
	NEEDLESS("proc-user", 0, TEXT, BY_SYSTEMD),
	NEEDLESS("proc-group", 0, TEXT, BY_SYSTEMD),
	NEEDLESS("no-cli", 0, FLAG, TURNPIKECTL),
	NEEDLESS("cli", 0, FLAG, TURNPIKECTL),
	NEEDLESS("cli-ip", 0, TEXT, TURNPIKECTL),
	NEEDLESS("cli-port", 0, TEXT, TURNPIKECTL),
	NEEDLESS("cli-password", 0, TEXT, TURNPIKECTL),
	NEEDLESS("cli-max-output-sessions", 0, TEXT, TURNPIKECTL),
	LOST("web-admin", 0, FLAG, NO_WEB_ADMIN),
	NEEDLESS("web-admin-ip", 0, TEXT, NO_WEB_ADMIN),
	NEEDLESS("web-admin-port", 0, TEXT, NO_WEB_ADMIN),
	NEEDLESS("web-admin-listen-on-workers", 0, FLAG, NO_WEB_ADMIN),
	NEEDLESS("version", 0, FLAG, "asks turnserver for its version"),
};

const size_t n_option_rows = N_ELEMENTS(option_rows);
