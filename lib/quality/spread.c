#include "quality.h"

static const double ratios[QUALITY_ENDS] = {
	0, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5};
static const double seconds[QUALITY_ENDS] = {
	0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};

const double *quality_ends(enum quality_measure measure)
{
	return measure == QUALITY_LOSS || measure == QUALITY_REORDERING ? ratios : seconds;
}

static void add(struct quality_spreads *spreads, enum quality_measure measure, enum quality_way way,
	double value)
{
	struct quality_spread *spread = &spreads->of[measure][way];
	const double *ends = quality_ends(measure);
	unsigned bucket = 0;

	while (bucket < QUALITY_ENDS && value > ends[bucket])
		bucket++;
	spread->n[bucket]++;
	spread->sum += value;
}

static void add_way(struct quality_spreads *spreads, enum quality_way way,
	const struct quality_figures *figures)
{
	const double n_received = (double)figures->n_packets;
	const double n_lost = (double)figures->n_lost;

	if (figures->n_packets) {
		add(spreads, QUALITY_LOSS, way, n_lost / (n_received + n_lost));
		add(spreads, QUALITY_REORDERING, way, (double)figures->n_reordered / n_received);
	}
	if (figures->jitter_max_us)
		add(spreads, QUALITY_JITTER, way, figures->jitter_us / (double)US_IN_S);
	if (figures->n_trips)
		add(spreads, QUALITY_ROUND_TRIP, way, figures->trip_mean_us / (double)US_IN_S);
}

void quality_spread_add(
	struct quality_spreads *spreads, const struct quality_figures figures[static QUALITY_WAYS])
{
	add_way(spreads, QUALITY_UP, &figures[QUALITY_UP]);
	add_way(spreads, QUALITY_DOWN, &figures[QUALITY_DOWN]);
}
