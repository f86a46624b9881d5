#include "app/turnpike/health.h"

#include <criterion/criterion.h>

static struct health health;
static struct vitals vitals;

// A good box, half a second after the last look.
static void begin(void)
{
	vitals = (struct vitals){
		.n_workers = 2,
		.port_names = {"inside", "outside"},
		.port_up = {true, true},
		.n_ports = 2,
		.n_relay_ports_free = 100,
		.n_relay_ports = 100,
	};
	health_judge(&health, &vitals);
}

static void look_after(uint64_t ms, bool second_moves)
{
	vitals.now_ms += ms;
	vitals.n_polls[0]++;
	vitals.n_polls[1] += second_moves;
	health_judge(&health, &vitals);
}

static void assert_only(enum health_sign sign, const char *reason)
{
	for (int i = 0; i < HEALTH_SIGNS; i++)
		cr_expect_eq(health.verdict.is_good[i], i != (int)sign, "%s",
			health_sign_name((enum health_sign)i));
	cr_expect_str_eq(health.verdict.reasons[sign], reason);
	cr_expect_eq(health.verdict.is_alive, sign != HEALTH_WORKERS);
	cr_expect_not(health.verdict.is_ready);
}

TestSuite(health_judge, .init = begin);

Test(health_judge, a_good_box_is_alive_and_ready)
{
	cr_expect(health.verdict.is_alive && health.verdict.is_ready, "from the first look on");
	look_after(500, true);
	cr_expect(health.verdict.is_alive && health.verdict.is_ready);
	for (int i = 0; i < HEALTH_SIGNS; i++)
		cr_expect_str_eq(health.verdict.reasons[i], "");
}

Test(health_judge, a_worker_that_stands_for_three_seconds_is_named)
{
	look_after(500, true);
	for (int i = 0; i < 5; i++)
		look_after(500, false);
	cr_expect(health.verdict.is_alive, "2.5 s are none too many");
	look_after(500, false);
	assert_only(HEALTH_WORKERS, "worker 1 has not polled for 3000 ms");
	look_after(500, true);
	cr_expect(health.verdict.is_alive && health.verdict.is_ready, "it goes on");
}

Test(health_judge, a_box_that_was_stopped_as_a_whole_blames_nobody)
{
	look_after(500, true);
	look_after(60000, false);
	cr_expect(health.verdict.is_alive, "nobody looked for a minute");
}

Test(health_judge, a_port_without_link_is_named)
{
	vitals.port_up[1] = false;
	look_after(500, true);
	assert_only(HEALTH_PORTS, "port outside is down");
}

Test(health_judge, two_percent_of_the_relay_ports_are_free)
{
	vitals.n_relay_ports_free = 2;
	look_after(500, true);
	cr_expect(health.verdict.is_ready);
	vitals.n_relay_ports_free = 1;
	look_after(500, true);
	assert_only(HEALTH_RELAY_PORTS, "1 of 100 relay ports are free");
}

Test(health_judge, redis_may_be_away_while_users_are_cached)
{
	vitals.needs_redis = true;
	vitals.n_redis_cached = 1;
	look_after(500, true);
	cr_expect(health.verdict.is_ready);
	vitals.n_redis_cached = 0;
	look_after(500, true);
	assert_only(HEALTH_REDIS, "Redis cannot be reached and no user is cached");
	vitals.needs_redis = false;
	look_after(500, true);
	cr_expect(health.verdict.is_ready, "others can be served");
}

Test(health_judge, a_draining_box_is_alive_but_not_ready)
{
	vitals.is_draining = true;
	look_after(500, true);
	assert_only(HEALTH_DRAIN, "new allocations are refused: it is being drained");
}
