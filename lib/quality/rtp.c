#include "rtp.h"

#define DROPOUT_MAX 3000 // RFC 3550 A.1: a jump further ahead is a new beginning
#define MISORDER_MAX 100 // and one further back
#define STEP_US 10000000 // of a timestamp against the time: it was set anew, which is no jitter
#define LEARN_US 1000000 // the shortest time that a clock rate is learned from

// RFC 3551 §6; 0: dynamic, or of none.
static uint32_t clock_of_type(uint8_t type)
{
	if (type == 6)
		return 16000;
	if (type == 10 || type == 11)
		return 44100;
	if (type == 16)
		return 11025;
	if (type == 17)
		return 22050;
	if (type == 14 || (type >= 25 && type <= 34))
		return 90000;
	return type <= 18 ? 8000 : 0;
}

// A dynamic type does not say its clock, but timestamps run by it: the nearest that is in use.
static uint32_t clock_of_time(uint32_t n_units, uint64_t us)
{
	static const uint32_t clocks[] = {8000, 16000, 32000, 44100, 48000, 90000};
	const double hz = n_units * 1e6 / (double)us;

	for (unsigned i = 0; i < N_ELEMENTS(clocks); i++)
		if (hz > clocks[i] * 0.96 && hz < clocks[i] * 1.04)
			return clocks[i];
	return 0;
}

static uint64_t n_expected(const struct quality_stream *stream)
{
	return stream->used ? (uint64_t)(stream->highest - stream->base) + 1 : 0;
}

uint64_t rtp_lost(const struct quality_stream *stream)
{
	const uint64_t expected = stream->n_expected_before + n_expected(stream);
	const uint64_t received = stream->n_received_before + stream->n_received;

	return expected > received ? expected - received : 0; // duplicates were received too
}

// What was counted stays; what follows is of a new run of numbers.
static void begin(struct quality_stream *stream, const struct quality_packet *packet)
{
	stream->n_expected_before += n_expected(stream);
	stream->n_received_before += stream->n_received;
	stream->n_received = 1;
	stream->base = stream->highest = load_be16(packet->head + 2);
	stream->first_us = stream->last_us = packet->us;
	stream->first_timestamp = stream->last_timestamp = load_be32(packet->head + 4);
	stream->ssrc = load_be32(packet->head + 8);
	stream->used = true;
	stream->broken = false;
}

// RFC 3550 A.8, in microseconds.
static void add_jitter(struct quality_stream *stream, const struct quality_packet *packet)
{
	const uint32_t timestamp = load_be32(packet->head + 4);
	const int32_t n_units = (int32_t)(timestamp - stream->last_timestamp);
	const uint32_t known = clock_of_type(packet->head[1] & 0x7f);
	double differs;

	if (known)
		stream->clock_hz = known;
	else if (packet->us >= stream->first_us + LEARN_US && stream->clock_hz == 0)
		stream->clock_hz = clock_of_time(
			timestamp - stream->first_timestamp, packet->us - stream->first_us);
	if (stream->clock_hz && packet->us >= stream->last_us) {
		differs = (double)(packet->us - stream->last_us) - n_units * 1e6 / stream->clock_hz;
		differs = differs < 0 ? -differs : differs;
		if (differs < STEP_US)
			stream->jitter_us += (float)((differs - stream->jitter_us) / 16);
		if (stream->jitter_us > stream->jitter_max_us)
			stream->jitter_max_us = stream->jitter_us;
	}
	stream->last_us = packet->us;
	stream->last_timestamp = timestamp;
}

void rtp_add(struct quality_stream *stream, const struct quality_packet *packet)
{
	const uint16_t sequence = load_be16(packet->head + 2);
	const uint16_t ahead = (uint16_t)(sequence - stream->highest);

	if (!stream->used || stream->broken) {
		begin(stream, packet);
	} else if (ahead > 0 && ahead < DROPOUT_MAX) {
		stream->highest += ahead;
		stream->n_received++;
		add_jitter(stream, packet);
	} else if (ahead == 0 || ahead >= 65536 - MISORDER_MAX) {
		// Late ones before the first are no gain: they were not expected.
		if (ahead == 0 || stream->highest - stream->base >= 65536u - ahead)
			stream->n_received++;
		stream->n_reordered += ahead != 0;
	} else {
		begin(stream, packet);
	}
}
