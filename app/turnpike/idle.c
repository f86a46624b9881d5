#include "idle.h"

uint32_t idle_sleep_ns(struct idle *idle, uint64_t now_ticks, uint64_t ticks_per_us)
{
	if (!idle->is_idle)
		*idle = (struct idle){.is_idle = true, .since_ticks = now_ticks};
	if (now_ticks - idle->since_ticks < IDLE_POLL_US * ticks_per_us)
		return 0;
	if (idle->n_sleeps == IDLE_SHORT_SLEEPS)
		return IDLE_LONG_NS;
	idle->n_sleeps++;
	return IDLE_SHORT_NS;
}
