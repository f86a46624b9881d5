// The expiry wheel: one-second slots of doubly linked timers that live as first members of pool
// nodes.
//
// A slot holds every timer whose second is congruent to it, so a timer further away than the wheel
// is round is passed by until its turn. Nothing comes out before its time; what is called each
// second comes out at most one second late.
#ifndef TURN_WHEEL_H
#define TURN_WHEEL_H

#include "turn/pool.h"

#include <stdint.h>

#define WHEEL_SLOTS 4096u

// What an id names: the kind in the three top bits, the node's index below. Kind 0 is a slot of the
// wheel.
enum timer_kind {
	TIMER_SLOT,
	TIMER_ALLOCATION,
	TIMER_PERMISSION,
	TIMER_CHANNEL,
	TIMER_RESERVATION,
	TIMER_SECOND,
	TIMER_KINDS,
};
#define TIMER_IDX_BITS 29

struct timer {
	uint32_t prev; // an id; of the slot where it is the first
	uint32_t next; // an id, or 0
	uint64_t expires_ms;
};

struct wheel {
	uint32_t heads[WHEEL_SLOTS];
	uint64_t next_s; // every second before it has been visited
	uint32_t cursor; // the next to be looked at in the slot of next_s
	const struct pool *pools[TIMER_KINDS];
};

static inline uint32_t timer_id(enum timer_kind kind, uint32_t idx)
{
	return (uint32_t)kind << TIMER_IDX_BITS | idx;
}

static inline enum timer_kind timer_kind(uint32_t id)
{
	return (enum timer_kind)(id >> TIMER_IDX_BITS);
}

static inline uint32_t timer_idx(uint32_t id)
{
	return id & ((1u << TIMER_IDX_BITS) - 1);
}

void wheel_add(struct wheel *wheel, uint32_t id, uint64_t expires_ms);
void wheel_remove(struct wheel *wheel, uint32_t id);
// The next timer that is due, still linked (wheel_remove() it); 0 where there is none.
uint32_t wheel_due(struct wheel *wheel, uint64_t now_ms);
// How many timers are linked, or -1 where a link or a slot is wrong.
int64_t wheel_count(const struct wheel *wheel);

#endif
