// The control core and two workers under random traffic, time and losses: a step is anything that
// can happen, and after each the invariants hold. SIM_SEED=n runs one seed alone.
#include "actors.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define N_STEPS 20000

static void step(struct world *world)
{
	const uint32_t what = random_below(&world->random, 1000);

	if (what < 300)
		world_poll(world, random_below(&world->random, WORLD_WORKERS + 1));
	else if (what < 650)
		actors_act(world, random_below(&world->random, N_CLIENTS));
	else if (what < 800)
		actors_peer_send(world);
	else if (what < 998)
		world_advance(world, random_below(&world->random, 100));
	else
		world_advance(
			world, random_below(&world->random, 400000)); // minutes: things expire
}

static void run_seed(uint64_t seed, unsigned loss_percent)
{
	static struct world world;
	static struct actors actors;
	struct turn_stats stats;

	cr_log_info("seed %lu", seed);
	world_open(&world, seed);
	world.loss_percent = loss_percent;
	world.double_percent = loss_percent / 2;
	actors_open(&actors, &world);
	for (int i = 0; i < N_STEPS; i++) {
		step(&world);
		world_check(&world);
	}
	cr_expect_gt(actors.n_grants, 50, "seed %lu: too little happened", seed);
	cr_expect_gt(actors.n_peer_received, 50);
	world_settle(&world);
	actors_call(&world, 0);
	// A day later everything has expired and every port is free.
	world_advance(&world, 86400 * MS_IN_S);
	world_settle(&world);
	world_check(&world);
	turn_stats_get(world.turn, &stats);
	cr_assert_eq(stats.n_allocations, 0);
	cr_assert_eq(stats.n_ports_free, WORLD_PORTS);
	cr_assert_eq(world_n_entries(&world), 0, "entries outlive");
	actors_close(&actors);
	world_close(&world);
}

Test(sim, a_call_without_losses)
{
	static struct world world;
	static struct actors actors;

	world_open(&world, 1);
	actors_open(&actors, &world);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		actors_call(&world, i);
		world_check(&world);
	}
	actors_close(&actors);
	world_close(&world);
}

static uint32_t n_cooling(const struct world *world)
{
	struct turn_stats stats;

	turn_stats_get(world->turn, &stats);
	return stats.n_ports_cooling;
}

Test(sim, port_is_used_again_only_after_every_worker_applied_its_removal)
{
	static struct world world;
	static struct actors actors;

	world_open(&world, 1);
	actors_open(&actors, &world);
	actors_call(&world, 0);
	actors_release(&world, 0);
	world_advance(&world, world.delay_max_ms);
	world_poll(&world, 0);
	world_poll(&world, 1);
	world_poll(&world, WORLD_WORKERS);
	cr_expect_eq(n_cooling(&world), 1, "no worker has applied it");
	world_poll(&world, 0);
	world_poll(&world, WORLD_WORKERS);
	cr_expect_eq(n_cooling(&world), 1, "one of two workers has applied it");
	world_poll(&world, 1);
	world_poll(&world, WORLD_WORKERS);
	cr_expect_eq(n_cooling(&world), 0, "both workers have applied it");
	actors_close(&actors);
	world_close(&world);
}

// Take what waits for a worker: the place of the last entry and of the answer, 0 where there is
// none. Sequence numbers grow.
static void take_messages(struct world_worker *own, unsigned *entry_place, unsigned *answer_place)
{
	uint64_t seq = 0;
	struct msg msg;

	*entry_place = *answer_place = 0;
	for (unsigned place = 1; msg_receive_burst(&own->inbox, &msg, 1); place++) {
		cr_assert_gt(msg.seq, seq);
		seq = msg.seq;
		if (msg.kind == MSG_FLOW4_INSERT)
			*entry_place = place;
		if (msg.kind != MSG_SEND)
			continue;
		*answer_place = place;
		rte_pktmbuf_free(msg.mbuf);
	}
}

Test(sim, an_answer_stands_behind_its_entries)
{
	static struct world world;
	static struct actors actors;
	unsigned entry_places[WORLD_WORKERS];
	unsigned answer_places[WORLD_WORKERS];

	world_open(&world, 1);
	actors_open(&actors, &world);
	actors_act(&world, 0); // the nonce
	world_settle(&world);
	actors_act(&world, 0); // the allocation
	world_advance(&world, world.delay_max_ms);
	world_poll(&world, 0);
	world_poll(&world, 1);
	world_poll(&world, WORLD_WORKERS);
	for (size_t i = 0; i < WORLD_WORKERS; i++) {
		take_messages(&world.workers[i], &entry_places[i], &answer_places[i]);
		cr_expect_neq(entry_places[i], 0, "worker %zu does not know the allocation", i);
		cr_expect(!answer_places[i] || answer_places[i] > entry_places[i]);
	}
	cr_expect_eq(!answer_places[0] + !answer_places[1], 1, "one answer");
	actors_close(&actors);
	world_close(&world);
}

// All at once: the control core must not rest before all of it is gone.
Test(sim, what_expires_together_goes_without_a_pause)
{
	static struct world world;
	static struct actors actors;
	struct turn_stats stats;
	unsigned n_polls = 0;

	world_open(&world, 1);
	actors_open(&actors, &world);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		actors_call(&world, i);
		actors_permit_many(&world, i, 25);
		world_settle(&world);
	}
	turn_stats_get(world.turn, &stats);
	cr_assert_gt(stats.n_permissions + 3 * stats.n_channels, TURN_EFFECTS_MAX,
		"too few for more than one go");
	world_advance(&world, 3700 * MS_IN_S);
	while (control_poll(world.control, &world.now)) {
		n_polls++;
		world_poll(&world, 0);
		world_poll(&world, 1);
	}
	turn_stats_get(world.turn, &stats);
	cr_expect_eq(stats.n_allocations, 0);
	cr_expect_lt(n_polls, 50);
	actors_close(&actors);
	world_close(&world);
}

// Calls with more entries than one round of the control core sends again.
static void open_walk(struct world *world, struct actors *actors)
{
	world_open(world, 1);
	actors_open(actors, world);
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		actors_call(world, i);
		actors_permit_many(world, i, 25);
		world_settle(world);
	}
	cr_assert_gt(control_n_entries(world->control), TURN_EFFECTS_MAX);
}

// A round of the control core after which the workers' rings are empty: the allocations whose
// entries it has sent, as bits; the last of them in `last`, where there is any.
static uint64_t poll_walk(struct world *world, uint32_t *last)
{
	uint64_t told = 0;
	struct msg msg;

	control_poll(world->control, &world->now);
	for (size_t i = 0; i < WORLD_WORKERS; i++)
		while (msg_receive_burst(&world->workers[i].inbox, &msg, 1)) {
			if (msg.kind != MSG_FLOW4_INSERT)
				continue;
			*last = msg.flow4.to.allocation_idx;
			cr_assert_lt(*last, 64);
			told |= 1ULL << *last;
		}
	return told;
}

// The allocation that a walk ends with. Each walk takes a few rounds.
static uint32_t find_last(struct world *world)
{
	uint32_t last = 0;

	world_add_host(world, "198.18.0.10");
	cr_assert_neq(poll_walk(world, &last), 0);
	cr_assert(control_waiting(world->control), "all of it fits one round");
	while (control_waiting(world->control))
		poll_walk(world, &last);
	return last;
}

Test(sim, a_walk_comes_to_its_end_while_routes_keep_moving)
{
	static struct world world;
	static struct actors actors;
	uint64_t told = 0;
	uint32_t last, any;

	open_walk(&world, &actors);
	last = find_last(&world);
	for (int i = 0; i < 8; i++) {
		world_add_host(&world, "198.18.0.10");
		told |= poll_walk(&world, &any);
	}
	cr_expect(told & 1ULL << last, "the last allocation was never sent again");
	actors_close(&actors);
	world_close(&world);
}

Test(sim, what_moves_behind_a_walk_is_sent_by_another)
{
	static struct world world;
	static struct actors actors;
	uint64_t first, told = 0;
	uint32_t any;

	open_walk(&world, &actors);
	world_add_host(&world, "198.18.0.10");
	first = poll_walk(&world, &any);
	cr_assert_neq(first, 0);
	world_add_host(&world, "198.18.0.10");
	while (control_waiting(world.control))
		told |= poll_walk(&world, &any);
	cr_expect_eq(told & first, first, "sent before the routes moved, and not again");
	actors_close(&actors);
	world_close(&world);
}

Test(sim, random_steps_without_losses)
{
	for (uint64_t seed = 100; seed < 104; seed++)
		run_seed(seed, 0);
}

Test(sim, random_steps_with_losses_doubles_and_reordering)
{
	const char *only = getenv("SIM_SEED");

	if (only)
		return run_seed(strtoull(only, NULL, 10), 20);
	for (uint64_t seed = 200; seed < 208; seed++)
		run_seed(seed, seed % 2 ? 10 : 30);
}
