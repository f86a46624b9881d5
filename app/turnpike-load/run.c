#include "run.h"

#include "clock.h"
#include "echo_mode.h"
#include "exit.h"
#include "report.h"
#include "wires.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

#define RECEIVE_BURST 64
#define WAIT_MAX_NS (10 * (int64_t)NS_IN_MS)
// Sleeping for less than this costs more than it saves.
#define WAIT_MIN_NS 20000
// Between the trials of a search: until nothing has arrived for a while, which also has an end.
#define QUIET_NS (200 * (int64_t)NS_IN_MS)
#define QUIET_WAIT_MAX_NS (5 * (int64_t)NS_IN_S)

struct load {
	const struct options *options;
	struct wires wires;
	struct wire *wire;
	struct engine *engine;
	const char *phase; // for the progress
	struct progress progress;
	uint64_t n_unreceived[N_DIRECTIONS]; // before the trial
	struct outcome outcome; // the one to report
	struct search search;
	struct attempt attempts[ATTEMPTS_MAX]; // of a search
	size_t n_attempts;
	struct verdict limit; // of the lowest rate that failed
	double calls_s;
	const struct series *series;
};

static volatile sig_atomic_t stop;

static void take_signal(int number)
{
	(void)number;
	stop = 1;
}

// Send what is due, then take what arrives until more is due. Returns the time.
static int64_t step(struct load *load)
{
	struct datagram datagrams[RECEIVE_BURST];
	int64_t now_ns = clock_ns();
	const int64_t next_ns = engine_advance(load->engine, now_ns);
	int64_t wait_ns = next_ns == INT64_MAX ? WAIT_MAX_NS : next_ns - clock_ns();
	size_t n;

	if (wait_ns < WAIT_MIN_NS)
		wait_ns = 0;
	if (wait_ns > WAIT_MAX_NS)
		wait_ns = WAIT_MAX_NS;
	n = load->wire->receive_burst(load->wire, datagrams, RECEIVE_BURST, wait_ns);
	now_ns = clock_ns();
	engine_take(load->engine, datagrams, n, now_ns);
	if (now_ns - load->progress.at_ns >= (int64_t)NS_IN_S)
		report_progress(&load->progress, load->options, load->phase, load->engine, now_ns);
	return now_ns;
}

static void begin_calls(struct load *load)
{
	const struct options *options = load->options;
	const bool churn = options->mode == MODE_ALLOCATE;
	const struct calls_config calls = {
		.calls_per_s = churn ? options->rate : options->ramp,
		.n_begins = churn ? options->rate * options->duration_s : options->n_calls,
		.poisson = options->poisson,
		.release_at_once = churn,
	};
	const int64_t begin_ns = clock_ns();

	load->phase = churn ? "allocate" : "ramp";
	engine_begin_calls(load->engine, &calls, begin_ns);
	while (!engine_is_settled(load->engine) && !stop)
		step(load);
	load->calls_s = (double)(clock_ns() - begin_ns) / (double)NS_IN_S;
}

static void release_calls(struct load *load)
{
	load->phase = "release";
	stop = 0;
	engine_begin_release(load->engine, load->options->ramp, clock_ns());
	// A second signal ends it at once.
	while (!engine_is_over(load->engine) && !stop)
		step(load);
}

static void take_outcome(struct load *load, struct outcome *out)
{
	uint64_t n_unreceived[N_DIRECTIONS];

	load->wire->count_drops(load->wire, n_unreceived);
	for (int i = 0; i < N_DIRECTIONS; i++)
		n_unreceived[i] -= load->n_unreceived[i];
	out->lag_max_ns = (int64_t)(load->options->lag_ms * NS_IN_MS);
	verdict_take(out, load->engine, n_unreceived);
}

static void run_trial(struct load *load, const struct trial_config *trial, struct outcome *out)
{
	int64_t now_ns = clock_ns();
	bool cut = false;

	load->phase = load->options->mode_name;
	load->wire->count_drops(load->wire, load->n_unreceived);
	engine_begin_trial(load->engine, trial, now_ns);
	if (load->options->mode == MODE_SOAK && load->options->churn)
		engine_begin_churn(load->engine, load->options->churn, now_ns);
	while (!engine_trial_is_over(load->engine, now_ns)) {
		if (stop && !cut)
			engine_end_trial(load->engine, now_ns);
		cut = cut || stop;
		now_ns = step(load);
	}
	take_outcome(load, out);
}

static struct trial_config trial_at(const struct options *options, uint64_t rate)
{
	const int64_t duration_ns = (int64_t)(options->duration_s * NS_IN_S);
	const struct profile_config profile = {
		.profile = options->profile,
		.n_calls = (uint32_t)options->n_calls,
		.directions = {options->directions[UP], options->directions[DOWN]},
		.rate = rate,
		.payload_bytes = (uint16_t)options->payload_bytes,
		.duration_ns = duration_ns,
	};
	struct trial_config trial = {.duration_ns = duration_ns};

	if (options->mode == MODE_BINDING)
		profile_binding(&trial, rate, duration_ns);
	else if (options->mode != MODE_HOLD)
		profile_trial(&trial, &profile);
	return trial;
}

// What a trial left on its way must not burden the next.
static void wait_quiet(struct load *load)
{
	const uint64_t *n_stray = &engine_totals(load->engine)->n_stray;
	const int64_t begin_ns = clock_ns();
	int64_t quiet_since_ns = begin_ns;
	int64_t now_ns = begin_ns;

	engine_discard_trial(load->engine);
	while (!stop && now_ns - quiet_since_ns < QUIET_NS &&
		now_ns - begin_ns < QUIET_WAIT_MAX_NS) {
		const uint64_t n_before = *n_stray;

		now_ns = step(load);
		if (*n_stray != n_before)
			quiet_since_ns = now_ns;
	}
}

static void note_attempt(struct load *load, uint64_t rate, const struct outcome *outcome)
{
	struct attempt *attempt = &load->attempts[load->n_attempts];

	if (load->n_attempts == ATTEMPTS_MAX)
		return;
	load->n_attempts++;
	attempt->rate = rate;
	for (int i = 0; i < N_DIRECTIONS; i++) {
		const struct direction_result *result = &outcome->trial.directions[i];

		attempt->n_sent[i] = result->n_sent;
		attempt->n_delivered[i] = result->n_delivered;
		attempt->n_lost[i] = verdict_lost(outcome, (enum direction)i);
		for (int k = 0; k < N_QUANTILES; k++)
			attempt->latency_ns[i][k] =
				histogram_quantile(&result->latency, quantile_shares[k]);
	}
}

// The outcome kept is that of the highest rate that passed.
static int run_search(struct load *load)
{
	struct outcome *outcome = calloc(1, sizeof(*outcome));
	uint64_t rate;

	if (!outcome)
		return -ENOMEM;
	search_begin(&load->search, load->options->rate);
	while (!stop && (rate = search_next(&load->search)) > 0) {
		const struct trial_config trial = trial_at(load->options, rate);
		bool passed;

		run_trial(load, &trial, outcome);
		if (stop)
			break;
		passed = verdict_passes(outcome, load->options->loss_percent);
		printf("search   %lu packets/s each direction: %s%s\n", rate,
			passed ? "passed" : "failed", outcome->verdict.valid ? "" : " (INVALID)");
		note_attempt(load, rate, outcome);
		search_tell(&load->search, rate, passed);
		if (passed || load->search.passed == 0)
			load->outcome = *outcome;
		if (!passed)
			load->limit = outcome->verdict;
		wait_quiet(load);
	}
	if (load->limit.reasons[0] && load->outcome.verdict.valid)
		verdict_object(&load->outcome.verdict,
			"the generator, not the server, is the limit: %s", load->limit.reasons);
	free(outcome);
	return 0;
}

static int measure(struct load *load)
{
	const enum mode mode = load->options->mode;
	const struct trial_config trial = trial_at(load->options, load->options->rate);
	int err = 0;

	if (mode != MODE_BINDING)
		begin_calls(load);
	if (mode == MODE_SEARCH)
		err = run_search(load);
	else if (mode != MODE_ALLOCATE)
		run_trial(load, &trial, &load->outcome);
	return err;
}

static int write_file(const struct report *report, const char *path,
	int (*write)(const struct report *report, const char *path))
{
	const int err = path ? write(report, path) : 0;

	if (err)
		fprintf(stderr, "turnpike-load: %s: %s\n", path, strerror(-err));
	return err;
}

static int tell(struct load *load, bool stopped)
{
	const struct engine_totals *totals = engine_totals(load->engine);
	const struct report report = {
		.options = load->options,
		.engine = load->engine,
		.outcome = &load->outcome,
		.calls_s = load->calls_s,
		.attempts = load->attempts,
		.n_attempts = load->n_attempts,
		.series = load->series,
		.search = load->options->mode == MODE_SEARCH ? &load->search : NULL,
		.generator_limited = load->limit.reasons[0] != 0,
		.stopped = stopped,
	};
	const bool cut = stopped && load->options->mode != MODE_SOAK;

	report_table(&report);
	if (write_file(&report, load->options->json_path, report_json) ||
		write_file(&report, load->options->report_path, report_html))
		return EXIT_RESOURCE;
	if (load->options->mode != MODE_BINDING && totals->n_released == 0) {
		fputs("turnpike-load: no call came up\n", stderr);
		return EXIT_UNAVAILABLE;
	}
	if (load->options->mode == MODE_BINDING &&
		load->outcome.trial.directions[UP].n_delivered == 0) {
		fputs("turnpike-load: no answer came\n", stderr);
		return EXIT_UNAVAILABLE;
	}
	return load->outcome.verdict.valid && !cut ? EXIT_MEASURED : EXIT_INVALID;
}

static int open_engine(struct load *load)
{
	const struct options *options = load->options;
	const struct engine_config config = {
		.wire = load->wire,
		.server = options->server,
		.relays = options->relays,
		.n_relays = options->n_relays,
		.peers = load->wires.peers,
		.n_peers = (uint32_t)options->n_peers,
		.far_echo = options->n_echoes > 0,
		.n_calls = (uint32_t)options->n_calls,
		.user = options->user,
		.password = options->password,
		.lifetime_s = (uint32_t)options->lifetime_s,
		.indications = options->indications,
		.seed = (uint64_t)clock_ns(),
	};
	const int err = engine_create(&load->engine, &config);

	if (err)
		fprintf(stderr, "turnpike-load: %s\n", strerror(-err));
	return err ? EXIT_RESOURCE : 0;
}

static int pin(int64_t cpu)
{
	cpu_set_t set;

	// Waking in time is worth more here than a quiet CPU.
	prctl(PR_SET_TIMERSLACK, 1UL);
	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((size_t)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) == 0)
		return 0;
	fprintf(stderr, "turnpike-load: cannot run on CPU %ld: %s\n", cpu, strerror(errno));
	return EXIT_RESOURCE;
}

static int run_calls(struct load *load)
{
	const int status = open_engine(load);
	bool stopped;
	int err;

	if (status)
		return status;
	load->progress.at_ns = clock_ns();
	err = measure(load);
	if (err) {
		fprintf(stderr, "turnpike-load: %s\n", strerror(-err));
		return EXIT_RESOURCE;
	}
	stopped = stop;
	if (load->options->mode != MODE_SEARCH)
		load->series = engine_end_series(load->engine, clock_ns());
	release_calls(load);
	if (load->options->mode == MODE_ALLOCATE)
		take_outcome(load, &load->outcome);
	return tell(load, stopped);
}

int run(const struct options *options)
{
	const struct sigaction action = {.sa_handler = take_signal};
	struct load *load = calloc(1, sizeof(*load));
	int status;

	if (!load)
		return EXIT_RESOURCE;
	load->options = options;
	status = pin(options->cpu);
	if (!status)
		status = wires_open(&load->wires, options);
	load->wire = load->wires.wire;
	// Until here a signal ends it at once.
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (!status)
		status = options->mode == MODE_ECHO ? echo_mode_run(options, load->wire, &stop)
						    : run_calls(load);
	engine_destroy(load->engine);
	wires_close(&load->wires);
	free(load);
	return status;
}
