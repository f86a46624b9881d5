#include "report.h"

#include <stdio.h>

const char *const request_names[N_REQUESTS] = {
	[REQUEST_ALLOCATE] = "Allocate",
	[REQUEST_BIND] = "bind",
	[REQUEST_REFRESH] = "Refresh",
	[REQUEST_RELEASE] = "release",
};

const char *report_direction(const struct options *options, enum direction direction)
{
	if (direction == DOWN)
		return "down";
	return options->n_echoes ? "round trip" : "up";
}

static double quantile_us(const struct histogram *histogram, double share)
{
	return us_of(histogram_quantile(histogram, share));
}

void report_progress(struct progress *progress, const struct options *options, const char *phase,
	const struct engine *engine, int64_t now_ns)
{
	const struct engine_totals *totals = engine_totals(engine);
	const struct trial_result *trial = engine_trial(engine);
	const double passed_s = (double)(now_ns - progress->at_ns) / (double)NS_IN_S;
	struct progress now = {.at_ns = now_ns, .n_released = totals->n_released};

	printf("%-8s up %u failed %u released/s %.0f", phase, totals->n_up, totals->n_failed,
		(double)(now.n_released - progress->n_released) / passed_s);
	for (int i = 0; i < N_DIRECTIONS; i++) {
		const struct direction_result *result = &trial->directions[i];

		now.n_sent[i] = result->n_sent;
		now.n_delivered[i] = result->n_delivered;
		// A new trial counts from zero.
		if (result->n_offered == 0 || now.n_sent[i] < progress->n_sent[i])
			continue;
		printf("  %s %.0f/s of %.0f/s p99 %.0f us",
			report_direction(options, (enum direction)i),
			(double)(now.n_delivered[i] - progress->n_delivered[i]) / passed_s,
			(double)(now.n_sent[i] - progress->n_sent[i]) / passed_s,
			quantile_us(&result->latency, 0.99));
	}
	printf("  lag p99 %.0f us\n", quantile_us(lag_of(trial, totals), 0.99));
	fflush(stdout);
	*progress = now;
}

static void print_directions(const struct report *report)
{
	const struct trial_result *trial = &report->outcome->trial;

	printf("\n%-10s %11s %11s %11s %9s %9s %7s %7s %7s\n", "media", "offered", "sent",
		"delivered", "lost", "loss %", "dup", "reord", "misdel");
	for (int i = 0; i < N_DIRECTIONS; i++) {
		const struct direction_result *r = &trial->directions[i];
		const uint64_t n_lost = verdict_lost(report->outcome, (enum direction)i);

		if (r->n_offered == 0)
			continue;
		printf("%-10s %11lu %11lu %11lu %9lu %9.4f %7lu %7lu %7lu\n",
			report_direction(report->options, (enum direction)i), r->n_offered,
			r->n_sent, r->n_delivered, n_lost, loss_percent(n_lost, r->n_sent),
			r->n_duplicated, r->n_reordered, r->n_misdelivered);
	}
	printf("\n%-10s %11s %11s %11s %11s\n", "latency us", "p50", "p99", "p99.9", "max");
	for (int i = 0; i < N_DIRECTIONS; i++) {
		const struct histogram *latency = &trial->directions[i].latency;

		if (latency->n)
			printf("%-10s %11.0f %11.0f %11.0f %11.0f\n",
				report_direction(report->options, (enum direction)i),
				quantile_us(latency, 0.5), quantile_us(latency, 0.99),
				quantile_us(latency, 0.999), us_of(latency->max_ns));
	}
}

static void print_control(const struct report *report)
{
	printf("\n%-10s %9s %9s %9s %9s %9s %9s %9s  %s\n", "control", "sent", "ok", "repeated",
		"timeouts", "p50 us", "p99 us", "max us", "refused");
	for (int i = 0; i < N_REQUESTS; i++) {
		const struct control_result *r = engine_control(report->engine, (enum request)i);

		if (r->n_sent == 0)
			continue;
		printf("%-10s %9lu %9lu %9lu %9lu %9.0f %9.0f %9.0f ", request_names[i], r->n_sent,
			r->n_ok, r->n_repeated, r->n_timeouts, quantile_us(&r->latency, 0.5),
			quantile_us(&r->latency, 0.99), us_of(r->latency.max_ns));
		for (int code = 0; code < ERROR_CODES; code++)
			if (r->n_by_code[code])
				printf(" %d:%lu", code + 300, r->n_by_code[code]);
		if (r->n_refused)
			printf(" unusable:%lu", r->n_refused);
		printf("\n");
	}
}

static void print_generator(const struct report *report)
{
	const struct engine_totals *totals = engine_totals(report->engine);
	const struct trial_result *trial = &report->outcome->trial;
	const struct histogram *lag = lag_of(trial, totals);

	printf("\ngenerator: lag p99 %.0f us, max %.0f us; not sent %lu up %lu down; not received "
	       "%lu up %lu down; control not sent %lu; no free client %lu; stray %lu\n",
		quantile_us(lag, 0.99), us_of(lag->max_ns), trial->directions[UP].n_dropped,
		trial->directions[DOWN].n_dropped, report->outcome->n_unreceived[UP],
		report->outcome->n_unreceived[DOWN], totals->n_control_dropped, totals->n_no_call,
		totals->n_stray);
}

static void print_verdict(const struct verdict *verdict)
{
	if (verdict->valid)
		printf("verdict: valid\n");
	else
		printf("verdict: INVALID: %s\n", verdict->reasons);
}

void report_table(const struct report *report)
{
	const struct engine_totals *totals = engine_totals(report->engine);
	const struct options *options = report->options;

	if (report->outcome->trial.lag.n)
		print_directions(report);
	if (totals->n_begun)
		print_control(report);
	print_generator(report);
	if (options->mode != MODE_BINDING)
		printf("calls: begun %lu, failed %u, released %lu\n", totals->n_begun,
			totals->n_failed, totals->n_released);
	if (options->mode == MODE_ALLOCATE && report->calls_s > 0)
		printf("rate: %.0f calls/s released of %lu/s offered\n",
			(double)totals->n_released / report->calls_s, options->rate);
	if (report->search)
		printf("highest rate: %lu packets/s each direction at a loss of at most %g %%\n",
			report->search->passed, options->loss_percent);
	if (report->stopped)
		printf("stopped by a signal\n");
	print_verdict(&report->outcome->verdict);
}

void report_echo(const struct echo *echo, uint64_t n_unreceived, const struct verdict *verdict)
{
	printf("\necho: received %lu, returned %lu; not of the relay %lu, not of ours %lu; not "
	       "sent "
	       "%lu, not received %lu\n",
		echo->n_received, echo->n_returned, echo->n_strangers, echo->n_foreign,
		echo->n_dropped, n_unreceived);
	print_verdict(verdict);
}
