// What became of time between two looks: was the wall clock set, did the control core stand still?
//
// Nothing here reads a clock. Control core only.
#ifndef TURNPIKE_CLOCK_H
#define TURNPIKE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_STEP_S 2 // what is less may be the rounding of seconds, or NTP at its work
#define CLOCK_STALL_MS 3000 // more than any work of the control core takes

// Zero before the first look.
struct clock {
	bool has_begun;
	uint64_t now_ms;
	int64_t wall_s;
	uint64_t n_steps;
	uint64_t n_stalls;
};

struct clock_news {
	int64_t step_s; // how far the wall clock was set; 0: it was not
	uint64_t stall_ms; // how long nobody had looked; 0: not for too long
};

// `now_ms` is monotonic, `wall_s` Unix time. To be called twice a second or so.
void clock_look(struct clock *clock, uint64_t now_ms, int64_t wall_s, struct clock_news *out);

#endif
