// drain: empty the box, and say how far that is.
#include "exit.h"
#include "verbs.h"

#include <string.h>

#define DEADLINE_S_MAX (7 * 24 * 3600)

static json_t *drain_json(const struct loop *loop)
{
	const struct drain *drain = &loop->drain;
	const uint64_t now_ms = loop_now_ms();
	struct turn_stats turn;
	json_t *object = json_pack("{s:s}", "drain", drain->on ? "on" : "off");

	turn_stats_get(loop->box->turn, &turn);
	verb_set_count(object, "allocations", turn.n_allocations);
	if (!drain->on)
		return object;
	verb_set_count(object, "answer", drain->answer);
	verb_set_count(object, "allocations_at_start", drain->n_at_start);
	verb_set_count(object, "since_s", (now_ms - drain->since_ms) / MS_IN_S);
	json_object_set_new(object, "exits", json_boolean(drain->exits));
	if (drain->deadline_ms) // 0 only once it is over
		verb_set_count(object, "left_s",
			drain->deadline_ms > now_ms
				? (drain->deadline_ms - now_ms + MS_IN_S - 1) / MS_IN_S
				: 0);
	return object;
}

static bool has_alternate(const struct conf *conf)
{
	return conf->alternates[0].ip.family != FAMILY_NONE ||
		conf->alternates[1].ip.family != FAMILY_NONE;
}

static json_int_t number(const struct admin_call *call, const char *key)
{
	return json_integer_value(json_object_get(admin_arguments(call), key));
}

// Returns false where the answer has ended; so does turn_on().
static bool take_answer(struct admin_call *call, bool alternate, enum stun_code *out)
{
	json_int_t answer = number(call, "answer");

	if (answer == 0)
		answer = alternate ? STUN_TRY_ALTERNATE : STUN_INSUFFICIENT_CAPACITY;
	*out = (enum stun_code)answer;
	if (answer == STUN_TRY_ALTERNATE || answer == STUN_ALLOCATION_QUOTA_REACHED ||
		answer == STUN_INSUFFICIENT_CAPACITY)
		return true;
	admin_fail(call, EXIT_USAGE, "answer %lld; allowed: 300, 486, 508", (long long)answer);
	return false;
}

static bool turn_on(struct admin_call *call, struct loop *loop)
{
	const json_int_t deadline_s = number(call, "deadline_s");
	const bool alternate = has_alternate(loop->box->conf);
	struct drain drain = {
		.on = true,
		.exits = json_is_true(json_object_get(admin_arguments(call), "exit")),
		.since_ms = loop_now_ms(),
	};
	struct turn_stats turn;

	if (!take_answer(call, alternate, &drain.answer))
		return false;
	if (drain.answer == STUN_TRY_ALTERNATE && !alternate) {
		admin_fail(call, EXIT_CONFIG,
			"answer 300 needs limits.alternate-servers in the configuration");
		return false;
	}
	if (deadline_s < 0 || deadline_s > DEADLINE_S_MAX) {
		admin_fail(call, EXIT_USAGE, "deadline_s %lld; allowed: 1..%d, or 0 for none",
			(long long)deadline_s, DEADLINE_S_MAX);
		return false;
	}
	if (deadline_s)
		drain.deadline_ms = drain.since_ms + (uint64_t)deadline_s * MS_IN_S;
	turn_stats_get(loop->box->turn, &turn);
	drain.n_at_start = turn.n_allocations;
	loop->drain = drain;
	turn_drain(loop->box->turn, drain.answer);
	log_event(LOG_INFO, "drain.on", "allocations=%u answer=%d exits=%d deadline_s=%lld",
		drain.n_at_start, (int)drain.answer, drain.exits, (long long)deadline_s);
	return true;
}

void verb_drain(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	const char *set = verb_text(call, "set");

	if (set && strcmp(set, "on") == 0) {
		if (!turn_on(call, loop))
			return;
	} else if (set && strcmp(set, "off") == 0) {
		loop->drain = (struct drain){0};
		turn_drain(loop->box->turn, STUN_CODE_NONE);
		log_event(LOG_INFO, "drain.off", "state=running");
	} else if (set) {
		admin_fail(call, EXIT_USAGE, "set; allowed: on, off");
		return;
	}
	admin_say(call, drain_json(loop));
	admin_done(call);
}
