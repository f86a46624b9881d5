// The expiry wheel at its edges, turn_walk(), and long random lives against the model of the rig.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;

static void open_with(uint32_t lifetime_max_s, uint64_t start_ms)
{
	struct turn_config config = rig_config();

	config.nonce_lifetime_s = 3000000;
	config.lifetime_max_s = lifetime_max_s;
	rig_open(&rig, &config);
	rig.time.now_ms = start_ms;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
}

Test(turn_time, a_day_is_exact)
{
	open_with(86400, RIG_START_MS);
	cr_assert_eq(rig_refresh(&rig, 86400), 0);
	for (int i = 0; i < 86399; i++) {
		rig_pass(&rig, 1000);
		cr_assert_eq(rig.effects.n, 0, "second %d", i);
	}
	rig_pass(&rig, 999);
	cr_expect_eq(rig.effects.n, 0);
	rig_pass(&rig, 1);
	cr_expect_str_eq(rig_effects(&rig), "ALLOCATION_REMOVE PORT_COOLING");
	rig_close(&rig);
}

Test(turn_time, a_jump_past_many_rounds_ends_what_is_due_and_only_that)
{
	open_with(86400, RIG_START_MS);
	cr_assert_eq(rig_refresh(&rig, 86400), 0);
	rig.client.port++;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 86399000);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1000000000000ULL);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	rig_cool_down(&rig);
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 599999);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	rig_close(&rig);
}

Test(turn_time, clocks_may_stand_anywhere_at_the_start)
{
	static const uint64_t starts[] = {
		0, 999, 1000, 4294966000ULL, 4294967296000ULL - 1000, 1ULL << 47};

	for (size_t i = 0; i < N_ELEMENTS(starts); i++) {
		open_with(3600, starts[i]);
		rig_pass(&rig, 599999);
		cr_expect_eq(rig_stats(&rig).n_allocations, 1, "%zu", i);
		rig_pass(&rig, 1000);
		cr_expect_eq(rig_stats(&rig).n_allocations, 0, "%zu", i);
		rig_close(&rig);
	}
}

Test(turn_time, a_clock_that_steps_back_only_delays)
{
	open_with(3600, RIG_START_MS);
	rig_pass(&rig, 500000);
	rig.time.now_ms -= 400000;
	rig.client.port++;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 599999);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	cr_expect_null(turn_check(rig.turn));
	rig_close(&rig);
}

Test(turn_time, a_clock_far_back_delays_until_it_has_caught_up)
{
	open_with(3600, RIG_START_MS);
	rig_pass(&rig, 2000000);
	rig.time.now_ms -= 1000000;
	rig_cool_down(&rig);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 999999);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1001);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	rig_close(&rig);
}

Test(turn_time, expiry_goes_on_where_the_room_ended)
{
	size_t n = 0;
	bool more;

	open_with(3600, RIG_START_MS);
	for (uint16_t i = 0; i < 8; i++) {
		rig.client.port = 100 + i;
		rig_challenge(&rig);
		cr_assert_eq(rig_allocate(&rig), 0);
		cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	}
	rig.time.now_ms += 600000;
	rig.effects.capacity = 5;
	do {
		rig.effects.n = 0;
		more = turn_expire(rig.turn, &rig.time, &rig.effects);
		cr_assert(rig.effects.n > 0 && rig.effects.n <= 5);
		cr_expect_null(turn_check(rig.turn));
		n += rig.effects.n;
	} while (more);
	cr_expect_eq(n, 8 * 3 + 2);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	rig_close(&rig);
}

Test(turn_time, without_room_nothing_expires)
{
	open_with(3600, RIG_START_MS);
	rig.time.now_ms += 600000;
	rig.effects.n = 0;
	rig.effects.capacity = 1;
	cr_expect(turn_expire(rig.turn, &rig.time, &rig.effects));
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig.effects.capacity = 2;
	cr_expect(!turn_expire(rig.turn, &rig.time, &rig.effects));
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	rig_close(&rig);
}

Test(turn_time, walk_gives_whole_allocations)
{
	struct turn_effects effects = {rig.items, 0, 4};
	uint32_t cursor = 0;

	open_with(3600, RIG_START_MS);
	for (uint16_t i = 0; i < 3; i++) {
		rig.client.port = 100 + i;
		rig_challenge(&rig);
		cr_assert_eq(rig_allocate(&rig), 0);
		cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	}
	cr_expect(turn_walk(rig.turn, &cursor, &effects));
	cr_expect_eq(effects.n, 1, "the bare one; one of four does not fit");
	effects.n = 0;
	effects.capacity = 8;
	cr_expect(turn_walk(rig.turn, &cursor, &effects));
	cr_expect_eq(effects.n, 8);
	effects.n = 0;
	cr_expect(!turn_walk(rig.turn, &cursor, &effects));
	cr_expect_eq(effects.n, 4);
	cr_expect(rig_walk_matches(&rig));
	rig_pass(&rig, 300000);
	cr_expect(rig_walk_matches(&rig), "channels without their way down");
	rig_close(&rig);
}

static void expect_all_free(void)
{
	const struct turn_stats stats = rig_stats(&rig);

	cr_assert_null(turn_check(rig.turn));
	cr_assert_eq(stats.n_allocations + stats.n_permissions + stats.n_channels, 0);
	cr_assert_eq(stats.n_ports_used + stats.n_ports_cooling, 0);
	cr_assert_eq(stats.n_ports_free, 16);
	cr_assert_eq(rig.n_entries, 0);
}

Test(turn_time, ten_thousand_rounds_leave_everything_free)
{
	open_with(3600, RIG_START_MS);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	rig_cool_down(&rig);
	for (uint32_t i = 0; i < 10000; i++) {
		rig.client.port = (uint16_t)(1 + i % 60000);
		rig_challenge(&rig);
		cr_assert_eq(rig_allocate(&rig), 0);
		cr_assert_null(turn_check(rig.turn));
		cr_assert_eq(rig_bind(&rig, (uint16_t)(0x4000 + i % 4096), "11.0.0.1:9"), 0);
		cr_assert_null(turn_check(rig.turn));
		if (i % 2 == 0)
			cr_assert_eq(rig_refresh(&rig, 0), 0);
		else
			rig_pass(&rig, 601000);
		cr_assert_null(turn_check(rig.turn));
		rig_cool_down(&rig);
		expect_all_free();
	}
	rig_close(&rig);
}

static void step(struct random *random)
{
	char peer[32];

	rig.client.port = (uint16_t)(1 + random_below(random, 24));
	rig.user = random_below(random, 8) ? &rig_user : &rig_other;
	rig_challenge(&rig);
	snprintf(peer, sizeof(peer), "11.0.0.%u:%u", random_below(random, 4),
		1 + random_below(random, 4));
	switch (random_below(random, 12)) {
	case 0:
		rig_pass(&rig, random_below(random, 200000));
		return;
	case 1:
		rig_cool_down(&rig);
		return;
	case 2:
		rig_refresh(&rig, random_below(random, 2) * 1000);
		return;
	case 3:
	case 4:
	case 5:
		rig_allocate(&rig);
		return;
	case 6:
		rig_permit(&rig, "11.0.0.1");
		return;
	default:
		rig_bind(&rig, (uint16_t)(0x4000 + random_below(random, 8)), peer);
		return;
	}
}

Test(turn_time, random_lives_agree_with_what_workers_hold)
{
	struct random random = {7};
	uint64_t n_entries = 0;

	open_with(3600, RIG_START_MS);
	for (int i = 0; i < 20000; i++) {
		step(&random);
		cr_assert_null(turn_check(rig.turn), "step %d: %s", i, turn_check(rig.turn));
		cr_assert(rig_walk_matches(&rig), "step %d", i);
		n_entries += rig.n_entries;
	}
	cr_expect_gt(n_entries, 20000 * 10, "it was lively");
	rig_close(&rig);
}
