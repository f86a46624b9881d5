#include "engine_state.h"

#include <errno.h>
#include <stdlib.h>

#define EVENTS_A_STEP 64 // of one kind, before what arrived has its turn
#define DRAIN_NS ((int64_t)NS_IN_S) // for what is on its way when the schedule ends

void engine_put_idle(struct engine *engine, uint32_t call)
{
	const uint32_t place = (engine->idle_first + engine->n_idle) % engine->config.n_calls;

	engine->idle[place] = call;
	engine->n_idle++;
}

static int create_arrays(struct engine *engine)
{
	const uint32_t n = engine->config.n_calls;

	engine->calls = calloc(n, sizeof(*engine->calls));
	engine->legs[UP] = calloc(n, sizeof(*engine->legs[UP]));
	engine->legs[DOWN] = calloc(n, sizeof(*engine->legs[DOWN]));
	engine->idle = calloc(n, sizeof(*engine->idle));
	if (!engine->calls || !engine->legs[UP] || !engine->legs[DOWN] || !engine->idle)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++)
		engine_put_idle(engine, i);
	return timers_init(&engine->timers, n);
}

// `work` holds the latencies of all requests together.
static struct series_state series_state(const struct engine *engine, struct histogram *work)
{
	struct series_state state = {
		.latencies =
			{
				[TRACK_UP] = &engine->result.directions[UP].latency,
				[TRACK_DOWN] = &engine->result.directions[DOWN].latency,
				[TRACK_CONTROL] = work,
			},
		.n_up = engine->totals.n_up,
	};

	*work = (struct histogram){0};
	for (int i = 0; i < N_REQUESTS; i++) {
		histogram_add(work, &engine->control[i].latency);
		state.n_control[0] += engine->control[i].n_sent;
		state.n_control[1] += engine->control[i].n_ok;
	}
	return state;
}

static void begin_series(struct engine *engine, int64_t now_ns, int64_t duration_ns)
{
	struct histogram work;
	const struct series_state state = series_state(engine, &work);

	series_begin(&engine->series, &state, now_ns, duration_ns);
}

int engine_create(struct engine **out, const struct engine_config *config)
{
	struct engine *engine = calloc(1, sizeof(*engine));
	int err;

	if (!engine)
		return -ENOMEM;
	engine->config = *config;
	engine->random.state = config->seed;
	engine->magic = (uint32_t)random_next(&engine->random);
	err = create_arrays(engine);
	if (!err)
		err = stun_mac_create(&engine->mac);
	if (err) {
		engine_destroy(engine);
		return err;
	}
	begin_series(engine, 0, 0);
	*out = engine;
	return 0;
}

void engine_destroy(struct engine *engine)
{
	if (!engine)
		return;
	stun_mac_destroy(engine->mac);
	timers_fini(&engine->timers);
	free(engine->calls);
	free(engine->legs[UP]);
	free(engine->legs[DOWN]);
	free(engine->idle);
	free(engine);
}

void engine_flush(struct engine *engine)
{
	struct wire *wire = engine->config.wire;

	if (engine->n_tx == 0)
		return;
	wire->send_burst(wire, engine->tx, engine->n_tx);
	for (uint32_t i = 0; i < engine->n_tx; i++) {
		const struct datagram *datagram = &engine->tx[i];
		struct direction_result *result;

		if (datagram->purpose == PURPOSE_CONTROL) {
			engine->totals.n_control_dropped += !datagram->sent;
			continue;
		}
		result = &engine->result.directions[datagram->purpose];
		result->n_sent += datagram->sent;
		result->n_dropped += !datagram->sent;
		series_at(&engine->series, engine->tx_due_ns[i])->n_sent[datagram->purpose] +=
			datagram->sent;
	}
	engine->n_tx = 0;
}

struct datagram *engine_put(struct engine *engine, uint32_t slot, const struct endpoint *remote,
	uint8_t purpose, int64_t due_ns)
{
	struct datagram *datagram;

	if (engine->n_tx == SEND_BURST)
		engine_flush(engine);
	datagram = &engine->tx[engine->n_tx];
	*datagram = (struct datagram){
		.slot = slot,
		.remote = *remote,
		.bytes = engine->tx_bytes[engine->n_tx],
		.purpose = purpose,
	};
	engine->tx_due_ns[engine->n_tx++] = due_ns;
	return datagram;
}

// The last sample stays open for what is still on its way.
static void sample(struct engine *engine, int64_t now_ns)
{
	struct series *series = &engine->series;

	while (series->n + 1 < series->n_slots && series_next(series) <= now_ns) {
		struct histogram work;
		const struct series_state state = series_state(engine, &work);

		series_close(series, &state, series_next(series));
	}
}

const struct series *engine_end_series(struct engine *engine, int64_t now_ns)
{
	struct series *series = &engine->series;
	struct histogram work;
	const struct series_state state = series_state(engine, &work);

	if (engine->trial_end_ns && engine->trial_end_ns < now_ns)
		now_ns = engine->trial_end_ns;
	if (series_is_open(series) && now_ns > series_next(series) - series->width_ns)
		series_close(series, &state, now_ns);
	series->n_slots = series->n;
	return series;
}

void engine_begin_calls(struct engine *engine, const struct calls_config *calls, int64_t now_ns)
{
	engine->release_at_once = calls->release_at_once;
	engine->begins = (struct pace){
		.start_ns = now_ns,
		.rate = calls->calls_per_s,
		.n_events = calls->n_begins,
		.poisson = calls->poisson,
		.random.state = random_next(&engine->random),
	};
	if (calls->release_at_once)
		begin_series(
			engine, now_ns, (int64_t)(calls->n_begins * NS_IN_S / calls->calls_per_s));
}

bool engine_is_settled(const struct engine *engine)
{
	return pace_over(&engine->begins) && engine->n_busy == 0;
}

static uint64_t events_within(uint64_t events_per_s, int64_t duration_ns)
{
	return (uint64_t)((unsigned __int128)events_per_s * (uint64_t)duration_ns / NS_IN_S);
}

void engine_begin_trial(struct engine *engine, const struct trial_config *trial, int64_t now_ns)
{
	const size_t legs_bytes = engine->config.n_calls * sizeof(struct leg);

	memset(&engine->result, 0, sizeof(engine->result));
	memset(engine->legs[UP], 0, legs_bytes);
	memset(engine->legs[DOWN], 0, legs_bytes);
	begin_series(engine, now_ns, trial->duration_ns);
	engine->trial++;
	engine->result.start_ns = now_ns;
	engine->trial_end_ns = now_ns + trial->duration_ns;
	engine->n_streams = trial->n_streams;
	for (uint32_t i = 0; i < trial->n_streams; i++)
		engine->streams[i] = (struct stream){
			.config = trial->streams[i],
			.call = trial->streams[i].first_call,
			.pace =
				{
					.start_ns = now_ns,
					.rate = trial->streams[i].events_per_s,
					.n_events = events_within(
						trial->streams[i].events_per_s, trial->duration_ns),
				},
		};
}

static bool all_arrived(const struct trial_result *result)
{
	for (int i = 0; i < N_DIRECTIONS; i++)
		if (result->directions[i].n_delivered < result->directions[i].n_sent)
			return false;
	return true;
}

bool engine_trial_is_over(const struct engine *engine, int64_t now_ns)
{
	const int64_t end_ns = engine->result.end_ns;

	return end_ns && (now_ns >= end_ns + DRAIN_NS || all_arrived(&engine->result));
}

void engine_end_trial(struct engine *engine, int64_t now_ns)
{
	for (uint32_t i = 0; i < engine->n_streams; i++)
		engine->streams[i].pace.n_events = engine->streams[i].pace.n_done;
	engine->churn.n_events = engine->churn.n_done;
	if (engine->trial_end_ns > now_ns) {
		engine->trial_end_ns = now_ns;
		series_cut(&engine->series, now_ns);
	}
}

void engine_begin_churn(struct engine *engine, uint64_t calls_per_s, int64_t now_ns)
{
	engine->churn = (struct pace){
		.start_ns = now_ns,
		.rate = calls_per_s,
		.n_events = events_within(calls_per_s, engine->trial_end_ns - now_ns),
	};
}

void engine_discard_trial(struct engine *engine)
{
	engine->trial++;
}

void engine_begin_release(struct engine *engine, uint64_t calls_per_s, int64_t now_ns)
{
	engine->begins.n_events = engine->begins.n_done;
	engine_end_trial(engine, now_ns);
	engine->release_all = true;
	engine->releases = (struct pace){
		.start_ns = now_ns,
		.rate = calls_per_s,
		.n_events = UINT64_MAX, // until none is left
	};
}

bool engine_is_over(const struct engine *engine)
{
	return engine->release_all && pace_over(&engine->releases) && engine->n_busy == 0;
}

static uint32_t take_idle(struct engine *engine)
{
	const uint32_t call = engine->idle[engine->idle_first];

	engine->idle_first = (engine->idle_first + 1) % engine->config.n_calls;
	engine->n_idle--;
	return call;
}

static void begin_calls(struct engine *engine, int64_t now_ns)
{
	for (int i = 0; i < EVENTS_A_STEP && pace_due(&engine->begins) <= now_ns; i++) {
		const int64_t due_ns = pace_due(&engine->begins);

		pace_advance(&engine->begins);
		histogram_record(&engine->totals.lag, now_ns - due_ns);
		if (engine->n_idle == 0) {
			engine->totals.n_no_call++;
			continue;
		}
		call_begin(engine, take_idle(engine), due_ns);
	}
}

static void churn_calls(struct engine *engine, int64_t now_ns)
{
	for (int i = 0; i < EVENTS_A_STEP && pace_due(&engine->churn) <= now_ns; i++) {
		pace_advance(&engine->churn);
		call_replace(engine, engine->churn_next, now_ns);
		engine->churn_next = (engine->churn_next + 1) % engine->config.n_calls;
	}
}

static bool is_left(const struct engine *engine, uint32_t call)
{
	return engine->calls[call].state == CALL_UP || engine->calls[call].state == CALL_ENDING;
}

static void release_calls(struct engine *engine, int64_t now_ns)
{
	for (int i = 0; i < EVENTS_A_STEP && pace_due(&engine->releases) <= now_ns; i++) {
		while (engine->release_next < engine->config.n_calls &&
			!is_left(engine, engine->release_next))
			engine->release_next++;
		if (engine->release_next == engine->config.n_calls) {
			engine->releases.n_events = engine->releases.n_done;
			return;
		}
		call_release(engine, engine->release_next++, now_ns);
		pace_advance(&engine->releases);
	}
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int64_t engine_advance(struct engine *engine, int64_t now_ns)
{
	int64_t next_ns;

	sample(engine, now_ns);
	for (int i = 0; i < EVENTS_A_STEP && timers_next(&engine->timers) <= now_ns; i++)
		call_timer(engine, timers_pop(&engine->timers), now_ns);
	begin_calls(engine, now_ns);
	churn_calls(engine, now_ns);
	release_calls(engine, now_ns);
	next_ns = media_advance(engine, now_ns);
	engine_flush(engine);
	next_ns = earlier(next_ns, timers_next(&engine->timers));
	next_ns = earlier(next_ns, pace_due(&engine->begins));
	next_ns = earlier(next_ns, pace_due(&engine->churn));
	return earlier(next_ns, pace_due(&engine->releases));
}

static void take_from_server(struct engine *engine, const struct datagram *datagram, int64_t now_ns)
{
	const enum stun_kind kind = stun_classify(datagram->bytes, datagram->n_bytes);
	struct stun_view view;

	if (kind == STUN_KIND_CHANNEL) {
		media_take_channel(engine, datagram, now_ns);
		return;
	}
	if (kind != STUN_KIND_MESSAGE || stun_parse(&view, datagram->bytes, datagram->n_bytes)) {
		engine->totals.n_stray++;
		return;
	}
	if (view.method == STUN_DATA && view.class == STUN_INDICATION)
		media_take_indication(engine, datagram->slot, &view, now_ns);
	else if (view.method == STUN_BINDING)
		media_take_binding(engine, datagram->slot, &view, now_ns);
	else
		call_answer(engine, datagram->slot, &view, now_ns);
}

void engine_take(struct engine *engine, const struct datagram *datagrams, size_t n, int64_t now_ns)
{
	for (size_t i = 0; i < n; i++) {
		const struct datagram *datagram = &datagrams[i];

		if (datagram->slot >= engine->config.n_calls)
			media_take_up(engine, datagram, now_ns);
		else if (endpoint_equal(&datagram->remote, &engine->config.server))
			take_from_server(engine, datagram, now_ns);
		else
			engine->totals.n_stray++;
	}
	engine_flush(engine);
}

bool engine_has_far_echo(const struct engine *engine)
{
	return engine->config.far_echo;
}

const struct trial_result *engine_trial(const struct engine *engine)
{
	return &engine->result;
}

const struct control_result *engine_control(const struct engine *engine, enum request request)
{
	return &engine->control[request];
}

const struct engine_totals *engine_totals(const struct engine *engine)
{
	return &engine->totals;
}
