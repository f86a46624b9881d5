#include "turn_rig.h"

#include <criterion/criterion.h>

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

TestSuite(turn_permission, .init = open_rig, .fini = close_rig);

static int permit_all(const char *const *peers, size_t n)
{
	rig_begin(&rig, STUN_CREATE_PERMISSION);
	for (size_t i = 0; i < n; i++) {
		const struct endpoint peer = rig_endpoint(peers[i]);

		stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	}
	return rig_send(&rig);
}

Test(turn_permission, one_peer_makes_one_entry_without_port)
{
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig.view.n_attrs, 0);
	cr_expect_str_eq(rig_effects(&rig), "PERMISSION_ADD/11.0.0.1");
	cr_expect_eq(rig.items[0].peer.port, 0);
	cr_expect_eq(rig.items[0].channel, 0);
}

Test(turn_permission, repeated_it_has_no_effect)
{
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect_eq(rig.effects.n, 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig.effects.n, 0);
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
}

Test(turn_permission, several_peers_at_once_each_ip_once)
{
	static const char *const peers[] = {
		"11.0.0.1:1", "11.0.0.2:0", "11.0.0.1:2", "11.0.0.3:65535"};

	cr_expect_eq(permit_all(peers, 4), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_ADD/11.0.0.1 PERMISSION_ADD/11.0.0.2 PERMISSION_ADD/11.0.0.3");
}

Test(turn_permission, one_refused_peer_refuses_all)
{
	static const char *const loopback[] = {"11.0.0.1:1", "127.0.0.1:2", "11.0.0.3:3"};
	static const char *const ipv6[] = {"11.0.0.1:1", "[2600::1]:2"};
	static const char *const both[] = {"127.0.0.1:2", "[2600::1]:2"};

	cr_expect_eq(permit_all(loopback, 3), 403);
	cr_expect_eq(permit_all(ipv6, 2), 443);
	cr_expect_eq(permit_all(both, 2), 443);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
	cr_expect_eq(rig.n_entries, 1);
}

Test(turn_permission, one_malformed_peer_refuses_all)
{
	const struct endpoint peer = rig_endpoint("11.0.0.1:1");

	rig_begin(&rig, STUN_CREATE_PERMISSION);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_put_bytes(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, "\0\1\0\0", 4);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_CREATE_PERMISSION);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	stun_put_bytes(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, "\0\3\0\1\1\2\3\4", 8);
	cr_expect_eq(rig_send(&rig), 400);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}

Test(turn_permission, none_is_400)
{
	rig_begin(&rig, STUN_CREATE_PERMISSION);
	cr_expect_eq(rig_send(&rig), 400);
}

Test(turn_permission, lives_300_seconds)
{
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig_pass(&rig, 299999);
	cr_expect_eq(rig.effects.n, 0);
	rig_pass(&rig, 1);
	cr_expect_str_eq(rig_effects(&rig), "PERMISSION_REMOVE/11.0.0.1");
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}

Test(turn_permission, is_refreshed_by_create_permission)
{
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig_pass(&rig, 200000);
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig_pass(&rig, 299999);
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}

Test(turn_permission, is_refreshed_by_channel_bind)
{
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig_pass(&rig, 200000);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"CHANNEL_UP_ADD/4000/11.0.0.1:9 CHANNEL_DOWN_ADD/4000/11.0.0.1:9");
	rig_pass(&rig, 299999);
	cr_expect_eq(rig_stats(&rig).n_permissions, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}

Test(turn_permission, is_not_refreshed_by_refresh)
{
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig_pass(&rig, 200000);
	cr_assert_eq(rig_refresh(&rig, 3600), 0);
	rig_pass(&rig, 100000);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}

Test(turn_permission, ends_with_its_allocation)
{
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
	rig_pass(&rig, 300000);
	cr_expect_eq(rig.effects.n, 0);
}

static int permit_row(int first, int n)
{
	rig_begin(&rig, STUN_CREATE_PERMISSION);
	for (int i = first; i < first + n; i++) {
		const struct endpoint peer = {{FAMILY_IPV4, {11, 1, 0, (uint8_t)i}}, 1};

		stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	}
	return rig_send(&rig);
}

Test(turn_permission, past_128_is_508_for_all_of_the_request)
{
	const struct endpoint last = rig_endpoint("11.1.0.127:1");

	for (int i = 0; i < 125; i += 25)
		cr_assert_eq(permit_row(i, 25), 0);
	cr_expect_eq(permit_row(123, 6), 508);
	cr_expect_eq(rig_stats(&rig).n_permissions, 125);
	cr_assert_eq(permit_row(125, 2), 0);
	rig_begin(&rig, STUN_CREATE_PERMISSION);
	for (int i = 0; i < 3; i++)
		stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &last);
	cr_expect_eq(rig_send(&rig), 0, "three times the same is one");
	cr_expect_eq(rig_stats(&rig).n_permissions, 128);
	cr_expect_eq(permit_row(120, 8), 0, "refreshing stays possible");
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 508);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 508);
	cr_expect_eq(rig_stats(&rig).n_channels, 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.1.0.7:9"), 0);
}

Test(turn_permission, without_room_for_effects_is_508_and_changes_nothing)
{
	rig.effects.capacity = TURN_EFFECTS_MAX - 1;
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 508);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
	rig.effects.capacity = TURN_EFFECTS_MAX;
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig.effects.capacity = 0;
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0, "refreshing needs none");
}

Test(turn_permission, lapses_under_its_channels_and_comes_back)
{
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.1:1"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4002, "11.0.0.1:2"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4003, "11.0.0.3:3"), 0);
	rig_pass(&rig, 100000);
	cr_assert_eq(rig_permit(&rig, "11.0.0.3"), 0);
	rig_pass(&rig, 200000);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_REMOVE/11.0.0.1 CHANNEL_DOWN_REMOVE/4002/11.0.0.1:2 "
		"CHANNEL_DOWN_REMOVE/4001/11.0.0.1:1");
	cr_expect_eq(rig_stats(&rig).n_channels, 3, "towards the peer they live on");
	cr_expect_null(turn_check(rig.turn));
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_ADD/11.0.0.1 CHANNEL_DOWN_ADD/4002/11.0.0.1:2 "
		"CHANNEL_DOWN_ADD/4001/11.0.0.1:1");
}

Test(turn_permission, comes_back_for_all_channels_by_binding_one)
{
	cr_assert_eq(rig_bind(&rig, 0x4001, "11.0.0.1:1"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4002, "11.0.0.1:2"), 0);
	rig_pass(&rig, 300000);
	cr_expect_eq(rig.effects.n, 3);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.1:1"), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_ADD/11.0.0.1 CHANNEL_DOWN_ADD/4002/11.0.0.1:2 "
		"CHANNEL_DOWN_ADD/4001/11.0.0.1:1");
}

Test(turn_permission, is_its_allocations_alone)
{
	cr_assert_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig.client.port++;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_str_eq(rig_effects(&rig), "PERMISSION_ADD/11.0.0.1");
	cr_expect_eq(rig.items[0].allocation_idx, 1);
}
