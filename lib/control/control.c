#include "control.h"

#include "state.h"

#include <errno.h>
#include <rte_cycles.h>
#include <stdlib.h>

#define PUNTS_PER_POLL 32 // of each worker
#define OTHERS_PER_POLL 32 // after the punts
#define EXPIRE_INTERVAL_MS 100

int control_create_budget(struct budget *out, const struct control_answers *answers)
{
	struct budget_config budget = {
		.per_source = answers->per_source,
		.total = answers->total,
		.ticks_per_s = MS_IN_S,
		.numa_node = NUMA_NODE_ANY,
	};

	random_secret(budget.seed, sizeof(budget.seed));
	return budget_create(out, &budget);
}

static void beat(struct control *c)
{
	if (c->heartbeat)
		atomic_store_explicit(&c->heartbeat->ticks, rte_rdtsc(), memory_order_relaxed);
}

int control_create(struct control **out, const struct control_config *config)
{
	struct control *c = calloc(1, sizeof(*c));

	*out = NULL;
	if (!c)
		return -ENOMEM;
	assert(config->n_ports <= CONTROL_PORTS_MAX && config->n_workers <= WORKERS_MAX);
	c->relays = calloc(config->n_relays + 1, sizeof(*c->relays));
	if (!c->relays || control_create_budget(&c->challenges, &config->answers)) {
		free(c->relays);
		free(c);
		return -ENOMEM;
	}
	c->answers = config->answers;
	memcpy(c->relays, config->relays, config->n_relays * sizeof(*c->relays));
	memcpy(c->ports, config->ports, config->n_ports * sizeof(c->ports[0]));
	memcpy(c->workers, config->workers, config->n_workers * sizeof(c->workers[0]));
	c->turn = config->turn;
	c->route = config->route;
	c->pool = config->pool;
	c->kernel_fd = config->kernel_fd;
	c->kernel6_fd = config->kernel6_fd;
	c->heartbeat = config->heartbeat;
	c->n_flows = config->n_flows;
	c->tallies.ended = config->ended;
	c->witness = config->witness;
	c->observers.percent = config->observe_percent;
	c->n_ports = config->n_ports;
	c->n_workers = config->n_workers;
	c->n_relays = config->n_relays;
	beat(c);
	hops_publish_loops(c);
	addresses_publish(c);
	outbox_send(c);
	*out = c;
	return 0;
}

static void drain(struct msg_channel *channel)
{
	struct msg msg;

	while (channel && msg_receive_burst(channel, &msg, 1))
		if (msg.kind == MSG_PUNT || msg.kind == MSG_MIRROR || msg.kind == MSG_KERNEL ||
			msg.kind == MSG_SEND)
			rte_pktmbuf_free(msg.mbuf);
}

void control_destroy(struct control *control)
{
	if (!control)
		return;
	for (size_t i = 0; i < control->n_workers; i++) {
		drain(control->workers[i].punts);
		drain(control->workers[i].others);
		drain(control->workers[i].inbox);
	}
	budget_destroy(&control->challenges);
	parked_fini(control);
	ring_fini(&control->cooling);
	tallies_fini(control);
	observed_fini(control);
	free(control->moving_seqs);
	free(control->relays);
	free(control);
}

// A client sends from where it has moved to (RFC 8016 §3.2.2). A worker that did not know of the
// last hand-over yet may mean the one before, even of who had the index then; the next packet
// repeats it.
static void moved(struct control *c, const struct msg *msg)
{
	if (msg->allocation_idx < c->n_moving_seqs &&
		msg->seq < c->moving_seqs[msg->allocation_idx])
		return;
	effects_begin(c);
	turn_moved(c->turn, msg->allocation_idx, &c->effects);
	effects_apply(c);
}

static unsigned take_punts(struct control *c, const struct turn_time *time, size_t worker_idx)
{
	struct msg messages[PUNTS_PER_POLL];
	const unsigned n =
		msg_receive_burst(c->workers[worker_idx].punts, messages, PUNTS_PER_POLL);

	for (unsigned i = 0; i < n; i++) {
		if (messages[i].kind == MSG_MOVED)
			moved(c, &messages[i]);
		else
			transact(c, time, worker_idx, &messages[i]);
	}
	return n;
}

static unsigned take_others(struct control *c, size_t worker_idx)
{
	struct msg messages[OTHERS_PER_POLL];
	const unsigned n =
		msg_receive_burst(c->workers[worker_idx].others, messages, OTHERS_PER_POLL);

	for (unsigned i = 0; i < n; i++) {
		if (messages[i].kind == MSG_MIRROR)
			mirror_frame(c, &messages[i]);
		else
			kernel_packet(c, &messages[i]);
	}
	return n;
}

// In debug builds, what must hold holds every second.
static void check(struct control *c, const struct turn_time *time)
{
#ifdef TURNPIKE_CHECKS
	const char *wrong;

	if (time->now_ms < c->checked_ms + MS_IN_S)
		return;
	c->checked_ms = time->now_ms;
	wrong = turn_check(c->turn);
	if (wrong) {
		log_event(LOG_ERROR, "check.failed", "what=\"%s\"", wrong);
		abort();
	}
#else
	(void)c;
	(void)time;
#endif
}

static void expire(struct control *c, const struct turn_time *time)
{
	if (time->now_ms < c->expired_ms + EXPIRE_INTERVAL_MS)
		return;
	effects_begin(c);
	c->expiring = turn_expire(c->turn, time, &c->effects);
	effects_apply(c);
	if (!c->expiring)
		c->expired_ms = time->now_ms;
}

void walk_begin(struct control *c)
{
	c->walking = true;
	c->walks_again = false;
	c->walk_cursor = 0;
}

// Routes moved: every entry is sent again with the hop it has now, a bounded share at a time. What
// moves meanwhile waits for the end: where routes never rest, the last entries have their turn too,
// and hops are forgotten.
static void walk(struct control *c, const struct turn_time *time)
{
	const uint32_t n_entries = c->n_entries;

	hops_mark(c, time);
	if (!c->walking && c->marking)
		hops_forget(c);
	c->walks_again |= route_take_moved(c->route);
	if (!c->walking && !c->marking && c->walks_again)
		walk_begin(c);
	if (!c->walking)
		return;
	effects_begin(c);
	c->walking = turn_walk(c->turn, &c->walk_cursor, &c->effects);
	effects_apply(c);
	c->n_entries = n_entries; // replaced, not added
}

unsigned control_poll(struct control *control, const struct turn_time *time)
{
	unsigned n = tallies_poll(control);

	beat(control);
	for (size_t i = 0; i < control->n_workers; i++)
		n += take_punts(control, time, i);
	for (size_t i = 0; i < control->n_workers; i++)
		n += take_others(control, i);
	n += parked_poll(control, time);
	speaker_look(control, time);
	expire(control, time);
	check(control, time);
	hops_publish_changes(control);
	addresses_publish(control);
	walk(control, time);
	sweep(control);
	outbox_send(control);
	cooling_release(control);
	return n + control->walking + control->walks_again + control->marking + control->expiring +
		control->sweeping;
}

bool control_waiting(const struct control *control)
{
	for (size_t i = 0; i < control->n_workers; i++)
		if (msg_waiting(control->workers[i].punts) ||
			msg_waiting(control->workers[i].others) ||
			(control->workers[i].counts && msg_waiting(control->workers[i].counts)))
			return true;
	return control->walking || control->walks_again || control->marking || control->expiring ||
		control->sweeping || control->users_answered;
}

void control_users_answered(struct control *control)
{
	control->users_answered = true;
}

int control_allocation_end(struct control *control, const struct turn_time *time, uint64_t id)
{
	int rc;

	effects_begin(control);
	rc = turn_allocation_end(control->turn, time, id, &control->effects);
	effects_apply(control);
	return rc;
}

bool control_user_end(struct control *control, const struct turn_time *time, struct turn_kick *kick)
{
	bool more;

	effects_begin(control);
	more = turn_user_end(control->turn, time, kick, &control->effects);
	effects_apply(control);
	return more;
}

// With its inbox full nothing that all workers are told would find room. Tallies are used again, so
// what it would count for those of now would be another's.
void control_leave_out(struct control *control, size_t worker_idx)
{
	struct control_worker *worker = &control->workers[worker_idx];

	tallies_poll(control);
	worker->inbox = NULL;
	worker->counts = NULL;
	worker->seen = NULL;
}

void control_route_follow(struct control *control)
{
	route_follow(control->route);
}

const struct control_stats *control_stats_get(const struct control *control)
{
	return &control->stats;
}

const struct quality_spreads *control_quality(const struct control *control)
{
	return &control->observers.spreads;
}

uint32_t control_n_entries(const struct control *control)
{
	return control->n_entries;
}

size_t control_n_cooling(const struct control *control)
{
	return control->cooling.n;
}
