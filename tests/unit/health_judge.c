#include "app/turnpike/health.h"

#include <criterion/criterion.h>

static struct health health;
static struct vitals vitals;
static unsigned changed; // by the last look

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
		.n_buffers_free = 9000,
		.n_buffers = 10000,
	};
	changed = health_judge(&health, &vitals);
}

static void look(uint64_t after_ms, bool second_moves, bool control_moves)
{
	vitals.now_ms += after_ms;
	vitals.n_polls[0]++;
	vitals.n_polls[1] += second_moves;
	vitals.control_ticks += control_moves;
	changed = health_judge(&health, &vitals);
}

static void look_after(uint64_t ms, bool second_moves)
{
	look(ms, second_moves, true);
}

static void expect_good(const char *why)
{
	for (int i = 0; i < HEALTH_SIGNS; i++)
		cr_expect(health_is_good(&health, (enum health_sign)i), "%s", why);
}

// It has just become so.
static void expect_only(enum health_sign sign, const char *reason)
{
	for (int i = 0; i < HEALTH_SIGNS; i++)
		cr_expect_eq(health_is_good(&health, (enum health_sign)i), i != (int)sign, "%s",
			health_sign_name((enum health_sign)i));
	cr_expect_str_eq(health.reasons[sign], reason);
	cr_expect_eq(changed, 1u << sign);
}

TestSuite(health_judge, .init = begin);

Test(health_judge, a_good_box_stays_good)
{
	expect_good("from the first look on");
	look_after(500, true);
	expect_good("and later");
	cr_expect_eq(changed, 0);
}

Test(health_judge, a_worker_that_stands_for_three_seconds_is_named)
{
	look_after(500, true);
	for (int i = 0; i < 5; i++)
		look_after(500, false);
	expect_good("2.5 s are none too many");
	look_after(500, false);
	expect_only(HEALTH_WORKERS, "worker 1 has not polled for 3000 ms");
	look_after(500, false);
	cr_expect_eq(changed, 0, "it was bad before");
	look_after(500, true);
	expect_good("it goes on");
	cr_expect_eq(changed, 1u << HEALTH_WORKERS);
}

Test(health_judge, a_control_core_that_stands_for_three_seconds_is_named)
{
	look_after(500, true);
	for (int i = 0; i < 5; i++)
		look(500, true, false);
	expect_good("2.5 s are none too many");
	look(500, true, false);
	expect_only(HEALTH_CONTROL, "the control core has not polled for 3000 ms");
	look_after(500, true);
	expect_good("it goes on");
	cr_expect_eq(changed, 1u << HEALTH_CONTROL);
}

Test(health_judge, a_box_that_was_stopped_as_a_whole_blames_nobody)
{
	look_after(500, true);
	look(60000, false, false);
	expect_good("nobody looked for a minute");
}

Test(health_judge, a_port_without_link_is_named)
{
	vitals.port_up[1] = false;
	look_after(500, true);
	expect_only(HEALTH_PORTS, "port outside is down");
}

Test(health_judge, a_port_whose_mirror_is_gone_is_named)
{
	vitals.mirror_gone[1] = true;
	look_after(500, true);
	expect_only(HEALTH_PORTS, "the mirror of port outside is gone");
}

Test(health_judge, two_percent_of_the_relay_ports_are_free)
{
	vitals.n_relay_ports_free = 2;
	look_after(500, true);
	expect_good("two are");
	vitals.n_relay_ports_free = 1;
	look_after(500, true);
	expect_only(HEALTH_RELAY_PORTS, "1 of 100 relay ports are free");
}

Test(health_judge, two_percent_of_the_packet_buffers_are_free)
{
	vitals.n_buffers_free = 200;
	look_after(500, true);
	expect_good("2 % are enough");
	vitals.n_buffers_free = 199;
	look_after(500, true);
	expect_only(HEALTH_BUFFERS, "199 of 10000 packet buffers are free");
	vitals.n_buffers_free = 200;
	look_after(500, true);
	expect_good("one came back");
}

Test(health_judge, redis_may_be_away_while_users_are_cached)
{
	vitals.needs_redis = true;
	vitals.n_redis_cached = 1;
	look_after(500, true);
	expect_good("one is");
	vitals.n_redis_cached = 0;
	look_after(500, true);
	expect_only(HEALTH_REDIS, "Redis cannot be reached and no user is cached");
	vitals.needs_redis = false;
	look_after(500, true);
	expect_good("others can be served");
}
