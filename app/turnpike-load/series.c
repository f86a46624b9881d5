#include "series.h"

#include "base/base.h"

const double quantile_shares[N_QUANTILES] = {
	[QUANTILE_50] = 0.5,
	[QUANTILE_99] = 0.99,
	[QUANTILE_999] = 0.999,
};

static void remember(struct series *series, const struct series_state *state)
{
	for (int i = 0; i < N_TRACKS; i++)
		series->before[i] = *state->latencies[i];
	memcpy(series->n_before, state->n_control, sizeof(series->n_before));
}

void series_begin(struct series *series, const struct series_state *state, int64_t start_ns,
	int64_t duration_ns)
{
	const int64_t most_ns = SERIES_MAX * (int64_t)NS_IN_S;
	const int64_t n_seconds = (duration_ns + most_ns - 1) / most_ns;

	memset(series->samples, 0, sizeof(series->samples));
	series->start_ns = start_ns;
	series->width_ns = (n_seconds ? n_seconds : 1) * (int64_t)NS_IN_S;
	series->n_slots = (size_t)((duration_ns + series->width_ns - 1) / series->width_ns);
	series->n_slots += series->n_slots == 0;
	series->n = 0;
	remember(series, state);
}

static void take_latency(struct series *series, const struct histogram *now, int track)
{
	struct sample *sample = &series->samples[series->n];
	struct histogram *since = &series->before[track];

	// What came since is told by the difference; its largest value is not.
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++)
		since->counts[i] = now->counts[i] - since->counts[i];
	since->n = now->n - since->n;
	since->max_ns = now->max_ns;
	sample->n_latencies[track] = since->n;
	for (int i = 0; i < N_QUANTILES && since->n; i++)
		sample->latency_ns[track][i] = histogram_quantile(since, quantile_shares[i]);
}

void series_cut(struct series *series, int64_t now_ns)
{
	const int64_t passed_ns = now_ns - series->start_ns;
	const size_t n_slots = (size_t)((passed_ns + series->width_ns - 1) / series->width_ns);

	if (n_slots < series->n_slots)
		series->n_slots = n_slots > series->n ? n_slots : series->n + 1;
}

void series_close(struct series *series, const struct series_state *state, int64_t now_ns)
{
	struct sample *sample = &series->samples[series->n];

	for (int i = 0; i < N_TRACKS; i++)
		take_latency(series, state->latencies[i], i);
	sample->n_sent[TRACK_CONTROL] = state->n_control[0] - series->n_before[0];
	sample->n_delivered[TRACK_CONTROL] = state->n_control[1] - series->n_before[1];
	sample->n_up = state->n_up;
	sample->width_ns = now_ns - (series_next(series) - series->width_ns);
	series->n++;
	remember(series, state);
}
