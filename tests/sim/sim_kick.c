// An operator ends allocations, through the whole relay: nothing of them stays in any worker.
#include "crowd.h"

#include <criterion/criterion.h>
#include <errno.h>

TestSuite(kick, .init = open_crowd, .fini = close_crowd);

static struct turn_stats stats(void)
{
	struct turn_stats now;

	turn_stats_get(world.turn, &now);
	return now;
}

Test(kick, one_allocation_ends_and_its_port_is_free_again)
{
	const uint32_t n_before = world_n_entries(&world);

	cr_expect_eq(control_allocation_end(world.control, &world.now, 999), -ENOENT);
	cr_expect_eq(control_allocation_end(world.control, &world.now, 1), 0);
	world_run(&world);
	world_check(&world);
	cr_expect_eq(stats().n_allocations, N_CALLERS - 1);
	cr_expect_eq(n_before - world_n_entries(&world), 2 * 4,
		"owner, permission, channel up and down");
	cr_expect_eq(stats().n_ports_cooling, 0);
	cr_expect_eq(allocate(&callers[0]), 0, "its user may come again");
}

Test(kick, all_of_a_user_end_however_many)
{
	struct turn_kick order = {.name = WORLD_USER, .n_bytes = strlen(WORLD_USER)};
	unsigned n_steps = 1;

	for (; control_user_end(world.control, &world.now, &order); n_steps++) {
		cr_assert_lt(n_steps, 100);
		world_run(&world);
		world_check(&world);
	}
	world_run(&world);
	world_check(&world);
	cr_expect_eq(order.n_ended, N_CALLERS);
	cr_expect_leq(n_steps, 2, "each ends as many as the rings take");
	cr_expect_eq(stats().n_allocations, 0);
	cr_expect_eq(world_n_entries(&world), 0);
	cr_expect_eq(stats().n_ports_cooling, 0);
}

Test(kick, without_room_in_a_ring_it_says_so)
{
	const struct msg filler = {.kind = MSG_HOP_SET, .hop_idx = FLOW_HOPS_MAX - 1};

	while (msg_send(&world.workers[1].inbox, &filler))
		;
	cr_expect_eq(control_allocation_end(world.control, &world.now, 1), -EAGAIN);
	cr_expect_eq(stats().n_allocations, N_CALLERS);
	world_run(&world);
	cr_expect_eq(control_allocation_end(world.control, &world.now, 1), 0);
	world_run(&world);
	world_check(&world);
	cr_expect_eq(stats().n_allocations, N_CALLERS - 1);
}
