// The engine's inside: what engine.c, call.c and media.c share.
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "engine.h"
#include "pace.h"
#include "sequence.h"
#include "stamp.h"
#include "timers.h"

#define NONCE_BYTES_MAX 128
#define REALM_BYTES_MAX 763 // RFC 8489 §14.9
#define DATAGRAM_BYTES 1536
#define SEND_BURST 64

enum call_state {
	CALL_IDLE,
	CALL_SETUP,
	CALL_UP,
	CALL_ENDING, // up, but without media any more
	CALL_RELEASING,
	CALL_FAILED,
};

struct call {
	uint8_t state; // enum call_state
	uint8_t request; // enum request, the one under way
	bool waiting; // for its answer
	uint8_t n_tries; // times it was sent
	uint8_t n_challenges; // 401 and 438 in a row
	bool replace; // when it is released another one begins
	bool failed; // it is released because something else failed
	uint8_t nonce_bytes;
	uint32_t transaction; // makes its id unique
	int64_t begun_ns; // when the request under way was due
	int64_t refresh_ns; // when the allocation is to be refreshed
	int64_t rebind_ns; // when the channel or permission is
	struct endpoint relayed;
	uint8_t nonce[NONCE_BYTES_MAX];
};

// One direction of a call in the trial.
struct leg {
	uint32_t n_sent;
	struct sequence received;
};

struct stream {
	struct stream_config config;
	struct pace pace;
	uint32_t call; // whose turn it is
};

struct engine {
	struct engine_config config;
	struct stun_mac *mac;
	struct stun_key key;
	uint16_t realm_bytes; // 0: not yet known
	uint32_t magic;
	struct random random;
	struct call *calls;
	struct leg *legs[N_DIRECTIONS];
	struct timers timers; // one a call
	// Calls that may begin, a ring: the one that has rested longest is next, for the sake of
	// servers that refuse a client which has only just left.
	uint32_t *idle;
	uint32_t idle_first;
	uint32_t n_idle;
	uint32_t n_busy; // in setup or releasing
	struct pace begins;
	bool release_at_once;
	bool release_all;
	struct pace churn;
	uint32_t churn_next; // whose turn it is
	struct pace releases;
	uint32_t release_next; // no call before it is left to release
	uint8_t trial; // its number, in stamps
	struct stream streams[STREAMS_MAX];
	uint32_t n_streams;
	int64_t trial_end_ns;
	struct trial_result result;
	struct series series;
	struct control_result control[N_REQUESTS];
	struct engine_totals totals;
	uint32_t n_tx;
	struct datagram tx[SEND_BURST];
	int64_t tx_due_ns[SEND_BURST]; // of media
	uint8_t tx_bytes[SEND_BURST][DATAGRAM_BYTES];
	uint8_t realm[REALM_BYTES_MAX];
};

// What a datagram is for, so that a refused one is counted right: a direction of media, or this.
#define PURPOSE_CONTROL N_DIRECTIONS

// Room for one more datagram to send; fill in bytes and n_bytes. Gone with the next flush.
struct datagram *engine_put(struct engine *engine, uint32_t slot, const struct endpoint *remote,
	uint8_t purpose, int64_t due_ns);
void engine_flush(struct engine *engine);
void engine_put_idle(struct engine *engine, uint32_t call);

static inline uint32_t peer_of(const struct engine *engine, uint32_t call)
{
	return call % engine->config.n_peers;
}

// A channel is known only together with its client, so all clients may use the same.
static inline uint16_t channel_of(uint32_t call)
{
	return (uint16_t)(STUN_CHANNEL_MIN + call % (STUN_CHANNEL_MAX - STUN_CHANNEL_MIN + 1));
}

// call.c: control messages of one call.
void call_begin(struct engine *engine, uint32_t call, int64_t due_ns);
// Its media ends now, its allocation a little later; after a rest another begins in its place.
void call_replace(struct engine *engine, uint32_t call, int64_t now_ns);
void call_release(struct engine *engine, uint32_t call, int64_t due_ns);
void call_timer(struct engine *engine, uint32_t call, int64_t now_ns);
void call_answer(
	struct engine *engine, uint32_t call, const struct stun_view *answer, int64_t now_ns);

// media.c: the streams of a trial. media_advance() sends at most one event of each stream and
// returns when the next is due.
int64_t media_advance(struct engine *engine, int64_t now_ns);
void media_take_up(struct engine *engine, const struct datagram *datagram, int64_t now_ns);
void media_take_channel(struct engine *engine, const struct datagram *datagram, int64_t now_ns);
void media_take_indication(
	struct engine *engine, uint32_t call, const struct stun_view *message, int64_t now_ns);
void media_take_binding(
	struct engine *engine, uint32_t call, const struct stun_view *answer, int64_t now_ns);

#endif
