// Media of calls against a model of a server, in virtual time.
#include "load_model.h"

#include "app/turnpike-load/profile.h"

#include <criterion/criterion.h>

static struct model model;

static void setup(void)
{
	model_open(&model, (struct model_kind){0});
}

static void teardown(void)
{
	model_close(&model);
}

TestSuite(load_media, .init = setup, .fini = teardown);

static const struct direction_result *direction(enum direction which)
{
	return &engine_trial(model.engine)->directions[which];
}

struct row {
	const char *name;
	struct model_fault fault;
	struct {
		uint64_t n_delivered;
		uint64_t n_duplicated;
		uint64_t n_reordered;
		uint64_t n_misdelivered;
	} want; // in the direction of the fault; of 1,000 packets
};

static void expect_row(const struct row *row)
{
	const struct direction_result *bad = direction(row->fault.direction);

	cr_expect_eq(bad->n_sent, 1000, "%s: sent %lu", row->name, bad->n_sent);
	cr_expect_eq(bad->n_delivered, row->want.n_delivered, "%s: delivered %lu", row->name,
		bad->n_delivered);
	cr_expect_eq(bad->n_duplicated, row->want.n_duplicated, "%s: duplicated %lu", row->name,
		bad->n_duplicated);
	cr_expect_eq(bad->n_reordered, row->want.n_reordered, "%s: reordered %lu", row->name,
		bad->n_reordered);
	cr_expect_eq(bad->n_misdelivered, row->want.n_misdelivered, "%s: misdelivered %lu",
		row->name, bad->n_misdelivered);
}

Test(load_media, what_befalls_a_packet_is_counted_right)
{
	static const struct row rows[] = {
		{"nothing", {FAULT_NONE, UP, 0, 0}, {1000, 0, 0, 0}},
		{"lost up", {FAULT_LOSE, UP, 500, 0}, {999, 0, 0, 0}},
		{"lost down", {FAULT_LOSE, DOWN, 1, 0}, {999, 0, 0, 0}},
		{"last one lost", {FAULT_LOSE, UP, 1000, 0}, {999, 0, 0, 0}},
		{"twice up", {FAULT_DUPLICATE, UP, 7, 0}, {1000, 1, 0, 0}},
		{"twice down", {FAULT_DUPLICATE, DOWN, 7, 0}, {1000, 1, 0, 0}},
		// A call has a packet every 4 ms.
		{"late, yet in order", {FAULT_DELAY, UP, 300, 3000000}, {1000, 0, 0, 0}},
		{"overtaken", {FAULT_DELAY, UP, 300, 9000000}, {1000, 0, 1, 0}},
		{"overtaken down", {FAULT_DELAY, DOWN, 300, 9000000}, {1000, 0, 1, 0}},
		{"too late to tell", {FAULT_DELAY, UP, 300, 400000000}, {999, 1, 0, 0}},
		{"to another peer", {FAULT_MISDELIVER, UP, 77, 0}, {999, 0, 0, 1}},
		{"from elsewhere", {FAULT_WRONG_SOURCE, UP, 77, 0}, {999, 0, 0, 1}},
		{"to another client", {FAULT_MISDELIVER, DOWN, 77, 0}, {999, 0, 0, 1}},
		{"on another channel", {FAULT_WRONG_FRONT, DOWN, 77, 0}, {999, 0, 0, 1}},
		{"cut short", {FAULT_CUT, DOWN, 77, 0}, {999, 0, 0, 0}},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		const struct direction_result *good;

		teardown();
		setup();
		model.fault = rows[i].fault;
		model_begin_calls(&model, MODEL_CALLS);
		model_run_trial(&model, 1000, (int64_t)NS_IN_S);
		expect_row(&rows[i]);
		good = direction(rows[i].fault.direction == UP ? DOWN : UP);
		cr_expect_eq(
			good->n_delivered, 1000, "%s: other %lu", rows[i].name, good->n_delivered);
	}
}

Test(load_media, indications_are_counted_as_channels_are)
{
	static const struct row rows[] = {
		{"nothing", {FAULT_NONE, DOWN, 0, 0}, {1000, 0, 0, 0}},
		{"lost up", {FAULT_LOSE, UP, 500, 0}, {999, 0, 0, 0}},
		{"to another peer", {FAULT_MISDELIVER, UP, 77, 0}, {999, 0, 0, 1}},
		{"to another client", {FAULT_MISDELIVER, DOWN, 77, 0}, {999, 0, 0, 1}},
		{"from another peer", {FAULT_WRONG_FRONT, DOWN, 77, 0}, {999, 0, 0, 1}},
		{"cut short", {FAULT_CUT, DOWN, 77, 0}, {999, 0, 0, 0}},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		teardown();
		model_open(&model, (struct model_kind){.indications = true});
		model.fault = rows[i].fault;
		model_begin_calls(&model, MODEL_CALLS);
		model_run_trial(&model, 1000, (int64_t)NS_IN_S);
		expect_row(&rows[i]);
		cr_expect_eq(model.n_requests[STUN_CREATE_PERMISSION], MODEL_CALLS);
	}
}

static void run_up(void)
{
	const struct trial_config trial = {
		.streams = {{STREAM_UP, 0, 1, 1000, 1, 160}},
		.n_streams = 1,
		.duration_ns = (int64_t)NS_IN_S,
	};

	model_begin_calls(&model, MODEL_CALLS);
	engine_begin_trial(model.engine, &trial, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + 3 * (int64_t)NS_IN_S);
}

Test(load_media, what_a_far_echo_gives_back_is_counted_right)
{
	static const struct row rows[] = {
		{"nothing", {FAULT_NONE, UP, 0, 0}, {1000, 0, 0, 0}},
		{"lost", {FAULT_LOSE, UP, 500, 0}, {999, 0, 0, 0}},
		{"twice", {FAULT_DUPLICATE, UP, 7, 0}, {1000, 1, 0, 0}},
		{"overtaken", {FAULT_DELAY, UP, 300, 9000000}, {1000, 0, 1, 0}},
		{"to another client", {FAULT_MISDELIVER, UP, 77, 0}, {999, 0, 0, 1}},
		{"never there", {FAULT_SHORT_CUT, UP, 77, 0}, {999, 0, 0, 1}},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		teardown();
		model_open(&model, (struct model_kind){.far_echo = true});
		model.fault = rows[i].fault;
		run_up();
		expect_row(&rows[i]);
		cr_expect_eq(direction(DOWN)->n_delivered, 0);
	}
}

Test(load_media, latency_of_a_far_echo_is_the_round_trip)
{
	teardown();
	model_open(&model, (struct model_kind){.far_echo = true});
	run_up();
	cr_assert_eq(direction(UP)->latency.n, 1000);
	cr_assert_eq(histogram_quantile(&direction(UP)->latency, 0), 2 * MODEL_DELAY_NS);
	cr_assert_eq(direction(UP)->latency.max_ns, 2 * MODEL_DELAY_NS);
	cr_assert_eq(model.echo.n_returned, 1000);
}

Test(load_media, latency_is_of_the_wire)
{
	model_begin_calls(&model, MODEL_CALLS);
	model_run_trial(&model, 1000, (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->latency.n, 1000);
	cr_assert_eq(histogram_quantile(&direction(UP)->latency, 0), MODEL_DELAY_NS);
	cr_assert_eq(direction(DOWN)->latency.max_ns, MODEL_DELAY_NS);
}

// The generator sleeps for half a second: what was due meanwhile has waited, and says so.
Test(load_media, latency_counts_from_when_a_packet_was_due)
{
	struct trial_config trial;
	const struct profile_config profile = {
		.profile = PROFILE_FLOOD,
		.n_calls = MODEL_CALLS,
		.directions = {true, false},
		.rate = 1000,
		.payload_bytes = 160,
		.duration_ns = (int64_t)NS_IN_S,
	};

	model_begin_calls(&model, MODEL_CALLS);
	profile_trial(&trial, &profile);
	engine_begin_trial(model.engine, &trial, model.now_ns);
	model.now_ns += 500 * (int64_t)NS_IN_MS;
	model_run_until(&model, model_never, model.now_ns + 2 * (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_delivered, 1000);
	cr_assert_eq(direction(UP)->latency.max_ns, 500 * (int64_t)NS_IN_MS + MODEL_DELAY_NS);
	cr_assert_float_eq(
		(double)histogram_quantile(&engine_trial(model.engine)->lag, 0.75), 250e6, 5e6);
}

Test(load_media, what_the_wire_refuses_is_the_generators_own)
{
	model_begin_calls(&model, MODEL_CALLS);
	model.refuses_media = true;
	model_run_trial(&model, 1000, (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_offered, 1000);
	cr_assert_eq(direction(UP)->n_sent, 0);
	cr_assert_eq(direction(UP)->n_dropped, 1000);
}

Test(load_media, what_is_not_sent_in_time_is_the_generators_own)
{
	const struct trial_config trial = {
		.streams = {{STREAM_UP, 0, 1, 1000, 1, 160}},
		.n_streams = 1,
		.duration_ns = (int64_t)NS_IN_S,
	};

	model_begin_calls(&model, MODEL_CALLS);
	engine_begin_trial(model.engine, &trial, model.now_ns);
	model.now_ns += 2 * (int64_t)NS_IN_S;
	model_run_until(&model, model_never, model.now_ns + (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_offered, 1000);
	cr_assert_eq(direction(UP)->n_dropped, 1000);
	cr_assert_gt(engine_trial(model.engine)->end_ns, 0);
}

Test(load_media, bindings_are_matched_without_a_table)
{
	struct trial_config trial;

	profile_binding(&trial, 1000, (int64_t)NS_IN_S);
	engine_begin_trial(model.engine, &trial, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + 3 * (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_sent, 1000);
	cr_assert_eq(direction(UP)->n_delivered, 1000);
	// The due time travels in units of 1,024 ns.
	cr_assert_float_eq((double)direction(UP)->latency.max_ns, MODEL_DELAY_NS, 1024);
}

Test(load_media, binding_answered_to_another_client_is_misdelivered)
{
	struct trial_config trial;

	model.lie = LIE_RECEIVER;
	profile_binding(&trial, 1000, (int64_t)NS_IN_S);
	engine_begin_trial(model.engine, &trial, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + 3 * (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_delivered, 0);
	cr_assert_eq(direction(UP)->n_misdelivered, 1000);
}

Test(load_media, packets_of_an_earlier_trial_do_not_count)
{
	model_begin_calls(&model, MODEL_CALLS);
	model.fault = (struct model_fault){FAULT_DELAY, UP, 500, 3 * (int64_t)NS_IN_S};
	model_run_trial(&model, 1000, (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_delivered, 999);
	model_run_trial(&model, 1000, 2 * (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_delivered, 2000);
	cr_assert_eq(direction(UP)->n_duplicated, 0);
	cr_assert_eq(engine_totals(model.engine)->n_stray, 1);
}

Test(load_media, series_tells_in_which_second_a_packet_was_lost)
{
	const struct series *series;

	model_begin_calls(&model, MODEL_CALLS);
	model.fault = (struct model_fault){FAULT_LOSE, UP, 1500, 0};
	model_run_trial(&model, 1000, 3 * (int64_t)NS_IN_S);
	series = engine_end_series(model.engine, model.now_ns);
	cr_assert_eq(series->n, 3);
	for (size_t i = 0; i < 3; i++) {
		const struct sample *sample = &series->samples[i];

		cr_expect_eq(sample->width_ns, NS_IN_S);
		cr_expect_eq(sample->n_sent[TRACK_UP], 1000, "%lu", sample->n_sent[TRACK_UP]);
		cr_expect_eq(sample->n_delivered[TRACK_UP], i == 1 ? 999 : 1000, "%lu: %lu", i,
			sample->n_delivered[TRACK_UP]);
		cr_expect_eq(sample->n_delivered[TRACK_DOWN], 1000);
		cr_expect_eq(sample->n_up, MODEL_CALLS);
		cr_expect_geq(sample->latency_ns[TRACK_DOWN][QUANTILE_50], MODEL_DELAY_NS);
	}
}

Test(load_media, series_of_a_day_is_bounded)
{
	const struct trial_config idle = {.duration_ns = 86400 * (int64_t)NS_IN_S};
	const struct series *series;

	model_begin_calls(&model, 1);
	engine_begin_trial(model.engine, &idle, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + 86402 * (int64_t)NS_IN_S);
	series = engine_end_series(model.engine, model.now_ns);
	cr_assert_eq(series->width_ns, 85 * (int64_t)NS_IN_S);
	cr_assert_eq(series->n, 1017);
	// The last one is as short as what was left.
	cr_assert_eq(series->samples[1016].width_ns, 40 * (int64_t)NS_IN_S);
}

Test(load_media, trial_waits_a_second_for_what_is_missing)
{
	const int64_t s = (int64_t)NS_IN_S;
	int64_t end_ns;

	model_begin_calls(&model, MODEL_CALLS);
	end_ns = model.now_ns + s;
	model.fault = (struct model_fault){FAULT_LOSE, UP, 500, 0};
	engine_begin_trial(model.engine,
		&(struct trial_config){
			.streams = {{STREAM_UP, 0, 1, 1000, 1, 160}},
			.n_streams = 1,
			.duration_ns = s,
		},
		model.now_ns);
	cr_assert_not(model_run_until(&model, model_trial_is_over, end_ns + s - 1));
	cr_assert(model_run_until(&model, model_trial_is_over, end_ns + s));
}
