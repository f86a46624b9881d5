// What a worker does that finds nothing to do, where its polling is adaptive: it polls on for a
// while, then sleeps, shortly at first, since traffic often comes in trains.
//
// How long it polls on decides what load has the latency of a worker that never sleeps: packets
// that come at random, 10 us apart, leave a gap of more than 100 us once in 20,000 times. A sleep
// is longer than it says, for its CPU has to wake as well.
#ifndef TURNPIKE_IDLE_H
#define TURNPIKE_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#define IDLE_POLL_US 100
#define IDLE_SHORT_SLEEPS 32
#define IDLE_SHORT_NS 20000
#define IDLE_LONG_NS 80000

// Zeroed: it has work.
struct idle {
	bool is_idle;
	uint64_t since_ticks;
	unsigned n_sleeps; // since then, up to IDLE_SHORT_SLEEPS
};

// After a round that found work.
static inline void idle_end(struct idle *idle)
{
	idle->is_idle = false;
}

// After one that found none: how many ns to sleep before the next one, or 0.
uint32_t idle_sleep_ns(struct idle *idle, uint64_t now_ticks, uint64_t ticks_per_us);

#endif
