// The parts of the load tester, one by one.
#include "app/turnpike-load/pace.h"
#include "app/turnpike-load/profile.h"
#include "app/turnpike-load/search.h"
#include "app/turnpike-load/sequence.h"
#include "app/turnpike-load/timers.h"
#include "app/turnpike-load/wait.h"

#include <criterion/criterion.h>

Test(load_histogram, quantiles_are_right_to_one_percent)
{
	static struct histogram histogram;
	static const double shares[] = {0.001, 0.5, 0.99, 0.999, 1};

	for (int64_t i = 1; i <= 100000; i++)
		histogram_record(&histogram, i * 100);
	for (size_t i = 0; i < N_ELEMENTS(shares); i++) {
		const double want = shares[i] * 1e7;
		const double got = (double)histogram_quantile(&histogram, shares[i]);

		cr_expect(got >= want && got <= want * 1.008, "%g: %g", shares[i], got);
	}
}

Test(load_histogram, small_values_are_exact_and_huge_ones_kept)
{
	static struct histogram histogram;

	cr_assert_eq(histogram_quantile(&histogram, 0.5), 0);
	histogram_record(&histogram, -5);
	cr_assert_eq(histogram_quantile(&histogram, 0.5), 0);
	histogram_record(&histogram, 255);
	cr_assert_eq(histogram_quantile(&histogram, 1), 255);
	histogram_record(&histogram, INT64_MAX);
	cr_assert_eq(histogram_quantile(&histogram, 1), (1LL << HISTOGRAM_VALUE_BITS) - 1);
}

Test(load_sequence, each_number_counts_once)
{
	static const struct {
		uint32_t number;
		enum sequence_verdict want;
	} rows[] = {
		{0, SEQUENCE_IN_ORDER},
		{0, SEQUENCE_DUPLICATE},
		{2, SEQUENCE_IN_ORDER},
		{1, SEQUENCE_REORDERED},
		{1, SEQUENCE_DUPLICATE},
		{66, SEQUENCE_IN_ORDER}, // the window holds 3..66
		{3, SEQUENCE_REORDERED},
		{2, SEQUENCE_DUPLICATE},
		{500, SEQUENCE_IN_ORDER},
		{437, SEQUENCE_REORDERED},
		{436, SEQUENCE_DUPLICATE},
	};
	struct sequence sequence = {0};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		cr_expect_eq(sequence_see(&sequence, rows[i].number), rows[i].want, "row %zu", i);
}

Test(load_sequence, numbers_wrap)
{
	struct sequence sequence = {.next = UINT32_MAX};

	cr_assert_eq(sequence_see(&sequence, UINT32_MAX), SEQUENCE_IN_ORDER);
	cr_assert_eq(sequence_see(&sequence, 1), SEQUENCE_IN_ORDER);
	cr_assert_eq(sequence_see(&sequence, 0), SEQUENCE_REORDERED);
	cr_assert_eq(sequence_see(&sequence, UINT32_MAX), SEQUENCE_DUPLICATE);
}

Test(load_timers, earliest_comes_first_whatever_was_moved)
{
	enum { N = 200 };
	struct random random = {7};
	struct timers timers;
	int64_t due_ns[N];
	int64_t last_ns = 0;

	cr_assert_eq(timers_init(&timers, N), 0);
	for (int round = 0; round < 3; round++)
		for (uint32_t i = 0; i < N; i++) {
			due_ns[i] = random_below(&random, 1000);
			timers_set(&timers, i, due_ns[i]);
		}
	for (uint32_t i = 0; i < N; i += 3)
		timers_set(&timers, i, TIMERS_NEVER);
	cr_assert_eq(timers.n, N - (N + 2) / 3);
	while (timers.n) {
		const int64_t next_ns = timers_next(&timers);
		const uint32_t owner = timers_pop(&timers);

		cr_assert_neq(owner % 3, 0);
		cr_assert_eq(next_ns, due_ns[owner]);
		cr_assert_geq(next_ns, last_ns);
		last_ns = next_ns;
	}
	cr_assert_eq(timers_next(&timers), TIMERS_NEVER);
	timers_fini(&timers);
}

Test(load_pace, schedule_does_not_drift)
{
	struct pace pace = {.start_ns = 1000, .rate = 3, .n_events = 3000001};

	cr_assert_eq(pace_due(&pace), 1000);
	while (pace.n_done < 3000000)
		pace_advance(&pace);
	cr_assert_eq(pace_due(&pace), 1000 + 1000000 * (int64_t)NS_IN_S);
	pace_advance(&pace);
	cr_assert_eq(pace_due(&pace), INT64_MAX);
}

Test(load_pace, poisson_has_the_mean_and_the_spread)
{
	struct pace pace = {
		.rate = 1000, .n_events = 1000000, .poisson = true, .random = {.state = 3}};
	int64_t last_ns = 0;
	int n_long = 0;

	for (int i = 0; i < 100000; i++) {
		pace_advance(&pace);
		cr_assert_geq(pace_due(&pace), last_ns);
		n_long += pace_due(&pace) - last_ns > 1000000;
		last_ns = pace_due(&pace);
	}
	cr_assert_float_eq((double)last_ns, 100e9, 1e9);
	// Of exponential gaps 1/e are longer than their mean.
	cr_assert_float_eq(n_long / 100000.0, 0.3679, 0.01);
}

Test(load_profile, streams_carry_what_the_name_says)
{
	struct profile_config config = {
		.n_calls = 5, .directions = {true, true}, .rate = 777, .payload_bytes = 99};
	struct trial_config trial;

	config.profile = PROFILE_MIX;
	profile_trial(&trial, &config);
	cr_assert_eq(trial.n_streams, 4);
	// Calls 0, 2, 4 speak, 1 and 3 are seen.
	cr_assert_eq(trial.streams[0].events_per_s, 3 * 50);
	cr_assert_eq(trial.streams[1].events_per_s, 2 * 30);
	cr_assert_eq(trial.streams[1].first_call, 1);
	cr_assert_eq(trial.streams[1].step, 2);
	cr_assert_eq(trial.streams[2].kind, STREAM_DOWN);
	config.profile = PROFILE_FLOOD;
	config.directions[UP] = false;
	profile_trial(&trial, &config);
	cr_assert_eq(trial.n_streams, 1);
	cr_assert_eq(trial.streams[0].kind, STREAM_DOWN);
	cr_assert_eq(trial.streams[0].events_per_s, 777);
	cr_assert_eq(trial.streams[0].payload_bytes, 99);
	config =
		(struct profile_config){.profile = PROFILE_MIX, .n_calls = 1, .directions = {true}};
	profile_trial(&trial, &config);
	cr_assert_eq(trial.n_streams, 1);
}

Test(load_search, finds_the_highest_rate_to_one_percent)
{
	static const uint64_t limits[] = {0, 1, 77, 5000, 99999, 100000, 5000000};

	for (size_t i = 0; i < N_ELEMENTS(limits); i++) {
		struct search search;
		uint64_t rate;
		int n_trials = 0;

		search_begin(&search, 100000);
		while ((rate = search_next(&search)) > 0 && n_trials++ < 40)
			search_tell(&search, rate, rate <= limits[i]);
		cr_expect_lt(n_trials, 20, "%lu: %d trials", limits[i], n_trials);
		cr_expect_leq(search.passed, limits[i]);
		if (limits[i] >= 100000)
			cr_expect_eq(search.passed, 100000);
		else
			cr_expect_leq(limits[i] - search.passed, limits[i] / 99, "%lu: %lu",
				limits[i], search.passed);
	}
}

Test(load_wait, it_sleeps_neither_at_first_nor_shortly_before_the_end)
{
	static const struct {
		int64_t since_ns;
		int64_t left_ns;
		int64_t sleep_ns;
	} rows[] = {
		{0, NS_IN_S, 0},
		{WAIT_POLL_NS - 1, NS_IN_S, 0},
		{WAIT_POLL_NS, NS_IN_S, WAIT_SLEEP_MIN_NS},
		{NS_IN_MS, NS_IN_S, NS_IN_MS / 16},
		{NS_IN_MS, WAIT_WAKE_NS + 30000, 30000},
		{NS_IN_S, NS_IN_S, WAIT_SLEEP_MAX_NS},
		{WAIT_POLL_NS, WAIT_WAKE_NS, WAIT_SLEEP_MIN_NS},
		{WAIT_POLL_NS, WAIT_WAKE_NS - 1, 0},
		{NS_IN_S, 0, 0},
	};
	const int64_t now_ns = 5 * (int64_t)NS_IN_S;

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct wait wait = {now_ns - rows[i].since_ns, now_ns + rows[i].left_ns};

		cr_expect_eq(wait_sleep_ns(&wait, now_ns), rows[i].sleep_ns, "%zu", i);
	}
}

Test(load_wait, it_lasts_as_long_as_it_was_told)
{
	const int64_t begin_ns = clock_ns();
	const struct wait wait = wait_begin(300000);
	const struct wait none = wait_begin(0);

	cr_assert(!wait_more(&none));
	while (wait_more(&wait))
		;
	cr_assert_geq(clock_ns() - begin_ns, 300000);
}

static int64_t own_cpu_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return now.tv_sec * (int64_t)NS_IN_S + now.tv_nsec;
}

Test(load_wait, it_leaves_the_cpu_to_others_where_nothing_is_due)
{
	const int64_t wait_ns = 50 * (int64_t)NS_IN_MS;
	const int64_t begin_ns = own_cpu_ns();
	const struct wait wait = wait_begin(wait_ns);

	while (wait_more(&wait))
		;
	cr_assert_lt(own_cpu_ns() - begin_ns, wait_ns / 2);
}
