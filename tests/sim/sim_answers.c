// What the control core answers to those who have not shown who they are: within a budget, and not
// more than they sent. The workers' own limits are off here.
#include "caller.h"

#include <criterion/criterion.h>

#define CLIENT_IP "198.18.0.10"
#define OTHER_IP "198.18.0.11"

static struct world world;
static void open_world(struct control_answers answers)
{
	world.answers = answers;
	world_open(&world, 1);
	world_add_host(&world, CLIENT_IP);
	world_add_host(&world, OTHER_IP);
	world.delay_max_ms = 0;
}

static void close_world(void)
{
	world_check(&world);
	world_close(&world);
}

TestSuite(answers, .fini = close_world);

// How many of `n` Allocates of strangers are answered.
static uint64_t ask(const char *ip, unsigned n)
{
	struct caller caller;
	struct datagram d;

	world.n_sent = 0;
	for (unsigned i = 0; i < n; i++) {
		caller_open(&caller, ip, (uint16_t)(1000 + i));
		caller_allocate(&caller, &world, &d, false);
		world_send(&world, &d);
		world_run(&world);
		caller_close(&caller);
	}
	return world.n_sent;
}

static uint64_t n_withheld(void)
{
	return control_stats_get(world.control)->n_answers_withheld;
}

Test(answers, each_source_has_a_budget)
{
	open_world((struct control_answers){.per_source = 3});
	cr_expect_eq(ask(CLIENT_IP, 5), 3);
	cr_expect_eq(ask(OTHER_IP, 5), 3);
	cr_expect_eq(n_withheld(), 4);
	world_advance(&world, 500);
	cr_expect_eq(ask(CLIENT_IP, 5), 1);
	world_advance(&world, 10000);
	cr_expect_eq(ask(CLIENT_IP, 5), 3);
	cr_expect_eq(n_withheld(), 4 + 4 + 2);
}

Test(answers, all_sources_have_a_budget_together)
{
	open_world((struct control_answers){.total = 4});
	cr_expect_eq(ask(CLIENT_IP, 3), 3);
	cr_expect_eq(ask(OTHER_IP, 3), 1);
	cr_expect_eq(n_withheld(), 2);
}

Test(answers, none_is_larger_than_the_ratio)
{
	open_world((struct control_answers){.ratio_percent = 100});
	cr_expect_eq(ask(CLIENT_IP, 3), 0);
	cr_expect_eq(n_withheld(), 3);
}

// Who has shown who he is waits for no budget: his requests are answered after the flood's.
Test(answers, who_is_known_is_answered_beyond_them)
{
	struct caller caller;
	struct datagram d;

	open_world((struct control_answers){.per_source = 1});
	caller_open(&caller, CLIENT_IP, 5000);
	for (unsigned i = 0; i < 10; i++) {
		world.n_sent = 0;
		caller_allocate(&caller, &world, &d, false);
		world_send(&world, &d);
		world_run(&world);
		cr_assert_eq(world.n_sent, 1);
		cr_expect_eq(caller_read(&caller, &world.sent), i == 0 ? 401 : i == 1 ? 0 : 437);
	}
	cr_expect_eq(ask(CLIENT_IP, 1), 0);
	caller_close(&caller);
}
