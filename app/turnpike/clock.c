#include "clock.h"

#include "base/base.h"

#include <stdlib.h>

void clock_look(struct clock *clock, uint64_t now_ms, int64_t wall_s, struct clock_news *out)
{
	const uint64_t passed_ms = now_ms - clock->now_ms;
	const int64_t step_s = wall_s - clock->wall_s - (int64_t)(passed_ms / MS_IN_S);

	*out = (struct clock_news){0};
	if (clock->has_begun && llabs(step_s) >= CLOCK_STEP_S) {
		out->step_s = step_s;
		clock->n_steps++;
	}
	if (clock->has_begun && passed_ms >= CLOCK_STALL_MS) {
		out->stall_ms = passed_ms;
		clock->n_stalls++;
	}
	clock->has_begun = true;
	clock->now_ms = now_ms;
	clock->wall_s = wall_s;
}
