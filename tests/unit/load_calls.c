// Calls that come, stay and go, against a model of a server, in virtual time.
#include "load_model.h"

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

TestSuite(load_calls, .init = setup, .fini = teardown);

static const struct direction_result *direction(enum direction which)
{
	return &engine_trial(model.engine)->directions[which];
}

Test(load_calls, call_comes_up_by_401_allocate_and_bind)
{
	const struct engine_totals *totals = engine_totals(model.engine);
	const struct control_result *allocate = engine_control(model.engine, REQUEST_ALLOCATE);

	model_begin_calls(&model, MODEL_CALLS);
	cr_assert_eq(totals->n_up, MODEL_CALLS);
	cr_assert_eq(model.n_requests[STUN_ALLOCATE], 2 * MODEL_CALLS);
	cr_assert_eq(model.n_requests[STUN_CHANNEL_BIND], MODEL_CALLS);
	cr_assert_eq(allocate->n_ok, MODEL_CALLS);
	// The challenge's round trip is part of it.
	cr_assert_eq(allocate->latency.max_ns, 2 * MODEL_DELAY_NS);
	cr_assert_eq(totals->n_stray, 0);
}

Test(load_calls, calls_begin_when_they_are_due)
{
	const int64_t begin_ns = model.now_ns;

	model_begin_calls(&model, 3);
	// The third is due after two tenths of a second and needs three round trips.
	cr_assert_eq(model.now_ns - begin_ns, 200 * (int64_t)NS_IN_MS + 3 * MODEL_DELAY_NS);
}

Test(load_calls, release_leaves_no_call_behind)
{
	const struct engine_totals *totals = engine_totals(model.engine);

	model_begin_calls(&model, MODEL_CALLS);
	engine_begin_release(model.engine, 100, model.now_ns);
	cr_assert(model_run_until(&model, model_is_over, model.now_ns + (int64_t)NS_IN_S));
	cr_assert_eq(totals->n_up, 0);
	cr_assert_eq(totals->n_released, MODEL_CALLS);
	cr_assert_eq(engine_control(model.engine, REQUEST_RELEASE)->n_ok, MODEL_CALLS);
}

Test(load_calls, allocation_and_channel_are_refreshed_in_time)
{
	model_begin_calls(&model, 1);
	model_run_until(&model, model_never, model.now_ns + 1000 * (int64_t)NS_IN_S);
	// Of 600 s each allocation is refreshed after 540, each channel after 240.
	cr_assert_eq(model.n_requests[STUN_REFRESH], 1);
	cr_assert_eq(model.n_requests[STUN_CHANNEL_BIND], 1 + 4);
	cr_assert_eq(engine_totals(model.engine)->n_up, 1);
}

Test(load_calls, silent_server_is_asked_seven_times)
{
	const struct control_result *allocate = engine_control(model.engine, REQUEST_ALLOCATE);
	const int64_t begin_ns = model.now_ns;

	model.deaf = true;
	model_begin_calls(&model, 1);
	cr_assert_eq(model.n_requests[STUN_ALLOCATE], 7);
	// RFC 8489 §6.2.1: 39.5 s with an RTO of 500 ms.
	cr_assert_eq(model.now_ns - begin_ns, 39500 * (int64_t)NS_IN_MS);
	cr_assert_eq(allocate->n_timeouts, 1);
	cr_assert_eq(allocate->n_repeated, 6);
	cr_assert_eq(engine_totals(model.engine)->n_failed, 1);
}

Test(load_calls, refusal_is_counted_by_its_code)
{
	model.allocate_code = STUN_ALLOCATION_QUOTA_REACHED;
	model_begin_calls(&model, MODEL_CALLS);
	cr_assert_eq(
		engine_control(model.engine, REQUEST_ALLOCATE)->n_by_code[486 - 300], MODEL_CALLS);
	cr_assert_eq(engine_totals(model.engine)->n_failed, MODEL_CALLS);
}

Test(load_calls, wrong_password_does_not_ask_for_ever)
{
	model.key.bytes[0] ^= 1;
	model_begin_calls(&model, 1);
	cr_assert_eq(model.n_requests[STUN_ALLOCATE], 2);
	cr_assert_eq(engine_control(model.engine, REQUEST_ALLOCATE)->n_by_code[401 - 300], 1);
}

Test(load_calls, answers_of_others_are_none)
{
	static const enum model_lie lies[] = {
		LIE_INTEGRITY, LIE_TRANSACTION, LIE_SOURCE, LIE_RECEIVER};

	for (size_t i = 0; i < N_ELEMENTS(lies); i++) {
		teardown();
		setup();
		model.lie = lies[i];
		model_begin_calls(&model, 1);
		cr_expect_eq(engine_totals(model.engine)->n_up, 0, "lie %d", lies[i]);
		cr_expect_eq(engine_control(model.engine, REQUEST_ALLOCATE)->n_timeouts, 1,
			"lie %d", lies[i]);
		// Each of the seven.
		cr_expect_eq(engine_totals(model.engine)->n_stray, 7, "lie %d", lies[i]);
	}
}

Test(load_calls, stale_nonce_is_replaced)
{
	model.n_stale = 1;
	model_begin_calls(&model, 1);
	cr_assert_eq(engine_totals(model.engine)->n_up, 1);
	cr_assert_eq(
		engine_control(model.engine, REQUEST_ALLOCATE)->latency.max_ns, 3 * MODEL_DELAY_NS);
}

Test(load_calls, nonces_that_are_always_stale_end_it)
{
	model.n_stale = UINT32_MAX;
	model_begin_calls(&model, 1);
	cr_assert_eq(engine_totals(model.engine)->n_failed, 1);
	cr_assert_eq(engine_control(model.engine, REQUEST_ALLOCATE)->n_by_code[438 - 300], 1);
	// The 401, two new nonces, and the last word.
	cr_assert_eq(model.n_requests[STUN_ALLOCATE], 4);
}

Test(load_calls, relayed_address_elsewhere_gets_no_packet)
{
	model.relayed.ip.bytes[0] = 8;
	model_begin_calls(&model, MODEL_CALLS);
	cr_assert_eq(engine_control(model.engine, REQUEST_ALLOCATE)->n_refused, MODEL_CALLS);
	cr_assert_eq(engine_control(model.engine, REQUEST_RELEASE)->n_ok, MODEL_CALLS);
	model_run_trial(&model, 1000, (int64_t)NS_IN_S);
	cr_assert_eq(direction(UP)->n_offered + direction(DOWN)->n_offered, 0);
}

static void use_ipv6_peers(void)
{
	teardown();
	model_open(&model, (struct model_kind){.ipv6_peers = true});
}

Test(load_calls, peers_of_ipv6_get_a_relayed_address_of_theirs)
{
	use_ipv6_peers();
	model_begin_calls(&model, MODEL_CALLS);
	cr_assert_eq(engine_totals(model.engine)->n_up, MODEL_CALLS);
	cr_assert_eq(model.relayed.ip.family, FAMILY_IPV6);
	model_run_trial(&model, 1000, (int64_t)NS_IN_S);
	for (int i = 0; i < N_DIRECTIONS; i++)
		cr_assert_eq(direction((enum direction)i)->n_delivered, 1000);
}

Test(load_calls, relayed_address_of_another_family_than_the_peer_is_of_no_use)
{
	use_ipv6_peers();
	model.knows_no_family = true;
	model_begin_calls(&model, MODEL_CALLS);
	cr_assert_eq(engine_control(model.engine, REQUEST_ALLOCATE)->n_refused, MODEL_CALLS);
	cr_assert_eq(engine_control(model.engine, REQUEST_RELEASE)->n_ok, MODEL_CALLS);
}

Test(load_calls, clients_are_used_again_when_calls_come_and_go)
{
	const struct calls_config calls = {
		.calls_per_s = 50, .n_begins = 100, .release_at_once = true};
	const struct engine_totals *totals = engine_totals(model.engine);

	engine_begin_calls(model.engine, &calls, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + 3 * (int64_t)NS_IN_S);
	cr_assert(engine_is_settled(model.engine));
	cr_assert_eq(totals->n_released, 100);
	cr_assert_eq(totals->n_no_call, 0);
	// Each in its turn, which comes after 80 ms; the call lasts three round trips of them.
	cr_assert_eq(model.rest_min_ns, 80 * (int64_t)NS_IN_MS - 3 * MODEL_DELAY_NS);
}

Test(load_calls, want_of_a_free_client_is_the_generators_own)
{
	const struct calls_config calls = {
		.calls_per_s = 10000, .n_begins = 100, .release_at_once = true};
	const struct engine_totals *totals = engine_totals(model.engine);

	engine_begin_calls(model.engine, &calls, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + (int64_t)NS_IN_S);
	cr_assert_gt(totals->n_no_call, 0);
	cr_assert_eq(totals->n_begun + totals->n_no_call, 100);
	cr_assert_eq(totals->n_released, totals->n_begun);
}

static void begin_soak(uint64_t churn, int64_t duration_ns)
{
	const struct trial_config trial = {
		.streams = {{STREAM_UP, 0, 1, 1000, 1, 160}, {STREAM_DOWN, 0, 1, 1000, 1, 160}},
		.n_streams = 2,
		.duration_ns = duration_ns,
	};

	engine_begin_trial(model.engine, &trial, model.now_ns);
	engine_begin_churn(model.engine, churn, model.now_ns);
}

Test(load_calls, churn_replaces_calls_and_loses_nothing)
{
	const struct engine_totals *totals = engine_totals(model.engine);

	model_begin_calls(&model, MODEL_CALLS);
	begin_soak(1, 60 * (int64_t)NS_IN_S);
	cr_assert(
		model_run_until(&model, model_trial_is_over, model.now_ns + 70 * (int64_t)NS_IN_S));
	cr_assert_gt(direction(UP)->n_sent, 20000);
	for (int i = 0; i < N_DIRECTIONS; i++)
		cr_assert_eq(direction((enum direction)i)->n_delivered,
			direction((enum direction)i)->n_sent);
	engine_begin_release(model.engine, 100, model.now_ns);
	cr_assert(model_run_until(&model, model_is_over, model.now_ns + 5 * (int64_t)NS_IN_S));
	cr_assert_geq(totals->n_replaced, 28);
	// A server may not take a client that has only just left.
	cr_assert_geq(model.rest_min_ns, 4 * (int64_t)NS_IN_S);
	cr_assert_eq(totals->n_begun, MODEL_CALLS + totals->n_replaced);
	cr_assert_eq(totals->n_released, totals->n_begun);
	cr_assert_eq(totals->n_up, 0);
}

Test(load_calls, churn_begins_a_failed_call_again)
{
	model.allocate_code = STUN_ALLOCATION_QUOTA_REACHED;
	model_begin_calls(&model, MODEL_CALLS);
	cr_assert_eq(engine_totals(model.engine)->n_failed, MODEL_CALLS);
	model.allocate_code = 0;
	begin_soak(1, 10 * (int64_t)NS_IN_S);
	model_run_until(&model, model_never, model.now_ns + 3500 * (int64_t)NS_IN_MS);
	cr_assert_eq(engine_totals(model.engine)->n_failed, 0);
	cr_assert_eq(engine_totals(model.engine)->n_up, MODEL_CALLS);
}

Test(load_calls, trial_cut_short_ends_no_more_calls)
{
	model_begin_calls(&model, MODEL_CALLS);
	begin_soak(1, 600 * (int64_t)NS_IN_S);
	model_run_until(&model, model_never, model.now_ns + 2500 * (int64_t)NS_IN_MS);
	cr_assert_eq(engine_totals(model.engine)->n_up, 1);
	engine_end_trial(model.engine, model.now_ns);
	model_run_until(&model, model_never, model.now_ns + (int64_t)NS_IN_S);
	cr_assert_eq(engine_totals(model.engine)->n_up, 1);
}

Test(load_calls, soak_cut_short_releases_the_calls_that_were_ending)
{
	const struct engine_totals *totals = engine_totals(model.engine);
	uint64_t n_begun;

	model_begin_calls(&model, MODEL_CALLS);
	begin_soak(4, 600 * (int64_t)NS_IN_S);
	model_run_until(&model, model_never, model.now_ns + 2300 * (int64_t)NS_IN_MS);
	engine_end_trial(model.engine, model.now_ns);
	cr_assert(
		model_run_until(&model, model_trial_is_over, model.now_ns + 2 * (int64_t)NS_IN_S));
	engine_begin_release(model.engine, 100, model.now_ns);
	cr_assert(model_run_until(&model, model_is_over, model.now_ns + 5 * (int64_t)NS_IN_S));
	cr_assert_eq(totals->n_released, totals->n_begun);
	// Those at rest do not begin any more.
	n_begun = totals->n_begun;
	model_run_until(&model, model_never, model.now_ns + 10 * (int64_t)NS_IN_S);
	cr_assert_eq(totals->n_begun, n_begun);
	cr_assert_eq(engine_end_series(model.engine, model.now_ns)->n, 3);
}
