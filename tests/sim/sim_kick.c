// An operator ends allocations, through the whole relay: nothing of them stays in any worker.
#include "caller.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#define N_CALLERS 20
#define PEER_IP "198.18.0.20"

static struct world world;
static struct caller callers[N_CALLERS];
static struct caller *reader; // of what arrives
static int last_code;

static void on_arrived(struct world *from, const struct datagram *datagram)
{
	(void)from;
	last_code = caller_read(reader, datagram);
}

static int send_and_run(struct datagram *d)
{
	last_code = -1;
	world_send(&world, d);
	world_run(&world);
	world_check(&world);
	return last_code;
}

static int allocate(struct caller *caller)
{
	struct datagram d;

	reader = caller;
	caller_allocate(caller, &world, &d, false);
	return send_and_run(&d);
}

static void call(struct caller *caller, unsigned i)
{
	const struct endpoint peer = world_endpoint(PEER_IP, 4000);
	struct datagram d;
	char ip[32];

	snprintf(ip, sizeof(ip), "198.18.1.%u", i + 1);
	world_add_host(&world, ip);
	caller_open(caller, ip, 1000);
	cr_assert_eq(allocate(caller), 401);
	cr_assert_eq(allocate(caller), 0);
	caller_bind(caller, &world, &d, &peer);
	cr_assert_eq(send_and_run(&d), 0);
}

static void open_world(void)
{
	world_open(&world, 1);
	world.on_arrived = on_arrived;
	world.delay_max_ms = 0;
	world_add_host(&world, PEER_IP);
	for (unsigned i = 0; i < N_CALLERS; i++)
		call(&callers[i], i);
}

static void close_world(void)
{
	for (unsigned i = 0; i < N_CALLERS; i++)
		caller_close(&callers[i]);
	world_close(&world);
}

TestSuite(kick, .init = open_world, .fini = close_world);

static struct turn_stats stats(void)
{
	struct turn_stats now;

	turn_stats_get(world.turn, &now);
	return now;
}

static uint32_t n_entries(void)
{
	uint32_t n = 0;

	for (size_t i = 0; i < WORLD_WORKERS; i++)
		n += worker_flows(world.workers[i].worker)->n_entries;
	return n;
}

Test(kick, one_allocation_ends_and_its_port_is_free_again)
{
	const uint32_t n_before = n_entries();

	cr_expect_eq(control_allocation_end(world.control, &world.now, 999), -ENOENT);
	cr_expect_eq(control_allocation_end(world.control, &world.now, 1), 0);
	world_run(&world);
	world_check(&world);
	cr_expect_eq(stats().n_allocations, N_CALLERS - 1);
	cr_expect_eq(n_before - n_entries(), 2 * 4, "owner, permission, channel up and down");
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
	cr_expect_eq(n_entries(), 0);
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
