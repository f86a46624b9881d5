// Users that a source knows: what is asked for and when, what is answered meanwhile, and what it
// says about a realm. The source here is a list in this file.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <errno.h>

// Keys of password "pass" in "realm", by Python's hashlib.
static const struct rig_user ann = {"ann",
	{{0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40,
		 0xeb},
		16}};
static const struct rig_user timed = {"9:alice", {{1}, 16}};
// Of secret "north": see turn_rest.c.
static const struct rig_user alice_by_north = {"1700000600:alice",
	{{0x13, 0x0d, 0x5e, 0xd3, 0x9b, 0xa1, 0x9f, 0x9e, 0x06, 0x47, 0x37, 0x5c, 0x2a, 0x8f, 0x6b,
		 0x4c},
		16}};
static const struct turn_rest_secret north = {.text = "north"};

static struct rig rig;

static struct {
	enum turn_lookup says; // of whom it does not know
	const struct rig_user *known[4];
	unsigned n_calls;
	unsigned n_asked; // of them, for strangers whom it may ask for
	size_t realm_idx;
} source;

static enum turn_lookup find(void *context, size_t realm_idx, const void *name, size_t n_bytes,
	bool may_ask, struct turn_keys *out)
{
	cr_assert_eq(context, &source);
	source.n_calls++;
	source.realm_idx = realm_idx;
	for (size_t i = 0; i < N_ELEMENTS(source.known) && source.known[i]; i++) {
		if (strlen(source.known[i]->name) != n_bytes ||
			memcmp(source.known[i]->name, name, n_bytes) != 0)
			continue;
		memcpy(out->md5, source.known[i]->key.bytes, sizeof(out->md5));
		out->has_sha256 = false;
		return TURN_FOUND;
	}
	source.n_asked += may_ask;
	return may_ask ? source.says : TURN_UNKNOWN;
}

static struct turn_config with_source(void)
{
	struct turn_config config = rig_config();

	memset(&source, 0, sizeof(source));
	config.source = (struct turn_source){find, &source};
	config.realm.uses_source = true;
	config.nonce_lifetime_s = 3600;
	return config;
}

static void open_rig(void)
{
	const struct turn_config config = with_source();

	rig_open(&rig, &config);
	rig_challenge(&rig);
	rig.user = &ann;
}

static void reopen(const struct turn_config *config)
{
	rig_close(&rig);
	rig_open(&rig, config);
	rig_challenge(&rig);
	rig.user = &ann;
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	rig_close(&rig);
}

TestSuite(turn_source, .init = open_rig, .fini = close_rig);

Test(turn_source, who_is_known_gets_an_allocation)
{
	source.known[0] = &ann;
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(source.realm_idx, 0);
}

Test(turn_source, unknown_user_and_wrong_password_are_told_the_same_bytes)
{
	static const struct rig_user impostor = {"ann", {{7}, 16}};
	uint8_t wrong[sizeof(rig.reply)];

	source.known[0] = &ann;
	rig.user = &impostor;
	rig.n_transactions = 77;
	cr_expect_eq(rig_allocate(&rig), 401);
	memcpy(wrong, rig.reply, sizeof(wrong));
	source.known[0] = NULL;
	rig.n_transactions = 77;
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_arr_eq(wrong, rig.reply, sizeof(wrong));
}

Test(turn_source, while_a_user_is_asked_for_nothing_happens)
{
	source.says = TURN_ASKED;
	cr_expect_eq(rig_allocate(&rig), RIG_LATER);
	cr_expect_eq(rig_repeat(&rig), RIG_LATER);
	cr_expect_eq(rig_stats(&rig).n_requests[STUN_ALLOCATE], 1, "the challenge alone");
	cr_expect_eq(rig_stats(&rig).n_errors[401], 1);
	source.known[0] = &ann;
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect_eq(rig_stats(&rig).n_requests[STUN_ALLOCATE], 2);
	cr_expect_eq(rig_stats(&rig).n_out_of_reach, 0);
}

Test(turn_source, who_is_out_of_reach_gets_no_answer_and_is_counted)
{
	source.says = TURN_OUT_OF_REACH;
	cr_expect_eq(rig_allocate(&rig), RIG_NO_ANSWER);
	cr_expect_eq(rig_repeat(&rig), RIG_NO_ANSWER);
	cr_expect_eq(rig_stats(&rig).n_out_of_reach, 2);
	cr_expect_eq(rig_stats(&rig).n_requests[STUN_ALLOCATE], 1);
}

Test(turn_source, without_a_nonce_of_ours_nobody_is_asked_for)
{
	source.says = TURN_ASKED;
	rig.client.port++;
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_eq(source.n_calls, 1);
	cr_expect_eq(source.n_asked, 0);
	rig_challenge(&rig);
	rig_pass(&rig, 3600000);
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_eq(source.n_asked, 0);
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), RIG_LATER);
	cr_expect_eq(source.n_asked, 1);
}

// RFC 8489 §9.2.4: 401 before 438.
Test(turn_source, known_user_with_a_stale_nonce_is_438)
{
	source.known[0] = &ann;
	rig.client.port++;
	cr_expect_eq(rig_allocate(&rig), 438);
	rig.user = &timed;
	cr_expect_eq(rig_allocate(&rig), 401);
}

Test(turn_source, owner_of_an_allocation_is_not_asked_for)
{
	source.known[0] = &ann;
	cr_assert_eq(rig_allocate(&rig), 0);
	source.known[0] = NULL;
	source.says = TURN_OUT_OF_REACH;
	source.n_calls = 0;
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(source.n_calls, 0);
	cr_expect_eq(rig_allocate(&rig), RIG_NO_ANSWER, "a new one needs its key");
}

Test(turn_source, configured_and_rest_users_are_not_asked_for)
{
	struct turn_config config = with_source();

	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	reopen(&config);
	source.says = TURN_ASKED;
	rig.user = &rig_user;
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	rig.user = &alice_by_north;
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(source.n_calls, 0);
}

Test(turn_source, names_that_cannot_be_are_not_asked_for)
{
	static char long_name[TURN_USERNAME_BYTES_MAX + 2];
	struct rig_user user = {.name = long_name, .key.n_bytes = 16};

	memset(long_name, 'n', sizeof(long_name) - 1);
	source.says = TURN_ASKED;
	rig.user = &user;
	cr_expect_eq(rig_allocate(&rig), 401);
	user.name = "";
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_eq(source.n_calls, 0);
	long_name[TURN_USERNAME_BYTES_MAX] = '\0';
	user.name = long_name;
	cr_expect_eq(rig_allocate(&rig), RIG_LATER);
}

Test(turn_source, hidden_names_are_not_asked_for)
{
	static const uint8_t hash[STUN_SHA256_BYTES] = {1};

	source.says = TURN_ASKED;
	rig.user = NULL;
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_bytes(&rig.w, STUN_ATTR_USERHASH, hash, sizeof(hash));
	stun_put_bytes(&rig.w, STUN_ATTR_REALM, "realm", 5);
	stun_put_bytes(&rig.w, STUN_ATTR_NONCE, rig.nonce, rig.nonce_bytes);
	stun_put_integrity(&rig.w, rig.mac, &ann.key);
	cr_expect_eq(rig_deliver(&rig), 401);
	cr_expect_eq(source.n_calls, 0);
}

Test(turn_source, each_realm_says_whether_it_uses_the_source)
{
	struct turn_config config = with_source();
	struct endpoint services[2] = {config.services[0], rig_endpoint("192.0.2.15:3479")};
	struct turn_realm_config blue = {
		.name = "blue", .services = &services[1], .n_services = 1, .uses_source = true};

	config.services = services;
	config.n_services = 2;
	config.realm.uses_source = false;
	config.more_realms = &blue;
	config.n_more_realms = 1;
	reopen(&config);
	source.known[0] = &ann;
	cr_expect_eq(rig_allocate(&rig), 401);
	cr_expect_eq(source.n_calls, 0);
	rig.service = services[1];
	rig.realm = "blue";
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(source.realm_idx, 1);
}

static int allocate_from(uint16_t port, const struct rig_user *user)
{
	rig.client.port = port;
	rig.user = user;
	rig_challenge(&rig);
	return rig_allocate(&rig);
}

Test(turn_source, a_name_with_a_colon_is_no_rest_users_account)
{
	struct turn_config config = with_source();

	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	config.realm.n_allocations_per_user = 1;
	reopen(&config);
	source.known[0] = &timed;
	cr_expect_eq(allocate_from(1, &timed), 0);
	cr_expect_eq(allocate_from(2, &timed), 486);
	cr_expect_eq(allocate_from(3, &alice_by_north), 0);
	cr_expect_eq(allocate_from(4, &alice_by_north), 486);
}

Test(turn_source, updated_secrets_replace_those_it_said_before)
{
	struct turn_config config = with_source();
	static const struct turn_rest_secret south = {.text = "south"};
	const struct turn_rest_secret both[] = {{.text = "south"}, {.text = "north"}};
	struct turn_realm_update update = {.rest_secrets = both, .n_rest_secrets = 2};

	config.realm.rest_secrets = &south;
	config.realm.n_rest_secrets = 1;
	reopen(&config);
	cr_expect_eq(allocate_from(1, &alice_by_north), 401);
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(allocate_from(2, &alice_by_north), 0);
	update.n_rest_secrets = 1;
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(allocate_from(3, &alice_by_north), 401);
	update = (struct turn_realm_update){.rest_secrets = &north, .n_rest_secrets = 1};
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(allocate_from(4, &alice_by_north), 0);
	update.n_rest_secrets = 0;
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(allocate_from(5, &alice_by_north), 401);
}

Test(turn_source, configured_secrets_stay)
{
	struct turn_config config = with_source();
	const struct turn_realm_update update = {0};

	config.realm.rest_secrets = &north;
	config.realm.n_rest_secrets = 1;
	reopen(&config);
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(allocate_from(1, &alice_by_north), 0);
}

Test(turn_source, updated_quotas_stand_for_the_configured_ones_while_they_are_there)
{
	struct turn_config config = with_source();
	struct turn_realm_update update = {.n_allocations_max = 3, .n_allocations_per_user = 2};

	config.realm.n_allocations_per_user = 1;
	reopen(&config);
	cr_expect_eq(allocate_from(1, &rig_user), 0);
	cr_expect_eq(allocate_from(2, &rig_user), 486);
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(allocate_from(2, &rig_user), 0);
	cr_expect_eq(allocate_from(3, &rig_user), 486);
	cr_expect_eq(allocate_from(4, &rig_other), 0);
	cr_expect_eq(allocate_from(5, &rig_other), 486, "the realm is full");
	update.n_allocations_max = 0;
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(allocate_from(5, &rig_other), 0);
	update.n_allocations_per_user = 0;
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	rig.client.port = 5;
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(allocate_from(6, &rig_other), 486, "one is configured");
}

Test(turn_source, updated_peers_stand_beside_the_configured_ones)
{
	struct ip_range ten, eleven, twelve;
	struct turn_config config = with_source();
	struct ip_range allowed[2];
	struct turn_realm_update update = {
		.deny = &twelve, .n_deny = 1, .allow = allowed, .n_allow = 2};

	cr_assert_eq(range_parse(&ten, "10.0.0.0/8"), 0);
	cr_assert_eq(range_parse(&eleven, "11.0.0.0/8"), 0);
	cr_assert_eq(range_parse(&twelve, "12.0.0.0-12.255.255.255"), 0);
	allowed[0] = ten;
	allowed[1] = eleven; // what is configured stands before it
	config.realm.peers.deny = &eleven;
	config.realm.peers.n_deny = 1;
	reopen(&config);
	rig.user = &rig_user;
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_permit(&rig, "10.0.0.1"), 403);
	cr_expect_eq(rig_permit(&rig, "12.0.0.1"), 0);
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(rig_permit(&rig, "10.0.0.1"), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 403);
	cr_expect_eq(rig_permit(&rig, "12.0.0.2"), 403);
	update = (struct turn_realm_update){0};
	cr_expect_eq(turn_realm_update(rig.turn, 0, &update), 0);
	cr_expect_eq(rig_permit(&rig, "10.0.0.2"), 403);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 403);
	cr_expect_eq(rig_permit(&rig, "12.0.0.2"), 0);
}

Test(turn_source, what_cannot_be_is_refused)
{
	struct turn_config config = with_source();
	struct turn *turn;

	config.source.find = NULL;
	cr_expect_eq(turn_create(&turn, &config), -EINVAL, "no source to use");
	config = with_source();
	config.realm.asks_userhash = true;
	cr_expect_eq(turn_create(&turn, &config), -EINVAL, "names that we could not ask for");
}
