// How well media came to the relay, from what it shows in clear: RTP sequence numbers and
// timestamps, and the round trips of STUN.
//
// Pure: no clock, no packet, no memory of its own. One `struct quality` for an observed allocation;
// it is told of its packets one by one, those of one way in the order in which they came.
#ifndef QUALITY_H
#define QUALITY_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUALITY_HEAD_BYTES 20 // of a packet's data: what is looked at
#define QUALITY_STREAMS_MAX 4 // RTP streams that are told apart, each way
#define QUALITY_CHECKS_MAX 8 // STUN requests without an answer yet
#define QUALITY_ENDS 10 // of a histogram's buckets; one more has no end

enum quality_way {
	QUALITY_UP, // from the client
	QUALITY_DOWN, // from a peer
	QUALITY_WAYS,
};

struct quality_packet {
	uint64_t us; // when it came, by any clock
	uint8_t way; // enum quality_way
	uint8_t n_bytes; // in `head`
	uint8_t head[QUALITY_HEAD_BYTES];
};

// One RTP stream (RFC 3550), by its SSRC.
struct quality_stream {
	uint64_t first_us; // the clock rate is learned from here on
	uint64_t last_us; // when `last_timestamp` came
	uint64_t n_received; // of the run under way
	uint64_t n_expected_before; // of the runs before
	uint64_t n_received_before;
	uint64_t n_reordered;
	uint32_t ssrc;
	uint32_t first_timestamp;
	uint32_t last_timestamp;
	uint32_t base; // sequence numbers, extended by how often they came round
	uint32_t highest;
	uint32_t clock_hz; // 0: not known yet
	float jitter_us;
	float jitter_max_us;
	bool used;
	bool broken; // what came since was not all told
};

struct quality_check {
	uint64_t us;
	uint8_t transaction_id[12];
	uint8_t way;
	bool is_request;
	bool used;
};

struct quality_trips {
	uint64_t n;
	uint64_t sum_us;
	uint32_t min_us;
	uint32_t max_us;
};

struct quality {
	struct quality_stream streams[QUALITY_WAYS][QUALITY_STREAMS_MAX];
	uint64_t n_unfollowed[QUALITY_WAYS]; // RTP of streams past those
	struct quality_check checks[QUALITY_CHECKS_MAX];
	uint32_t next_check;
	struct quality_trips trips[QUALITY_WAYS]; // of requests that came this way
};

// What came of one way, summed over its streams.
struct quality_figures {
	uint64_t n_packets; // of RTP
	uint64_t n_lost; // before they reached us; never less than none
	uint64_t n_reordered;
	uint32_t jitter_us; // RFC 3550 §6.4.1, of the worst stream; 0 where no clock rate is known
	uint32_t jitter_max_us;
	// STUN requests that came this way and were answered: from us to the other side and back.
	uint64_t n_trips;
	uint32_t trip_min_us;
	uint32_t trip_mean_us;
	uint32_t trip_max_us;
};

// How the figures of many calls are spread, as histograms. Each call counts once, with what it had
// over its whole life, however long that was.
enum quality_measure {
	QUALITY_LOSS, // lost of those that were sent, a ratio
	QUALITY_REORDERING, // of those that came, a ratio
	QUALITY_JITTER, // seconds, of the worst stream
	QUALITY_ROUND_TRIP, // seconds, the mean of a call
	QUALITY_MEASURES,
};

struct quality_spread {
	uint64_t n[QUALITY_ENDS + 1]; // in each bucket
	double sum;
};

struct quality_spreads {
	struct quality_spread of[QUALITY_MEASURES][QUALITY_WAYS];
};

// Whether the data of a packet, from its first bytes, is worth telling: RTP, or STUN that has an
// answer. `data` holds two bytes at least.
static inline bool quality_wants(const uint8_t *data, size_t n_bytes)
{
	const bool is_rtp = (data[0] & 0xc0) == 0x80 && (data[1] & 0x7f) - 64u >= 32u;

	return (is_rtp && n_bytes >= 12) || (data[0] <= 1 && n_bytes >= QUALITY_HEAD_BYTES);
}

// Packets may have come that it was not told of: they are not taken for lost.
void quality_break(struct quality *quality);
void quality_add(struct quality *quality, const struct quality_packet *packet);
struct quality_figures quality_get(const struct quality *quality, enum quality_way way);

// Where the buckets end; each holds its end.
const double *quality_ends(enum quality_measure measure);
// A call. What is not known of a way counts nowhere: without RTP there is no loss, without a clock
// rate no jitter, without an answer no round trip.
void quality_spread_add(
	struct quality_spreads *spreads, const struct quality_figures figures[static QUALITY_WAYS]);

#endif
