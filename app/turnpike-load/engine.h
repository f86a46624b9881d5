// The traffic engine: calls as state machines in flat arrays, media by absolute due times.
//
// Pure: it reads no clock and owns no socket; time is an argument in nanoseconds, datagrams leave
// through the wire and come in through engine_take(). One thread uses it.
//
// Order: engine_create(), engine_begin_calls(); then in a loop engine_advance(), which sends what
// is due, and engine_take() for what arrived. When engine_is_settled(): engine_begin_trial(), until
// engine_trial_is_over(); more trials as wanted. At last engine_begin_release(), until
// engine_is_over(); engine_destroy().
#ifndef ENGINE_H
#define ENGINE_H

#include "histogram.h"
#include "series.h"
#include "stun/stun.h"
#include "wire.h"

#define STREAMS_MAX 4
#define PAYLOAD_BYTES_MAX 1400 // of media: with a Send indication's front it fits an MTU of 1500
#define ERROR_CODES 400 // 300..699

struct engine_config {
	struct wire *wire;
	struct endpoint server;
	const struct prefix *relays; // where relayed addresses may lie; n_relays of them
	size_t n_relays;
	const struct endpoint *peers; // the addresses of the peers' slots, or of a far echo
	uint32_t n_peers; // call i talks to peer i % n_peers, whose family it asks for
	bool far_echo; // peers have no slots: media goes up only, and comes back
	uint32_t n_calls;
	const char *user;
	const char *password;
	uint32_t lifetime_s; // to ask for; 0: what the server likes
	bool indications; // Send and Data indications instead of channels
	uint64_t seed;
};

enum request {
	REQUEST_ALLOCATE,
	REQUEST_BIND, // ChannelBind or CreatePermission
	REQUEST_REFRESH,
	REQUEST_RELEASE,
	N_REQUESTS,
};

struct control_result {
	uint64_t n_sent; // requests, without repetitions
	uint64_t n_repeated; // sent again, unanswered
	uint64_t n_ok;
	uint64_t n_timeouts;
	uint64_t n_refused; // answers that cannot be used: no address, or one outside `relays`
	uint64_t n_by_code[ERROR_CODES];
	struct histogram latency; // from when it was due to its success, challenges included
};

// Of one direction in one trial. offered = sent + dropped; sent = delivered + lost. With a far
// echo, what is back is delivered.
struct direction_result {
	uint64_t n_offered; // due
	uint64_t n_sent; // taken by the wire
	uint64_t n_dropped; // by the generator: refused by the wire, or not sent in time
	uint64_t n_delivered; // once or more
	uint64_t n_duplicated;
	uint64_t n_reordered; // part of n_delivered
	uint64_t n_misdelivered; // to a receiver that it was not for
	struct histogram latency; // from when it was due
};

struct trial_result {
	struct direction_result directions[N_DIRECTIONS];
	struct histogram lag; // of sending behind the due time: the generator's own
	int64_t start_ns;
	int64_t end_ns; // of the schedule; 0 while it runs
};

enum stream_kind {
	STREAM_UP,
	STREAM_DOWN,
	STREAM_BINDING, // Binding requests up; their answers count as delivered
};

// Every step-th call from the first one, in turn; an event is a burst of packets of one call.
struct stream_config {
	enum stream_kind kind;
	uint32_t first_call;
	uint32_t step;
	uint64_t events_per_s; // of all calls together
	uint16_t burst;
	uint16_t payload_bytes;
};

struct trial_config {
	struct stream_config streams[STREAMS_MAX];
	uint32_t n_streams;
	int64_t duration_ns;
};

// How calls begin. With `release_at_once` a call is released when it is up, and begins again when
// it is its turn: n_begins may exceed the number of calls.
struct calls_config {
	uint64_t calls_per_s;
	uint64_t n_begins;
	bool poisson;
	bool release_at_once;
};

struct engine_totals {
	uint32_t n_up; // calls with an allocation and its channel or permission
	uint32_t n_failed;
	uint64_t n_begun;
	uint64_t n_released;
	uint64_t n_replaced; // calls that began in the place of one that churn ended
	uint64_t n_no_call; // begins for which no client was free: the generator's own limit
	uint64_t n_stray; // datagrams that nobody waits for
	uint64_t n_control_dropped; // messages that the wire refused
	struct histogram lag; // of beginning calls
};

struct engine;

// Returns 0; -ENOMEM, or -ENOTSUP where OpenSSL lacks a digest. The config's pointers must outlive
// the engine.
int engine_create(struct engine **out, const struct engine_config *config);
void engine_destroy(struct engine *engine); // NULL is fine

void engine_begin_calls(struct engine *engine, const struct calls_config *calls, int64_t now_ns);
// All calls have begun, and each is up, failed or released.
bool engine_is_settled(const struct engine *engine);
// Media begins. Only calls that are up take part.
void engine_begin_trial(struct engine *engine, const struct trial_config *trial, int64_t now_ns);
// No event of the schedule is left, and all that was sent has arrived or had its second to do so.
bool engine_trial_is_over(const struct engine *engine, int64_t now_ns);
// While the trial runs, calls end and are replaced, this many a second in turn. A call's media
// ends a second before it does, so that nothing is lost by that, and another begins four seconds
// after it. A failed one begins again.
void engine_begin_churn(struct engine *engine, uint64_t calls_per_s, int64_t now_ns);
// Cut its schedule short; what is on its way still has its second.
void engine_end_trial(struct engine *engine, int64_t now_ns);
// Forget a trial that is over: what still arrives of it is stray.
void engine_discard_trial(struct engine *engine);
// Release every allocation, at this rate. Ends the beginning of calls and a running trial.
void engine_begin_release(struct engine *engine, uint64_t calls_per_s, int64_t now_ns);
bool engine_is_over(const struct engine *engine);

// Send what is due, a bounded number of packets. Returns when more is due, which may be now, or
// INT64_MAX.
int64_t engine_advance(struct engine *engine, int64_t now_ns);
// Take what arrived on the wire.
void engine_take(struct engine *engine, const struct datagram *datagrams, size_t n, int64_t now_ns);

// The samples of the trial, or of calls that are released at once, up to now: closes the open one.
const struct series *engine_end_series(struct engine *engine, int64_t now_ns);

bool engine_has_far_echo(const struct engine *engine);
const struct trial_result *engine_trial(const struct engine *engine);
const struct control_result *engine_control(const struct engine *engine, enum request request);
const struct engine_totals *engine_totals(const struct engine *engine);

#endif
