#include "policy.h"

#include "needs/needs.h"
#include "stun/stun.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void make_users(
	struct turn_user *users, const struct conf_realm *realm, struct stun_mac *mac)
{
	for (size_t i = 0; i < realm->n_users; i++) {
		const struct conf_user *from = &realm->users[i];
		struct turn_user *to = &users[i];

		to->name = from->name;
		if (from->password) {
			turn_keys_make(&to->keys, mac, from->name, strlen(from->name), realm->name,
				from->password, strlen(from->password));
			continue;
		}
		memcpy(to->keys.md5, from->key, sizeof(from->key));
		memcpy(to->keys.sha256, from->key_sha256, sizeof(from->key_sha256));
		to->keys.has_sha256 = from->has_key_sha256;
	}
}

static void make_secrets(struct turn_rest_secret *next, const struct conf_realm *realm)
{
	for (size_t i = 0; i < realm->n_rest_secrets; i++)
		*next++ = (struct turn_rest_secret){.text = realm->rest_secrets[i]};
	for (size_t i = 0; i < realm->n_rest_secrets_sha256; i++)
		*next++ = (struct turn_rest_secret){
			.text = realm->rest_secrets_sha256[i], .sha256 = true};
}

static struct turn_peer_policy peers_of(const struct own *own, const struct conf_peers *peers)
{
	return (struct turn_peer_policy){
		.allow_private = peers->profile == CONF_PEERS_LAN,
		.never = own->ranges,
		.n_never = own->n,
		.allow = peers->allow,
		.n_allow = peers->n_allow,
		.deny = peers->deny,
		.n_deny = peers->n_deny,
		.dry_run = peers->dry_run,
		.n_dry_run = peers->n_dry_run,
		.nat64 = peers->nat64,
		.n_nat64 = peers->n_nat64,
	};
}

static int make_realm(struct policy_realm *own, struct turn_realm_config *out,
	const struct conf_realm *realm, struct stun_mac *mac)
{
	const size_t n_secrets = realm->n_rest_secrets + realm->n_rest_secrets_sha256;

	own->n_users = realm->n_users;
	own->users = calloc(realm->n_users + 1, sizeof(*own->users));
	own->rest_secrets = calloc(n_secrets + 1, sizeof(*own->rest_secrets));
	if (!own->users || !own->rest_secrets)
		return -ENOMEM;
	make_users(own->users, realm, mac);
	make_secrets(own->rest_secrets, realm);
	*out = (struct turn_realm_config){
		.name = realm->name,
		.services = realm->listen,
		.n_services = realm->n_listen,
		.users = own->users,
		.n_users = realm->n_users,
		.rest_secrets = own->rest_secrets,
		.n_rest_secrets = n_secrets,
		.offers_sha256 = realm->offers_sha256,
		.asks_userhash = realm->asks_userhash,
		.uses_source = realm->uses_redis,
		.n_allocations_max = realm->n_allocations_max,
		.n_allocations_per_user = realm->n_allocations_per_user,
	};
	return 0;
}

static void make_redis(struct policy *p, const struct conf *conf)
{
	const struct conf_redis *redis = &conf->redis;

	for (size_t i = 0; i < conf->n_realms; i++)
		p->redis_realms[i] = conf->realms[i].uses_redis ? conf->realms[i].name : NULL;
	p->redis = (struct redis_config){
		.path = redis->path,
		.server = redis->server,
		.user = redis->username,
		.password = redis->password,
		.database = redis->database,
		.realms = p->redis_realms,
		.n_realms = conf->n_realms,
		.timeout_ms = redis->timeout_ms,
		.refresh_s = redis->refresh_s,
		.cache_s = redis->cache_s,
		.unknown_cache_s = redis->unknown_cache_s,
		.n_cached_max = redis->n_cached_max,
		.n_waiting_max = redis->n_waiting_max,
	};
}

static int make_realms(struct policy *p, const struct conf *conf, const struct own *own)
{
	struct stun_mac *mac;
	int rc;

	p->realms = calloc(conf->n_realms, sizeof(*p->realms));
	p->turn_realms = calloc(conf->n_realms, sizeof(*p->turn_realms));
	p->redis_realms = calloc(conf->n_realms, sizeof(*p->redis_realms));
	if (!p->realms || !p->turn_realms || !p->redis_realms)
		return -ENOMEM;
	make_redis(p, conf);
	p->n_realms = conf->n_realms;
	rc = stun_mac_create(&mac);
	if (rc)
		return rc;
	for (size_t i = 0; i < conf->n_realms && !rc; i++) {
		rc = make_realm(&p->realms[i], &p->turn_realms[i], &conf->realms[i], mac);
		p->turn_realms[i].peers = peers_of(own, &conf->realms[i].peers);
	}
	stun_mac_destroy(mac);
	p->turn.realm = p->turn_realms[0];
	p->turn.more_realms = p->turn_realms + 1;
	p->turn.n_more_realms = conf->n_realms - 1;
	return rc;
}

uint8_t policy_port_of(const struct conf *conf, const struct ip_addr *ip)
{
	for (size_t i = 0; i < conf->n_ports; i++)
		for (size_t k = 0; k < conf->ports[i].n_addresses; k++)
			if (ip_equal(&conf->ports[i].addresses[k].ip, ip))
				return (uint8_t)i;
	return 0;
}

static void make_relays(struct policy *p, const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_relay; i++)
		p->relays[i] = (struct control_relay){
			.ip = conf->relay[i].ip,
			.port_idx = policy_port_of(conf, &conf->relay[i].ip),
		};
}

static struct stun_discovery discovery_of(const struct conf *conf)
{
	return (struct stun_discovery){conf->listen[0], conf->discovery_alternate};
}

static void add_service(struct policy *p, const struct ip_addr *ip, uint16_t port)
{
	const struct endpoint service = {*ip, port};

	for (size_t i = 0; i < p->n_services; i++)
		if (endpoint_equal(&p->services[i], &service))
			return;
	p->services[p->n_services++] = service;
}

// What clients are told of, and the pairs of RFC 5780 that are not among that.
static void make_services(struct policy *p, const struct conf *conf)
{
	const struct endpoint *primary = &conf->listen[0];
	const struct endpoint *alternate = &conf->discovery_alternate;

	for (size_t i = 0; i < conf->n_listen; i++)
		add_service(p, &conf->listen[i].ip, conf->listen[i].port);
	if (alternate->ip.family == FAMILY_NONE)
		return;
	add_service(p, &primary->ip, alternate->port);
	add_service(p, &alternate->ip, primary->port);
	add_service(p, &alternate->ip, alternate->port);
}

static void make_ports(struct policy *p, const struct conf *conf, const struct port *ports)
{
	for (size_t i = 0; i < conf->n_ports; i++) {
		struct worker_port_config *worker = &p->worker_ports[i];
		struct control_port *control = &p->control_ports[i];

		worker->eth_id = ports[i].eth_id;
		worker->vlan = conf->ports[i].vlan;
		worker->kernel_wire = ports[i].kernel_wire;
		memcpy(worker->mac, ports[i].mac, sizeof(worker->mac));
		control->mtu_bytes = ports[i].mtu_bytes;
		control->vlan = conf->ports[i].vlan;
		control->kernel_wire = ports[i].kernel_wire;
		memcpy(control->mac, ports[i].mac, sizeof(control->mac));
	}
}

static void make_token_keys(struct policy *p, const struct conf *conf)
{
	p->n_token_keys = conf->n_token_keys;
	for (size_t i = 0; i < conf->n_token_keys; i++) {
		const struct conf_token_key *from = &conf->token_keys[i];

		p->token_keys[i] =
			(struct turn_token_key){.kid = from->kid, .key_bytes = from->key_bytes};
		memcpy(p->token_keys[i].key, from->key, from->key_bytes);
	}
}

static void make_turn(struct policy *p, const struct conf *conf)
{
	p->turn = (struct turn_config){
		.nonce_lifetime_s = conf->nonce_lifetime_s,
		.lifetime_s = conf->allocation_lifetime_s,
		.lifetime_max_s = conf->allocation_lifetime_max_s,
		.n_allocations_max = conf->n_allocations_max,
		.n_permissions_max = conf->n_permissions_max,
		.n_channels_max = conf->n_channels_max,
		.new_peers_per_user_s = conf->new_peers_per_user_s,
		.new_peers_s = conf->new_peers_s,
		.relays = conf->relay,
		.n_relays = conf->n_relay,
		.services = p->services,
		.n_services = p->n_services,
		.alternates = {conf->alternates[0], conf->alternates[1]},
		.discovery = discovery_of(conf),
		.software = conf->software,
		.allows_mobility = conf->allows_mobility,
		.serves_classic = conf->serves_classic,
		.tokens =
			{
				.server_name = conf->token_server_name,
				.keys = p->token_keys,
				.n_keys = conf->n_token_keys,
			},
		.rfc5766_channels = conf->rfc5766_channels,
	};
	random_secret(p->turn.nonce_secret, sizeof(p->turn.nonce_secret));
}

struct control_answers policy_answers(const struct conf *conf)
{
	return (struct control_answers){conf->answers.challenges_per_source,
		conf->answers.challenges, conf->answers.ratio_percent};
}

static void make_worker(struct policy *p, const struct conf *conf)
{
	struct worker_config *worker = &p->worker;

	*worker = needs_worker(conf);
	worker->ports = p->worker_ports;
	worker->n_ports = conf->n_ports;
	worker->services = p->services;
	worker->n_services = p->n_services;
	worker->relays = conf->relay;
	worker->n_relays = conf->n_relay;
	worker->discovery = discovery_of(conf);
	worker->serves_classic = conf->serves_classic;
	worker->software = conf->software;
	worker->answers = (struct worker_answers){
		.bindings_per_source = conf->answers.bindings_per_source,
		.bindings = conf->answers.bindings,
		.challenges_per_source = conf->answers.challenges_per_source,
		.challenges = conf->answers.challenges,
		.ratio_percent = conf->answers.ratio_percent,
	};
}

int policy_make(struct policy *out, const struct conf *conf, const struct own *own,
	const struct port *ports)
{
	struct policy *p = out;

	*p = (struct policy){0};
	p->relays = calloc(conf->n_relay, sizeof(*p->relays));
	p->services = calloc(conf->n_listen + 3, sizeof(*p->services));
	p->token_keys = calloc(conf->n_token_keys + 1, sizeof(*p->token_keys));
	if (!p->relays || !p->services || !p->token_keys)
		return -ENOMEM;
	make_services(p, conf);
	make_relays(p, conf);
	make_ports(p, conf, ports);
	make_token_keys(p, conf);
	make_turn(p, conf);
	make_worker(p, conf);
	p->control = (struct control_config){
		.ports = p->control_ports,
		.n_ports = conf->n_ports,
		.relays = p->relays,
		.n_relays = conf->n_relay,
		.n_flows = p->worker.n_flows,
		.answers = policy_answers(conf),
	};
	return make_realms(p, conf, own);
}

void policy_free(struct policy *policy)
{
	for (size_t i = 0; i < policy->n_realms; i++) {
		struct policy_realm *realm = &policy->realms[i];

		if (realm->users)
			explicit_bzero(realm->users, realm->n_users * sizeof(*realm->users));
		free(realm->users);
		free(realm->rest_secrets);
	}
	free(policy->realms);
	free(policy->turn_realms);
	free(policy->redis_realms);
	free(policy->relays);
	free(policy->services);
	if (policy->token_keys)
		explicit_bzero(
			policy->token_keys, policy->n_token_keys * sizeof(*policy->token_keys));
	free(policy->token_keys);
}
