// Another configuration while it runs: what can fail comes first, then all of it at once.
#include "control.h"

#include "state.h"

#include <errno.h>
#include <stdlib.h>

static bool have_room(const struct control *c)
{
	for (size_t i = 0; i < c->n_workers; i++)
		if (c->workers[i].inbox && msg_room(c->workers[i].inbox) <= c->n_outbox)
			return false;
	return true;
}

static bool is_same(const struct control *c, const struct control_answers *answers)
{
	return memcmp(&c->answers, answers, sizeof(*answers)) == 0;
}

// To each worker its own; what workers are to know comes before what they are told next.
static void send_each(struct control *c, struct msg *messages)
{
	outbox_send(c);
	c->seq++;
	for (size_t i = 0; i < c->n_workers; i++) {
		bool sent;

		messages[i].seq = c->seq;
		sent = !c->workers[i].inbox || msg_send(c->workers[i].inbox, &messages[i]);
		assert(sent);
		(void)sent;
	}
}

static void send_setups(struct control *c, struct worker_setup **setups)
{
	struct msg messages[WORKERS_MAX];

	for (size_t i = 0; i < c->n_workers; i++)
		messages[i] = (struct msg){.kind = MSG_SETUP, .setup = setups[i]};
	send_each(c, messages);
}

int control_capture(struct control *control, struct capture *const *captures, uint64_t *seq)
{
	struct msg messages[WORKERS_MAX];

	if (!have_room(control))
		return -EAGAIN;
	for (size_t i = 0; i < control->n_workers; i++)
		messages[i] = (struct msg){
			.kind = MSG_CAPTURE,
			.capture = captures ? captures[i] : NULL,
		};
	send_each(control, messages);
	*seq = control->seq;
	return 0;
}

void control_judge_peers(struct control *control)
{
	control->sweeps_again = control->sweeping; // it has judged some by the rules of before
	if (control->sweeping)
		return;
	control->sweeping = true;
	control->sweep_cursor = 0;
}

int control_reconfigure(struct control *control, const struct control_change *change, uint64_t *seq)
{
	const bool new_answers = !is_same(control, &change->answers);
	struct control_relay *relays = calloc(change->n_relays + 1, sizeof(*relays));
	struct budget challenges = {0};
	int rc = relays ? 0 : -ENOMEM;

	if (!rc && !have_room(control))
		rc = -EAGAIN;
	if (!rc && new_answers)
		rc = control_create_budget(&challenges, &change->answers);
	if (rc) {
		free(relays);
		return rc;
	}
	memcpy(relays, change->relays, change->n_relays * sizeof(*relays));
	free(control->relays);
	control->relays = relays;
	control->n_relays = change->n_relays;
	if (new_answers) {
		budget_destroy(&control->challenges);
		control->challenges = challenges;
		control->answers = change->answers;
	}
	send_setups(control, change->setups);
	*seq = control->seq;
	if (change->turn)
		turn_adopt(control->turn, change->turn);
	return 0;
}

bool control_has_applied(const struct control *control, uint64_t seq)
{
	for (size_t i = 0; i < control->n_workers; i++)
		if (atomic_load_explicit(control->workers[i].applied_seq, memory_order_acquire) <
			seq)
			return false;
	return true;
}

void sweep(struct control *c)
{
	if (!c->sweeping)
		return;
	effects_begin(c);
	if (turn_sweep(c->turn, &c->sweep_cursor, &c->effects)) {
		effects_apply(c);
		return;
	}
	effects_apply(c);
	c->sweeping = c->sweeps_again;
	c->sweeps_again = false;
	c->sweep_cursor = 0;
}
