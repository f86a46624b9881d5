// What the control core did for clients of late, for an operator who asks after one address.
//
// A ring for each kind of event, so that no kind pushes out another; and of each source so many
// requests a second, so that none pushes out the others. A name in it is as the log has it. Memory
// is fixed, and of the rings only what has been used is touched. One thread.
#ifndef TURNPIKE_TRAIL_H
#define TURNPIKE_TRAIL_H

#include "control/control.h"
#include "turn/turn.h"

#define TRAIL_EVENTS 4096 // of each kind
#define TRAIL_USER_BYTES 40
#define TRAIL_REQUESTS_PER_S 32 // and at once, of an IPv4 address or an IPv6 /64

enum trail_kind {
	TRAIL_CREATED,
	TRAIL_MOVED,
	TRAIL_ENDED,
	TRAIL_CHALLENGED, // 401 to a request that was not signed: how every client begins
	TRAIL_FAILED, // a wrong password or user
	TRAIL_REFUSED, // any other error
	TRAIL_GRANTED, // but Allocate and what ends an allocation
	TRAIL_UNANSWERED, // nothing has left
	TRAIL_KINDS,
};

// What does not apply is zero.
struct trail_event {
	uint64_t at_ns; // monotonic
	uint64_t allocation_id;
	struct endpoint client;
	struct endpoint peer; // that the request names
	struct endpoint relayed[2];
	uint32_t lifetime_s; // TRAIL_ENDED: that it lived
	uint16_t method;
	uint16_t code;
	uint8_t kind; // enum trail_kind
	uint8_t reason; // enum turn_reason; TRAIL_UNANSWERED: enum control_silence
	char user[TRAIL_USER_BYTES]; // cut; empty: nobody said
};

// What of a kind is not here.
struct trail_loss {
	uint64_t n;
	uint64_t last_ns; // none of them came later
};

struct trail {
	struct trail_event *events; // a ring for each kind; NULL: nothing is kept
	uint64_t n[TRAIL_KINDS]; // that were kept, up to now
	struct trail_loss passed_over[TRAIL_KINDS];
	struct budget requests;
	uint64_t begun_ns;
	struct turn_watcher next;
};

// Whatever it is told, `next` is told as well. Returns 0; -ENOMEM.
int trail_open(struct trail *trail, struct turn_watcher next);
void trail_close(struct trail *trail); // a zeroed one is fine

// `trail` is told, and must outlive what watches with it; of what gets no answer, by the second.
struct turn_watcher trail_watcher(struct trail *trail);
struct control_witness trail_witness(struct trail *trail);

// Event `number` of its kind, from 0; NULL where it is no longer there, or not yet.
const struct trail_event *trail_get(
	const struct trail *trail, enum trail_kind kind, uint64_t number);
uint64_t trail_oldest(const struct trail *trail, enum trail_kind kind); // the first that is there
void trail_loss_get(const struct trail *trail, enum trail_kind kind, struct trail_loss *out);
// "allocation.created", "auth.failed" ...: as the log calls it.
const char *trail_kind_name(enum trail_kind kind);

// How an allocation began, of one that lives.
struct trail_event trail_beginning(const struct turn_allocation_view *allocation);

uint64_t trail_now_ns(void);

#endif
