// Ends that an operator asks for.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <errno.h>

#define EACH 5 // allocations of each user

static struct rig rig;

// As in turn_rest.c, by the secret "north".
static const struct rig_user alice = {"1700000600:alice",
	{{0x13, 0x0d, 0x5e, 0xd3, 0x9b, 0xa1, 0x9f, 0x9e, 0x06, 0x47, 0x37, 0x5c, 0x2a, 0x8f, 0x6b,
		 0x4c},
		16}};

static void open_rig(void)
{
	static const struct turn_rest_secret secret = {.text = "north"};
	static const struct relay_range relay = {{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50999};
	struct turn_config config = rig_config();

	config.realm.rest_secrets = &secret;
	config.realm.n_rest_secrets = 1;
	config.relays = &relay;
	config.nonce_lifetime_s = 36000;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	cr_expect(rig_walk_matches(&rig));
	rig_close(&rig);
}

TestSuite(turn_kick, .init = open_rig, .fini = close_rig);

static void allocate_as(const struct rig_user *user)
{
	rig.user = user;
	rig.client.port++;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
}

// EACH of "user", "other" and alice, by turns.
static void allocate_all(void)
{
	for (int i = 0; i < EACH; i++) {
		allocate_as(&rig_user);
		allocate_as(&rig_other);
		allocate_as(&alice);
	}
}

// All of a user's. Returns how many ended.
static uint32_t kick(const char *realm, const char *name)
{
	struct turn_kick order = {.realm = realm, .name = name, .n_bytes = strlen(name)};

	for (int i = 0; i < 100; i++)
		if (!rig_kick_user(&rig, &order))
			return order.n_ended;
	cr_assert(false, "there is no end");
	return 0;
}

Test(turn_kick, an_allocation_ends_with_all_that_stands_for_it)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_kick(&rig, 1), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_REMOVE/11.0.0.1 CHANNEL_DOWN_REMOVE/4000/11.0.0.1:9 "
		"CHANNEL_UP_REMOVE/4000/11.0.0.1:9 ALLOCATION_REMOVE PORT_COOLING");
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_eq(rig_refresh(&rig, 600), 437);
	cr_expect_eq(rig_allocate(&rig), 0, "and its user may come again");
}

Test(turn_kick, what_is_not_there_is_said)
{
	cr_expect_eq(rig_kick(&rig, 1), -ENOENT);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_kick(&rig, 2), -ENOENT);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
}

Test(turn_kick, without_room_nothing_ends)
{
	struct turn_kick order = {.name = "user", .n_bytes = 4};

	cr_assert_eq(rig_allocate(&rig), 0);
	rig.effects.capacity = 1;
	cr_expect_eq(rig_kick(&rig, 1), -EAGAIN);
	cr_expect(rig_kick_user(&rig, &order), "there is more");
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig.effects.capacity = 2;
	cr_expect(!rig_kick_user(&rig, &order));
	cr_expect_eq(order.n_ended, 1);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_kick, a_user_loses_all_and_others_none)
{
	allocate_all();
	cr_expect_eq(kick(NULL, "user"), EACH);
	cr_expect_eq(rig_stats(&rig).n_allocations, 2 * EACH);
	cr_expect_eq(kick("realm", "other"), EACH);
	cr_expect_eq(kick("another", "1700000600:alice"), 0);
	cr_expect_eq(rig_stats(&rig).n_allocations, EACH);
	cr_expect_eq(kick("realm", "1700000600:alice"), EACH);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_kick, a_rest_user_goes_by_what_stands_behind_the_time)
{
	allocate_all();
	cr_expect_eq(kick(NULL, "alic"), 0);
	cr_expect_eq(kick(NULL, "alice"), EACH);
	cr_expect_eq(rig_stats(&rig).n_allocations, 2 * EACH);
}

Test(turn_kick, goes_on_where_it_stopped_for_want_of_room)
{
	struct turn_kick order = {.name = "user", .n_bytes = 4};
	unsigned n_steps = 1;

	allocate_all();
	rig.effects.capacity = 5; // two with two effects each
	for (; rig_kick_user(&rig, &order); n_steps++)
		cr_assert_eq(order.n_ended, 2 * n_steps);
	cr_expect_eq(order.n_ended, EACH);
	cr_expect_eq(n_steps, EACH / 2 + 1);
}

// Each way that an allocation can have entries, with exactly the room that its end takes.
Test(turn_kick, needs_no_more_room_than_what_ends)
{
	const char *const steps[] = {"", "11.0.0.1:9", "11.0.0.1:10", "11.0.0.2:9"};
	struct turn_kick order = {0};

	for (unsigned n = 1; n <= N_ELEMENTS(steps); n++) {
		allocate_as(&rig_user);
		for (unsigned i = 1; i < n; i++)
			cr_assert_eq(rig_bind(&rig, (uint16_t)(0x4000 + i), steps[i]), 0);
		rig_permit(&rig, "11.0.0.3");
		rig.effects.capacity = rig.n_entries;
		order.cursor = 0;
		cr_expect(rig_kick_user(&rig, &order), "one too few: its port cools, too");
		cr_expect_eq(order.n_ended, n - 1);
		rig.effects.capacity++;
		cr_expect(!rig_kick_user(&rig, &order));
		cr_expect_eq(order.n_ended, n);
		rig.effects.capacity = TURN_EFFECTS_MAX;
	}
}

Test(turn_kick, one_step_ends_all_that_there_is_room_for)
{
	struct turn_kick everybody = {0};

	allocate_all();
	cr_expect(!rig_kick_user(&rig, &everybody));
	cr_expect_eq(everybody.n_ended, 3 * EACH);
}

Test(turn_kick, looks_at_a_bounded_number_of_allocations_in_one_step)
{
	struct turn_kick order = {.name = "other", .n_bytes = 5};
	unsigned n_steps = 1;

	for (int i = 0; i < 299; i++)
		allocate_as(&rig_user);
	allocate_as(&rig_other);
	for (; rig_kick_user(&rig, &order); n_steps++)
		cr_assert_eq(order.n_ended, 0);
	cr_expect_eq(order.n_ended, 1);
	cr_expect_eq(n_steps, 2);
}
