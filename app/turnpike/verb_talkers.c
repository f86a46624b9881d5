// talkers: allocations that may well be the busiest, with what they have carried up to now. The
// one who asks tells rates from two answers, and names those that he wants to see again.
#include "exit.h"
#include "talkers.h"
#include "verbs.h"

#include <errno.h>
#include <stdlib.h>

#define IDS_MAX 64 // that are asked for by name
#define STEPS_MAX 256 // looks at the table of allocations in one step
#define LOOK_MS 2
#define WAIT_MS 2000

struct talk {
	struct job *job;
	uint64_t id;
	bool is_answered;
	uint64_t at_ms;
	struct control_traffic traffic;
};

// Questions to the workers may outlive the one who asked.
struct job {
	bool is_given_up;
	unsigned n_open; // questions
	bool is_found; // all of `talks`
	size_t n_looks; // at the samples of a worker
	uint32_t cursor; // of the walk, where there are few
	struct talkers talkers;
	uint64_t since_ms;
	size_t n;
	size_t n_asked;
	size_t n_said;
	struct talk talks[IDS_MAX + TALKERS_MAX];
};

static void job_free(struct job *job)
{
	talkers_fini(&job->talkers);
	free(job);
}

static void add(struct job *job, uint64_t id)
{
	for (size_t i = 0; i < job->n; i++)
		if (job->talks[i].id == id)
			return;
	if (job->n < N_ELEMENTS(job->talks))
		job->talks[job->n++] = (struct talk){.job = job, .id = id};
}

// False where they are none, and the answer has ended.
static bool take_ids(struct admin_call *call, struct job *job)
{
	const json_t *ids = json_object_get(admin_arguments(call), "ids");
	json_t *value;
	uint64_t id;
	size_t i;

	json_array_foreach((json_t *)ids, i, value)
	{
		const char *text = json_string_value(value);

		if (i == IDS_MAX || !text || turn_id_parse(&id, text)) {
			admin_fail(call, EXIT_USAGE, "ids; allowed: up to %d ids of allocations",
				IDS_MAX);
			return false;
		}
		add(job, id);
	}
	return true;
}

static struct job *job_make(struct admin_call *call, const struct loop *loop)
{
	struct job *job = calloc(1, sizeof(*job));

	if (!job || talkers_init(&job->talkers, loop->box->worker.rates.n_allocations)) {
		free(job);
		admin_fail(call, EXIT_RESOURCE, "no memory for the answer");
		return NULL;
	}
	if (take_ids(call, job))
		return job;
	job_free(job);
	return NULL;
}

// Where there are few, all of them.
static void walk(struct job *job, const struct turn *turn)
{
	struct turn_allocation_view view;

	for (int i = 0; i < STEPS_MAX && !job->is_found; i++) {
		const enum turn_step step = turn_allocation_next(turn, &job->cursor, &view);

		if (step == TURN_STEP_FOUND)
			add(job, view.id);
		job->is_found = step == TURN_STEP_END;
	}
}

static void add_best(struct job *job, const struct turn *turn)
{
	struct turn_allocation_view view;

	for (size_t i = 0; i < job->talkers.n; i++) {
		const uint32_t idx = job->talkers.best[i].allocation_idx;
		uint32_t cursor = idx;

		// It may have ended since it was sampled.
		if (turn_allocation_next(turn, &cursor, &view) == TURN_STEP_FOUND &&
			view.allocation_idx == idx)
			add(job, view.id);
	}
	job->is_found = true;
}

// The samples of one worker, or a share of the walk.
static void find(struct job *job, const struct box *box)
{
	const size_t idx = job->n_looks % box->n_workers;
	const struct worker_samples *samples = &worker_public(box->workers[idx].worker)->samples;
	struct turn_stats stats;

	turn_stats_get(box->turn, &stats);
	if (job->cursor || stats.n_allocations <= TALKERS_MAX) {
		walk(job, box->turn);
		return;
	}
	if (job->n_looks < box->n_workers)
		talkers_count(&job->talkers, samples);
	else
		talkers_judge(&job->talkers, samples);
	if (++job->n_looks == 2UL * box->n_workers)
		add_best(job, box->turn);
}

static void take_tally(void *context, const struct control_tally *tally)
{
	struct talk *talk = context;
	struct job *job = talk->job;

	talk->is_answered = true;
	talk->at_ms = loop_now_ms();
	talk->traffic = tally->sum;
	if (--job->n_open == 0 && job->is_given_up)
		job_free(job);
}

// As many as may be open.
static void ask(struct job *job, struct control *control)
{
	for (; job->n_asked < job->n; job->n_asked++) {
		struct talk *talk = &job->talks[job->n_asked];
		const struct control_tally_taker taker = {take_tally, talk};
		const int rc = control_tally_ask(control, talk->id, &taker);

		if (rc == -EAGAIN)
			return;
		job->n_open += rc == 0;
	}
}

static void say(struct admin_call *call, struct job *job, const struct turn *turn)
{
	for (; job->n_said < job->n_asked; job->n_said++) {
		const struct talk *talk = &job->talks[job->n_said];
		struct turn_allocation_view view;
		json_t *object;

		if (!turn_allocation_find(turn, talk->id, &view))
			continue;
		if (!talk->is_answered)
			return;
		object = verb_allocation_json(&view);
		verb_set_count(object, "at_ms", talk->at_ms);
		json_object_set_new(object, "traffic", verb_traffic_json(&talk->traffic));
		admin_say(call, object);
	}
}

void verb_talkers(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	struct job *job = admin_state(call);

	if (!job) {
		job = job_make(call, loop);
		admin_set_state(call, job);
		if (!job)
			return;
		job->since_ms = loop_now_ms();
	}
	if (!job->is_found) {
		find(job, loop->box);
		admin_wait(call, 0);
		return;
	}
	ask(job, loop->box->control);
	say(call, job, loop->box->turn);
	// Without an answer of the workers, what is known is told.
	if (job->n_said == job->n || loop_now_ms() > job->since_ms + WAIT_MS)
		admin_done(call);
	else
		admin_wait(call, LOOK_MS);
}

void verb_talkers_end(struct admin_call *call, void *context)
{
	struct job *job = admin_state(call);

	(void)context;
	if (!job)
		return;
	job->is_given_up = true;
	if (job->n_open == 0)
		job_free(job);
}
