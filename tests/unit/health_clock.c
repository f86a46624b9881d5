#include "app/turnpike/clock.h"

#include <criterion/criterion.h>

#define NOON 1800000000

static struct clock watch;
static struct clock_news news;

static void begin(void)
{
	watch = (struct clock){0};
	clock_look(&watch, 77000, NOON, &news);
}

TestSuite(clock, .init = begin);

static void expect(int64_t step_s, uint64_t stall_ms, const char *why)
{
	cr_expect_eq(news.step_s, step_s, "%s: %ld s", why, news.step_s);
	cr_expect_eq(news.stall_ms, stall_ms, "%s: %lu ms", why, news.stall_ms);
}

Test(clock, the_first_look_sees_nothing)
{
	expect(0, 0, "first look");
}

Test(clock, time_that_passes_is_no_news)
{
	for (uint64_t ms = 500; ms <= 100000; ms += 500) {
		clock_look(&watch, 77000 + ms, NOON + (int64_t)((ms + 700) / 1000), &news);
		expect(0, 0, "seconds are rounded");
	}
	cr_expect_eq(watch.n_steps + watch.n_stalls, 0);
}

Test(clock, an_hour_on_and_an_hour_back_are_steps)
{
	clock_look(&watch, 77500, NOON + 3600, &news);
	expect(3600, 0, "on");
	clock_look(&watch, 78000, NOON + 3600, &news);
	expect(0, 0, "it is told once");
	clock_look(&watch, 78500, NOON + 1, &news);
	expect(-3599, 0, "back");
	cr_expect_eq(watch.n_steps, 2);
	cr_expect_eq(watch.n_stalls, 0);
}

Test(clock, half_a_minute_without_a_look_is_a_stall_and_no_step)
{
	clock_look(&watch, 107000, NOON + 30, &news);
	expect(0, 30000, "stood");
	clock_look(&watch, 109999, NOON + 33, &news);
	expect(0, 0, "just quick enough");
	cr_expect_eq(watch.n_steps, 0);
	cr_expect_eq(watch.n_stalls, 1);
}
