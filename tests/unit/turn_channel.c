#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;

static void open_rig(void)
{
	struct turn_config config = rig_config();

	config.nonce_lifetime_s = 36000;
	config.lifetime_s = 3600;
	rig_open(&rig, &config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	rig_close(&rig);
}

TestSuite(turn_channel, .init = open_rig, .fini = close_rig);

Test(turn_channel, makes_a_permission_and_both_directions)
{
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig.view.n_attrs, 0);
	cr_expect_str_eq(rig_effects(&rig),
		"CHANNEL_UP_ADD/4000/11.0.0.1:9 PERMISSION_ADD/11.0.0.1 "
		"CHANNEL_DOWN_ADD/4000/11.0.0.1:9");
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
}

Test(turn_channel, repeated_it_has_no_effect)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect_eq(rig.effects.n, 0);
	cr_expect_eq(rig_stats(&rig).n_channels, 1);
}

Test(turn_channel, rfc5766_numbers_are_an_option)
{
	struct turn_config config = rig_config();

	rig_close(&rig);
	config.rfc5766_channels = true;
	rig_open(&rig, &config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_bind(&rig, 0x5000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x7fff, "11.0.0.1:10"), 0);
	cr_expect_eq(rig_bind(&rig, 0x8000, "11.0.0.1:11"), 400);
}

Test(turn_channel, number_outside_the_range_is_400)
{
	static const uint16_t numbers[] = {0, 0x3fff, 0x5000, 0x7fff, 0x8000, 0xffff};

	for (size_t i = 0; i < N_ELEMENTS(numbers); i++)
		cr_expect_eq(rig_bind(&rig, numbers[i], "11.0.0.1:9"), 400);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4fff, "11.0.0.1:10"), 0);
}

Test(turn_channel, missing_or_malformed_attributes_are_400)
{
	const struct endpoint peer = rig_endpoint("11.0.0.1:9");

	rig_begin(&rig, STUN_CHANNEL_BIND);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_CHANNEL_BIND);
	stun_put_channel(&rig.w, 0x4000);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_CHANNEL_BIND);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_CHANNEL_BIND);
	stun_put_bytes(&rig.w, STUN_ATTR_CHANNEL_NUMBER, "\x40\0", 2);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_CHANNEL_BIND);
	stun_put_channel(&rig.w, 0x4000);
	stun_put_bytes(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, "\0\1\0\0\0\0", 6);
	cr_expect_eq(rig_send(&rig), 400);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:0"), 400, "port 0 is no transport address");
	cr_expect_eq(rig_stats(&rig).n_channels + rig_stats(&rig).n_permissions, 0);
}

Test(turn_channel, rebind_to_other_peer_is_400)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:10"), 400);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.2:9"), 400);
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
}

Test(turn_channel, peer_on_a_second_channel_is_400)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.1:9"), 400);
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.1:10"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.1:9"), 400, "both bound, to others");
}

Test(turn_channel, first_of_doubled_attributes_counts)
{
	const struct endpoint first = rig_endpoint("11.0.0.1:1"),
			      second = rig_endpoint("11.0.0.2:2");

	rig_begin(&rig, STUN_CHANNEL_BIND);
	stun_put_channel(&rig.w, 0x4000);
	stun_put_channel(&rig.w, 0x4001);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &first);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &second);
	cr_expect_eq(rig_send(&rig), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"CHANNEL_UP_ADD/4000/11.0.0.1:1 PERMISSION_ADD/11.0.0.1 "
		"CHANNEL_DOWN_ADD/4000/11.0.0.1:1");
}

Test(turn_channel, other_family_is_443_and_policy_403)
{
	cr_expect_eq(rig_bind(&rig, 0x4000, "[2600::1]:9"), 443);
	cr_expect_eq(rig_bind(&rig, 0x4000, "[::1]:9"), 443);
	cr_expect_eq(rig_bind(&rig, 0x4000, "127.0.0.1:9"), 403);
	cr_expect_eq(rig.n_entries, 1);
}

Test(turn_channel, lives_600_seconds_and_its_permission_300)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig_pass(&rig, 299999);
	cr_expect_eq(rig.effects.n, 0);
	rig_pass(&rig, 1);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_REMOVE/11.0.0.1 CHANNEL_DOWN_REMOVE/4000/11.0.0.1:9");
	rig_pass(&rig, 299999);
	cr_expect_eq(rig.effects.n, 0);
	rig_pass(&rig, 1);
	cr_expect_str_eq(rig_effects(&rig), "CHANNEL_UP_REMOVE/4000/11.0.0.1:9");
	cr_expect_eq(rig.n_entries, 1);
}

Test(turn_channel, ends_under_a_live_permission)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig_pass(&rig, 290000);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig_pass(&rig, 290000);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig_pass(&rig, 20000);
	cr_expect_str_eq(rig_effects(&rig),
		"CHANNEL_DOWN_REMOVE/4000/11.0.0.1:9 CHANNEL_UP_REMOVE/4000/11.0.0.1:9");
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
}

Test(turn_channel, rebinding_refreshes_to_600_seconds)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig_pass(&rig, 250000);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig_pass(&rig, 599999);
	cr_expect_eq(rig_stats(&rig).n_channels, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_channels, 0);
}

Test(turn_channel, is_not_refreshed_by_create_permission_or_refresh)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig_pass(&rig, 250000);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_assert_eq(rig_refresh(&rig, 3600), 0);
	rig_pass(&rig, 350000);
	cr_expect_eq(rig_stats(&rig).n_channels, 0);
}

Test(turn_channel, number_and_peer_are_free_after_the_end)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig_pass(&rig, 600000);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.2:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.1:9"), 0);
}

Test(turn_channel, numbers_belong_to_their_allocation)
{
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig.client.port++;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.2:9"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.1:9"), 0);
}

Test(turn_channel, past_128_is_508)
{
	char peer[32];

	for (int i = 0; i < 128; i++) {
		snprintf(peer, sizeof(peer), "11.0.0.1:%d", 100 + i);
		cr_assert_eq(rig_bind(&rig, (uint16_t)(0x4000 + i), peer), 0);
	}
	cr_expect_eq(rig_bind(&rig, 0x4800, "11.0.0.1:9"), 508);
	cr_expect_eq(rig_bind(&rig, 0x4800, "11.0.0.9:9"), 508);
	cr_expect_eq(rig_bind(&rig, 0x407f, "11.0.0.1:227"), 0, "refreshing stays possible");
	cr_expect_eq(rig_stats(&rig).n_channels, 128);
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
	rig_pass(&rig, 300000);
	cr_expect_eq(rig.effects.n, 129, "one permission carried them all");
}

Test(turn_channel, without_room_for_effects_is_508_and_changes_nothing)
{
	rig.effects.capacity = TURN_EFFECTS_MAX - 1;
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 508);
	cr_expect_eq(rig_stats(&rig).n_channels + rig_stats(&rig).n_permissions, 0);
	rig.effects.capacity = TURN_EFFECTS_MAX;
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	rig.effects.capacity = 0;
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0, "refreshing needs none");
	rig.effects.capacity = TURN_EFFECTS_MAX;
	rig_pass(&rig, 300000);
	rig.effects.capacity = 1;
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 508, "its permission has lapsed");
}
