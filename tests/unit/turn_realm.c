// Several realms on one relay: what one listener's users may is nothing to another's. "user" has
// another password in each realm; "other" has, by its keys, the same in both, so that what keeps
// its realms apart is not the key alone. Keys and hashes are by Python's hashlib.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#define SEVERAL_OFFER "\x00\x02\x00\x00\x00\x01\x00\x00"

static const struct rig_user user_in_blue = {"user", // password "azure"
	{{0x6b, 0x92, 0x8b, 0x46, 0x14, 0x73, 0xb1, 0x9c, 0x65, 0x0c, 0x92, 0xbb, 0x38, 0x39, 0x8d,
		 0xc7},
		16},
	{{0xd3, 0x14, 0xe7, 0x83, 0xbc, 0x47, 0x09, 0xd6, 0x46, 0x37, 0x59, 0xb7, 0xec, 0x95, 0x73,
		 0xa9, 0xa7, 0xa5, 0x30, 0x3c, 0x5f, 0xab, 0xdf, 0xf6, 0x1d, 0xfe, 0x94, 0x68, 0xde,
		 0xc3, 0x3f, 0x99},
		32}};
// MD5(name ":" realm ":" base64(HMAC-SHA1(secret, name)))
static const struct rig_user alice_by_north = {"1700000600:alice",
	{{0x13, 0x0d, 0x5e, 0xd3, 0x9b, 0xa1, 0x9f, 0x9e, 0x06, 0x47, 0x37, 0x5c, 0x2a, 0x8f, 0x6b,
		 0x4c},
		16}};
static const struct rig_user alice_in_blue_by_north = {"1700000600:alice",
	{{0x0e, 0xa5, 0xc8, 0x2f, 0x6d, 0x94, 0x04, 0x95, 0x24, 0x7b, 0x90, 0x65, 0x82, 0x67, 0x1c,
		 0x61},
		16}};
static const struct rig_user alice_in_blue_by_sky = {"1700000600:alice",
	{{0x2e, 0xf5, 0xbc, 0xc2, 0x5a, 0xf4, 0x25, 0x7a, 0x51, 0x95, 0xdd, 0xcd, 0x0d, 0xd3, 0xfe,
		 0xf7},
		16}};
// SHA-256("user:realm") and SHA-256("user:blue")
static const uint8_t hash_in_realm[STUN_SHA256_BYTES] = {0x6a, 0x30, 0x29, 0x11, 0x6b, 0x47, 0xaa,
	0x98, 0xbc, 0xaa, 0x32, 0x53, 0x99, 0x73, 0x3d, 0xc1, 0xa2, 0x3c, 0xd5, 0x7e, 0x26, 0xb8,
	0x1b, 0xef, 0x3f, 0xf6, 0x53, 0x1c, 0xe6, 0x24, 0xe2, 0xda};
static const uint8_t hash_in_blue[STUN_SHA256_BYTES] = {0x40, 0x99, 0x76, 0xa3, 0xf1, 0xd4, 0xb1,
	0x05, 0x47, 0xf9, 0x66, 0x20, 0xe5, 0x78, 0x31, 0x63, 0x9e, 0xdf, 0x59, 0x89, 0x3b, 0x67,
	0x4b, 0x0c, 0xa5, 0xce, 0x2b, 0x71, 0x9f, 0x34, 0x6c, 0xab};

static const struct turn_rest_secret north = {.text = "north"};
static const struct turn_rest_secret sky = {.text = "sky"};

static struct rig rig;
static struct endpoint services[3]; // the second is that of blue
static struct turn_user blue_users[2];
static struct turn_realm_config blue;

static struct turn_config two_realms(void)
{
	struct turn_config config = rig_config();

	services[0] = config.services[0];
	services[1] = rig_endpoint("192.0.2.15:3479");
	services[2] = rig_endpoint("192.0.2.15:3480");
	blue_users[0] = rig_turn_user(&user_in_blue);
	blue_users[1] = rig_turn_user(&rig_other);
	blue = (struct turn_realm_config){
		.name = "blue",
		.services = &services[1],
		.n_services = 1,
		.users = blue_users,
		.n_users = 2,
	};
	config.services = services;
	config.n_services = N_ELEMENTS(services);
	config.more_realms = &blue;
	config.n_more_realms = 1;
	return config;
}

static void open_rig(void)
{
	const struct turn_config config = two_realms();

	rig_open(&rig, &config);
}

static void reopen(const struct turn_config *config)
{
	rig_close(&rig);
	rig_open(&rig, config);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	rig_close(&rig);
}

TestSuite(turn_realm, .init = open_rig, .fini = close_rig);

static void go_to(size_t service)
{
	rig.service = services[service];
	rig.realm = service == 1 ? "blue" : "realm";
}

// A new client at that listener.
static int allocate_at(size_t service, const struct rig_user *user)
{
	go_to(service);
	rig.user = user;
	rig.client.port++;
	rig_challenge(&rig);
	return rig_allocate(&rig);
}

static struct turn_realm_stats stats_of(size_t realm_idx)
{
	struct turn_realm_stats stats;

	cr_assert(turn_realm_stats_get(rig.turn, realm_idx, &stats));
	return stats;
}

static void expect_challenge_of(const char *realm)
{
	const struct stun_attr *attr = stun_find(&rig.view, STUN_ATTR_REALM);

	cr_assert_not_null(attr);
	cr_expect_eq(attr->n_bytes, strlen(realm));
	cr_expect_arr_eq(attr->value, realm, strlen(realm));
}

Test(turn_realm, challenge_names_the_listeners_realm)
{
	go_to(0);
	rig_challenge(&rig);
	expect_challenge_of("realm");
	go_to(1);
	rig_challenge(&rig);
	expect_challenge_of("blue");
	go_to(2);
	rig_challenge(&rig);
	expect_challenge_of("realm");
}

Test(turn_realm, origin_has_no_say)
{
	static const char *const origins[] = {"blue", "https://blue", "realm"};

	for (size_t i = 0; i < N_ELEMENTS(origins); i++) {
		go_to(0);
		rig.user = NULL;
		rig_begin(&rig, STUN_ALLOCATE);
		stun_put_bytes(&rig.w, 0x802f, origins[i], strlen(origins[i]));
		cr_expect_eq(rig_send(&rig), 401);
		expect_challenge_of("realm");
	}
}

Test(turn_realm, each_users_password_is_good_in_its_own_realm_only)
{
	cr_expect_eq(allocate_at(0, &rig_user), 0);
	cr_expect_eq(allocate_at(1, &user_in_blue), 0);
	cr_expect_eq(allocate_at(2, &rig_user), 0);
	cr_expect_eq(allocate_at(1, &rig_user), 401);
	cr_expect_eq(allocate_at(0, &user_in_blue), 401);
	cr_expect_eq(allocate_at(2, &user_in_blue), 401);
}

Test(turn_realm, a_name_of_one_realm_is_unknown_in_the_other)
{
	struct turn_config config = two_realms();

	blue.n_users = 1;
	reopen(&config);
	cr_expect_eq(allocate_at(0, &rig_other), 0);
	cr_expect_eq(allocate_at(1, &rig_other), 401);
	config.realm.n_users = 1;
	blue.n_users = 2;
	reopen(&config);
	cr_expect_eq(allocate_at(0, &rig_other), 401);
	cr_expect_eq(allocate_at(1, &rig_other), 0);
}

Test(turn_realm, nonce_of_one_realm_is_stale_in_the_other)
{
	go_to(0);
	rig.user = &rig_other;
	rig_challenge(&rig);
	go_to(1);
	cr_expect_eq(rig_allocate(&rig), 438);
	expect_challenge_of("blue");
	rig_challenge(&rig);
	go_to(0);
	cr_expect_eq(rig_allocate(&rig), 438);
	go_to(1);
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_realm, nonce_is_shared_by_the_listeners_of_a_realm)
{
	go_to(0);
	rig_challenge(&rig);
	go_to(2);
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_realm, rest_secrets_are_those_of_the_realm)
{
	struct turn_config config = two_realms();

	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	blue.rest_secrets = &sky;
	blue.n_rest_secrets = 1;
	reopen(&config);
	cr_expect_eq(allocate_at(0, &alice_by_north), 0);
	cr_expect_eq(allocate_at(1, &alice_in_blue_by_sky), 0);
	cr_expect_eq(allocate_at(1, &alice_by_north), 401);
	cr_expect_eq(allocate_at(1, &alice_in_blue_by_north), 401);
	cr_expect_eq(allocate_at(0, &alice_in_blue_by_sky), 401);
}

static int allocate_hidden(size_t service, const uint8_t *hash, const struct stun_key *key)
{
	go_to(service);
	rig.user = NULL;
	rig_challenge(&rig);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_USERHASH, hash, STUN_SHA256_BYTES);
	stun_put_bytes(&rig.w, STUN_ATTR_REALM, rig.realm, strlen(rig.realm));
	stun_put_bytes(&rig.w, STUN_ATTR_NONCE, rig.nonce, rig.nonce_bytes);
	stun_put_integrity(&rig.w, rig.mac, key);
	return rig_deliver(&rig);
}

// With equal keys, so that only the hash tells them apart.
Test(turn_realm, userhash_is_that_of_name_and_realm)
{
	struct turn_config config = two_realms();

	blue_users[0] = rig_turn_user(&rig_user);
	config.realm.asks_userhash = true;
	blue.asks_userhash = true;
	reopen(&config);
	cr_expect_eq(allocate_hidden(0, hash_in_blue, &rig_user.key), 401);
	cr_expect_eq(allocate_hidden(1, hash_in_realm, &rig_user.key), 401);
	cr_expect_eq(allocate_hidden(0, hash_in_realm, &rig_user.key), 0);
	cr_expect_eq(allocate_hidden(1, hash_in_blue, &rig_user.key), 0);
}

Test(turn_realm, each_realm_offers_its_own_algorithms)
{
	struct turn_config config = two_realms();

	blue.offers_sha256 = true;
	reopen(&config);
	go_to(1);
	rig_challenge(&rig);
	cr_expect_arr_eq(rig.nonce, "obMatJos2gAAA", 13);
	cr_assert(rig_has(&rig, STUN_ATTR_PASSWORD_ALGORITHMS));
	cr_expect_arr_eq(stun_find(&rig.view, STUN_ATTR_PASSWORD_ALGORITHMS)->value, SEVERAL_OFFER,
		sizeof(SEVERAL_OFFER) - 1);
	go_to(0);
	rig_challenge(&rig);
	cr_expect_arr_eq(rig.nonce, "obMatJos2AAAA", 13);
	cr_expect(!rig_has(&rig, STUN_ATTR_PASSWORD_ALGORITHMS));
}

Test(turn_realm, a_realms_quota_holds_for_all_its_users_and_no_others)
{
	struct turn_config config = two_realms();

	blue.n_allocations_max = 2;
	reopen(&config);
	cr_expect_eq(allocate_at(1, &user_in_blue), 0);
	cr_expect_eq(allocate_at(1, &rig_other), 0);
	cr_expect_eq(allocate_at(1, &rig_other), 486);
	cr_expect_eq(allocate_at(1, &user_in_blue), 486);
	for (int i = 0; i < 3; i++)
		cr_expect_eq(allocate_at(i % 2 ? 2 : 0, &rig_other), 0);
	cr_expect_eq(stats_of(1).n_quota_reached, 2);
	cr_expect_eq(stats_of(0).n_quota_reached, 0);
	cr_expect_null(turn_check(rig.turn));
	rig_pass(&rig, 600000);
	cr_expect_eq(allocate_at(1, &rig_other), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(allocate_at(1, &user_in_blue), 0);
	cr_expect_eq(allocate_at(1, &rig_other), 0);
	cr_expect_eq(allocate_at(1, &rig_other), 486);
}

Test(turn_realm, a_user_is_counted_in_each_realm_by_itself)
{
	struct turn_config config = two_realms();

	config.realm.n_allocations_per_user = 2;
	blue.n_allocations_per_user = 1;
	reopen(&config);
	cr_expect_eq(allocate_at(0, &rig_other), 0);
	cr_expect_eq(allocate_at(1, &rig_other), 0);
	cr_expect_eq(allocate_at(1, &rig_other), 486);
	cr_expect_eq(allocate_at(1, &user_in_blue), 0);
	cr_expect_eq(allocate_at(2, &rig_other), 0);
	cr_expect_eq(allocate_at(0, &rig_other), 486);
}

Test(turn_realm, each_realm_has_its_own_peers)
{
	static const struct ip_range eleven = {
		{FAMILY_IPV4, {11}}, {FAMILY_IPV4, {11, 255, 255, 255}}};
	struct turn_config config = two_realms();

	config.realm.peers.allow_private = true;
	blue.peers = (struct turn_peer_policy){.deny = &eleven, .n_deny = 1};
	reopen(&config);
	cr_assert_eq(allocate_at(0, &rig_other), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_permit(&rig, "10.0.0.1"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4001, "10.0.0.1:9"), 0);
	cr_assert_eq(allocate_at(1, &rig_other), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 403);
	cr_expect_eq(rig_permit(&rig, "10.0.0.1"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4001, "10.0.0.1:9"), 403);
	cr_expect_eq(rig_permit(&rig, "12.0.0.1"), 0);
}

static int allocate_with(uint16_t type, const void *value, size_t n_bytes)
{
	rig.client.port++;
	rig_challenge(&rig);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, type, value, n_bytes);
	return rig_send(&rig);
}

// RFC 8656 §7.2 binds a token to the user; the same name elsewhere is another user.
Test(turn_realm, reserved_port_is_for_the_realm_that_reserved_it)
{
	const struct stun_attr *attr;
	uint8_t token[8];

	go_to(0);
	rig.user = &rig_other;
	cr_assert_eq(allocate_with(STUN_ATTR_EVEN_PORT, "\x80", 1), 0);
	attr = stun_find(&rig.view, STUN_ATTR_RESERVATION_TOKEN);
	cr_assert_not_null(attr);
	memcpy(token, attr->value, sizeof(token));
	go_to(1);
	cr_expect_eq(allocate_with(STUN_ATTR_RESERVATION_TOKEN, token, sizeof(token)), 508);
	cr_expect_null(turn_check(rig.turn));
	go_to(2);
	cr_expect_eq(allocate_with(STUN_ATTR_RESERVATION_TOKEN, token, sizeof(token)), 0);
}

// RFC 8016 §3.2.1: a ticket is its owner's, who is nobody at the listener of another realm.
Test(turn_realm, who_moves_stays_in_the_realm)
{
	struct turn_config config = two_realms();

	config.allows_mobility = true;
	reopen(&config);
	go_to(0);
	rig.user = &rig_other;
	cr_assert_eq(allocate_with(STUN_ATTR_MOBILITY_TICKET, NULL, 0), 0);
	rig_keep_ticket(&rig);
	go_to(1);
	rig.client.port++;
	rig_challenge(&rig);
	cr_expect_eq(rig_move(&rig), 441);
	cr_expect_null(turn_check(rig.turn));
	go_to(2);
	rig_challenge(&rig);
	cr_expect_eq(rig_move(&rig), 0);
}

Test(turn_realm, one_client_has_an_allocation_in_each_realm)
{
	go_to(0);
	rig.user = &rig_other;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	go_to(1);
	rig_challenge(&rig);
	cr_expect_eq(rig_refresh(&rig, 0), 437);
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(stats_of(0).n_allocations, 1);
	cr_expect_eq(stats_of(1).n_allocations, 0);
}

Test(turn_realm, each_realm_counts_what_is_its_own)
{
	struct turn_realm_stats stats;

	cr_assert_eq(allocate_at(0, &rig_user), 0);
	cr_assert_eq(allocate_at(1, &user_in_blue), 0);
	cr_assert_eq(allocate_at(1, &rig_other), 0);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_assert_eq(allocate_at(1, &rig_user), 401);
	stats = stats_of(0);
	cr_expect_str_eq(stats.name, "realm");
	cr_expect_eq(stats.n_allocations, 1);
	cr_expect_eq(stats.n_allocations_created, 1);
	cr_expect_eq(stats.n_unauthenticated, 0);
	stats = stats_of(1);
	cr_expect_str_eq(stats.name, "blue");
	cr_expect_eq(stats.n_allocations, 1);
	cr_expect_eq(stats.n_allocations_created, 2);
	cr_expect_eq(stats.n_unauthenticated, 1, "challenges are no failures");
	cr_expect(!turn_realm_stats_get(rig.turn, 2, &stats));
}

static int create_with(const struct turn_realm_config *realms, size_t n)
{
	struct turn_config config = two_realms();
	struct turn *turn = NULL;
	int rc;

	config.more_realms = realms;
	config.n_more_realms = n;
	rc = turn_create(&turn, &config);
	cr_expect_eq(rc == 0, turn != NULL);
	turn_destroy(turn);
	return rc;
}

Test(turn_realm, realms_and_listeners_are_there_once)
{
	struct turn_realm_config realms[TURN_REALMS_MAX] = {0};
	char names[TURN_REALMS_MAX][8];
	const struct endpoint foreign = rig_endpoint("192.0.2.15:3481");

	for (size_t i = 0; i < N_ELEMENTS(realms); i++) {
		snprintf(names[i], sizeof(names[i]), "r%zu", i);
		realms[i].name = names[i];
	}
	cr_expect_eq(create_with(realms, TURN_REALMS_MAX - 1), 0);
	cr_expect_eq(create_with(realms, TURN_REALMS_MAX), -EINVAL);
	realms[1].services = &services[1];
	realms[1].n_services = 1;
	cr_expect_eq(create_with(realms, 2), 0);
	realms[0].services = &services[1];
	realms[0].n_services = 1;
	cr_expect_eq(create_with(realms, 2), -EINVAL, "a listener of two realms");
	realms[0].services = &foreign;
	cr_expect_eq(create_with(realms, 2), -EINVAL, "a listener that is none of ours");
	realms[0].n_services = 0;
	realms[0].name = "r1";
	cr_expect_eq(create_with(realms, 2), -EINVAL, "a name twice");
	realms[0].name = "realm";
	cr_expect_eq(create_with(realms, 2), -EINVAL, "the first realm's name");
	realms[0].name = "";
	cr_expect_eq(create_with(realms, 2), -EINVAL, "no name");
}
