// One timer for each of n owners, in a binary heap: the earliest first.
#ifndef TIMERS_H
#define TIMERS_H

#include <stdint.h>

#define TIMERS_NEVER INT64_MAX

struct timer {
	int64_t due_ns;
	uint32_t owner;
};

struct timers {
	struct timer *heap;
	uint32_t *places; // of an owner in the heap, plus one; 0: it has no timer
	uint32_t n;
};

// Returns 0 or -ENOMEM.
int timers_init(struct timers *timers, uint32_t n_owners);
void timers_fini(struct timers *timers);

// Set or move an owner's timer; TIMERS_NEVER takes it away.
void timers_set(struct timers *timers, uint32_t owner, int64_t due_ns);
// When the earliest is due, or TIMERS_NEVER.
int64_t timers_next(const struct timers *timers);
// Take the earliest away; there must be one. Returns its owner.
uint32_t timers_pop(struct timers *timers);

#endif
