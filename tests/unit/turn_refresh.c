#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;

static void open_rig(void)
{
	struct turn_config config = rig_config();

	config.nonce_lifetime_s = 36000;
	rig_open(&rig, &config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_refresh, .init = open_rig, .fini = close_rig);

Test(turn_refresh, lifetime_is_between_default_and_maximum)
{
	static const int64_t rows[][2] = {{-1, 600}, {1, 600}, {599, 600}, {601, 601}, {3600, 3600},
		{3601, 3600}, {UINT32_MAX, 3600}};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		cr_expect_eq(rig_refresh(&rig, rows[i][0]), 0);
		cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), rows[i][1]);
		cr_expect_eq(rig.effects.n, 0);
	}
}

Test(turn_refresh, time_runs_from_the_refresh)
{
	rig_pass(&rig, 500000);
	cr_assert_eq(rig_refresh(&rig, 700), 0);
	rig_pass(&rig, 699999);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	cr_expect_eq(rig_refresh(&rig, 600), 437);
}

Test(turn_refresh, a_shorter_lifetime_counts_too)
{
	cr_assert_eq(rig_refresh(&rig, 3600), 0);
	cr_assert_eq(rig_refresh(&rig, 600), 0);
	rig_pass(&rig, 600000);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_refresh, zero_ends_it_all_and_again_is_437)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.2"), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_REMOVE/11.0.0.2 PERMISSION_REMOVE/11.0.0.1 "
		"CHANNEL_DOWN_REMOVE/4000/11.0.0.1:9 CHANNEL_UP_REMOVE/4000/11.0.0.1:9 "
		"ALLOCATION_REMOVE PORT_COOLING");
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_eq(rig_repeat(&rig), 437);
	cr_expect_neq(rig.view.integrity_offset, 0);
	cr_expect_null(turn_check(rig.turn));
}

Test(turn_refresh, a_full_allocation_ends_in_as_many_effects_as_promised)
{
	char peer[32];

	for (int i = 0; i < TURN_CHANNELS_MAX; i++) {
		snprintf(peer, sizeof(peer), "11.0.0.%d:9", i);
		cr_assert_eq(rig_bind(&rig, (uint16_t)(0x4000 + i), peer), 0);
	}
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	// All but those of a second relayed address and of a hand-over.
	cr_expect_eq(rig.effects.n, TURN_EFFECTS_MAX - TURN_CHANNELS_MAX - 4);
	cr_expect_eq(rig.n_entries, 0);
}

Test(turn_refresh, malformed_is_400)
{
	rig_begin(&rig, STUN_REFRESH);
	stun_put_bytes(&rig.w, STUN_ATTR_LIFETIME, "\0", 1);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_REFRESH);
	stun_put_bytes(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\1\0", 2);
	cr_expect_eq(rig_send(&rig), 400);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
}

Test(turn_refresh, another_family_is_443)
{
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, 0);
	cr_expect_eq(rig_send(&rig), 443);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 1u << 24);
	cr_expect_eq(rig_send(&rig), 0);
}

Test(turn_refresh, first_of_two_lifetimes_counts)
{
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, 1000);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, 0);
	cr_expect_eq(rig_send(&rig), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 1000);
}

Test(turn_refresh, zero_without_room_for_effects_is_508_and_changes_nothing)
{
	rig.effects.capacity = TURN_EFFECTS_MAX - 1;
	cr_expect_eq(rig_refresh(&rig, 0), 508);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	cr_expect_eq(rig_refresh(&rig, 600), 0, "this needs no effects");
	rig.effects.capacity = TURN_EFFECTS_MAX;
	cr_expect_eq(rig_refresh(&rig, 0), 0);
}

Test(turn_refresh, the_5_tuple_is_free_again_after_the_end)
{
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig_allocate(&rig), 0);
}
