// Waiting for a wire that is asked over and over, since no descriptor tells of its frames: it is
// asked without pause at first and again shortly before the end, with moments of sleep between.
// Who sleeps wakes late, by tens of microseconds where the CPU halts: an answer that comes at once
// would be measured by that, and what is due next would leave late.
#ifndef WAIT_H
#define WAIT_H

#include "clock.h"

#include <stdbool.h>

#define WAIT_POLL_NS 50000 // longer than a relay takes
#define WAIT_WAKE_NS 100000
#define WAIT_SLEEP_NS 20000

struct wait {
	int64_t begin_ns;
	int64_t end_ns; // 0: at once
};

static inline struct wait wait_begin(int64_t wait_ns)
{
	const int64_t now_ns = wait_ns > 0 ? clock_ns() : 0;

	return (struct wait){now_ns, wait_ns > 0 ? now_ns + wait_ns : 0};
}

static inline bool wait_may_sleep(const struct wait *wait, int64_t now_ns)
{
	return now_ns - wait->begin_ns >= WAIT_POLL_NS && wait->end_ns - now_ns >= WAIT_WAKE_NS;
}

// Whether the wire is to be asked once more.
static inline bool wait_more(const struct wait *wait)
{
	int64_t now_ns;

	if (wait->end_ns == 0)
		return false;
	now_ns = clock_ns();
	if (wait_may_sleep(wait, now_ns))
		nanosleep(&(struct timespec){.tv_nsec = WAIT_SLEEP_NS}, NULL);
	return now_ns < wait->end_ns;
}

#endif
