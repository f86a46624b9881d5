// The part of the metrics that the control core answers for: requests, allocations, realms, routes
// and Redis.
#include "base/base.h"
#include "metrics.h"

#include <stdio.h>
#include <string.h>

struct number {
	const char *name;
	const char *help;
	uint64_t value;
};

static void write_numbers(
	struct exposition *out, const char *type, const struct number *numbers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		exposition_family(out, numbers[i].name, type, numbers[i].help);
		exposition_count(out, "", numbers[i].value);
	}
}

// Samples of one family that differ in one word.
static void write_words(
	struct exposition *out, const char *label, const struct number *words, size_t n)
{
	char text[EXPOSITION_LABEL_BYTES];

	for (size_t i = 0; i < n; i++)
		exposition_count(out, exposition_label(text, label, words[i].name), words[i].value);
}

static void write_control(struct exposition *out, const struct control_stats *c)
{
	const struct number numbers[] = {
		{"turnpike_control_punts_total", "Requests that reached the control core",
			c->n_punts},
		{"turnpike_control_answers_total", "Requests answered there", c->n_answers},
		{"turnpike_control_answers_withheld_total",
			"Answers to strangers above a budget, or too large", c->n_answers_withheld},
		{"turnpike_control_answers_lost_total", "Answers without room: clients repeat",
			c->n_answers_lost},
		{"turnpike_control_silent_total", "Requests that get no answer", c->n_silent},
		{"turnpike_control_parked_total", "Requests that waited for their user",
			c->n_parked},
		{"turnpike_control_parked_lost_total", "Of them, for too long or in vain",
			c->n_parked_lost},
		{"turnpike_mirror_to_kernel_total", "Frames from the wire to the kernel",
			c->n_mirror_to_kernel},
		{"turnpike_mirror_to_wire_total", "Frames from the kernel to the wire",
			c->n_mirror_to_wire},
		{"turnpike_mirror_lost_total", "Frames between the two that were lost",
			c->n_mirror_lost},
		{"turnpike_kernel_sent_total", "Relayed packets that the kernel sent for us",
			c->n_kernel_sent},
		{"turnpike_kernel_lost_total", "Relayed packets that it did not take",
			c->n_kernel_lost},
	};

	write_numbers(out, "counter", numbers, N_ELEMENTS(numbers));
	exposition_family(out, "turnpike_control_latency_seconds", "histogram",
		"From a worker's round that took a request to its answer");
	exposition_latency(out, "", &c->answers, UINT64_MAX - 1);
}

static void write_requests(struct exposition *out, const struct turn_stats *turn)
{
	const struct number methods[] = {
		{"binding", "", turn->n_requests[STUN_BINDING]},
		{"shared_secret", "", turn->n_requests[STUN_SHARED_SECRET]},
		{"allocate", "", turn->n_requests[STUN_ALLOCATE]},
		{"refresh", "", turn->n_requests[STUN_REFRESH]},
		{"create_permission", "", turn->n_requests[STUN_CREATE_PERMISSION]},
		{"channel_bind", "", turn->n_requests[STUN_CHANNEL_BIND]},
	};
	static const struct number codes[] = {{"success", "", STUN_CODE_NONE},
		{"300", "", STUN_TRY_ALTERNATE}, {"400", "", STUN_BAD_REQUEST},
		{"401", "", STUN_UNAUTHENTICATED}, {"403", "", STUN_FORBIDDEN},
		{"405", "", STUN_MOBILITY_FORBIDDEN}, {"420", "", STUN_UNKNOWN_ATTRIBUTE},
		{"430", "", STUN_STALE_CREDENTIALS}, {"432", "", STUN_MISSING_USERNAME},
		{"433", "", STUN_USE_TLS}, {"437", "", STUN_ALLOCATION_MISMATCH},
		{"438", "", STUN_STALE_NONCE}, {"440", "", STUN_ADDRESS_FAMILY_NOT_SUPPORTED},
		{"441", "", STUN_WRONG_CREDENTIALS}, {"442", "", STUN_UNSUPPORTED_TRANSPORT},
		{"443", "", STUN_PEER_ADDRESS_FAMILY_MISMATCH},
		{"486", "", STUN_ALLOCATION_QUOTA_REACHED}, {"500", "", STUN_SERVER_ERROR},
		{"508", "", STUN_INSUFFICIENT_CAPACITY}};
	char label[EXPOSITION_LABEL_BYTES];

	exposition_family(out, "turnpike_requests_total", "counter",
		"Requests that the control core answered, by method");
	write_words(out, "method", methods, N_ELEMENTS(methods));
	exposition_family(out, "turnpike_responses_total", "counter",
		"Its answers, by error code or success");
	for (size_t i = 0; i < N_ELEMENTS(codes); i++)
		exposition_count(out, exposition_label(label, "code", codes[i].name),
			turn->n_errors[codes[i].value]);
}

static void write_allocations(struct exposition *out, const struct readings *r)
{
	const struct turn_stats *turn = &r->turn;
	const struct number gauges[] = {
		{"turnpike_allocations", "Allocations that live", turn->n_allocations},
		{"turnpike_allocations_max", "The limit of all together", r->n_allocations_max},
		{"turnpike_allocations_dual", "Of them, with a relayed address of each family",
			turn->n_dual},
		{"turnpike_permissions", "Permissions that live", turn->n_permissions},
		{"turnpike_channels", "Channels that are bound", turn->n_channels},
	};
	const struct number counters[] = {
		{"turnpike_allocations_created_total", "Allocations ever made",
			turn->n_allocations_created},
		{"turnpike_new_peers_refused_total", "Requests for new peers above a rate",
			turn->n_too_fast},
		{"turnpike_users_out_of_reach_total",
			"Requests without an answer, for their user could not be asked for",
			turn->n_out_of_reach},
	};
	const struct number ports[] = {
		{"free", "", turn->n_ports_free},
		{"used", "", turn->n_ports_used},
		{"reserved", "", turn->n_ports_reserved},
		{"cooling", "", turn->n_ports_cooling},
	};

	write_numbers(out, "gauge", gauges, N_ELEMENTS(gauges));
	write_numbers(out, "counter", counters, N_ELEMENTS(counters));
	exposition_family(out, "turnpike_relay_ports", "gauge", "Relayed ports, by state");
	write_words(out, "state", ports, N_ELEMENTS(ports));
}

static void write_realms(struct exposition *out, const struct readings *r)
{
	static const struct {
		const char *name;
		const char *type;
		const char *help;
	} families[] = {
		{"turnpike_realm_allocations", "gauge", "Allocations that live, of a realm"},
		{"turnpike_realm_allocations_created_total", "counter", "Allocations ever made"},
		{"turnpike_realm_unauthenticated_total", "counter",
			"Signed requests whose user or password is wrong (401)"},
		{"turnpike_realm_quota_reached_total", "counter", "Requests past a quota (486)"},
	};
	char label[EXPOSITION_LABEL_BYTES];

	for (size_t k = 0; k < N_ELEMENTS(families); k++) {
		exposition_family(out, families[k].name, families[k].type, families[k].help);
		for (size_t i = 0; i < r->n_realms; i++) {
			const struct turn_realm_stats *realm = &r->realms[i];
			const uint64_t values[N_ELEMENTS(families)] = {realm->n_allocations,
				realm->n_allocations_created, realm->n_unauthenticated,
				realm->n_quota_reached};

			exposition_count(
				out, exposition_label(label, "realm", realm->name), values[k]);
		}
	}
}

static void write_peer_hits(struct exposition *out, const struct readings *r)
{
	char labels[2 * EXPOSITION_LABEL_BYTES];
	char realm[EXPOSITION_LABEL_BYTES];

	exposition_family(out, "turnpike_peer_rule_hits_total", "counter",
		"How often rules about peers decided, by their kind; of dry_run, would have");
	for (size_t i = 0; i < r->n_realms; i++) {
		exposition_label(realm, "realm", r->realms[i].name);
		for (int kind = 0; kind < TURN_PEER_KINDS; kind++) {
			snprintf(labels, sizeof(labels), "%s,rule=\"%s\",action=\"%s\"", realm,
				turn_peer_kind_name((enum turn_peer_kind)kind),
				turn_peer_kind_refuses((enum turn_peer_kind)kind) ? "refuse"
										  : "allow");
			exposition_count(out, labels, r->realms[i].n_peer_hits[kind]);
		}
	}
}

static void write_route(struct exposition *out, const struct route_stats *route)
{
	const struct number states[] = {
		{"unreachable", "", route->n_hops[HOP_UNREACHABLE]},
		{"unresolved", "", route->n_hops[HOP_UNRESOLVED]},
		{"resolved", "", route->n_hops[HOP_RESOLVED]},
	};

	exposition_family(
		out, "turnpike_next_hops", "gauge", "Gateways and neighbours ever used, by state");
	write_words(out, "state", states, N_ELEMENTS(states));
}

static void write_redis(struct exposition *out, const struct redis_stats *redis)
{
	const struct number gauges[] = {
		{"turnpike_redis_up", "1 where Redis can be reached", redis->is_up},
		{"turnpike_redis_cached_users", "Users that are cached", redis->n_cached},
		{"turnpike_redis_cached_unknown", "Names nobody has that are cached",
			redis->n_cached_unknown},
		{"turnpike_redis_untold", "Records and states that wait for Redis",
			redis->n_untold},
		{"turnpike_redis_waiting_users", "Users that are being asked for",
			redis->n_waiting},
	};
	const struct number counters[] = {
		{"turnpike_redis_asked_total", "Users that Redis was asked for", redis->n_asked},
		{"turnpike_redis_failed_total", "Of them, without an answer", redis->n_failed},
		{"turnpike_redis_full_total", "Users not asked for: too many waited",
			redis->n_full},
		{"turnpike_redis_told_total", "Records and states that Redis took", redis->n_told},
		{"turnpike_redis_told_refused_total", "Of them, answered with an error",
			redis->n_told_refused},
		{"turnpike_redis_told_lost_total", "Those that were lost for want of room",
			redis->n_told_lost},
		{"turnpike_redis_links_total", "How often the link came up", redis->n_links},
	};

	write_numbers(out, "gauge", gauges, N_ELEMENTS(gauges));
	write_numbers(out, "counter", counters, N_ELEMENTS(counters));
}

static void write_records(struct exposition *out, const struct readings *r)
{
	const struct number counters[] = {
		{"turnpike_records_written_total", "Call records in the file",
			r->n_records_written},
		{"turnpike_records_lost_total", "Call records lost: memory, or the disk",
			r->n_records_lost},
		{"turnpike_records_uncounted_total",
			"Flows whose packets and bytes are missing in records",
			r->sum.n_counts_lost + r->control.n_counts_lost},
	};
	const struct number waiting = {"turnpike_records_waiting",
		"Call records that wait for the workers' counters", r->n_records_waiting};

	write_numbers(out, "counter", counters, N_ELEMENTS(counters));
	write_numbers(out, "gauge", &waiting, 1);
}

static void write_quality(struct exposition *out, const struct readings *r)
{
	static const struct {
		const char *name;
		const char *help;
	} families[] = {
		[QUALITY_LOSS] = {"turnpike_media_loss_ratio",
			"RTP lost before it reached the relay, of an observed call that has ended"},
		[QUALITY_REORDERING] = {"turnpike_media_reordered_ratio",
			"RTP that came out of order, of an observed call that has ended"},
		[QUALITY_JITTER] = {"turnpike_media_jitter_seconds",
			"Jitter of RTP at the end of an observed call, of its worst stream"},
		[QUALITY_ROUND_TRIP] = {"turnpike_media_round_trip_seconds",
			"Mean of the STUN round trips that began this way, of an observed call "
			"that has ended"},
	};
	static const char *const ways[] = {
		[QUALITY_UP] = "direction=\"up\"",
		[QUALITY_DOWN] = "direction=\"down\"",
	};
	const struct number observed = {"turnpike_observed_allocations",
		"Allocations whose media is looked at now", r->control.n_observed};
	const struct number unseen = {"turnpike_observed_unseen_packets_total",
		"Their packets that the control core was too slow for", r->sum.n_seen_lost};

	write_numbers(out, "gauge", &observed, 1);
	write_numbers(out, "counter", &unseen, 1);
	for (int measure = 0; measure < QUALITY_MEASURES; measure++) {
		exposition_family(out, families[measure].name, "histogram", families[measure].help);
		for (int way = 0; way < QUALITY_WAYS; way++)
			exposition_spread(out, ways[way],
				quality_ends((enum quality_measure)measure),
				&r->quality.of[measure][way]);
	}
}

void metrics_write_control(struct exposition *out, const struct readings *readings)
{
	write_control(out, &readings->control);
	write_requests(out, &readings->turn);
	write_allocations(out, readings);
	write_realms(out, readings);
	write_peer_hits(out, readings);
	write_route(out, &readings->route);
	if (readings->observes)
		write_quality(out, readings);
	if (readings->has_records)
		write_records(out, readings);
	if (readings->has_redis)
		write_redis(out, &readings->redis);
}

void metrics_write_coturn(struct exposition *out, const struct readings *readings)
{
	const struct worker_stats *sum = &readings->sum;
	const uint64_t n_up = sum->n_relayed[RELAY_UP_CHANNEL] + sum->n_relayed[RELAY_UP_SEND];
	const uint64_t n_down =
		sum->n_relayed[RELAY_DOWN_CHANNEL] + sum->n_relayed[RELAY_DOWN_DATA];
	const uint64_t n_up_bytes =
		sum->n_relayed_bytes[RELAY_UP_CHANNEL] + sum->n_relayed_bytes[RELAY_UP_SEND];
	const uint64_t n_down_bytes =
		sum->n_relayed_bytes[RELAY_DOWN_CHANNEL] + sum->n_relayed_bytes[RELAY_DOWN_DATA];
	const uint64_t n_bindings = sum->n_bindings + readings->turn.n_requests[STUN_BINDING];
	const struct number numbers[] = {
		{"stun_binding_request", "Incoming STUN Binding requests", n_bindings},
		{"stun_binding_response", "Outgoing STUN Binding responses", n_bindings},
		{"turn_total_traffic_rcvp", "Packets from clients", n_up},
		{"turn_total_traffic_rcvb", "Bytes from clients", n_up_bytes},
		{"turn_total_traffic_sentp", "Packets to clients", n_down},
		{"turn_total_traffic_sentb", "Bytes to clients", n_down_bytes},
		{"turn_total_traffic_peer_rcvp", "Packets from peers", n_down},
		{"turn_total_traffic_peer_rcvb", "Bytes from peers", n_down_bytes},
		{"turn_total_traffic_peer_sentp", "Packets to peers", n_up},
		{"turn_total_traffic_peer_sentb", "Bytes to peers", n_up_bytes},
	};

	write_numbers(out, "counter", numbers, N_ELEMENTS(numbers));
	exposition_family(out, "turn_total_allocations", "gauge", "Allocations that live");
	exposition_count(out, "type=\"UDP\"", readings->turn.n_allocations);
}
