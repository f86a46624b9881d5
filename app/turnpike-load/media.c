// The streams of a trial: packets out by schedule, packets in by their stamps.
#include "engine_state.h"

#define EVENTS_A_STEP 64
#define LATE_NS (10 * (int64_t)NS_IN_MS) // after the schedule's end nothing more is sent

// The transaction id of a Binding request is its stamp:
//   | 1 trial | 3 client | 4 sequence ^ magic | 4 due since the trial began, in 1,024 ns |
#define BINDING_DUE_SHIFT 10

static void put_up(struct engine *engine, uint32_t call, const struct stamp *stamp, uint16_t n)
{
	struct datagram *datagram =
		engine_put(engine, call, &engine->config.server, UP, stamp->due_ns);

	store_be16(datagram->bytes, channel_of(call));
	store_be16(datagram->bytes + 2, n);
	stamp_store(datagram->bytes + STUN_CHANNEL_HEADER_BYTES, stamp);
	datagram->n_bytes = STUN_CHANNEL_HEADER_BYTES + n;
}

static void put_indication(
	struct engine *engine, uint32_t call, const struct stamp *stamp, uint16_t n)
{
	struct datagram *datagram =
		engine_put(engine, call, &engine->config.server, UP, stamp->due_ns);
	uint8_t data[PAYLOAD_BYTES_MAX] = {0};
	uint8_t id[STUN_TRANSACTION_BYTES];
	struct stun_writer w;

	stamp_store(data, stamp);
	store_be32(id, engine->magic);
	store_be32(id + 4, call);
	store_be32(id + 8, stamp->sequence);
	stun_writer_init(&w, datagram->bytes, DATAGRAM_BYTES, STUN_INDICATION, STUN_SEND, id);
	stun_put_xor_address(
		&w, STUN_ATTR_XOR_PEER_ADDRESS, &engine->config.peers[peer_of(engine, call)]);
	stun_put_bytes(&w, STUN_ATTR_DATA, data, n);
	datagram->n_bytes = (uint16_t)stun_writer_end(&w);
}

static void put_down(struct engine *engine, uint32_t call, const struct stamp *stamp, uint16_t n)
{
	const uint32_t slot = engine->config.n_calls + peer_of(engine, call);
	struct datagram *datagram =
		engine_put(engine, slot, &engine->calls[call].relayed, DOWN, stamp->due_ns);

	stamp_store(datagram->bytes, stamp);
	datagram->n_bytes = n;
}

static void put_binding(struct engine *engine, uint32_t client, const struct stamp *stamp)
{
	struct datagram *datagram =
		engine_put(engine, client, &engine->config.server, UP, stamp->due_ns);
	const int64_t since_ns = stamp->due_ns - engine->result.start_ns;
	uint8_t id[STUN_TRANSACTION_BYTES];
	struct stun_writer w;

	store_be32(id, (uint32_t)stamp->trial << 24 | client);
	store_be32(id + 4, stamp->sequence ^ engine->magic);
	store_be32(id + 8, (uint32_t)(since_ns >> BINDING_DUE_SHIFT));
	stun_writer_init(&w, datagram->bytes, DATAGRAM_BYTES, STUN_REQUEST, STUN_BINDING, id);
	datagram->n_bytes = (uint16_t)stun_writer_end(&w);
}

static void put_packet(struct engine *engine, const struct stream *stream, int64_t due_ns)
{
	const uint32_t call = stream->call;
	const enum direction direction = stream->config.kind == STREAM_DOWN ? DOWN : UP;
	const struct stamp stamp = {
		.magic = engine->magic,
		.call = call,
		.sequence = engine->legs[direction][call].n_sent++,
		.direction = (uint8_t)direction,
		.trial = engine->trial,
		.due_ns = due_ns,
	};

	engine->result.directions[direction].n_offered++;
	if (stream->config.kind == STREAM_BINDING)
		put_binding(engine, call, &stamp);
	else if (direction == DOWN)
		put_down(engine, call, &stamp, stream->config.payload_bytes);
	else if (engine->config.indications)
		put_indication(engine, call, &stamp, stream->config.payload_bytes);
	else
		put_up(engine, call, &stamp, stream->config.payload_bytes);
}

static bool takes_part(const struct engine *engine, const struct stream *stream)
{
	return stream->config.kind == STREAM_BINDING ||
		engine->calls[stream->call].state == CALL_UP;
}

static void advance_stream(struct engine *engine, struct stream *stream, int64_t now_ns)
{
	for (int i = 0; i < EVENTS_A_STEP && pace_due(&stream->pace) <= now_ns; i++) {
		const int64_t due_ns = pace_due(&stream->pace);

		if (takes_part(engine, stream)) {
			histogram_record(&engine->result.lag, now_ns - due_ns);
			for (uint16_t k = 0; k < stream->config.burst; k++)
				put_packet(engine, stream, due_ns);
		}
		pace_advance(&stream->pace);
		stream->call += stream->config.step;
		if (stream->call >= engine->config.n_calls)
			stream->call = stream->config.first_call;
	}
}

// What could not be sent in time is the generator's own loss.
static void drop_rest(struct engine *engine, struct stream *stream)
{
	struct direction_result *result =
		&engine->result.directions[stream->config.kind == STREAM_DOWN ? DOWN : UP];
	const uint64_t n = (stream->pace.n_events - stream->pace.n_done) * stream->config.burst;

	result->n_offered += n;
	result->n_dropped += n;
	stream->pace.n_done = stream->pace.n_events;
}

int64_t media_advance(struct engine *engine, int64_t now_ns)
{
	int64_t next_ns = INT64_MAX;

	if (engine->trial_end_ns == 0 || engine->result.end_ns)
		return INT64_MAX;
	for (uint32_t i = 0; i < engine->n_streams; i++) {
		struct stream *stream = &engine->streams[i];
		int64_t due_ns;

		if (now_ns > engine->trial_end_ns + LATE_NS)
			drop_rest(engine, stream);
		else
			advance_stream(engine, stream, now_ns);
		due_ns = pace_due(&stream->pace);
		next_ns = due_ns < next_ns ? due_ns : next_ns;
	}
	if (next_ns != INT64_MAX || now_ns < engine->trial_end_ns)
		return next_ns < engine->trial_end_ns ? next_ns : engine->trial_end_ns;
	engine->result.end_ns = now_ns;
	return INT64_MAX;
}

static void deliver(struct engine *engine, enum direction direction, uint32_t call,
	const struct stamp *stamp, int64_t now_ns)
{
	struct direction_result *result = &engine->result.directions[direction];
	struct leg *leg = &engine->legs[direction][call];
	const enum sequence_verdict verdict = sequence_see(&leg->received, stamp->sequence);

	if (verdict == SEQUENCE_DUPLICATE) {
		result->n_duplicated++;
		return;
	}
	result->n_delivered++;
	series_at(&engine->series, stamp->due_ns)->n_delivered[direction]++;
	result->n_reordered += verdict == SEQUENCE_REORDERED;
	histogram_record(&result->latency, now_ns - stamp->due_ns);
}

// Read the stamp of media that arrived in a direction; false where it is not of this trial.
static bool read_stamp(struct engine *engine, struct stamp *out, const uint8_t *bytes, size_t n)
{
	if (stamp_is_sealed(bytes, n)) {
		*out = stamp_load(bytes);
		if (out->magic == engine->magic && out->trial == engine->trial)
			return true;
	}
	engine->totals.n_stray++;
	return false;
}

void media_take_up(struct engine *engine, const struct datagram *datagram, int64_t now_ns)
{
	const uint32_t peer = datagram->slot - engine->config.n_calls;
	struct stamp stamp;

	if (!read_stamp(engine, &stamp, datagram->bytes, datagram->n_bytes))
		return;
	if (stamp.direction != UP || stamp.call >= engine->config.n_calls ||
		peer_of(engine, stamp.call) != peer ||
		!endpoint_equal(&engine->calls[stamp.call].relayed, &datagram->remote))
		engine->result.directions[UP].n_misdelivered++;
	else
		deliver(engine, UP, stamp.call, &stamp, now_ns);
}

// What a peer sent, or a far echo gave back. `right_front`: the channel or the peer's address in
// front of the data is the call's own.
static void take_down(struct engine *engine, uint32_t call, const struct stamp *stamp,
	bool right_front, int64_t now_ns)
{
	const bool echo = engine->config.far_echo;
	const enum direction direction = echo ? UP : DOWN;

	if (stamp->direction != (echo ? STAMP_ECHOED : DOWN) || stamp->call != call || !right_front)
		engine->result.directions[direction].n_misdelivered++;
	else
		deliver(engine, direction, call, stamp, now_ns);
}

void media_take_channel(struct engine *engine, const struct datagram *datagram, int64_t now_ns)
{
	const uint8_t *front = datagram->bytes;
	const uint8_t *data = front + STUN_CHANNEL_HEADER_BYTES;
	const uint16_t n_bytes = load_be16(front + 2);
	struct stamp stamp;

	if (STUN_CHANNEL_HEADER_BYTES + n_bytes > datagram->n_bytes)
		engine->totals.n_stray++;
	else if (read_stamp(engine, &stamp, data, n_bytes))
		take_down(engine, datagram->slot, &stamp,
			load_be16(front) == channel_of(datagram->slot), now_ns);
}

void media_take_indication(
	struct engine *engine, uint32_t call, const struct stun_view *message, int64_t now_ns)
{
	const struct stun_attr *data = stun_find(message, STUN_ATTR_DATA);
	const struct stun_attr *from = stun_find(message, STUN_ATTR_XOR_PEER_ADDRESS);
	struct endpoint peer;
	struct stamp stamp;

	if (!data || !from || stun_get_xor_address(from, message->transaction_id, &peer))
		engine->totals.n_stray++;
	else if (read_stamp(engine, &stamp, data->value, data->n_bytes))
		take_down(engine, call, &stamp,
			endpoint_equal(&peer, &engine->config.peers[peer_of(engine, call)]),
			now_ns);
}

void media_take_binding(
	struct engine *engine, uint32_t client, const struct stun_view *answer, int64_t now_ns)
{
	const uint8_t *id = answer->transaction_id;
	const uint32_t asker = load_be32(id);
	const int64_t since_ns = (int64_t)load_be32(id + 8) << BINDING_DUE_SHIFT;
	const struct stamp stamp = {
		.sequence = load_be32(id + 4) ^ engine->magic,
		.due_ns = engine->result.start_ns + since_ns,
	};

	if (answer->class != STUN_SUCCESS || asker >> 24 != engine->trial)
		engine->totals.n_stray++;
	else if ((asker & 0xffffff) != client)
		engine->result.directions[UP].n_misdelivered++;
	else
		deliver(engine, UP, client, &stamp, now_ns);
}
