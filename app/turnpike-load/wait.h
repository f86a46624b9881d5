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
#define WAIT_SLEEP_MIN_NS 20000
#define WAIT_SLEEP_MAX_NS 200000
#define WAIT_SLEEP_PART 16 // of what has passed: what comes meanwhile is late by no more

struct wait {
	int64_t begin_ns;
	int64_t end_ns; // 0: at once
};

static inline struct wait wait_begin(int64_t wait_ns)
{
	const int64_t now_ns = wait_ns > 0 ? clock_ns() : 0;

	return (struct wait){now_ns, wait_ns > 0 ? now_ns + wait_ns : 0};
}

// How long to sleep before the wire is asked again.
static inline int64_t wait_sleep_ns(const struct wait *wait, int64_t now_ns)
{
	const int64_t passed_ns = now_ns - wait->begin_ns;
	const int64_t room_ns = wait->end_ns - now_ns - WAIT_WAKE_NS;
	int64_t sleep_ns = passed_ns / WAIT_SLEEP_PART;

	if (passed_ns < WAIT_POLL_NS || room_ns < 0)
		return 0;
	if (sleep_ns > WAIT_SLEEP_MAX_NS)
		sleep_ns = WAIT_SLEEP_MAX_NS;
	if (sleep_ns > room_ns)
		sleep_ns = room_ns;
	return sleep_ns > WAIT_SLEEP_MIN_NS ? sleep_ns : WAIT_SLEEP_MIN_NS;
}

// Whether the wire is to be asked once more.
static inline bool wait_more(const struct wait *wait)
{
	int64_t sleep_ns;
	int64_t now_ns;

	if (wait->end_ns == 0)
		return false;
	now_ns = clock_ns();
	sleep_ns = wait_sleep_ns(wait, now_ns);
	if (sleep_ns)
		nanosleep(&(struct timespec){.tv_nsec = sleep_ns}, NULL);
	return now_ns < wait->end_ns;
}

#endif
