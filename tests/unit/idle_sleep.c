#include "app/turnpike/idle.h"

#include <criterion/criterion.h>

#define TICKS_PER_US 2500

static struct idle idle;
static uint64_t now_ticks = UINT64_MAX - 1000; // the counter wraps on the way

static uint32_t sleep_after_us(uint64_t us)
{
	now_ticks += us * TICKS_PER_US;
	return idle_sleep_ns(&idle, now_ticks, TICKS_PER_US);
}

Test(idle, polls_on_for_a_while_then_sleeps_shortly_then_longer)
{
	cr_expect_eq(sleep_after_us(5000), 0, "the last round had work");
	cr_expect_eq(sleep_after_us(IDLE_POLL_US / 2), 0);
	cr_expect_eq(sleep_after_us(IDLE_POLL_US / 2 - 1), 0);
	for (unsigned i = 0; i < IDLE_SHORT_SLEEPS; i++)
		cr_expect_eq(sleep_after_us(1), IDLE_SHORT_NS, "sleep %u", i);
	cr_expect_eq(sleep_after_us(1), IDLE_LONG_NS);
	cr_expect_eq(sleep_after_us(3600000000), IDLE_LONG_NS);
}

Test(idle, work_begins_it_anew)
{
	sleep_after_us(0);
	for (unsigned i = 0; i <= IDLE_SHORT_SLEEPS; i++)
		sleep_after_us(IDLE_POLL_US);
	idle_end(&idle);
	cr_expect_eq(sleep_after_us(1), 0);
	cr_expect_eq(sleep_after_us(IDLE_POLL_US), IDLE_SHORT_NS);
	// Packets that come more often than that keep it awake.
	for (unsigned i = 0; i < 1000; i++) {
		idle_end(&idle);
		cr_expect_eq(sleep_after_us(IDLE_POLL_US - 1), 0);
		cr_expect_eq(sleep_after_us(IDLE_POLL_US - 1), 0);
	}
}
