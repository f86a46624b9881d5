// What came of a trial over time: a bounded number of samples, each of a second, or of more where
// the trial is long.
//
// Packets count in the sample in which they were due, so sent less delivered is what was lost of
// it. Latencies count in the one in which they became known.
#ifndef SERIES_H
#define SERIES_H

#include "histogram.h"

#include <stdbool.h>
#include <stddef.h>

#define SERIES_MAX 1024

enum track {
	TRACK_UP, // the first two are the directions of media
	TRACK_DOWN,
	TRACK_CONTROL, // requests and their successes, when they happen
	N_TRACKS,
};

enum quantile {
	QUANTILE_50,
	QUANTILE_99,
	QUANTILE_999,
	N_QUANTILES,
};

extern const double quantile_shares[N_QUANTILES];

struct sample {
	int64_t width_ns;
	uint32_t n_up; // calls, at its end
	uint64_t n_sent[N_TRACKS];
	uint64_t n_delivered[N_TRACKS];
	uint64_t n_latencies[N_TRACKS];
	int64_t latency_ns[N_TRACKS][N_QUANTILES]; // of n_latencies
};

struct series {
	int64_t start_ns;
	int64_t width_ns; // of a sample; 0: nothing has begun
	size_t n_slots; // samples until its end
	size_t n; // samples that are closed
	struct histogram before[N_TRACKS]; // when the open sample began
	uint64_t n_before[2]; // control: sent, succeeded
	struct sample samples[SERIES_MAX];
};

// The state of things when a sample is closed, counted from any beginning.
struct series_state {
	const struct histogram *latencies[N_TRACKS];
	uint64_t n_control[2]; // sent, succeeded
	uint32_t n_up;
};

void series_begin(struct series *series, const struct series_state *state, int64_t start_ns,
	int64_t duration_ns);
// Close the open sample, which ends now. There must be one.
void series_close(struct series *series, const struct series_state *state, int64_t now_ns);

// Nothing will be due from now on: the open sample is the last.
void series_cut(struct series *series, int64_t now_ns);

static inline bool series_is_open(const struct series *series)
{
	return series->n < series->n_slots;
}

// When the open sample ends.
static inline int64_t series_next(const struct series *series)
{
	return series->start_ns + (int64_t)(series->n + 1) * series->width_ns;
}

// The sample of a time; the nearest where it lies outside. One must have begun.
static inline struct sample *series_at(struct series *series, int64_t at_ns)
{
	const int64_t slot = (at_ns - series->start_ns) / series->width_ns;

	if (slot < 0)
		return &series->samples[0];
	return &series->samples[(size_t)slot < series->n_slots ? (size_t)slot
							       : series->n_slots - 1];
}

#endif
