#include "quality.h"

#include "rtp.h"

#define STUN_COOKIE 0x2112a442u
#define STUN_CLASS_MASK 0x0110
#define STUN_REQUEST_CLASS 0x0000
#define STUN_SUCCESS_CLASS 0x0100
#define STUN_ERROR_CLASS 0x0110

static void add_trip(struct quality_trips *trips, uint64_t us)
{
	const uint32_t trip_us = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;

	trips->min_us = trips->n == 0 || trip_us < trips->min_us ? trip_us : trips->min_us;
	trips->max_us = trip_us > trips->max_us ? trip_us : trips->max_us;
	trips->sum_us += trip_us;
	trips->n++;
}

// The two halves come by different workers, so either may be told first. A request that is sent
// again keeps its first time.
static void add_check(struct quality *quality, const struct quality_packet *packet, bool is_request)
{
	const uint8_t *id = packet->head + 8;
	struct quality_check *check;

	for (unsigned i = 0; i < QUALITY_CHECKS_MAX; i++) {
		check = &quality->checks[i];
		if (!check->used ||
			memcmp(check->transaction_id, id, sizeof(check->transaction_id)))
			continue;
		if (check->is_request == is_request || check->way == packet->way)
			return;
		if (is_request ? check->us >= packet->us : packet->us >= check->us)
			add_trip(&quality->trips[is_request ? packet->way : check->way],
				is_request ? check->us - packet->us : packet->us - check->us);
		check->used = false;
		return;
	}
	check = &quality->checks[quality->next_check++ % QUALITY_CHECKS_MAX];
	*check = (struct quality_check){
		.us = packet->us, .way = packet->way, .is_request = is_request, .used = true};
	memcpy(check->transaction_id, id, sizeof(check->transaction_id));
}

static void add_stun(struct quality *quality, const struct quality_packet *packet)
{
	const uint16_t class = load_be16(packet->head) & STUN_CLASS_MASK;

	if (packet->n_bytes < QUALITY_HEAD_BYTES || load_be32(packet->head + 4) != STUN_COOKIE)
		return;
	if (class == STUN_REQUEST_CLASS)
		add_check(quality, packet, true);
	else if (class == STUN_SUCCESS_CLASS || class == STUN_ERROR_CLASS)
		add_check(quality, packet, false);
}

static void add_rtp(struct quality *quality, const struct quality_packet *packet)
{
	const uint32_t ssrc = load_be32(packet->head + 8);

	for (unsigned i = 0; i < QUALITY_STREAMS_MAX; i++) {
		struct quality_stream *stream = &quality->streams[packet->way][i];

		if (stream->used && stream->ssrc != ssrc)
			continue;
		rtp_add(stream, packet);
		return;
	}
	quality->n_unfollowed[packet->way]++;
}

void quality_break(struct quality *quality)
{
	for (unsigned i = 0; i < QUALITY_STREAMS_MAX; i++) {
		quality->streams[QUALITY_UP][i].broken = true;
		quality->streams[QUALITY_DOWN][i].broken = true;
	}
}

void quality_add(struct quality *quality, const struct quality_packet *packet)
{
	if (packet->n_bytes < 2 || !quality_wants(packet->head, packet->n_bytes))
		return;
	if (packet->head[0] & 0x80)
		add_rtp(quality, packet);
	else
		add_stun(quality, packet);
}

struct quality_figures quality_get(const struct quality *quality, enum quality_way way)
{
	const struct quality_trips *trips = &quality->trips[way];
	struct quality_figures out = {
		.n_packets = quality->n_unfollowed[way],
		.n_trips = trips->n,
		.trip_min_us = trips->min_us,
		.trip_mean_us = trips->n ? (uint32_t)(trips->sum_us / trips->n) : 0,
		.trip_max_us = trips->max_us,
	};

	for (unsigned i = 0; i < QUALITY_STREAMS_MAX; i++) {
		const struct quality_stream *stream = &quality->streams[way][i];

		if (!stream->used)
			continue;
		out.n_packets += stream->n_received_before + stream->n_received;
		out.n_lost += rtp_lost(stream);
		out.n_reordered += stream->n_reordered;
		if ((uint32_t)stream->jitter_us > out.jitter_us)
			out.jitter_us = (uint32_t)stream->jitter_us;
		if ((uint32_t)stream->jitter_max_us > out.jitter_max_us)
			out.jitter_max_us = (uint32_t)stream->jitter_max_us;
	}
	return out;
}
