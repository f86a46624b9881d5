// Histograms of what calls were like.
#include "quality/quality.h"

#include <criterion/criterion.h>

static struct quality_spreads spreads;

static void add_up(struct quality_figures up)
{
	const struct quality_figures figures[QUALITY_WAYS] = {[QUALITY_UP] = up};

	quality_spread_add(&spreads, figures);
}

static uint64_t n_in(enum quality_measure measure, unsigned bucket)
{
	return spreads.of[measure][QUALITY_UP].n[bucket];
}

Test(quality_spread, ends_rise)
{
	for (int measure = 0; measure < QUALITY_MEASURES; measure++)
		for (unsigned i = 1; i < QUALITY_ENDS; i++)
			cr_expect_lt(quality_ends((enum quality_measure)measure)[i - 1],
				quality_ends((enum quality_measure)measure)[i]);
}

Test(quality_spread, loss_is_of_what_was_sent)
{
	add_up((struct quality_figures){.n_packets = 1000});
	add_up((struct quality_figures){.n_packets = 999, .n_lost = 1});
	add_up((struct quality_figures){.n_packets = 998, .n_lost = 2});
	add_up((struct quality_figures){.n_packets = 1, .n_lost = 999});
	cr_expect_eq(n_in(QUALITY_LOSS, 0), 1, "none");
	cr_expect_eq(n_in(QUALITY_LOSS, 1), 1, "a bucket holds its end, 0.001");
	cr_expect_eq(n_in(QUALITY_LOSS, 2), 1);
	cr_expect_eq(n_in(QUALITY_LOSS, QUALITY_ENDS), 1, "nearly all");
	cr_expect_float_eq(spreads.of[QUALITY_LOSS][QUALITY_UP].sum, 1.002, 1e-9);
	cr_expect_eq(spreads.of[QUALITY_LOSS][QUALITY_DOWN].n[0], 0);
}

Test(quality_spread, reordering_is_of_what_came)
{
	add_up((struct quality_figures){.n_packets = 100, .n_lost = 100, .n_reordered = 1});
	cr_expect_eq(n_in(QUALITY_REORDERING, 4), 1, "0.01");
}

Test(quality_spread, times_are_seconds)
{
	add_up((struct quality_figures){.n_packets = 9,
		.jitter_us = 3000,
		.jitter_max_us = 50000,
		.n_trips = 2,
		.trip_mean_us = 150000});
	cr_expect_eq(n_in(QUALITY_JITTER, 2), 1, "up to 0.005");
	cr_expect_eq(n_in(QUALITY_ROUND_TRIP, 7), 1, "up to 0.2");
	cr_expect_float_eq(spreads.of[QUALITY_JITTER][QUALITY_UP].sum, 0.003, 1e-9);
	cr_expect_float_eq(spreads.of[QUALITY_ROUND_TRIP][QUALITY_UP].sum, 0.15, 1e-9);
}

Test(quality_spread, what_is_not_known_counts_nowhere)
{
	add_up((struct quality_figures){.n_trips = 1, .trip_mean_us = 1});
	add_up((struct quality_figures){.n_packets = 1});
	for (unsigned i = 1; i <= QUALITY_ENDS; i++)
		cr_expect_eq(n_in(QUALITY_LOSS, i), 0);
	cr_expect_eq(n_in(QUALITY_LOSS, 0), 1);
	cr_expect_eq(n_in(QUALITY_JITTER, 0), 0);
	cr_expect_eq(n_in(QUALITY_ROUND_TRIP, 0), 1);
}
