#include "conf/conf.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define A53 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const char least[] = "ports: [{name: a, device: af_packet:e0, addresses: [10.0.0.1/8]}]\n"
			    "listen: [10.0.0.1:3478]\n"
			    "relay: [{address: 10.0.0.1}]\n"
			    "auth: {realm: r, rest-secrets: [s]}\n";

static struct conf *load(const char *text)
{
	struct conf *conf = NULL;
	char error[CONF_ERROR_BYTES];

	cr_assert_eq(conf_load_bytes(&conf, "t", (const uint8_t *)text, strlen(text), error), 0,
		"%s", error);
	cr_assert_str_eq(error, "");
	return conf;
}

static void expect_ip(const struct ip_addr *ip, const char *want)
{
	char text[ADDR_TEXT_BYTES];

	cr_expect_str_eq(ip_format(ip, text), want);
}

static void expect_prefix(const struct prefix *prefix, const char *want)
{
	char text[ADDR_TEXT_BYTES];

	cr_expect_str_eq(prefix_format(prefix, text), want);
}

Test(conf_load, what_is_left_out_has_its_default)
{
	static const uint8_t no_mac[6];
	struct conf *conf = load(least);

	cr_expect_eq(conf->n_ports, 1);
	cr_expect_str_eq(conf->ports[0].mirror, "tp0");
	cr_expect_arr_eq(conf->ports[0].mac, no_mac, 6);
	cr_expect_eq(conf->ports[0].mtu_bytes, 1500);
	cr_expect_eq(conf->ports[0].vlan, 0);
	cr_expect_eq(conf->ports[0].n_routes, 0);
	cr_expect_eq(conf->ports[0].n_neighbours, 0);
	cr_expect_eq(conf->relay[0].port_min, 49152);
	cr_expect_eq(conf->relay[0].port_max, 65535);
	cr_expect_eq(conf->realms[0].n_users, 0);
	cr_expect_eq(conf->nonce_lifetime_s, 600);
	cr_expect_eq(conf->allocation_lifetime_s, 600);
	cr_expect_eq(conf->allocation_lifetime_max_s, 3600);
	cr_expect_eq(conf->n_allocations_max, 16384);
	cr_expect_eq(conf->realms[0].peers.profile, CONF_PEERS_PUBLIC);
	cr_expect_eq(conf->realms[0].peers.n_allow, 0);
	cr_expect_eq(conf->realms[0].peers.n_deny, 0);
	cr_expect_eq(conf->realms[0].peers.n_dry_run, 0);
	cr_expect_eq(conf->realms[0].peers.n_nat64, 0);
	cr_expect_eq(conf->n_workers, 1);
	cr_expect_null(conf->worker_cpus);
	cr_expect_eq(conf->control_cpu, -1);
	cr_expect_eq(conf->poll, CONF_POLL_ADAPTIVE);
	cr_expect_not(conf->rfc5766_channels);
	cr_expect_eq(conf->answers.bindings_per_source, 1000);
	cr_expect_eq(conf->answers.bindings, 0);
	cr_expect_eq(conf->answers.challenges_per_source, 1000);
	cr_expect_eq(conf->answers.challenges, 0);
	cr_expect_eq(conf->answers.ratio_percent, 0);
	cr_expect_eq(conf->rates.all.kbit_per_s, 0);
	cr_expect_eq(conf->rates.burst_ms, 500);
	cr_expect_null(conf->software);
	cr_expect_not(conf->serves_classic);
	cr_expect_not(conf->allows_mobility);
	cr_expect_eq(conf->n_token_keys, 0);
	cr_expect_eq(conf->discovery_alternate.ip.family, FAMILY_NONE);
	cr_expect_eq(conf->hugepages, CONF_HUGEPAGES_AUTO);
	cr_expect_eq(conf->n_mbufs, 0);
	cr_expect_eq(conf->log.level, LOG_INFO);
	cr_expect_eq(conf->log.format, LOG_AUTO);
	cr_expect_eq(conf->log.users, LOG_USERS_PLAIN);
	cr_expect_null(conf->user);
	cr_expect_null(conf->group);
	cr_expect_eq(conf->stats_interval_s, 60);
	conf_destroy(conf);
}

static void expect_range(const struct ip_range *range, const char *want)
{
	char text[RANGE_TEXT_BYTES];

	cr_expect_str_eq(range_format(range, text), want);
}

static const char full[] =
	"ports:\n"
	"  - name: wan\n"
	"    device: memif:/run/wan.sock\n"
	"    role: server\n"
	"    mirror: up.0\n"
	"    mac: 02:AB:cd:00:00:01\n"
	"    mtu: 9000\n"
	"    vlan: 4094\n"
	"    addresses: [198.18.0.2/24, 192.0.2.1/32]\n"
	"    routes: [{to: 0.0.0.0/0, via: 198.18.0.1}, {to: 10.0.0.0/8, via: 198.18.0.9}]\n"
	"    neighbours: [{address: 198.18.0.1, mac: 02:00:00:00:00:02}]\n"
	"  - {name: in-1, device: \"memif:/run/b\", role: client, addresses: [10.1.0.2/16]}\n"
	"listen: [198.18.0.2:3478, 192.0.2.1:443, 198.18.0.2:50001]\n"
	"relay:\n"
	"  - {address: 198.18.0.2, ports: 4000-50000}\n"
	"  - {address: 192.0.2.1, ports: 1024-1024, external: 203.0.113.7}\n"
	"auth:\n"
	"  realm: K\u00f6ln\n"
	"  users: [{name: ann, password: 'p w'}, {name: bob, key: "
	"0123456789abcdefFEDCBA9876543210}]\n"
	"  rest-secrets: [one, two]\n"
	"  rest-secrets-sha256: [three]\n"
	"  nonce-lifetime-s: 10\n"
	"limits: {allocations: 46002, lifetime-s: 3600, lifetime-max-s: 86400, "
	"alternate-servers: [192.0.2.9:3479], allocations-per-user: 7, "
	"channels: rfc5766,\n"
	"  permissions-per-allocation: 21, channels-per-allocation: 22,\n"
	"  new-peers-per-user-s: 23, new-peers-s: 24,\n"
	"  answers: {bindings-per-source: 1, bindings: 2, challenges-per-source: 3, challenges: "
	"4,\n"
	"    ratio-percent: 5},\n"
	"  rates: {allocation-kbit-s: 11, allocation-packets-s: 12, user-kbit-s: 13,\n"
	"    user-packets-s: 14, all-kbit-s: 15, all-packets-s: 16, burst-ms: 17}}\n"
	"stun: {software: a relay, rfc3489: on, alternate-address: 192.0.2.1:3000}\n"
	"mobility: on\n"
	"tokens: {server-name: t.example, keys: [{kid: k1, key: "
	"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F}, {kid: k2, key: "
	"0123456789abcdef0123456789abcdef}]}\n"
	"peers: {profile: lan, allow: [\"2001:db8::/32\", 10.0.0.7], deny: [0.0.0.0/0, "
	"\"2001:db8::9-2001:db8::1:0\"],\n"
	"  dry-run: [10.0.0.1-10.0.0.3], nat64-prefixes: [\"2001:db8::/40\"]}\n"
	"workers: {count: 2, cpus: [3, 3], control-cpu: 0, poll: busy}\n"
	"memory: {hugepages: require, mbufs: 1024}\n"
	"log: {level: debug, format: json, user-names: hashed, stats-interval-s: 0}\n"
	"user: relay\n"
	"group: calls\n";

Test(conf_load, ports_are_as_written)
{
	static const uint8_t mac[6] = {0x02, 0xab, 0xcd, 0, 0, 1};
	static const uint8_t neighbour_mac[6] = {2, 0, 0, 0, 0, 2};
	struct conf *conf = load(full);
	const struct conf_port *port = &conf->ports[0];

	cr_assert_eq(conf->n_ports, 2);
	cr_expect_str_eq(port->name, "wan");
	cr_expect_eq(port->kind, CONF_MEMIF);
	cr_expect_str_eq(port->target, "/run/wan.sock");
	cr_expect(port->memif_server);
	cr_expect_str_eq(port->mirror, "up.0");
	cr_expect_arr_eq(port->mac, mac, 6);
	cr_expect_eq(port->mtu_bytes, 9000);
	cr_expect_eq(port->vlan, 4094);
	cr_assert_eq(port->n_addresses, 2);
	expect_prefix(&port->addresses[0], "198.18.0.2/24");
	expect_prefix(&port->addresses[1], "192.0.2.1/32");
	cr_assert_eq(port->n_routes, 2);
	expect_prefix(&port->routes[0].to, "0.0.0.0/0");
	expect_ip(&port->routes[0].via, "198.18.0.1");
	expect_prefix(&port->routes[1].to, "10.0.0.0/8");
	cr_assert_eq(port->n_neighbours, 1);
	expect_ip(&port->neighbours[0].address, "198.18.0.1");
	cr_expect_arr_eq(port->neighbours[0].mac, neighbour_mac, 6);
	cr_expect_str_eq(conf->ports[1].name, "in-1");
	cr_expect_str_eq(conf->ports[1].mirror, "tp1");
	cr_expect_not(conf->ports[1].memif_server);
	conf_destroy(conf);
}

Test(conf_load, services_and_credentials_are_as_written)
{
	static const uint8_t key[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0xfe, 0xdc,
		0xba, 0x98, 0x76, 0x54, 0x32, 0x10};
	struct conf *conf = load(full);

	cr_assert_eq(conf->n_listen, 3);
	expect_ip(&conf->listen[1].ip, "192.0.2.1");
	cr_expect_eq(conf->listen[1].port, 443);
	cr_assert_eq(conf->n_relay, 2);
	expect_ip(&conf->relay[0].ip, "198.18.0.2");
	cr_expect_eq(conf->relay[0].port_min, 4000);
	cr_expect_eq(conf->relay[0].port_max, 50000);
	cr_expect_eq(conf->relay[1].port_min, 1024);
	cr_expect_eq(conf->relay[1].port_max, 1024);
	expect_ip(&conf->relay[1].external, "203.0.113.7");
	cr_expect_eq(conf->relay[0].external.family, FAMILY_NONE);
	cr_expect_str_eq(conf->realms[0].name, "K\xc3\xb6ln");
	cr_assert_eq(conf->realms[0].n_users, 2);
	cr_expect_str_eq(conf->realms[0].users[0].name, "ann");
	cr_expect_str_eq(conf->realms[0].users[0].password, "p w");
	cr_expect_not(conf->realms[0].users[0].has_key);
	cr_expect_str_eq(conf->realms[0].users[1].name, "bob");
	cr_expect_null(conf->realms[0].users[1].password);
	cr_expect(conf->realms[0].users[1].has_key);
	cr_expect_arr_eq(conf->realms[0].users[1].key, key, 16);
	cr_assert_eq(conf->realms[0].n_rest_secrets, 2);
	cr_expect_str_eq(conf->realms[0].rest_secrets[0], "one");
	cr_expect_str_eq(conf->realms[0].rest_secrets[1], "two");
	cr_assert_eq(conf->realms[0].n_rest_secrets_sha256, 1);
	cr_expect_str_eq(conf->realms[0].rest_secrets_sha256[0], "three");
	conf_destroy(conf);
}

static struct conf *load_auth(const char *auth)
{
	char text[1024];

	snprintf(
		text, sizeof(text), "%.*s%s\n", (int)(strstr(least, "auth:") - least), least, auth);
	return load(text);
}

#define HEX_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeF"
#define HEX_32 "0123456789abcdef0123456789abcdef"

Test(conf_load, sha256_is_offered_where_every_user_can)
{
	static const struct {
		const char *auth;
		bool offered;
	} rows[] = {
		{"auth: {realm: r, users: [{name: a, password: p}]}", true},
		{"auth: {realm: r, users: [{name: a, password: p}], password-algorithms: sha256}",
			true},
		{"auth: {realm: r, users: [{name: a, password: p}], password-algorithms: md5}",
			false},
		{"auth: {realm: r, users: [{name: a, password: p}, {name: b, key: " HEX_32 "}]}",
			false},
		{"auth: {realm: r, users: [{name: b, key: " HEX_32 ", key-sha256: " HEX_64 "}]}",
			true},
		{"auth: {realm: r, rest-secrets: [s]}", true},
		{"auth: {realm: r, rest-secrets-sha256: [s]}", true},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct conf *conf = load_auth(rows[i].auth);

		cr_expect_eq(conf->realms[0].offers_sha256, rows[i].offered, "%s", rows[i].auth);
		cr_expect_not(conf->realms[0].asks_userhash);
		conf_destroy(conf);
	}
}

Test(conf_load, both_keys_of_a_user_and_hidden_names_are_as_written)
{
	struct conf *conf = load_auth("auth: {realm: r, username-anonymity: on, users: "
				      "[{name: b, key: " HEX_32 ", key-sha256: " HEX_64 "}]}");

	cr_expect(conf->realms[0].asks_userhash);
	cr_expect(conf->realms[0].users[0].has_key_sha256);
	cr_expect_eq(conf->realms[0].users[0].key_sha256[0], 0x01);
	cr_expect_eq(conf->realms[0].users[0].key_sha256[31], 0xef);
	conf_destroy(conf);
}

Test(conf_load, limits_peers_workers_and_the_rest_are_as_written)
{
	struct conf *conf = load(full);

	cr_expect_eq(conf->nonce_lifetime_s, 10);
	cr_expect_eq(conf->n_allocations_max, 46002);
	cr_expect_eq(conf->allocation_lifetime_s, 3600);
	cr_expect_eq(conf->allocation_lifetime_max_s, 86400);
	cr_expect_eq(conf->realms[0].n_allocations_per_user, 7);
	expect_ip(&conf->alternates[0].ip, "192.0.2.9");
	cr_expect_eq(conf->alternates[0].port, 3479);
	cr_expect_eq(conf->alternates[1].ip.family, FAMILY_NONE);
	cr_expect_str_eq(conf->software, "a relay");
	cr_expect(conf->serves_classic);
	cr_expect(conf->allows_mobility);
	cr_expect_str_eq(conf->token_server_name, "t.example");
	cr_assert_eq(conf->n_token_keys, 2);
	cr_expect_str_eq(conf->token_keys[0].kid, "k1");
	cr_expect_eq(conf->token_keys[0].key_bytes, 32);
	cr_expect_eq(conf->token_keys[0].key[31], 0x1f);
	cr_expect_eq(conf->token_keys[1].key_bytes, 16);
	expect_ip(&conf->discovery_alternate.ip, "192.0.2.1");
	cr_expect_eq(conf->discovery_alternate.port, 3000);
	cr_expect_eq(conf->realms[0].peers.profile, CONF_PEERS_LAN);
	cr_assert_eq(conf->realms[0].peers.n_allow, 2);
	expect_range(&conf->realms[0].peers.allow[0], "2001:db8::/32");
	expect_range(&conf->realms[0].peers.allow[1], "10.0.0.7/32");
	cr_assert_eq(conf->realms[0].peers.n_deny, 2);
	expect_range(&conf->realms[0].peers.deny[0], "0.0.0.0/0");
	expect_range(&conf->realms[0].peers.deny[1], "2001:db8::9-2001:db8::1:0");
	cr_assert_eq(conf->realms[0].peers.n_dry_run, 1);
	expect_range(&conf->realms[0].peers.dry_run[0], "10.0.0.1-10.0.0.3");
	cr_assert_eq(conf->realms[0].peers.n_nat64, 1);
	expect_prefix(&conf->realms[0].peers.nat64[0], "2001:db8::/40");
	cr_assert_eq(conf->n_workers, 2);
	cr_expect_eq(conf->worker_cpus[0], 3);
	cr_expect_eq(conf->worker_cpus[1], 3);
	cr_expect_eq(conf->control_cpu, 0);
	cr_expect_eq(conf->poll, CONF_POLL_BUSY);
	cr_expect(conf->rfc5766_channels);
	cr_expect_eq(conf->answers.bindings_per_source, 1);
	cr_expect_eq(conf->answers.bindings, 2);
	cr_expect_eq(conf->answers.challenges_per_source, 3);
	cr_expect_eq(conf->answers.challenges, 4);
	cr_expect_eq(conf->answers.ratio_percent, 5);
	cr_expect_eq(conf->rates.allocation.kbit_per_s, 11);
	cr_expect_eq(conf->rates.allocation.packets_per_s, 12);
	cr_expect_eq(conf->rates.user.kbit_per_s, 13);
	cr_expect_eq(conf->rates.user.packets_per_s, 14);
	cr_expect_eq(conf->rates.all.kbit_per_s, 15);
	cr_expect_eq(conf->rates.all.packets_per_s, 16);
	cr_expect_eq(conf->rates.burst_ms, 17);
	cr_expect_eq(conf->n_permissions_max, 21);
	cr_expect_eq(conf->n_channels_max, 22);
	cr_expect_eq(conf->new_peers_per_user_s, 23);
	cr_expect_eq(conf->new_peers_s, 24);
	cr_expect_eq(conf->hugepages, CONF_HUGEPAGES_REQUIRE);
	cr_expect_eq(conf->n_mbufs, 1024);
	cr_expect_eq(conf->log.level, LOG_DEBUG);
	cr_expect_eq(conf->log.format, LOG_JSON);
	cr_expect_eq(conf->log.users, LOG_USERS_HASHED);
	cr_expect_str_eq(conf->user, "relay");
	cr_expect_str_eq(conf->group, "calls");
	cr_expect_eq(conf->stats_interval_s, 0);
	conf_destroy(conf);
}

static const char of_ipv6[] =
	"ports:\n"
	"  - name: a\n"
	"    device: af_packet:e0\n"
	"    mtu: 1280\n"
	"    addresses: [\"2001:db8::2/64\", \"fe80::2/64\", \"fd00::2/128\"]\n"
	"    routes: [{to: \"::/0\", via: \"fe80::1\"}, {to: \"fd00::/8\", via: \"2001:db8::1\"}]\n"
	"    neighbours: [{address: \"fe80::1\", mac: 02:00:00:00:00:02}]\n"
	"listen: [\"[2001:db8::2]:3478\"]\n"
	"relay: [{address: \"2001:db8::2\", ports: 4000-4001}, {address: \"fd00::2\"}]\n"
	"auth: {realm: r, rest-secrets: [s]}\n"
	"limits: {alternate-servers: [\"[2001:db8::9]:3479\", \"192.0.2.9:3478\"]}\n"
	"stun: {alternate-address: \"[fd00::2]:3479\"}\n";

Test(conf_load, a_box_of_ipv6_alone_is_as_written)
{
	struct conf *conf = load(of_ipv6);
	const struct conf_port *port = &conf->ports[0];

	cr_expect_eq(port->mtu_bytes, 1280);
	cr_assert_eq(port->n_addresses, 3);
	expect_prefix(&port->addresses[0], "2001:db8::2/64");
	expect_prefix(&port->addresses[1], "fe80::2/64");
	expect_prefix(&port->addresses[2], "fd00::2/128");
	cr_assert_eq(port->n_routes, 2);
	expect_prefix(&port->routes[0].to, "::/0");
	expect_ip(&port->routes[0].via, "fe80::1");
	expect_ip(&port->neighbours[0].address, "fe80::1");
	expect_ip(&conf->listen[0].ip, "2001:db8::2");
	cr_expect_eq(conf->listen[0].port, 3478);
	expect_ip(&conf->relay[0].ip, "2001:db8::2");
	cr_expect_eq(conf->relay[0].port_max, 4001);
	expect_ip(&conf->relay[1].ip, "fd00::2");
	expect_ip(&conf->alternates[0].ip, "2001:db8::9");
	expect_ip(&conf->alternates[1].ip, "192.0.2.9");
	cr_expect_eq(conf->alternates[1].port, 3478);
	expect_ip(&conf->discovery_alternate.ip, "fd00::2");
	conf_destroy(conf);
}

static const char two_realms[] =
	"ports: [{name: a, device: af_packet:e0, addresses: [10.0.0.1/8]}]\n"
	"listen: [10.0.0.1:3478]\n"
	"relay: [{address: 10.0.0.1}]\n"
	"auth: {realm: r, rest-secrets: [s]}\n"
	"realms:\n"
	"  - {name: blue, listen: [10.0.0.1:1, 10.0.0.1:2], rest-secrets-sha256: [t]}\n"
	"  - name: Ko\u0308ln\n"
	"    listen: [10.0.0.1:3]\n"
	"    users: [{name: ann, password: p}]\n"
	"    password-algorithms: md5\n"
	"    username-anonymity: on\n"
	"    limits: {allocations: 4, allocations-per-user: 5}\n"
	"    peers: {deny: [10.0.0.0/8]}\n"
	"limits: {allocations-per-user: 6}\n"
	"peers: {profile: lan, allow: [192.0.2.0/24]}\n";

Test(conf_load, what_a_realm_does_not_say_is_as_in_the_first)
{
	struct conf *conf = load(two_realms);
	const struct conf_realm *blue = &conf->realms[1];

	cr_assert_eq(conf->n_realms, 3);
	cr_expect_str_eq(blue->name, "blue");
	cr_expect_eq(blue->n_users, 0);
	cr_expect_eq(blue->n_rest_secrets, 0);
	cr_assert_eq(blue->n_rest_secrets_sha256, 1);
	cr_expect_str_eq(blue->rest_secrets_sha256[0], "t");
	cr_expect(blue->offers_sha256);
	cr_expect_not(blue->asks_userhash);
	cr_expect_eq(blue->n_allocations_max, 0);
	cr_expect_eq(blue->n_allocations_per_user, 6);
	cr_expect_eq(blue->peers.profile, CONF_PEERS_LAN);
	cr_assert_eq(blue->peers.n_allow, 1);
	expect_range(&blue->peers.allow[0], "192.0.2.0/24");
	conf_destroy(conf);
}

Test(conf_load, a_realm_has_its_own_users_limits_and_peers)
{
	struct conf *conf = load(two_realms);
	const struct conf_realm *koeln = &conf->realms[2];

	cr_assert_eq(conf->n_realms, 3);
	cr_expect_str_eq(koeln->name, "K\u00f6ln");
	cr_assert_eq(koeln->n_users, 1);
	cr_expect_str_eq(koeln->users[0].name, "ann");
	cr_expect_not(koeln->offers_sha256);
	cr_expect(koeln->asks_userhash);
	cr_expect_eq(koeln->n_allocations_max, 4);
	cr_expect_eq(koeln->n_allocations_per_user, 5);
	cr_expect_eq(koeln->peers.profile, CONF_PEERS_PUBLIC);
	cr_expect_eq(koeln->peers.n_allow, 0);
	cr_assert_eq(koeln->peers.n_deny, 1);
	expect_range(&koeln->peers.deny[0], "10.0.0.0/8");
	conf_destroy(conf);
}

Test(conf_load, listeners_of_all_realms_are_listeners)
{
	static const uint16_t ports[] = {3478, 1, 2, 3};
	struct conf *conf = load(two_realms);

	cr_assert_eq(conf->n_listen, N_ELEMENTS(ports));
	for (size_t i = 0; i < N_ELEMENTS(ports); i++)
		cr_expect_eq(conf->listen[i].port, ports[i]);
	cr_expect_eq(conf->realms[0].n_listen, 0);
	cr_assert_eq(conf->realms[1].n_listen, 2);
	cr_expect_eq(conf->realms[1].listen[1].port, 2);
	cr_assert_eq(conf->realms[2].n_listen, 1);
	cr_expect_eq(conf->realms[2].listen[0].port, 3);
	conf_destroy(conf);
}

Test(conf_load, redis_on_a_local_socket)
{
	struct conf *conf =
		load("ports: [{name: a, device: af_packet:e0, addresses: [10.0.0.1/8]}]\n"
		     "listen: [10.0.0.1:3478]\n"
		     "relay: [{address: 10.0.0.1}]\n"
		     "auth: {realm: r, redis: on}\n"
		     "redis: {server: \"unix:/run/redis.sock\", password: p, database: 3,\n"
		     "  timeout-ms: 50, refresh-s: 1, cache-s: 2, unknown-cache-s: 3,\n"
		     "  cached-users: 4, waiting-users: 5}\n");

	cr_assert(conf->has_redis && conf->realms[0].uses_redis);
	cr_expect_not(conf->realms[0].offers_sha256, "nobody knows their keys");
	cr_expect_str_eq(conf->redis.path, "/run/redis.sock");
	cr_expect_null(conf->redis.username);
	cr_expect_str_eq(conf->redis.password, "p");
	cr_expect_eq(conf->redis.database, 3);
	cr_expect_eq(conf->redis.timeout_ms, 50);
	cr_expect_eq(conf->redis.refresh_s, 1);
	cr_expect_eq(conf->redis.cache_s, 2);
	cr_expect_eq(conf->redis.unknown_cache_s, 3);
	cr_expect_eq(conf->redis.n_cached_max, 4);
	cr_expect_eq(conf->redis.n_waiting_max, 5);
	conf_destroy(conf);
}

struct device_row {
	const char *text;
	enum conf_device_kind kind;
	const char *target;
};

Test(conf_load, each_kind_of_device)
{
	static const struct device_row rows[] = {
		{"af_packet:a23456789012345", CONF_AF_PACKET, "a23456789012345"},
		{"af_xdp:eth0.7", CONF_AF_XDP, "eth0.7"},
		{"virtio_user:/run/v", CONF_VIRTIO_USER, "/run/v"},
		{"vhost:/run/v-1_2.sock", CONF_VHOST, "/run/v-1_2.sock"},
		{"vhost:/" A53 A53, CONF_VHOST, "/" A53 A53}, // 107 bytes
		{"pci:0000:3b:1f.7", CONF_PCI, "0000:3b:1f.7"},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		char text[512];
		struct conf *conf;

		snprintf(text, sizeof(text),
			"ports: [{name: a, device: \"%s\", addresses: [10.0.0.1/8]}]\n%s",
			rows[i].text, strchr(least, '\n') + 1);
		conf = load(text);
		cr_expect_eq(conf->ports[0].kind, rows[i].kind, "%s", rows[i].text);
		cr_expect_str_eq(conf->ports[0].target, rows[i].target);
		conf_destroy(conf);
	}
}

Test(conf_load, a_user_name_of_508_bytes)
{
	char text[1024];
	char name[509] = "";
	struct conf *conf;

	memset(name, 'n', 508);
	snprintf(text, sizeof(text), "%.*susers: [{name: %s, password: p}]}\n",
		(int)(strstr(least, "rest-secrets") - least), least, name);
	conf = load(text);
	cr_expect_str_eq(conf->realms[0].users[0].name, name);
	conf_destroy(conf);
}

Test(conf_load, few_relay_ports_lower_the_default_of_allocations)
{
	struct conf *conf =
		load("ports: [{name: a, device: af_packet:e0, addresses: [10.0.0.1/8]}]\n"
		     "listen: [10.0.0.1:3478]\n"
		     "relay: [{address: 10.0.0.1, ports: 50000-50099}]\n"
		     "auth: {realm: r, rest-secrets: [s]}\n");

	cr_expect_eq(conf->n_allocations_max, 100);
	conf_destroy(conf);
}

Test(conf_load, as_many_workers_as_cpus_where_no_count_is_given)
{
	char text[512];
	struct conf *conf;

	snprintf(text, sizeof(text), "%sworkers: {cpus: [1, 0, 1]}\n", least);
	conf = load(text);
	cr_expect_eq(conf->n_workers, 3);
	cr_expect_eq(conf->worker_cpus[1], 0);
	conf_destroy(conf);
}

// A file of `least` and zeros up to `n_bytes`, without a place in any directory. Returns what is to
// be closed.
static int open_file(char path[static 32], off_t n_bytes)
{
	const int fd = memfd_create("conf", 0);

	cr_assert_eq(write(fd, least, sizeof(least) - 1), (ssize_t)sizeof(least) - 1);
	cr_assert_eq(ftruncate(fd, n_bytes), 0);
	snprintf(path, 32, "/proc/self/fd/%d", fd);
	return fd;
}

Test(conf_load, a_file_is_read_whole)
{
	char path[32];
	const int fd = open_file(path, sizeof(least) - 1);
	struct conf *conf;
	char error[CONF_ERROR_BYTES];

	cr_assert_eq(conf_load(&conf, path, error), 0, "%s", error);
	cr_expect_str_eq(conf->realms[0].name, "r");
	conf_destroy(conf);
	close(fd);
}

Test(conf_load, a_file_that_is_too_large_is_refused)
{
	char path[32];
	const int fd = open_file(path, 64 << 20);
	struct conf *conf;
	char error[CONF_ERROR_BYTES];

	cr_assert_eq(conf_load(&conf, path, error), -EINVAL);
	cr_expect_not_null(strstr(error, "larger than 1 MiB"), "%s", error);
	close(fd);
}

Test(conf_load, what_cannot_be_read_says_why)
{
	struct conf *conf;
	char error[CONF_ERROR_BYTES];

	cr_expect_eq(conf_load(&conf, "/nonexistent/a.yaml", error), -ENOENT);
	cr_expect_str_eq(error,
		"/nonexistent/a.yaml:1: file: No such file or directory; allowed: a "
		"file that can be read");
	cr_expect_eq(conf_load(&conf, "/", error), -EISDIR);
}

Test(conf_load, destroying_nothing_is_fine)
{
	conf_destroy(NULL);
}
