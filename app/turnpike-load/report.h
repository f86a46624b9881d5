// What the operator reads: a line each second, a table at the end, JSON.
#ifndef REPORT_H
#define REPORT_H

#include "options.h"
#include "search.h"
#include "verdict.h"

struct report {
	const struct options *options;
	const struct engine *engine;
	const struct outcome *outcome;
	double calls_s; // from the first call to the last one settled
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

#endif
