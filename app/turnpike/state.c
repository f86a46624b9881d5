#include "state.h"

#include "base/base.h"
#include "drain.h"

static void set(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *array_in(json_t *object, const char *key)
{
	json_t *array = json_array();

	json_object_set_new(object, key, array);
	return array;
}

static json_t *object_in(json_t *object, const char *key)
{
	json_t *inner = json_object();

	json_object_set_new(object, key, inner);
	return inner;
}

static json_t *object_of(json_t *array)
{
	json_t *object = json_object();

	json_array_append_new(array, object);
	return object;
}

static void set_both_ways(json_t *object, const char *key, const uint64_t *of_paths)
{
	json_t *ways = object_in(object, key);

	set(ways, "up", of_paths[RELAY_UP_CHANNEL] + of_paths[RELAY_UP_SEND]);
	set(ways, "down", of_paths[RELAY_DOWN_CHANNEL] + of_paths[RELAY_DOWN_DATA]);
}

static void add_workers(json_t *state, const struct readings *r)
{
	json_t *workers = array_in(state, "workers");

	for (size_t i = 0; i < r->n_workers; i++) {
		const struct worker_stats *from = &r->workers[i];
		json_t *worker = object_of(workers);

		set(worker, "rx", from->n_rx);
		set(worker, "tx", from->n_tx);
		set(worker, "drops", worker_stats_drops(from));
		set_both_ways(worker, "relayed", from->n_relayed);
		set_both_ways(worker, "relayed_bytes", from->n_relayed_bytes);
		json_object_set_new(worker, "busy_s",
			json_real((double)from->n_busy_ticks / (double)r->ticks_per_s));
	}
}

static void add_latency(json_t *state, const struct latency *relay)
{
	json_t *latency = object_in(state, "latency");
	json_t *ends = array_in(latency, "ends_us");
	json_t *counts = array_in(latency, "n");

	for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
		json_array_append_new(counts, json_integer((json_int_t)relay->n[i]));
		if (i + 1 < LATENCY_BUCKETS)
			json_array_append_new(
				ends, json_real((double)latency_bucket_end_ns(i) / 1000));
	}
}

static void add_ports(json_t *state, const struct readings *r)
{
	json_t *ports = array_in(state, "ports");

	for (size_t i = 0; i < r->n_ports; i++) {
		const struct reading_port *from = &r->ports[i];
		json_t *port = object_of(ports);

		json_object_set_new(port, "name", json_string(from->name));
		json_object_set_new(port, "device", json_string(from->device));
		json_object_set_new(port, "up", json_boolean(from->up));
		set(port, "rx_bytes", from->n_rx_bytes);
		set(port, "tx_bytes", from->n_tx_bytes);
		set(port, "missed", from->n_rx_missed + from->n_rx_no_buffer);
		set(port, "errors", from->n_rx_errors + from->n_tx_errors);
	}
}

static void add_drops(json_t *state, const struct worker_stats *sum)
{
	json_t *drops = array_in(state, "drops");

	for (int i = 1; i < N_DROPS; i++) {
		json_t *drop;

		if (sum->n_drops[i] == 0)
			continue;
		drop = object_of(drops);
		json_object_set_new(drop, "name", json_string(drop_name((enum drop)i)));
		json_object_set_new(drop, "text", json_string(drop_text((enum drop)i)));
		set(drop, "n", sum->n_drops[i]);
	}
}

static void add_realms(json_t *state, const struct readings *r)
{
	json_t *realms = array_in(state, "realms");

	for (size_t i = 0; i < r->n_realms; i++) {
		const struct turn_realm_stats *from = &r->realms[i];
		json_t *realm = object_of(realms);

		json_object_set_new(realm, "name", json_string(from->name));
		set(realm, "allocations", from->n_allocations);
		set(realm, "created", from->n_allocations_created);
		set(realm, "unauthenticated", from->n_unauthenticated);
		set(realm, "quota_reached", from->n_quota_reached);
	}
}

static void add_turn(json_t *state, const struct readings *r)
{
	json_t *ports = object_in(state, "relay_ports");
	json_t *buffers = object_in(state, "buffers");

	set(state, "allocations", r->turn.n_allocations);
	set(state, "allocations_max", r->n_allocations_max);
	set(state, "permissions", r->turn.n_permissions);
	set(state, "channels", r->turn.n_channels);
	set(ports, "free", r->turn.n_ports_free);
	set(ports, "used", r->turn.n_ports_used);
	set(ports, "reserved", r->turn.n_ports_reserved);
	set(ports, "cooling", r->turn.n_ports_cooling);
	set(buffers, "all", r->pools[0].n_buffers);
	set(buffers, "free", r->pools[0].n_free);
}

json_t *reasons_json(const struct health *health, unsigned signs, bool draining)
{
	json_t *reasons = json_object();

	for (int sign = 0; sign < HEALTH_SIGNS; sign++)
		if ((signs >> sign & 1) && !health_is_good(health, (enum health_sign)sign))
			json_object_set_new(reasons, health_sign_name((enum health_sign)sign),
				json_string(health->reasons[sign]));
	if (draining)
		json_object_set_new(reasons, "drain", json_string(DRAIN_REASON));
	return reasons;
}

static void add_health(json_t *state, const struct health *health, bool draining)
{
	json_t *reasons = reasons_json(health, HEALTH_ALL, draining);

	json_object_set_new(state, "ready", json_boolean(json_object_size(reasons) == 0));
	json_object_set_new(state, "reasons", reasons);
}

json_t *state_json(const struct readings *readings)
{
	json_t *state = json_object();

	json_object_set_new(state, "version", json_string(readings->version));
	json_object_set_new(state, "started", json_real(readings->started_s));
	json_object_set_new(state, "now", json_real(readings->now_s));
	add_health(state, readings->health, readings->draining);
	add_workers(state, readings);
	add_latency(state, &readings->sum.relay);
	add_ports(state, readings);
	add_drops(state, &readings->sum);
	add_turn(state, readings);
	add_realms(state, readings);
	return state;
}
