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
	bool passed;
	bool valid;
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

void report_progress(
	struct progress *progress, const char *phase, const struct engine *engine, int64_t now_ns);
void report_table(const struct report *report);
// Returns 0; -errno, where the file cannot be written.
int report_json(const struct report *report, const char *path);
// One page that needs nothing else. Passwords are left out. Returns as report_json().
int report_html(const struct report *report, const char *path);

#endif
