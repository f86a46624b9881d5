// A tiny TURN server and its network in virtual time, as the wire of a load engine.
//
// It answers what the engine asks and relays media; faults can be told to it. Nothing happens
// between two calls of model_run_until(), which jumps from event to event.
#ifndef LOAD_MODEL_H
#define LOAD_MODEL_H

#include "app/turnpike-load/echo.h"
#include "app/turnpike-load/engine.h"

#define MODEL_QUEUE_MAX 8192
#define MODEL_BYTES 1536
#define MODEL_DELAY_NS ((int64_t)NS_IN_MS)
#define MODEL_CALLS 4
#define MODEL_PEERS 2

// What befalls the media packet that is the `at`-th (from 1) of its direction, if it is that.
struct model_fault {
	enum {
		FAULT_NONE,
		FAULT_LOSE,
		FAULT_DUPLICATE,
		FAULT_DELAY,
		FAULT_MISDELIVER, // to the neighbour of its receiver
		FAULT_WRONG_SOURCE, // up: from a relayed address that is not the call's
		FAULT_SHORT_CUT, // with a far echo: back without having been there
		FAULT_WRONG_FRONT, // to a client: another channel, or another peer's address
		FAULT_CUT, // its last byte is missing
	} kind;
	enum direction direction;
	uint64_t at;
	int64_t delay_ns;
};

// What is wrong with every answer.
enum model_lie {
	LIE_NONE,
	LIE_INTEGRITY,
	LIE_TRANSACTION,
	LIE_SOURCE, // from another port
	LIE_RECEIVER, // to the neighbour
};

struct model_kind {
	bool far_echo; // what goes up comes back from one
	bool indications;
	bool ipv6_peers; // of clients of IPv4
};

struct model_packet {
	int64_t arrival_ns;
	struct datagram datagram;
	uint8_t bytes[MODEL_BYTES];
};

struct model {
	struct wire wire; // first: the engine hands it back
	struct engine *engine;
	struct model_kind kind;
	struct wire echo_wire;
	struct echo echo;
	struct stun_mac *mac;
	struct stun_key key;
	int64_t now_ns;
	struct model_fault fault;
	uint64_t n_media[N_DIRECTIONS];
	bool refuses_media; // the wire sends none
	bool deaf; // nothing is answered
	enum model_lie lie;
	uint32_t n_stale; // requests yet to be told that their nonce is stale
	enum stun_code allocate_code; // refuse to allocate with it
	struct endpoint relayed; // the first call's; the port counts up from here
	bool knows_no_family; // IPv4 is all that it allocates, whatever is asked for
	uint32_t lifetime_s;
	uint64_t n_requests[0x10]; // by method
	int64_t left_ns[MODEL_CALLS]; // when a client released its last allocation
	int64_t rest_min_ns; // the shortest time from there to its next one
	struct model_packet *queue;
	size_t n_queue;
};

void model_open(struct model *model, struct model_kind kind);
void model_close(struct model *model);
// Run until `over` says so or the time has come. Returns whether it did.
bool model_run_until(struct model *model, bool (*over)(const struct model *), int64_t limit_ns);
// What to run until: the end of time, of the trial, of all calls.
bool model_never(const struct model *model);
bool model_trial_is_over(const struct model *model);
bool model_is_over(const struct model *model);
// Begin this many calls and wait until they are settled.
void model_begin_calls(struct model *model, uint64_t n_calls);
// Run a flood of both directions: packets a second of each, to its end.
void model_run_trial(struct model *model, uint64_t rate, int64_t duration_ns);

#endif
