// status: what the box is and does, in one look.
#include "verbs.h"

#include <rte_mempool.h>
#include <unistd.h>

static json_t *health_json(const struct health *health)
{
	json_t *all = json_object();

	for (int sign = 0; sign < HEALTH_SIGNS; sign++)
		json_object_set_new(all, health_sign_name((enum health_sign)sign),
			json_string(health_is_good(health, (enum health_sign)sign)
					? "good"
					: health->reasons[sign]));
	return all;
}

static json_t *turn_json(const struct turn_stats *turn)
{
	json_t *object = json_object();

	verb_set_count(object, "allocations", turn->n_allocations);
	verb_set_count(object, "permissions", turn->n_permissions);
	verb_set_count(object, "channels", turn->n_channels);
	verb_set_count(object, "allocations_created", turn->n_allocations_created);
	verb_set_count(object, "relay_ports_free", turn->n_ports_free);
	verb_set_count(object, "relay_ports_used", turn->n_ports_used);
	verb_set_count(object, "relay_ports_reserved", turn->n_ports_reserved);
	verb_set_count(object, "relay_ports_cooling", turn->n_ports_cooling);
	return object;
}

static json_t *traffic_json(const struct worker_stats *sum)
{
	json_t *object = json_object();
	uint64_t n_up = sum->n_relayed[RELAY_UP_CHANNEL] + sum->n_relayed[RELAY_UP_SEND];
	uint64_t n_down = sum->n_relayed[RELAY_DOWN_CHANNEL] + sum->n_relayed[RELAY_DOWN_DATA];

	verb_set_count(object, "relayed_up", n_up);
	verb_set_count(object, "relayed_down", n_down);
	verb_set_count(object, "bindings", sum->n_bindings);
	verb_set_count(object, "requests", sum->n_punted);
	verb_set_count(object, "drops", worker_stats_drops(sum));
	return object;
}

void verb_status(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	const struct box *box = loop->box;
	struct report *report = &loop->report;
	json_t *listen = json_array();
	json_t *status;

	report_take(report, box);
	for (size_t i = 0; i < box->conf->n_listen; i++)
		json_array_append_new(listen, verb_endpoint(&box->conf->listen[i]));
	status = json_pack("{s:s,s:i,s:I,s:s,s:o,s:s,s:i,s:i,s:o,s:o,s:o}", "version",
		TURNPIKE_VERSION, "pid", (int)getpid(), "uptime_s",
		(json_int_t)((loop_now_ms() - loop->started_ms) / MS_IN_S), "state",
		loop->drain.on ? "draining" : "running", "listen", listen, "log_level",
		log_level_name(log_level()), "workers", (int)box->n_workers, "ports",
		(int)box->n_ports, "health", health_json(&loop->health), "turn",
		turn_json(&report->turn), "traffic", traffic_json(&report->sum));
	verb_set_count(status, "mbufs_in_use", rte_mempool_in_use_count(box->pool));
	verb_set_count(status, "mbufs", box->pool->size);
	admin_say(call, status);
	admin_done(call);
}
