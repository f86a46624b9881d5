// Clients that move (RFC 8016): a ticket lets its owner bring an allocation to another 5-tuple.
//
// A ticket holds the number of the allocation's mobility, which life of it
// that is, and a generation. After a Refresh with a ticket the client has two 5-tuples: the
// established one, to which data of peers go, and the pending one. Both may send. The first data on
// the pending one end the hand-over: it becomes the established one, the other is forgotten. There
// is one pending hand-over at most; a new one takes its place.
#ifndef TURN_MOBILITY_H
#define TURN_MOBILITY_H

#include "turn/state.h"

int mobility_init(struct turn *turn); // where it is allowed; returns 0; -ENOMEM
void mobility_fini(struct turn *turn);

// The allocation whose pending 5-tuple this is, or 0.
uint32_t mobility_find(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client);
// The mobility of an allocation with a hand-over under way, or NULL.
const struct mobility *mobility_pending(const struct turn *turn, uint32_t allocation_idx);

// From now on it may move. There must be room in the pool.
void mobility_begin(struct turn *turn, uint32_t allocation_idx);
void mobility_end(struct turn *turn, uint32_t allocation_idx);
// The newest ticket, into the answer. Nothing where the allocation may not move.
void mobility_put_ticket(struct call *call, uint32_t allocation_idx);

// Read the ticket of a Refresh: sets call->ticket and, where the ticket is genuine and its
// allocation lives, the allocation.
void mobility_read(struct call *call, const struct stun_attr *attr);
// RFC 8016 §3.2.2: may who is authenticated take this allocation to where the request came from?
enum stun_code mobility_check(const struct call *call);
// Do it, or nothing where it is a retransmission; there is room for TURN_EFFECTS_MAX.
void mobility_move(struct call *call);

// For turn_check(): NULL, or what is wrong.
const char *mobility_check_all(const struct turn *turn);

#endif
