// trace: what workers dropped and what the control core did for one address, newest last.
//
// A pass looks at all there is in bounded steps, sorts what it found and says it. Passes that
// follow say what is new. Drops are those of the address itself and those at the relayed addresses
// that it had at that time.
#include "exit.h"
#include "verb_trace_json.h"
#include "verbs.h"

#include <rte_cycles.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 256 // looks at the table of allocations in one step
#define LOOKS_MAX 8192 // at events, runs and legs in one step
#define SAY_MAX 64 // lines
#define LINES_MAX 2048 // of one pass: the newest
#define LEGS_MAX 1024
#define FOLLOW_MS 1000
#define ENDS 3 // of a run

// A relayed address of the client, and when it was.
struct leg {
	struct endpoint relayed;
	uint64_t from_ns;
	uint64_t to_ns; // UINT64_MAX: it lives
	uint64_t allocation_id;
};

enum phase { ALLOCATIONS, EVENTS, DROPS, SAY, REACH, PAUSE };

struct job {
	enum phase phase;
	bool follows;
	struct ip_addr ip;
	uint16_t port; // 0: any
	struct moment begun; // the pass
	uint32_t cursor; // of the phase
	uint64_t next[TRAIL_KINDS]; // the first event not looked at yet
	uint64_t *said; // of each run of each worker: its last packet that was told of
	struct leg legs[LEGS_MAX];
	unsigned n_legs;
	bool more_legs;
	struct trace_line *lines;
	unsigned n_lines;
	uint64_t n_left_out;
	bool is_reach_said;
};

static void begin_pass(struct job *job)
{
	struct timespec wall;

	clock_gettime(CLOCK_REALTIME, &wall);
	job->begun = (struct moment){
		.ns = trail_now_ns(),
		.unix_ns = (uint64_t)wall.tv_sec * NS_IN_S + (uint64_t)wall.tv_nsec,
		.ticks = rte_rdtsc(),
	};
	job->cursor = 0;
	job->n_lines = 0;
	job->n_left_out = 0;
}

static int compare(const void *a, const void *b)
{
	const struct trace_line *first = a;
	const struct trace_line *second = b;

	return (first->at_ns > second->at_ns) - (first->at_ns < second->at_ns);
}

// With too many of them the older half goes.
static struct trace_line *add_line(struct job *job, uint64_t at_ns)
{
	struct trace_line *line;

	if (job->n_lines == LINES_MAX) {
		qsort(job->lines, job->n_lines, sizeof(*job->lines), compare);
		job->n_lines /= 2;
		job->n_left_out += job->n_lines;
		memmove(job->lines, job->lines + job->n_lines, job->n_lines * sizeof(*job->lines));
	}
	line = &job->lines[job->n_lines++];
	*line = (struct trace_line){.at_ns = at_ns};
	return line;
}

// A packet without ports may be any of them.
static bool is_client(const struct job *job, const struct ip_addr *ip, uint16_t port)
{
	return ip_equal(ip, &job->ip) && (job->port == 0 || port == 0 || port == job->port);
}

static void add_legs(struct job *job, const struct trail_event *event, uint64_t to_ns)
{
	for (size_t i = 0; i < N_ELEMENTS(event->relayed); i++) {
		if (event->relayed[i].ip.family == FAMILY_NONE)
			continue;
		if (job->n_legs == LEGS_MAX) {
			job->more_legs = true;
			return;
		}
		job->legs[job->n_legs++] = (struct leg){
			.relayed = event->relayed[i],
			.from_ns = event->at_ns,
			.to_ns = to_ns,
			.allocation_id = event->allocation_id,
		};
	}
}

// The end of those that lived when they were added. Returns false where there are none.
static bool end_legs(struct job *job, const struct trail_event *event)
{
	bool found = false;

	for (unsigned i = 0; i < job->n_legs; i++)
		if (job->legs[i].allocation_id == event->allocation_id) {
			job->legs[i].to_ns = event->at_ns;
			found = true;
		}
	return found;
}

static bool has_legs(const struct job *job, uint64_t allocation_id)
{
	for (unsigned i = 0; i < job->n_legs; i++)
		if (job->legs[i].allocation_id == allocation_id)
			return true;
	return false;
}

// What lives is told from the table: its beginning may be in no ring any more.
static bool look_at_allocations(struct job *job, const struct loop *loop)
{
	struct turn_allocation_view view;

	for (int i = 0; i < STEPS_MAX; i++) {
		const enum turn_step step =
			turn_allocation_next(loop->box->turn, &job->cursor, &view);

		if (step == TURN_STEP_END)
			return true;
		if (step == TURN_STEP_FOUND && is_client(job, &view.client.ip, view.client.port)) {
			const struct trail_event event = trail_beginning(&view);

			add_legs(job, &event, UINT64_MAX);
			add_line(job, event.at_ns)->event = event;
		}
	}
	return false;
}

static void take_event(struct job *job, const struct trail_event *event)
{
	struct trail_event begun = *event;

	if (event->kind == TRAIL_CREATED && has_legs(job, event->allocation_id))
		return;
	if (event->kind == TRAIL_CREATED) {
		add_legs(job, event, UINT64_MAX);
	} else if (event->kind == TRAIL_ENDED && !end_legs(job, event)) {
		begun.at_ns -= event->lifetime_s * NS_IN_S;
		add_legs(job, &begun, event->at_ns);
	}
	add_line(job, event->at_ns)->event = *event;
}

// Kinds in their order: beginnings come before ends. What has happened since the pass began is the
// next one's: an end whose beginning was looked for too early would be told before it.
static bool look_at_events(struct job *job, const struct trail *trail)
{
	for (unsigned n = 0; n < LOOKS_MAX; n++) {
		const enum trail_kind kind = (enum trail_kind)job->cursor;
		const struct trail_event *event;

		if (job->cursor == TRAIL_KINDS)
			return true;
		if (job->next[kind] < trail_oldest(trail, kind))
			job->next[kind] = trail_oldest(trail, kind);
		event = trail_get(trail, kind, job->next[kind]);
		if (!event || event->at_ns > job->begun.ns) {
			job->cursor++;
			continue;
		}
		job->next[kind]++;
		if (is_client(job, &event->client.ip, event->client.port)) {
			take_event(job, event);
			n += job->n_legs;
		}
	}
	return false;
}

static bool is_wanted_end(
	const struct job *job, const struct trace_run *run, const struct endpoint *end)
{
	if (end->ip.family == FAMILY_NONE)
		return false;
	if (is_client(job, &end->ip, end->port))
		return true;
	for (unsigned i = 0; i < job->n_legs; i++) {
		const struct leg *leg = &job->legs[i];

		if (endpoint_equal(&leg->relayed, end) &&
			moment_ns_of(&job->begun, run->last_ticks) >= leg->from_ns &&
			(leg->to_ns == UINT64_MAX ||
				moment_ns_of(&job->begun, run->first_ticks) <= leg->to_ns))
			return true;
	}
	return false;
}

static bool is_wanted(const struct job *job, const struct trace_run *run)
{
	const struct trace_key *key = &run->key;
	const struct endpoint ends[ENDS] = {
		trace_key_from(key),
		trace_key_to(key),
		trace_key_about(key),
	};

	for (size_t i = 0; i < ENDS; i++)
		if (is_wanted_end(job, run, &ends[i]))
			return true;
	return false;
}

static bool look_at_drops(struct job *job, const struct box *box)
{
	for (unsigned n = 0; n < LOOKS_MAX; n++, job->cursor++) {
		const size_t worker_idx = job->cursor / TRACE_RUNS;
		struct trace_run run;
		struct trace_line *line;

		if (worker_idx >= box->n_workers)
			return true;
		if (!trace_read(worker_trace(box->workers[worker_idx].worker),
			    job->cursor % TRACE_RUNS, &run) ||
			run.last_ticks == job->said[job->cursor])
			continue;
		n += ENDS * job->n_legs;
		if (!is_wanted(job, &run))
			continue;
		job->said[job->cursor] = run.last_ticks;
		line = add_line(job, moment_ns_of(&job->begun, run.last_ticks));
		line->is_drop = true;
		line->worker_idx = (uint16_t)worker_idx;
		line->run = run;
	}
	return false;
}

// Returns true when all is said.
static bool say(struct admin_call *call, struct job *job, const struct box *box)
{
	for (int i = 0; i < SAY_MAX && job->cursor < job->n_lines; i++, job->cursor++) {
		admin_say(call, trace_line_json(&job->lines[job->cursor], &job->begun, box));
	}
	return job->cursor == job->n_lines;
}

// Since when everything is here, and of what it is not.
static json_t *reach_json(const struct job *job, const struct box *box)
{
	json_t *object = json_object();

	json_object_set_new(object, "time", moment_stamp(&job->begun, job->begun.ns));
	json_object_set_new(object, "event", json_string("reach"));
	verb_set_count(object, "found", job->n_lines);
	json_object_set_new(object, "since", moment_stamp(&job->begun, box->trail.begun_ns));
	json_object_set_new(object, "lost", trace_lost_json(&job->begun, box));
	verb_set_count(object, "left_out", job->n_left_out);
	if (job->more_legs)
		json_object_set_new(object, "more_relayed", json_true());
	return object;
}

// Of a pass that follows, and found more than it may say.
static json_t *left_out_json(const struct job *job)
{
	json_t *object = json_object();

	json_object_set_new(object, "time", moment_stamp(&job->begun, trail_now_ns()));
	json_object_set_new(object, "event", json_string("left_out"));
	verb_set_count(object, "n", job->n_left_out);
	json_object_set_new(object, "text", json_string("older ones than those above"));
	return object;
}

// Where the words cannot be, the answer has ended. Returns the new job, or NULL.
static struct job *job_make(struct admin_call *call, const struct box *box)
{
	struct endpoint client;
	struct job *job;

	if (!verb_take_address(call, "address", &client))
		return NULL;
	job = calloc(1, sizeof(*job));
	if (job) {
		job->ip = client.ip;
		job->port = client.port;
		job->follows = json_is_true(json_object_get(admin_arguments(call), "follow"));
		job->said = calloc(box->n_workers * TRACE_RUNS, sizeof(*job->said));
		job->lines = calloc(LINES_MAX, sizeof(*job->lines));
		admin_set_state(call, job);
	}
	if (job && job->said && job->lines) {
		begin_pass(job);
		return job;
	}
	admin_fail(call, EXIT_RESOURCE, "no memory for the answer");
	return NULL;
}

static void next_phase(struct job *job)
{
	if (job->phase == DROPS)
		qsort(job->lines, job->n_lines, sizeof(*job->lines), compare);
	job->phase++;
	job->cursor = 0;
}

// A pass that follows looks for nothing in the table: beginnings are events by now.
static void pass_again(struct job *job)
{
	begin_pass(job);
	job->phase = EVENTS;
}

void verb_trace(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	struct job *job = admin_state(call);
	bool done = false;

	if (!job)
		job = job_make(call, loop->box);
	if (!job)
		return;
	switch (job->phase) {
	case ALLOCATIONS:
		done = look_at_allocations(job, loop);
		break;
	case EVENTS:
		done = look_at_events(job, &loop->box->trail);
		break;
	case DROPS:
		done = look_at_drops(job, loop->box);
		break;
	case SAY:
		done = say(call, job, loop->box);
		break;
	case REACH:
		if (!job->is_reach_said)
			admin_say(call, reach_json(job, loop->box));
		else if (job->n_left_out)
			admin_say(call, left_out_json(job));
		job->is_reach_said = true;
		if (!job->follows)
			return admin_done(call);
		job->phase = PAUSE;
		return admin_wait(call, FOLLOW_MS);
	case PAUSE:
		pass_again(job);
		break;
	}
	if (job->phase != SAY || job->n_lines == 0)
		admin_wait(call, 0);
	if (done)
		next_phase(job);
}

void verb_trace_end(struct admin_call *call, void *context)
{
	struct job *job = admin_state(call);

	(void)context;
	if (!job)
		return;
	free(job->said);
	free(job->lines);
	free(job);
}
