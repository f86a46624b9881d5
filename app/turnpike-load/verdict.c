#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>

#define OWN_LOSS_ONE_IN 1000

static const char *const directions[N_DIRECTIONS] = {
	[UP] = "packets up",
	[DOWN] = "packets down",
};

void verdict_object(struct verdict *verdict, const char *format, ...)
{
	const size_t n_text = strlen(verdict->reasons);
	va_list values;

	verdict->valid = false;
	if (n_text)
		snprintf(verdict->reasons + n_text, sizeof(verdict->reasons) - n_text, "; ");
	va_start(values, format);
	vsnprintf(verdict->reasons + strlen(verdict->reasons),
		sizeof(verdict->reasons) - strlen(verdict->reasons), format, values);
	va_end(values);
}

static void judge_lag(struct outcome *outcome, const struct histogram *lag, const char *what)
{
	const int64_t lag_ns = histogram_quantile(lag, 0.99);

	if (lag_ns > outcome->lag_max_ns)
		verdict_object(&outcome->verdict, "%s lagged %.1f ms behind schedule at p99", what,
			(double)lag_ns / (double)NS_IN_MS);
}

static void judge_loss(struct verdict *verdict, uint64_t n_own, uint64_t n_all, const char *what)
{
	if (n_own * OWN_LOSS_ONE_IN > n_all)
		verdict_object(verdict, "the generator itself lost %llu of %llu %s",
			(unsigned long long)n_own, (unsigned long long)n_all, what);
}

static void judge_control(struct verdict *verdict, const struct engine *engine)
{
	const struct engine_totals *totals = engine_totals(engine);
	uint64_t n_sent = 0;

	for (int i = 0; i < N_REQUESTS; i++) {
		const struct control_result *control = engine_control(engine, (enum request)i);

		n_sent += control->n_sent + control->n_repeated;
	}
	judge_loss(verdict, totals->n_control_dropped, n_sent, "control messages");
	judge_loss(verdict, totals->n_no_call, totals->n_begun + totals->n_no_call,
		"calls, for want of a free client");
}

void verdict_take(struct outcome *out, const struct engine *engine,
	const uint64_t n_unreceived[static N_DIRECTIONS])
{
	struct verdict *verdict = &out->verdict;
	const bool echo = engine_has_far_echo(engine);

	out->trial = *engine_trial(engine);
	// What clients did not receive of a far echo is missing of what went up.
	out->n_unreceived[UP] = n_unreceived[echo ? DOWN : UP];
	out->n_unreceived[DOWN] = echo ? 0 : n_unreceived[DOWN];
	*verdict = (struct verdict){.valid = true};
	judge_lag(out, &out->trial.lag, "media");
	judge_lag(out, &engine_totals(engine)->lag, "calls");
	for (int i = 0; i < N_DIRECTIONS; i++) {
		const struct direction_result *result = &out->trial.directions[i];

		judge_loss(verdict, result->n_dropped + out->n_unreceived[i], result->n_offered,
			directions[i]);
	}
	judge_control(verdict, engine);
}

void verdict_echo(struct verdict *out, const struct echo *echo, uint64_t n_unreceived)
{
	*out = (struct verdict){.valid = true};
	judge_loss(out, echo->n_dropped + n_unreceived, echo->n_received + n_unreceived,
		"packets at the echo");
}

uint64_t verdict_lost(const struct outcome *outcome, enum direction direction)
{
	const struct direction_result *result = &outcome->trial.directions[direction];
	const uint64_t n_missing = result->n_sent - result->n_delivered;
	const uint64_t n_own = outcome->n_unreceived[direction];

	return n_missing > n_own ? n_missing - n_own : 0;
}

bool verdict_passes(const struct outcome *outcome, double loss_percent)
{
	for (int i = 0; i < N_DIRECTIONS; i++) {
		const uint64_t n_sent = outcome->trial.directions[i].n_sent;
		const uint64_t n_lost = verdict_lost(outcome, (enum direction)i);

		if ((double)n_lost * 100 > loss_percent * (double)n_sent)
			return false;
	}
	return outcome->verdict.valid;
}
