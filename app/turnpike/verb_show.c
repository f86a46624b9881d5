// workers, ports, routes, peers, realms: what there is of each, one line of data for one of them.
#include "gauge.h"
#include "verbs.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_PER_STEP 32

// How busy the worker is comes of two answers: busy_ticks of ticks_per_s.
static json_t *worker_json(const struct box *box, size_t idx)
{
	const struct worker_pub *pub = worker_public(box->workers[idx].worker);
	struct worker_stats *stats = calloc(1, sizeof(*stats));
	struct stats_counter counter;
	json_t *worker = json_object();
	json_t *relayed = json_object();
	json_t *bytes = json_object();
	json_t *drops = json_object();
	json_t *shed = json_object();

	if (!stats)
		return NULL;
	worker_stats_add(stats, &pub->stats);
	verb_set_count(worker, "worker", idx);
	verb_set_count(worker, "cpu", rte_lcore_to_cpu_id(EAL_WORKER_LCORE_FIRST + (int)idx));
	for (size_t i = 0; stats_counter_get(i, &counter); i++)
		verb_set_count(worker, counter.name, stats_counter_read(stats, &counter));
	verb_set_count(worker, "ticks_per_s", rte_get_tsc_hz());
	for (int path = 0; path < N_RELAY_PATHS; path++) {
		verb_set_count(relayed, relay_path_name(path), stats->n_relayed[path]);
		verb_set_count(bytes, relay_path_name(path), stats->n_relayed_bytes[path]);
	}
	for (int drop = 1; drop < N_DROPS; drop++)
		if (stats->n_drops[drop])
			verb_set_count(drops, drop_name(drop), stats->n_drops[drop]);
	for (int urgency = 0; urgency < URGENCIES; urgency++)
		verb_set_count(shed, urgency_name(urgency), stats->n_shed[urgency]);
	json_object_set_new(worker, "relayed", relayed);
	json_object_set_new(worker, "relayed_bytes", bytes);
	json_object_set_new(worker, "drops", drops);
	json_object_set_new(worker, "shed", shed);
	free(stats);
	return worker;
}

void verb_workers(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	uint64_t *idx = admin_cursor(call);

	if (*idx < loop->box->n_workers)
		admin_say(call, worker_json(loop->box, (*idx)++));
	else
		admin_done(call);
}

static json_t *addresses_json(const struct conf_port *conf)
{
	json_t *all = json_array();
	char text[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < conf->n_addresses; i++)
		json_array_append_new(all, json_string(prefix_format(&conf->addresses[i], text)));
	return all;
}

static json_t *port_json(const struct box *box, size_t idx)
{
	const struct port *port = &box->ports[idx];
	struct reading_port reading;
	struct rte_eth_link link = {0};
	char mac[RTE_ETHER_ADDR_FMT_SIZE];
	json_t *object;

	rte_ether_format_addr(mac, sizeof(mac), (const struct rte_ether_addr *)port->mac);
	gauge_read_port(&reading, box, idx);
	rte_eth_link_get_nowait(port->eth_id, &link);
	object = json_pack("{s:s,s:s,s:s,s:b,s:s,s:s,s:i,s:i,s:b,s:o}", "port", reading.name,
		"device", reading.device, "driver", port->driver, "rx_checksum_offload",
		port->rx_checksums, "mirror", box->mirrors[idx].name, "mac", mac, "mtu",
		(int)port->mtu_bytes, "queues", (int)port->n_queues, "link", reading.up,
		"addresses", addresses_json(&box->conf->ports[idx]));
	if (port->firmware[0])
		json_object_set_new(object, "firmware", json_string(port->firmware));
	if (link.link_speed != RTE_ETH_SPEED_NUM_UNKNOWN && link.link_speed)
		verb_set_count(object, "mbit_per_s", link.link_speed);
	if (box->conf->ports[idx].vlan)
		verb_set_count(object, "vlan", box->conf->ports[idx].vlan);
	if (port->numa_node >= 0)
		verb_set_count(object, "numa_node", (uint64_t)port->numa_node);
	verb_set_count(object, "rx_packets", reading.n_rx);
	verb_set_count(object, "tx_packets", reading.n_tx);
	verb_set_count(object, "rx_bytes", reading.n_rx_bytes);
	verb_set_count(object, "tx_bytes", reading.n_tx_bytes);
	verb_set_count(object, "rx_missed", reading.n_rx_missed);
	verb_set_count(object, "rx_errors", reading.n_rx_errors);
	verb_set_count(object, "tx_errors", reading.n_tx_errors);
	verb_set_count(object, "rx_no_mbuf", reading.n_rx_no_buffer);
	return object;
}

void verb_ports(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	uint64_t *idx = admin_cursor(call);

	if (*idx < loop->box->n_ports)
		admin_say(call, port_json(loop->box, (*idx)++));
	else
		admin_done(call);
}

static json_t *hop_json(const struct box *box, uint16_t idx)
{
	static const char *const states[] = {
		[HOP_UNREACHABLE] = "unreachable",
		[HOP_UNRESOLVED] = "unresolved",
		[HOP_RESOLVED] = "resolved",
	};
	const struct hop *hop = route_hop(box->route, idx);
	char mac[RTE_ETHER_ADDR_FMT_SIZE];

	rte_ether_format_addr(mac, sizeof(mac), (const struct rte_ether_addr *)hop->mac);
	return json_pack("{s:i,s:s,s:s,s:s,s:s}", "hop", (int)idx, "state", states[hop->state],
		"port", box->conf->ports[hop->port_idx].name, "family",
		hop->family == FAMILY_IPV6 ? "ipv6" : "ipv4", "mac", mac);
}

// Hop 0 is no way at all, others were forgotten: neither is shown.
void verb_routes(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	const struct box *box = loop->box;
	uint64_t *idx = admin_cursor(call);

	for (int i = 0; i < ITEMS_PER_STEP && *idx + 1 < route_n_hops(box->route); i++) {
		++*idx;
		if (route_hop(box->route, (uint16_t)*idx)->state != HOP_UNREACHABLE)
			admin_say(call, hop_json(box, (uint16_t)*idx));
	}
	if (*idx + 1 >= route_n_hops(box->route))
		admin_done(call);
}

// Rule `rule_idx` of realm `realm_idx` in one number.
#define PEERS_RULES_MAX 65536

static json_t *rule_json(const char *realm, const struct turn_peer_rule *rule)
{
	char range[RANGE_TEXT_BYTES];
	json_t *object = json_pack("{s:s,s:s,s:s}", "realm", realm, "rule", rule->name, "action",
		rule->refuses ? "refuse" : "allow");

	if (rule->range.first.family != FAMILY_NONE)
		json_object_set_new(
			object, "range", json_string(range_format(&rule->range, range)));
	verb_set_count(object, "hits", rule->n_hits);
	return object;
}

void verb_peers(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	const struct turn *turn = loop->box->turn;
	uint64_t *cursor = admin_cursor(call);
	struct turn_realm_stats realm;
	struct turn_peer_rule rule;

	for (int i = 0; i < ITEMS_PER_STEP; i++) {
		const size_t realm_idx = *cursor / PEERS_RULES_MAX;

		if (!turn_realm_stats_get(turn, realm_idx, &realm)) {
			admin_done(call);
			return;
		}
		if (turn_peer_rule_get(turn, realm_idx, *cursor % PEERS_RULES_MAX, &rule)) {
			admin_say(call, rule_json(realm.name, &rule));
			++*cursor;
		} else {
			*cursor = (realm_idx + 1) * PEERS_RULES_MAX;
		}
	}
}

void verb_realms(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	struct turn_realm_stats realm;
	json_t *object;

	if (!turn_realm_stats_get(loop->box->turn, (*admin_cursor(call))++, &realm)) {
		admin_done(call);
		return;
	}
	object = json_pack("{s:s}", "realm", realm.name);
	verb_set_count(object, "allocations", realm.n_allocations);
	verb_set_count(object, "allocations_created", realm.n_allocations_created);
	verb_set_count(object, "unauthenticated", realm.n_unauthenticated);
	verb_set_count(object, "quota_reached", realm.n_quota_reached);
	admin_say(call, object);
}
