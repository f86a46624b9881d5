// REST users (draft-uberti-behave-turn-rest): secrets "north" and "south". The keys were computed
// with Python: MD5(name ":realm:" base64(HMAC-SHA1(secret, name))), SHA-256 of the same, and for
// "west" with HMAC-SHA256.
#include "turn_rig.h"

#include <criterion/criterion.h>

#define EXPIRES_IN_S 600 // "1700000600" after RIG_START_WALL_S

static const struct rig_user by_north = {"1700000600:alice",
	{{0x13, 0x0d, 0x5e, 0xd3, 0x9b, 0xa1, 0x9f, 0x9e, 0x06, 0x47, 0x37, 0x5c, 0x2a, 0x8f, 0x6b,
		 0x4c},
		16},
	{{0xaf, 0x26, 0x45, 0xc9, 0x0a, 0x1e, 0xec, 0x9c, 0xb6, 0xa8, 0xa5, 0xb7, 0xf0, 0xb5, 0xdb,
		 0xbd, 0x55, 0x1b, 0xcc, 0xfb, 0x7f, 0xa7, 0x73, 0x6f, 0x05, 0x28, 0x5a, 0xd8, 0x2c,
		 0x73, 0xd3, 0xd3},
		32}};
static const struct rig_user by_west = {"1700000600:alice",
	{{0xbc, 0xdd, 0xe4, 0xc3, 0x1f, 0x3c, 0xd7, 0x8e, 0x90, 0xae, 0xf5, 0x97, 0x80, 0xbb, 0x78,
		 0x51},
		16},
	{{0x6b, 0x3f, 0x4f, 0x25, 0xab, 0x1a, 0x01, 0xe5, 0xb2, 0x57, 0xb7, 0xa5, 0x26, 0xbe, 0x29,
		 0x4d, 0xeb, 0xdd, 0x07, 0xc9, 0xff, 0x10, 0x77, 0xa3, 0x31, 0x10, 0xca, 0xd4, 0x4a,
		 0x66, 0xcf, 0x2d},
		32}};
static const struct rig_user by_south = {"1700000600:alice",
	{{0x69, 0x71, 0xea, 0x27, 0x39, 0xae, 0x6f, 0x9e, 0x97, 0xd4, 0x8a, 0xae, 0xed, 0xd7, 0xe6,
		 0xba},
		16}};
static const struct rig_user by_stranger = {"1700000600:alice",
	{{0x5c, 0x11, 0x38, 0x9f, 0xed, 0x28, 0xf2, 0xa8, 0x82, 0x50, 0x3e, 0x9b, 0xa1, 0xf4, 0x8d,
		 0xcd},
		16}};
static const struct rig_user nameless = {"1700000600",
	{{0x52, 0x34, 0x87, 0x3a, 0xec, 0x71, 0xdd, 0x1a, 0x92, 0xc3, 0xe2, 0xcf, 0xa1, 0xc8, 0x70,
		 0xc0},
		16}};
static const struct rig_user timeless = {"soon:alice",
	{{0x54, 0xf1, 0xe5, 0xfd, 0x6f, 0x04, 0x59, 0xe1, 0x76, 0xc8, 0x06, 0xe3, 0xf9, 0xc3, 0xa7,
		 0xca},
		16}};

static const struct rig_user glued = {"1700000600x",
	{{0xd9, 0xbb, 0x64, 0x3f, 0xbf, 0xb1, 0x8e, 0x77, 0xc9, 0x5c, 0x6d, 0x9d, 0x78, 0x02, 0x36,
		 0x9b},
		16}};

static struct rig rig;

static void open_rig(void)
{
	static const struct turn_rest_secret secrets[] = {
		{.text = "north"}, {.text = "south"}, {.text = "west", .sha256 = true}};
	struct turn_config config = rig_config();

	config.realm.rest_secrets = secrets;
	config.realm.n_rest_secrets = N_ELEMENTS(secrets);
	config.realm.offers_sha256 = true;
	config.nonce_lifetime_s = 3600;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_rest, .init = open_rig, .fini = close_rig);

static int allocate_as(const struct rig_user *user)
{
	rig.user = user;
	return rig_allocate(&rig);
}

Test(turn_rest, either_secret_may_have_signed)
{
	cr_expect_eq(allocate_as(&by_north), 0);
	rig.client.port++;
	rig_challenge(&rig);
	cr_expect_eq(allocate_as(&by_south), 0);
	cr_expect_null(turn_check(rig.turn));
}

Test(turn_rest, a_secret_may_be_for_hmac_sha256)
{
	cr_expect_eq(allocate_as(&by_west), 0);
}

// Signed with SHA-256 throughout, then by a client that knows only MD5 and SHA-1.
Test(turn_rest, either_algorithm_fits_the_same_password)
{
	static const struct rig_user *const users[] = {&by_north, &by_west};

	for (size_t i = 0; i < N_ELEMENTS(users); i++) {
		rig.client.port++;
		rig_challenge(&rig);
		rig_begin(&rig, STUN_ALLOCATE);
		stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
		stun_put_bytes(&rig.w, STUN_ATTR_USERNAME, users[i]->name, strlen(users[i]->name));
		stun_put_bytes(&rig.w, STUN_ATTR_REALM, "realm", 5);
		stun_put_bytes(&rig.w, STUN_ATTR_NONCE, rig.nonce, rig.nonce_bytes);
		stun_put_bytes(&rig.w, STUN_ATTR_PASSWORD_ALGORITHMS, "\0\2\0\0\0\1\0\0", 8);
		stun_put_bytes(&rig.w, STUN_ATTR_PASSWORD_ALGORITHM, "\0\2\0\0", 4);
		stun_put_integrity_sha256(&rig.w, rig.mac, &users[i]->key_sha256);
		cr_expect_eq(rig_deliver(&rig), 0);
		rig.user = users[i];
		cr_expect_eq(rig_refresh(&rig, 600), 0);
	}
	cr_expect_null(turn_check(rig.turn));
}

Test(turn_rest, a_foreign_secret_is_401)
{
	cr_expect_eq(allocate_as(&by_stranger), 401);
}

Test(turn_rest, the_time_alone_is_a_name)
{
	cr_expect_eq(allocate_as(&nameless), 0);
}

Test(turn_rest, a_name_without_time_is_401)
{
	cr_expect_eq(allocate_as(&timeless), 401);
	cr_expect_eq(allocate_as(&glued), 401);
}

Test(turn_rest, configured_users_stay_beside)
{
	cr_expect_eq(allocate_as(&rig_user), 0);
}

Test(turn_rest, without_secrets_nobody_may)
{
	rig_close(&rig);
	rig_open_default(&rig);
	cr_expect_eq(allocate_as(&by_north), 401);
}

Test(turn_rest, name_is_good_to_its_last_second)
{
	rig_pass(&rig, (EXPIRES_IN_S - 1) * 1000);
	cr_expect_eq(rig.time.wall_s, 1700000599);
	cr_expect_eq(allocate_as(&by_north), 0);
}

Test(turn_rest, expired_name_is_401)
{
	rig_pass(&rig, EXPIRES_IN_S * 1000);
	cr_expect_eq(allocate_as(&by_north), 401);
}

Test(turn_rest, allocation_outlives_its_name)
{
	cr_assert_eq(allocate_as(&by_north), 0);
	rig_pass(&rig, 500000);
	cr_expect_eq(rig_refresh(&rig, 3600), 0);
	rig_pass(&rig, 500000);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig_allocate(&rig), 401, "but there is no new one");
}

Test(turn_rest, expired_name_on_someone_elses_allocation_is_401)
{
	cr_assert_eq(allocate_as(&rig_user), 0);
	rig_pass(&rig, 300000);
	cr_assert_eq(rig_refresh(&rig, 3600), 0);
	rig.user = &by_north;
	cr_expect_eq(rig_refresh(&rig, 0), 441);
	rig_pass(&rig, 300000);
	cr_expect_eq(rig_refresh(&rig, 0), 401);
}

Test(turn_rest, the_owners_name_with_another_key_is_401)
{
	cr_assert_eq(allocate_as(&by_north), 0);
	rig.user = &by_stranger;
	cr_expect_eq(rig_refresh(&rig, 0), 401);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
}

Test(turn_rest, identities_go_with_their_last_allocation)
{
	for (uint16_t i = 0; i < 10; i++) {
		rig.client.port = 1000 + i;
		rig_challenge(&rig);
		cr_expect_eq(allocate_as(i % 2 ? &by_north : &by_south), 0);
		cr_expect_null(turn_check(rig.turn));
	}
	for (uint16_t i = 0; i < 10; i++) {
		rig.client.port = 1000 + i;
		rig_challenge(&rig);
		rig.user = i % 2 ? &by_north : &by_south;
		cr_expect_eq(rig_refresh(&rig, 0), 0);
		cr_expect_null(turn_check(rig.turn));
	}
}

// Whatever was in that memory before: a stale length of a token's key would be copied by.
Test(turn_rest, keys_of_a_password_are_no_key_of_a_token)
{
	struct turn_keys keys;

	memset(&keys, 0xff, sizeof(keys));
	turn_keys_make(&keys, rig.mac, "user", 4, "realm", "pass", 4);
	cr_expect_eq(keys.mac_key_bytes, 0);
	cr_expect(keys.has_sha256);
	cr_expect_arr_eq(keys.md5, rig_user.key.bytes, STUN_MD5_BYTES);
}
