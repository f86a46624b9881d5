// How many allocations a user may have (RFC 8656 §7.2: by user, not by address).
#include "turn/state.h"

#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define QUOTA 2

// By Python: MD5(name ":realm:" base64(HMAC-SHA1("north", name))).
static const struct rig_user alice_at_600 = {"1700000600:alice",
	{{0x13, 0x0d, 0x5e, 0xd3, 0x9b, 0xa1, 0x9f, 0x9e, 0x06, 0x47, 0x37, 0x5c, 0x2a, 0x8f, 0x6b,
		 0x4c},
		16}};
static const struct rig_user alice_at_601 = {"1700000601:alice",
	{{0x54, 0x4d, 0x22, 0x91, 0x28, 0x08, 0x2e, 0x48, 0x36, 0x77, 0xad, 0x81, 0xff, 0x09, 0x98,
		 0x5b},
		16}};
static const struct rig_user bob_at_600 = {"1700000600:bob",
	{{0x33, 0x5f, 0xe0, 0xbc, 0xc9, 0x05, 0x22, 0xbf, 0x4a, 0xfb, 0xc7, 0x50, 0xa7, 0xa2, 0x38,
		 0x8e},
		16}};

static const struct turn_rest_secret secret = {.text = "north"};

static struct rig rig;

static void open_rig(void)
{
	struct turn_config config = rig_config();

	config.realm.n_allocations_per_user = QUOTA;
	config.realm.rest_secrets = &secret;
	config.realm.n_rest_secrets = 1;
	rig_open(&rig, &config);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	rig_close(&rig);
}

TestSuite(turn_quota, .init = open_rig, .fini = close_rig);

static int allocate_from(uint16_t port, const struct rig_user *user)
{
	rig.client.port = port;
	rig.user = user;
	rig_challenge(&rig);
	return rig_allocate(&rig);
}

Test(turn_quota, a_user_has_as_many_as_the_quota_whatever_the_client)
{
	cr_expect_eq(allocate_from(1, &rig_user), 0);
	cr_expect_eq(allocate_from(2, &rig_user), 0);
	rig.client.ip.bytes[3]++;
	cr_expect_eq(allocate_from(3, &rig_user), 486);
	cr_expect_neq(rig.view.integrity_offset, 0);
	cr_expect_eq(rig.effects.n, 0);
	cr_expect_eq(allocate_from(4, &rig_other), 0, "another user");
}

Test(turn_quota, an_end_makes_room_for_one_more)
{
	cr_assert_eq(allocate_from(1, &rig_user), 0);
	cr_assert_eq(allocate_from(2, &rig_user), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(allocate_from(3, &rig_user), 0);
	cr_expect_eq(allocate_from(4, &rig_user), 486);
	rig_pass(&rig, 600000);
	cr_expect_eq(allocate_from(5, &rig_user), 0);
	cr_expect_eq(allocate_from(6, &rig_user), 0);
	cr_expect_eq(allocate_from(7, &rig_user), 486);
}

Test(turn_quota, a_retransmission_is_no_second_allocation)
{
	for (int i = 0; i < QUOTA + 1; i++) {
		rig.n_transactions = 50;
		cr_expect_eq(allocate_from(1, &rig_user), 0);
	}
	cr_expect_eq(allocate_from(2, &rig_user), 0);
	cr_expect_eq(allocate_from(3, &rig_user), 486);
}

Test(turn_quota, what_is_refused_for_another_reason_is_not_counted)
{
	for (int i = 0; i < QUOTA + 1; i++) {
		rig_challenge(&rig);
		rig_begin(&rig, STUN_ALLOCATE);
		stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
		stun_put_bytes(&rig.w, STUN_ATTR_RESERVATION_TOKEN, "\0\0\1guess", 8);
		cr_expect_eq(rig_send(&rig), 508);
	}
	cr_expect_eq(allocate_from(1, &rig_user), 0);
	cr_expect_eq(allocate_from(2, &rig_user), 0);
}

Test(turn_quota, rest_users_are_counted_without_their_time)
{
	cr_expect_eq(allocate_from(1, &alice_at_600), 0);
	cr_expect_eq(allocate_from(2, &alice_at_601), 0);
	cr_expect_eq(allocate_from(3, &alice_at_601), 486);
	cr_expect_eq(allocate_from(4, &alice_at_600), 486);
	cr_expect_eq(allocate_from(5, &bob_at_600), 0);
	rig_pass(&rig, 600000);
	rig.time.wall_s = RIG_START_WALL_S;
	cr_expect_eq(allocate_from(6, &alice_at_601), 0, "nothing is left of them");
}

Test(turn_quota, configured_names_are_taken_whole)
{
	static const struct rig_user one = {"1:shared", {{1}, 16}};
	static const struct rig_user two = {"2:shared", {{2}, 16}};
	const struct turn_user users[] = {rig_turn_user(&one), rig_turn_user(&two)};
	struct turn_config config = rig_config();

	rig_close(&rig);
	config.realm.users = users;
	config.realm.n_allocations_per_user = 1;
	rig_open(&rig, &config);
	cr_expect_eq(allocate_from(1, &one), 0);
	cr_expect_eq(allocate_from(2, &two), 0);
}

Test(turn_quota, zero_is_no_limit)
{
	struct turn_config config = rig_config();

	rig_close(&rig);
	rig_open(&rig, &config);
	for (uint16_t port = 1; port <= 16; port++)
		cr_expect_eq(allocate_from(port, &rig_user), 0);
}

static uint32_t user_at_port(uint16_t port, const struct rig_user *user)
{
	cr_assert_eq(allocate_from(port, user), 0);
	cr_assert_eq(rig.effects.n, 1);
	return rig.effects.items[0].user_idx;
}

static void release_port(uint16_t port, const struct rig_user *user)
{
	rig.client.port = port;
	rig.user = user;
	rig_challenge(&rig);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
}

Test(turn_quota, effects_name_the_user_by_a_number_of_his_own)
{
	const uint32_t first = user_at_port(1, &rig_user);
	const uint32_t other = user_at_port(2, &rig_other);

	cr_expect_neq(first, other);
	cr_expect_eq(user_at_port(3, &rig_user), first);
	cr_expect_null(turn_check(rig.turn));
	// It is his until the last of his allocations has ended; then another may have it.
	release_port(1, &rig_user);
	cr_expect_eq(user_at_port(4, &rig_user), first);
	release_port(4, &rig_user);
	release_port(3, &rig_user);
	cr_expect_null(turn_check(rig.turn));
	release_port(2, &rig_other);
	cr_expect_lt(user_at_port(5, &rig_user), 2);
}

static void reopen(const struct turn_config *config)
{
	rig_close(&rig);
	rig_open(&rig, config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
}

static int permit(unsigned host)
{
	char peer[32];

	snprintf(peer, sizeof(peer), "11.0.0.%u", host);
	return rig_permit(&rig, peer);
}

static int bind_to(uint16_t channel, unsigned host)
{
	char peer[32];

	snprintf(peer, sizeof(peer), "11.0.0.%u:9", host);
	return rig_bind(&rig, channel, peer);
}

Test(turn_quota, permissions_and_channels_of_an_allocation)
{
	struct turn_config config = rig_config();

	config.n_permissions_max = 3;
	config.n_channels_max = 2;
	reopen(&config);
	cr_expect_eq(bind_to(0x4000, 1), 0);
	cr_expect_eq(bind_to(0x4001, 2), 0);
	cr_expect_eq(bind_to(0x4002, 1), 400);
	cr_expect_eq(bind_to(0x4002, 3), 508);
	cr_expect_eq(permit(3), 0);
	cr_expect_eq(permit(4), 508);
	// What is there may be refreshed.
	cr_expect_eq(permit(1), 0);
	cr_expect_eq(bind_to(0x4000, 1), 0);
	config.n_permissions_max = TURN_PERMISSIONS_MAX + 1;
	cr_expect_neq(turn_create(&(struct turn *){NULL}, &config), 0);
}

Test(turn_quota, new_peers_of_a_user)
{
	struct turn_config config = rig_config();

	config.new_peers_per_user_s = 5;
	reopen(&config);
	for (unsigned host = 1; host <= 4; host++)
		cr_expect_eq(permit(host), 0);
	cr_expect_eq(bind_to(0x4000, 5), 0);
	cr_expect_eq(permit(6), 508);
	cr_expect_eq(bind_to(0x4001, 6), 508);
	cr_expect_eq(rig_stats(&rig).n_permissions, 5);
	cr_expect_eq(rig_stats(&rig).n_too_fast, 2);
	cr_expect_eq(permit(1), 0, "not a new one");
	// Another allocation is no way around it, another user has his own.
	cr_expect_eq(allocate_from(7, &rig_user), 0);
	cr_expect_eq(permit(1), 508);
	cr_expect_eq(allocate_from(8, &rig_other), 0);
	cr_expect_eq(permit(1), 0);
	rig_pass(&rig, 400);
	cr_expect_eq(allocate_from(9, &rig_user), 0);
	cr_expect_eq(permit(1), 0);
	cr_expect_eq(permit(2), 0);
	cr_expect_eq(permit(3), 508);
}

// Also of a REST user, who is nobody while he has no allocation.
Test(turn_quota, new_peers_count_on_when_the_last_allocation_ends)
{
	struct turn_config config = rig_config();

	config.new_peers_per_user_s = 5;
	config.realm.rest_secrets = &secret;
	config.realm.n_rest_secrets = 1;
	reopen(&config);
	for (uint16_t port = 1; port <= 5; port++) {
		cr_assert_eq(allocate_from(port, &alice_at_600), 0);
		cr_expect_eq(permit(port), 0);
		cr_assert_eq(rig_refresh(&rig, 0), 0);
	}
	cr_assert_eq(allocate_from(6, &alice_at_601), 0);
	cr_expect_eq(permit(6), 508);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	rig_pass(&rig, 200);
	cr_assert_eq(allocate_from(7, &alice_at_600), 0);
	cr_expect_eq(permit(7), 0);
	cr_expect_eq(permit(8), 508);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	rig_pass(&rig, 1000);
	cr_expect_null(rig.turn->users.accounts.first_resting, "forgotten");
}

Test(turn_quota, new_peers_of_all)
{
	struct turn_config config = rig_config();

	config.new_peers_s = 3;
	reopen(&config);
	cr_expect_eq(permit(1), 0);
	cr_expect_eq(permit(2), 0);
	cr_expect_eq(allocate_from(7, &rig_other), 0);
	cr_expect_eq(permit(1), 0);
	cr_expect_eq(permit(2), 508);
	rig_pass(&rig, 1000);
	cr_expect_eq(permit(2), 0);
}

static int allocate_pair_from(uint16_t port)
{
	rig.client.port = port;
	rig.user = &rig_user;
	rig_challenge(&rig);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_EVEN_PORT, "\x80", 1);
	return rig_send(&rig);
}

// Else who makes and ends pairs would hold all ports, thirty seconds each.
Test(turn_quota, a_reserved_port_counts_when_its_allocation_has_ended)
{
	cr_assert_eq(allocate_pair_from(1), 0);
	cr_expect_eq(allocate_from(2, &rig_user), 0, "not before");
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_assert_eq(allocate_pair_from(2), 0);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(allocate_from(3, &rig_user), 486);
	cr_expect_eq(allocate_from(3, &rig_other), 0, "another user");
	rig_pass(&rig, 31000);
	cr_expect_eq(allocate_from(5, &rig_user), 0);
}

Test(turn_quota, the_port_that_a_token_asks_for_is_counted_once)
{
	uint8_t token[8];
	const struct stun_attr *attr;

	cr_assert_eq(allocate_pair_from(1), 0);
	attr = stun_find(&rig.view, STUN_ATTR_RESERVATION_TOKEN);
	cr_assert(attr && attr->n_bytes == sizeof(token));
	memcpy(token, attr->value, sizeof(token));
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_assert_eq(allocate_from(2, &rig_user), 0);
	cr_expect_eq(allocate_from(3, &rig_user), 486);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_RESERVATION_TOKEN, token, sizeof(token));
	cr_expect_eq(rig_send(&rig), 0);
	cr_expect_eq(allocate_from(4, &rig_user), 486);
}
