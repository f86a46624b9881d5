#include "verb_trace_json.h"

#include "record.h"
#include "verbs.h"

#include <rte_cycles.h>

uint64_t moment_ns_of(const struct moment *moment, uint64_t ticks)
{
	const double ago = (double)(int64_t)(moment->ticks - ticks);

	return moment->ns - (uint64_t)(int64_t)(ago * NS_IN_S / (double)rte_get_tsc_hz());
}

json_t *moment_stamp(const struct moment *moment, uint64_t at_ns)
{
	char text[RECORD_TIME_BYTES];
	const uint64_t unix_ns = moment->unix_ns - (moment->ns - at_ns);

	return json_string(record_time(text, (int64_t)(unix_ns / NS_IN_MS)));
}

static void set_end(json_t *object, const char *name, const struct endpoint *end)
{
	if (end->ip.family != FAMILY_NONE)
		json_object_set_new(
			object, name, end->port ? verb_endpoint(end) : verb_ip(&end->ip));
}

static void set_drop(json_t *object, const struct trace_line *line, const struct moment *moment,
	const struct box *box)
{
	const struct trace_run *run = &line->run;
	const struct trace_key *key = &run->key;
	const struct endpoint from = trace_key_from(key);
	const struct endpoint to = trace_key_to(key);
	const struct endpoint about = trace_key_about(key);

	json_object_set_new(object, "event", json_string("drop"));
	json_object_set_new(object, "reason", json_string(drop_name(run->reason)));
	verb_set_count(object, "n", run->n);
	if (run->n > 1)
		json_object_set_new(object, "since",
			moment_stamp(moment, moment_ns_of(moment, run->first_ticks)));
	json_object_set_new(object, "way", json_string(key->out ? "out" : "in"));
	if (key->port_idx < box->n_ports)
		json_object_set_new(
			object, "port", json_string(box->conf->ports[key->port_idx].name));
	verb_set_count(object, "worker", line->worker_idx);
	set_end(object, "from", &from);
	set_end(object, "to", &to);
	// An ICMP error has no ports: it is about what left from a relayed address.
	set_end(object, from.port ? "peer" : "relayed", &about);
	if (key->channel_be)
		json_object_set_new(object, "channel",
			json_sprintf("0x%04x", __builtin_bswap16(key->channel_be)));
	json_object_set_new(object, "text", json_string(drop_text(run->reason)));
}

static void set_allocation(json_t *object, const struct trail_event *event)
{
	char id[TURN_ID_TEXT_BYTES];
	json_t *relayed = json_array();

	json_object_set_new(object, "id", json_string(turn_id_format(event->allocation_id, id)));
	for (size_t i = 0; i < N_ELEMENTS(event->relayed); i++)
		if (event->relayed[i].ip.family != FAMILY_NONE)
			json_array_append_new(relayed, verb_endpoint(&event->relayed[i]));
	json_object_set_new(object, "relayed", relayed);
	if (event->kind == TRAIL_ENDED) {
		json_object_set_new(object, "reason",
			json_string(turn_reason_name((enum turn_reason)event->reason)));
		verb_set_count(object, "lived_s", event->lifetime_s);
	} else {
		verb_set_count(object, "lifetime_s", event->lifetime_s);
	}
}

static void set_event(json_t *object, const struct trail_event *event)
{
	static const char *const silences[] = {
		[CONTROL_SILENT] = "silent",
		[CONTROL_WITHHELD] = "withheld",
		[CONTROL_LOST] = "lost",
		[CONTROL_PARKED_LOST] = "parked_lost",
	};

	json_object_set_new(
		object, "event", json_string(trail_kind_name((enum trail_kind)event->kind)));
	if (event->kind == TRAIL_UNANSWERED)
		json_object_set_new(object, "reason", json_string(silences[event->reason]));
	if (event->method)
		json_object_set_new(
			object, "method", json_string(events_method_name(event->method)));
	if (event->code) {
		verb_set_count(object, "code", event->code);
		json_object_set_new(object, "reason",
			json_string(stun_reason_phrase((enum stun_code)event->code)));
	}
	json_object_set_new(object, "client", verb_endpoint(&event->client));
	if (*event->user)
		json_object_set_new(object, "user", json_string(event->user));
	if (event->peer.ip.family != FAMILY_NONE)
		json_object_set_new(object, "peer", verb_endpoint(&event->peer));
	if (event->allocation_id)
		set_allocation(object, event);
}

json_t *trace_line_json(
	const struct trace_line *line, const struct moment *moment, const struct box *box)
{
	json_t *object = json_object();

	json_object_set_new(object, "time", moment_stamp(moment, line->at_ns));
	if (line->is_drop)
		set_drop(object, line, moment, box);
	else
		set_event(object, &line->event);
	return object;
}

static void add_lost_drops(json_t *lost, const struct moment *moment, const struct box *box)
{
	for (enum drop reason = DROP_NONE; reason < N_DROPS; reason++) {
		struct trace_loss sum = {0, 0};
		json_t *one;

		for (size_t i = 0; i < box->n_workers; i++) {
			struct trace_loss loss;

			trace_loss_get(worker_trace(box->workers[i].worker), reason, &loss);
			sum.n += loss.n;
			if (loss.last_ticks > sum.last_ticks)
				sum.last_ticks = loss.last_ticks;
		}
		if (sum.n == 0)
			continue;
		one = json_pack("{s:s, s:s, s:o}", "event", "drop", "reason", drop_name(reason),
			"since", moment_stamp(moment, moment_ns_of(moment, sum.last_ticks)));
		verb_set_count(one, "n", sum.n);
		json_array_append_new(lost, one);
	}
}

static void add_lost_events(json_t *lost, const struct moment *moment, const struct trail *trail)
{
	for (enum trail_kind kind = TRAIL_CREATED; kind < TRAIL_KINDS; kind++) {
		struct trail_loss loss;
		json_t *one;

		trail_loss_get(trail, kind, &loss);
		if (loss.n == 0)
			continue;
		one = json_pack("{s:s, s:o}", "event", trail_kind_name(kind), "since",
			moment_stamp(moment, loss.last_ns));
		verb_set_count(one, "n", loss.n);
		json_array_append_new(lost, one);
	}
}

json_t *trace_lost_json(const struct moment *moment, const struct box *box)
{
	json_t *lost = json_array();

	add_lost_drops(lost, moment, box);
	add_lost_events(lost, moment, &box->trail);
	return lost;
}
