#include "reload.h"

#include "loop.h"
#include "needs/needs.h"
#include "policy.h"
#include "run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// Entries that an allocation at least needs: owner, permission, and both of a channel.
#define FLOWS_PER_ALLOCATION_MIN 4

#define EFFECTIVE_SERVICES_MAX 6144 // that a worker holds
#define EFFECTIVE_RELAYS_MAX 768

// What is handed over in one step.
struct step {
	struct box *box;
	const struct conf *conf;
	struct turn *next; // NULL: only what is still in use has changed
	struct worker_config worker; // of all workers
	struct endpoint *services;
	struct relay_range *relays;
	struct control_relay *control_relays;
	struct control_answers answers;
	struct worker_setup *setups[CONF_WORKERS_MAX];
};

// What the workers had, once they have given it back.
static bool collect(struct box *box)
{
	if (!box->n_setups)
		return true;
	if (!control_has_applied(box->control, box->setups_seq))
		return false;
	while (box->n_setups)
		worker_setup_destroy(box->setups[--box->n_setups]);
	return true;
}

static void step_free(struct step *step)
{
	for (size_t i = 0; i < step->box->n_workers; i++)
		worker_setup_destroy(step->setups[i]);
	free(step->services);
	free(step->relays);
	free(step->control_relays);
}

// What must be served: what is configured, and what is closed and still in use.
static int list_places(struct step *step)
{
	const struct turn *turn = step->next ? step->next : step->box->turn;
	size_t n_services = 0;
	size_t n_relays = 0;

	step->services = calloc(EFFECTIVE_SERVICES_MAX, sizeof(*step->services));
	step->relays = calloc(EFFECTIVE_RELAYS_MAX, sizeof(*step->relays));
	step->control_relays = calloc(EFFECTIVE_RELAYS_MAX, sizeof(*step->control_relays));
	if (!step->services || !step->relays || !step->control_relays)
		return -ENOMEM;
	while (n_services < EFFECTIVE_SERVICES_MAX &&
		turn_service_get(turn, n_services, &step->services[n_services]))
		n_services++;
	while (n_relays < EFFECTIVE_RELAYS_MAX &&
		turn_relay_get(turn, n_relays, &step->relays[n_relays]))
		n_relays++;
	for (size_t i = 0; i < n_relays; i++)
		step->control_relays[i] = (struct control_relay){
			step->relays[i].ip, policy_port_of(step->conf, &step->relays[i].ip)};
	step->worker.services = step->services;
	step->worker.n_services = n_services;
	step->worker.relays = step->relays;
	step->worker.n_relays = n_relays;
	return 0;
}

static int make_setups(struct step *step)
{
	struct box *box = step->box;
	int rc = 0;

	for (size_t i = 0; i < box->n_workers && !rc; i++) {
		const struct worker_config config = box_worker_config(box, &step->worker, i);

		rc = worker_setup_create(&step->setups[i], &config, &box->worker);
	}
	return rc;
}

// All of it, or nothing.
static int take_step(struct step *step)
{
	struct box *box = step->box;
	struct control_change change = {
		.turn = step->next,
		.answers = step->answers,
		.setups = step->setups,
	};
	int rc = list_places(step);

	rc = rc ? rc : make_setups(step);
	change.relays = step->control_relays;
	change.n_relays = step->worker.n_relays;
	rc = rc ? rc : control_reconfigure(box->control, &change, &box->setups_seq);
	if (rc)
		return rc;
	step->next = NULL;
	box->n_setups = box->n_workers;
	memcpy(box->setups, step->setups, sizeof(box->setups));
	memset(step->setups, 0, sizeof(step->setups));
	box->worker = step->worker;
	box->worker.services = NULL; // what these point to is only of this step
	box->worker.relays = NULL;
	box->worker.ports = NULL;
	return 0;
}

static void refuse(struct reload_result *out, const char *key, const char *why)
{
	const size_t n = strlen(out->reason);

	out->status = RELOAD_REFUSED;
	snprintf(out->reason + n, sizeof(out->reason) - n, "%s%s: %s", n ? "; " : "", key, why);
}

// What tables of the start hold.
static void check_room(struct reload_result *out, const struct box *box, const struct conf *conf)
{
	const uint32_t n_max = box->worker.n_flows / FLOWS_PER_ALLOCATION_MIN;
	char why[128];

	if (conf->n_allocations_max > n_max) {
		snprintf(why, sizeof(why), "%u needs a restart: the tables of this start hold %u",
			conf->n_allocations_max, n_max);
		refuse(out, "limits.allocations", why);
	}
	if (box->worker.n_flows6 == 0 && needs_worker(conf).n_flows6 > 0)
		refuse(out, "listen, relay",
			"the first IPv6 address needs a restart: there is no table for it");
}

static void check_restarts(struct reload_result *out)
{
	for (size_t i = 0; i < out->diff.n; i++)
		if (out->diff.changes[i].needs_restart)
			refuse(out, out->diff.changes[i].key, "needs a restart");
}

// What has nothing to do with whom a peer may be.
static bool is_about_peers(const struct conf_change *change)
{
	return strncmp(change->key, "log.", 4) != 0 && strncmp(change->key, "limits.", 7) != 0;
}

static bool judges_peers(const struct conf_diff *diff)
{
	bool judges = false;

	for (size_t i = 0; i < diff->n; i++)
		judges = judges || is_about_peers(&diff->changes[i]);
	return judges;
}

static int prepare(struct step *step, struct policy *policy)
{
	struct box *box = step->box;
	struct turn_config turn;
	int rc = policy_make(policy, step->conf, &box->own, box->ports);

	if (rc)
		return rc;
	turn = policy->turn;
	if (box->redis)
		turn.source = redis_source(box->redis);
	step->worker = policy->worker;
	step->worker.n_flows = box->worker.n_flows;
	step->worker.n_flows6 = box->worker.n_flows6;
	// Entries of before may have indices above a limit that is lower now.
	if (step->worker.rates.n_allocations < box->worker.rates.n_allocations)
		step->worker.rates.n_allocations = box->worker.rates.n_allocations;
	step->answers = policy->control.answers;
	return turn_prepare(&step->next, box->turn, &turn);
}

static void explain(struct reload_result *out, int rc)
{
	out->status = rc == -EAGAIN ? RELOAD_BUSY : RELOAD_REFUSED;
	snprintf(out->reason, sizeof(out->reason), "%s",
		rc == -EAGAIN          ? "the workers' rings are full"
			: rc == -EBUSY ? "a listener lies among relayed ports of before that are "
					 "still in use: wait until their allocations have ended"
				       : strerror(-rc));
}

static void apply(struct loop *loop, struct reload_result *out, struct conf *conf)
{
	struct box *box = loop->box;
	struct step step = {.box = box, .conf = conf};
	struct policy policy;
	int rc = prepare(&step, &policy);

	rc = rc ? rc : take_step(&step);
	turn_destroy(step.next);
	step_free(&step);
	policy_free(&policy);
	if (rc) {
		explain(out, rc);
		conf_destroy(conf);
		return;
	}
	if (judges_peers(&out->diff))
		control_judge_peers(box->control);
	box->worker.software = conf->software;
	conf_destroy(box->conf);
	box->conf = conf;
}

// In the log it stands in quotes.
static void unquote(char *text)
{
	while ((text = strchr(text, '"')) != NULL)
		*text = '\'';
}

static void tell_change(struct conf_change change)
{
	unquote(change.key);
	unquote(change.text);
	log_put(LOG_INFO, "reload.change", "key=\"%s\" change=\"%s\" needs_restart=%d", change.key,
		change.text, change.needs_restart);
}

static void tell(struct reload_result *result)
{
	unquote(result->reason);
	for (size_t i = 0; i < result->diff.n && log_enabled(LOG_INFO); i++)
		tell_change(result->diff.changes[i]);
	if (result->status == RELOAD_DONE)
		log_put(LOG_INFO, "reload.done", "changes=%zu", result->diff.n);
	else
		log_put(LOG_ERROR, "reload.refused", "reason=\"%s\"", result->reason);
}

// Whoever wrote to a pipe or terminal at the start is gone or busy: to read it would be to wait.
static int load_again(struct conf **out, const char *path, char error[static CONF_ERROR_BYTES])
{
	struct stat what;

	if (stat(path, &what) == 0 && !S_ISREG(what.st_mode)) {
		snprintf(error, CONF_ERROR_BYTES, "%.200s is no file that can be read again", path);
		return -EINVAL;
	}
	return conf_load(out, path, error);
}

void reload(struct loop *loop, struct reload_result *out)
{
	struct box *box = loop->box;
	char error[CONF_ERROR_BYTES];
	struct conf *conf;

	*out = (struct reload_result){.status = RELOAD_DONE};
	records_reopen(box->records); // whatever becomes of the rest
	if (!collect(box)) {
		out->status = RELOAD_BUSY;
		snprintf(out->reason, sizeof(out->reason),
			"a worker has not taken the last reload yet");
		return;
	}
	if (load_again(&conf, box->conf_path, error)) {
		out->status = RELOAD_REFUSED;
		snprintf(out->reason, sizeof(out->reason), "%s", error);
		tell(out);
		return;
	}
	if (conf_diff(&out->diff, box->conf, conf))
		explain(out, -ENOMEM);
	check_restarts(out);
	check_room(out, box, conf);
	if (out->status == RELOAD_DONE)
		apply(loop, out, conf);
	else
		conf_destroy(conf);
	if (out->status == RELOAD_BUSY)
		return;
	tell(out);
	if (out->status == RELOAD_DONE)
		run_adjust(loop);
}

void reload_result_free(struct reload_result *result)
{
	conf_diff_free(&result->diff);
}

void reload_settle(struct loop *loop)
{
	struct box *box = loop->box;
	struct step step = {
		.box = box,
		.conf = box->conf,
		.worker = box->worker,
		.answers = policy_answers(box->conf),
	};

	box->places_due |= turn_trim(box->turn);
	if (!collect(box) || !box->places_due)
		return;
	box->places_due = take_step(&step) != 0; // else again, a little later
	step_free(&step);
}
