#include "policy.h"

#include "stun/stun.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Owner, a handful of permissions (one for each address of the peers' candidates), two entries a
// channel.
#define FLOWS_PER_ALLOCATION 8
#define FLOWS_MIN 4096

static int make_users(struct policy *p, const struct conf *conf)
{
	struct stun_mac *mac;
	int rc = stun_mac_create(&mac);

	if (rc)
		return rc;
	for (size_t i = 0; i < conf->n_users; i++) {
		const struct conf_user *from = &conf->users[i];
		struct turn_user *to = &p->users[i];

		to->name = from->name;
		if (from->password) {
			turn_keys_make(&to->keys, mac, from->name, strlen(from->name), conf->realm,
				from->password, strlen(from->password));
			continue;
		}
		memcpy(to->keys.md5, from->key, sizeof(from->key));
		memcpy(to->keys.sha256, from->key_sha256, sizeof(from->key_sha256));
		to->keys.has_sha256 = from->has_key_sha256;
	}
	stun_mac_destroy(mac);
	return 0;
}

static void make_secrets(struct policy *p, const struct conf *conf)
{
	struct turn_rest_secret *next = p->rest_secrets;

	for (size_t i = 0; i < conf->n_rest_secrets; i++)
		*next++ = (struct turn_rest_secret){.text = conf->rest_secrets[i]};
	for (size_t i = 0; i < conf->n_rest_secrets_sha256; i++)
		*next++ = (struct turn_rest_secret){
			.text = conf->rest_secrets_sha256[i], .sha256 = true};
}

static uint8_t port_of(const struct conf *conf, const struct ip_addr *ip)
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
			.port_idx = port_of(conf, &conf->relay[i].ip),
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

static void make_turn(struct policy *p, const struct conf *conf)
{
	p->turn = (struct turn_config){
		.realm =
			{
				.name = conf->realm,
				.users = p->users,
				.n_users = conf->n_users,
				.rest_secrets = p->rest_secrets,
				.n_rest_secrets =
					conf->n_rest_secrets + conf->n_rest_secrets_sha256,
				.offers_sha256 = conf->offers_sha256,
				.asks_userhash = conf->asks_userhash,
				.n_allocations_per_user = conf->n_allocations_per_user,
				.peers =
					{
						.allow_private =
							conf->peer_profile == CONF_PEERS_LAN,
						.allow = conf->peer_allow,
						.n_allow = conf->n_peer_allow,
						.deny = conf->peer_deny,
						.n_deny = conf->n_peer_deny,
					},
			},
		.nonce_lifetime_s = conf->nonce_lifetime_s,
		.lifetime_s = conf->allocation_lifetime_s,
		.lifetime_max_s = conf->allocation_lifetime_max_s,
		.n_allocations_max = conf->n_allocations_max,
		.relays = conf->relay,
		.n_relays = conf->n_relay,
		.services = p->services,
		.n_services = p->n_services,
		.alternates = {conf->alternates[0], conf->alternates[1]},
		.discovery = discovery_of(conf),
		.software = conf->software,
		.rfc5766_channels = conf->rfc5766_channels,
	};
	random_secret(p->turn.nonce_secret, sizeof(p->turn.nonce_secret));
}

int policy_make(struct policy *out, const struct conf *conf, const struct port *ports)
{
	struct policy *p = out;
	const uint32_t n_flows = FLOWS_MIN + FLOWS_PER_ALLOCATION * conf->n_allocations_max;

	*p = (struct policy){0};
	p->users = calloc(conf->n_users + 1, sizeof(*p->users));
	p->rest_secrets = calloc(
		conf->n_rest_secrets + conf->n_rest_secrets_sha256 + 1, sizeof(*p->rest_secrets));
	p->relays = calloc(conf->n_relay, sizeof(*p->relays));
	p->services = calloc(conf->n_listen + 3, sizeof(*p->services));
	if (!p->users || !p->rest_secrets || !p->relays || !p->services)
		return -ENOMEM;
	make_services(p, conf);
	make_secrets(p, conf);
	make_relays(p, conf);
	make_ports(p, conf, ports);
	make_turn(p, conf);
	p->worker = (struct worker_config){
		.ports = p->worker_ports,
		.n_ports = conf->n_ports,
		.services = p->services,
		.n_services = p->n_services,
		.relays = conf->relay,
		.n_relays = conf->n_relay,
		.discovery = discovery_of(conf),
		.software = conf->software,
		.n_flows = n_flows,
	};
	p->control = (struct control_config){
		.ports = p->control_ports,
		.n_ports = conf->n_ports,
		.relays = p->relays,
		.n_relays = conf->n_relay,
		.n_flows = n_flows,
	};
	return make_users(p, conf);
}

void policy_free(struct policy *policy)
{
	free(policy->users);
	free(policy->rest_secrets);
	free(policy->relays);
	free(policy->services);
}
