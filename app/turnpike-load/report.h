// What the operator reads: a line each second, a table at the end, JSON, a page of HTML.
#ifndef REPORT_H
#define REPORT_H

#include "options.h"
#include "search.h"
#include "verdict.h"

#define ATTEMPTS_MAX 64

// A trial of a search.
struct attempt {
	uint64_t rate;
	uint64_t n_sent[N_DIRECTIONS];
	uint64_t n_delivered[N_DIRECTIONS];
	uint64_t n_lost[N_DIRECTIONS];
	int64_t latency_ns[N_DIRECTIONS][N_QUANTILES];
};

struct report {
	const struct options *options;
	const struct engine *engine;
	const struct outcome *outcome;
	double calls_s; // from the first call to the last one settled
	const struct series *series; // or NULL: of a search
	const struct attempt *attempts; // n_attempts of them
	size_t n_attempts;
	const struct search *search; // or NULL
	bool generator_limited; // search: the lowest rate that failed did so by our own fault
	bool stopped; // by a signal
};

// What the last line told.
struct progress {
	int64_t at_ns;
	uint64_t n_sent[N_DIRECTIONS];
	uint64_t n_delivered[N_DIRECTIONS];
	uint64_t n_released;
};

extern const char *const request_names[N_REQUESTS];

// Of media: up, down, or where a far echo gives it back, the round trip.
const char *report_direction(const struct options *options, enum direction direction);

static inline double us_of(int64_t ns)
{
	return (double)ns / 1000;
}

static inline double loss_percent(uint64_t n_lost, uint64_t n_sent)
{
	return n_sent ? 100.0 * (double)n_lost / (double)n_sent : 0.0;
}

// Of sending behind schedule: of media, or where there was none, of calls.
static inline const struct histogram *lag_of(
	const struct trial_result *trial, const struct engine_totals *totals)
{
	return trial->lag.n ? &trial->lag : &totals->lag;
}

// `phase` is what is going on.
void report_progress(struct progress *progress, const struct options *options, const char *phase,
	const struct engine *engine, int64_t now_ns);
void report_table(const struct report *report);
// Returns 0; -errno, where the file cannot be written.
int report_json(const struct report *report, const char *path);
// Of the mode echo.
void report_echo(const struct echo *echo, uint64_t n_unreceived, const struct verdict *verdict);
int report_echo_json(const struct echo *echo, uint64_t n_unreceived, const struct verdict *verdict,
	const char *path);
// One page that needs nothing else. Passwords are left out. Returns as report_json().
int report_html(const struct report *report, const char *path);

#endif
