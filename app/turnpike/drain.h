// Emptying the box: new allocations are refused, what lives goes on.
//
// Pure: the caller tells the time and the number of allocations.
#ifndef TURNPIKE_DRAIN_H
#define TURNPIKE_DRAIN_H

#include "stun/stun.h"

#include <stdbool.h>
#include <stdint.h>

#define DRAIN_REASON "it is being emptied" // why the box is not ready

struct drain {
	bool on;
	bool exits; // the daemon, when it is empty or late
	enum stun_code answer; // to new allocations, as turn_drain() takes it
	uint64_t since_ms; // monotonic
	uint64_t deadline_ms; // 0: none
	uint32_t n_at_start; // allocations
};

// True where the daemon is to end now.
static inline bool drain_is_over(const struct drain *drain, uint32_t n_allocations, uint64_t now_ms)
{
	return drain->on && drain->exits &&
		(n_allocations == 0 || (drain->deadline_ms && now_ms >= drain->deadline_ms));
}

#endif
