// Whose loss it was, and whether a trial counts.
#include "app/turnpike-load/verdict.h"

#include "load_model.h"

#include <criterion/criterion.h>

#define MS ((int64_t)NS_IN_MS)

static struct model model;
static struct outcome outcome;
static const uint64_t all_received[N_DIRECTIONS] = {0, 0};

static void setup(void)
{
	model_open(&model, (struct model_kind){0});
	outcome.lag_max_ns = MS;
}

static void teardown(void)
{
	model_close(&model);
}

TestSuite(load_verdict, .init = setup, .fini = teardown);

static void run(uint64_t rate)
{
	model_begin_calls(&model, MODEL_CALLS);
	model_run_trial(&model, rate, (int64_t)NS_IN_S);
}

Test(load_verdict, loss_on_the_way_counts_against_the_server)
{
	model.fault = (struct model_fault){FAULT_LOSE, DOWN, 500, 0};
	run(1000);
	verdict_take(&outcome, model.engine, all_received);
	cr_assert(outcome.verdict.valid);
	cr_assert_eq(verdict_lost(&outcome, UP), 0);
	cr_assert_eq(verdict_lost(&outcome, DOWN), 1);
	cr_assert(verdict_passes(&outcome, 0.1));
	cr_assert_not(verdict_passes(&outcome, 0.09));
}

Test(load_verdict, what_its_own_sockets_threw_away_is_not_the_servers_loss)
{
	const uint64_t n_unreceived[N_DIRECTIONS] = {0, 1};

	model.fault = (struct model_fault){FAULT_LOSE, DOWN, 500, 0};
	run(1000);
	verdict_take(&outcome, model.engine, n_unreceived);
	// One in a thousand does not matter yet.
	cr_assert(outcome.verdict.valid);
	cr_assert_eq(verdict_lost(&outcome, DOWN), 0);
	cr_assert(verdict_passes(&outcome, 0));
}

Test(load_verdict, what_clients_missed_of_a_far_echo_is_missing_of_what_went_up)
{
	const uint64_t n_unreceived[N_DIRECTIONS] = {0, 1};
	const struct trial_config trial = {
		.streams = {{STREAM_UP, 0, 1, 1000, 1, 160}},
		.n_streams = 1,
		.duration_ns = (int64_t)NS_IN_S,
	};

	teardown();
	model_open(&model, (struct model_kind){.far_echo = true});
	model.fault = (struct model_fault){FAULT_LOSE, UP, 500, 0};
	model_begin_calls(&model, MODEL_CALLS);
	engine_begin_trial(model.engine, &trial, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + 3 * (int64_t)NS_IN_S);
	verdict_take(&outcome, model.engine, n_unreceived);
	cr_assert(outcome.verdict.valid);
	cr_assert_eq(verdict_lost(&outcome, UP), 0);
	cr_assert_eq(outcome.n_unreceived[DOWN], 0);
}

Test(load_verdict, own_losses_that_matter_make_it_invalid)
{
	const uint64_t n_unreceived[N_DIRECTIONS] = {0, 2};

	run(1000);
	verdict_take(&outcome, model.engine, n_unreceived);
	cr_assert_not(outcome.verdict.valid);
	cr_assert_not(verdict_passes(&outcome, 50));
	cr_assert_str_eq(
		outcome.verdict.reasons, "the generator itself lost 2 of 1000 packets down");
}

Test(load_verdict, media_that_was_not_sent_makes_it_invalid)
{
	model_begin_calls(&model, MODEL_CALLS);
	model.refuses_media = true;
	model_run_trial(&model, 1000, (int64_t)NS_IN_S);
	verdict_take(&outcome, model.engine, all_received);
	cr_assert_not(outcome.verdict.valid);
	cr_assert_eq(verdict_lost(&outcome, UP), 0);
}

Test(load_verdict, lag_makes_it_invalid)
{
	const struct trial_config trial = {
		.streams = {{STREAM_UP, 0, 1, 1000, 1, 160}},
		.n_streams = 1,
		.duration_ns = (int64_t)NS_IN_S,
	};

	model_begin_calls(&model, MODEL_CALLS);
	engine_begin_trial(model.engine, &trial, model.now_ns);
	// Of 1,000 packets the first 20 and one are late: more than one percent.
	model.now_ns += 20 * MS;
	engine_advance(model.engine, model.now_ns);
	verdict_take(&outcome, model.engine, all_received);
	cr_assert_not(outcome.verdict.valid);
	cr_assert_str_eq(outcome.verdict.reasons, "media lagged 20.0 ms behind schedule at p99");
	outcome.lag_max_ns = 21 * MS;
	verdict_take(&outcome, model.engine, all_received);
	cr_assert(outcome.verdict.valid);
}

Test(load_verdict, want_of_clients_makes_it_invalid)
{
	const struct calls_config calls = {
		.calls_per_s = 10000, .n_begins = 100, .release_at_once = true};

	engine_begin_calls(model.engine, &calls, model.now_ns);
	engine_advance(model.engine, model.now_ns + 10 * MS);
	outcome.lag_max_ns = 20 * MS;
	verdict_take(&outcome, model.engine, all_received);
	cr_assert_not(outcome.verdict.valid);
	cr_assert(strstr(outcome.verdict.reasons, "for want of a free client"));
}

Test(load_verdict, echo_is_judged_as_a_direction_is)
{
	struct verdict verdict;

	verdict_echo(
		&verdict, &(struct echo){.n_received = 1000, .n_returned = 999, .n_dropped = 1}, 0);
	cr_assert(verdict.valid);
	verdict_echo(
		&verdict, &(struct echo){.n_received = 1000, .n_returned = 998, .n_dropped = 2}, 0);
	cr_assert_not(verdict.valid);
	verdict_echo(&verdict, &(struct echo){.n_received = 1000, .n_returned = 1000}, 2);
	cr_assert_not(verdict.valid);
}
