// Third-party authorization (RFC 7635) with tokens that other code made.
#include "turn_rig.h"

#include <assert.h>
#include <criterion/criterion.h>
#include <stdio.h>

// By Python's cryptography: AESGCM(key).encrypt(nonce, block, name), where key is bytes(range(32)),
// nonce b"0123456789ab", name b"turn.example.org", block the key's length and the key
// ("abcdefghijklmnopqrst" where nothing else is said), 1700000000 << 16 and a lifetime of 3,600.
// coturn's turnutils_oauth makes the first of them alike.
static const char good[] =
	"000c303132333435363738396162370533113543ec61f0573ad1c307e7632482757d64ab"
	"b8b8978358051cbc7c9215c91b1b3695b294df2bc52e8ee967fd7889";
static const char other[] =
	"000c303132333435363738396162373113311563cc41d0771af1e327c74304a2555d448b"
	"edeea588f05f2c8d4ea12fece40132327304bc1f75f9138f8f8ff67159192337a0bd4457"
	"34619bca";
static const char of_128_bits[] =
	"000c303132333435363738396162bba2d4d5431d6329bee9a1a02632b04bf93bfcb8557b"
	"8abeb7e5419949170355a214c7251d04725a865d905105bf448267e4";
static const char of_another_server[] =
	"000c303132333435363738396162370533113543ec61f0573ad1c307e7632482757d64ab"
	"b8b8978358051cbc7c9215c98927c3dc98ab74643d4a098b870a4aac";
static const char too_short_key[] =
	"000c303132333435363738396162370233113543ec61f0573ad1c307e7632482757d64df"
	"b8dda121a9051cbc7c9c0bd8611fe6a0b31c6d33a804f8507228a1";
static const char too_long_key[] =
	"000c303132333435363738396162372033123746e866f65e32dac90aeb6c2a93656e76be"
	"d9d993b1c8647ddd1df37ab885603600e365dd7e14987cfe43d92c9074580ec8e419a820"
	"891771e90bdd16eb5c2d763471acef09ee4ec69829";
static const char long_lived[] =
	"000c303132333435363738396162370533113543ec61f0573ad1c307e7632482757d64ab"
	"b8b8978358051cbc836de426b524ce2f017db32ef36440edce44dace";
static const char key_length_lies[] =
	"000c303132333435363738396162370433113543ec61f0573ad1c307e7632482757d64ab"
	"b8b8978358051cbc7c9215c9cb296c4d02e09444d0dcfc72efb084ab";
static const char key_length_lies_more[] =
	"000c303132333435363738396162c8ee33113543ec61f0573ad1c307e7632482757d64ab"
	"b8b8978358051cbc7c9215c91751a9e7dd0871edef18c48dee307a04";
static const char something_behind[] =
	"000c303132333435363738396162370533113543ec61f0573ad1c307e7632482757d64ab"
	"b8b8978358051cbc7c9215c9e48338bedef1bbcb6b6be68c98e1d1ee70";

#define MADE_S 1700000000 // = RIG_START_WALL_S
static_assert(RIG_START_WALL_S == MADE_S, "the tokens are fresh when the rig starts");

static const struct rig_user north = {"north", {"abcdefghijklmnopqrst", 20}, {{0}, 0}};
static const struct rig_user other_north = {
	"north", {"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", 32}, {{0}, 0}};
static const struct rig_user south = {"south", {"abcdefghijklmnopqrst", 20}, {{0}, 0}};

static struct rig rig;

static void open_as(size_t n_keys, uint32_t lifetime_max_s, bool allows_mobility)
{
	static struct turn_token_key keys[] = {{.kid = "north", .key_bytes = 32},
		{.kid = "south", .key_bytes = 16}, {.kid = "user", .key_bytes = 32}};
	struct turn_config config = rig_config();

	for (uint8_t i = 0; i < 32; i++)
		keys[0].key[i] = keys[1].key[i] = keys[2].key[i] = i;
	config.tokens = (struct turn_tokens){"turn.example.org", keys, n_keys};
	config.realm.n_allocations_per_user = 1;
	config.nonce_lifetime_s = 36000;
	config.lifetime_max_s = lifetime_max_s;
	config.allows_mobility = allows_mobility;
	rig_open(&rig, &config);
	rig_challenge(&rig);
	rig.user = &north;
}

static void open_with(size_t n_keys, uint32_t lifetime_max_s)
{
	open_as(n_keys, lifetime_max_s, false);
}

static void open_rig(void)
{
	open_with(3, 3600);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	rig_close(&rig);
}

TestSuite(turn_token, .init = open_rig, .fini = close_rig);

static void put_token(const char *hex)
{
	uint8_t bytes[512];
	unsigned byte;
	size_t n = 0;

	for (; hex[2 * n]; n++) {
		cr_assert_eq(sscanf(hex + 2 * n, "%2x", &byte), 1);
		bytes[n] = (uint8_t)byte;
	}
	stun_put_bytes(&rig.w, STUN_ATTR_ACCESS_TOKEN, bytes, n);
}

static int allocate(const char *token, uint32_t lifetime_s)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, lifetime_s);
	put_token(token);
	return rig_send(&rig);
}

static int refresh(const char *token, uint32_t lifetime_s)
{
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, lifetime_s);
	put_token(token);
	return rig_send(&rig);
}

Test(turn_token, a_challenge_names_the_server)
{
	const struct stun_attr *attr;

	rig_challenge(&rig);
	attr = stun_find(&rig.view, STUN_ATTR_THIRD_PARTY_AUTHORIZATION);
	cr_assert_not_null(attr);
	cr_expect_eq(attr->n_bytes, 16);
	cr_expect_eq(memcmp(attr->value, "turn.example.org", 16), 0);
	cr_expect(rig_has(&rig, STUN_ATTR_REALM) && rig_has(&rig, STUN_ATTR_NONCE));
}

// The rig checks that the answer is signed with the token's key.
Test(turn_token, its_key_signs_requests_and_answers)
{
	cr_assert_eq(allocate(good, 600), 0);
	cr_expect_neq(rig.view.integrity_offset, 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0, "without the token");
	cr_expect_neq(rig.view.integrity_offset, 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(refresh(good, 0), 0);
}

Test(turn_token, aes_128_and_longer_keys_are_good_too)
{
	rig.user = &south;
	cr_expect_eq(allocate(of_128_bits, 600), 0);
	rig.client.port++;
	rig_challenge(&rig);
	rig.user = &other_north;
	cr_expect_eq(allocate(other, 600), 0);
}

// Each request is signed with the key that stands in its token.
Test(turn_token, what_is_no_token_for_us_is_401)
{
	static const struct rig_user brief = {"north", {"abcdefghijklmnopqrs", 19}, {{0}, 0}};
	static const struct rig_user lengthy = {"north", {{[0 ... 48] = 'a'}, 49}, {{0}, 0}};
	static const struct {
		const char *token;
		const struct rig_user *user;
	} bad[] = {{of_another_server, &north}, {of_128_bits, &north}, {too_short_key, &brief},
		{too_long_key, &lengthy}, {key_length_lies, &north}, {key_length_lies_more, &north},
		{something_behind, &north}, {"", &north}, {"00", &north}, {"000c", &north}};

	for (size_t i = 0; i < N_ELEMENTS(bad); i++) {
		rig.user = bad[i].user;
		cr_expect_eq(allocate(bad[i].token, 600), 401, "%zu", i);
		cr_expect_eq(rig.view.integrity_offset, 0);
	}
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_token, every_changed_byte_is_401)
{
	char changed[sizeof(good)];

	for (size_t i = 0; i < sizeof(good) - 1; i++) {
		memcpy(changed, good, sizeof(changed));
		changed[i] = changed[i] == '0' ? '1' : '0';
		cr_expect_eq(allocate(changed, 600), 401, "%zu", i);
	}
}

Test(turn_token, another_key_or_kid_is_401)
{
	rig.user = &other_north;
	cr_expect_eq(allocate(good, 600), 401);
	rig.user = &south;
	cr_expect_eq(allocate(good, 600), 401);
	rig.user = &rig_nobody;
	cr_expect_eq(allocate(good, 600), 401);
	rig.user = &rig_user;
	cr_expect_eq(allocate(good, 600), 401, "a user's own password does not help");
}

// RFC 7635 §7: lifetime + 5 > abs(now - made).
Test(turn_token, its_time_is_its_lifetime_and_five_seconds_both_ways)
{
	static const struct {
		int64_t after_s;
		int code;
	} rows[] = {{3604, 0}, {3605, 401}, {-3604, 0}, {-3605, 401}, {1000000, 401}};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		rig.time.wall_s = MADE_S + rows[i].after_s;
		cr_expect_eq(allocate(good, 600), rows[i].code, "%zu", i);
		if (rows[i].code == 0)
			cr_expect_eq(refresh(good, 0), 0);
	}
}

// RFC 7635 §9.
Test(turn_token, no_allocation_outlives_it)
{
	cr_assert_eq(allocate(good, 36000), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 3600);
	rig_pass(&rig, 3500000);
	cr_assert_eq(refresh(good, 36000), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 105);
	rig_pass(&rig, 104999);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

// RFC 7635 §9: not even by the seconds that clocks may differ.
Test(turn_token, no_lifetime_is_above_that_of_the_token)
{
	rig_close(&rig);
	open_with(3, 36000);
	cr_assert_eq(allocate(good, 36000), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 3600);
	rig.time.wall_s = MADE_S - 3;
	cr_assert_eq(refresh(good, 36000), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 3600);
	rig.time.wall_s = MADE_S + 7;
	cr_assert_eq(refresh(good, 36000), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 3598);
}

// Of what it granted nobody gets more by leaving it out.
Test(turn_token, no_allocation_outlives_it_without_it_either)
{
	cr_assert_eq(allocate(good, 36000), 0);
	rig_pass(&rig, 1000000);
	cr_assert_eq(rig_refresh(&rig, 36000), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 2600);
	rig.time.now_ms += 2599999;
	cr_assert_eq(rig_refresh(&rig, 36000), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 1);
	rig.time.now_ms += 1;
	cr_expect_eq(rig_refresh(&rig, 36000), 401, "turn_expire() is late");
	rig_pass(&rig, 1000);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_token, a_very_long_one_is_bounded_by_the_configuration)
{
	cr_assert_eq(allocate(long_lived, UINT32_MAX), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 3600);
}

// RFC 7635 §9: the new token refreshes, and then its key signs.
Test(turn_token, another_token_takes_over_with_a_refresh)
{
	cr_assert_eq(allocate(good, 600), 0);
	rig.user = &other_north;
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 401);
	cr_expect_eq(refresh(other, 600), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	rig.user = &north;
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 401);
	cr_expect_null(turn_check(rig.turn));
}

static int move_with(const char *token)
{
	rig_begin(&rig, STUN_REFRESH);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, rig.ticket, rig.ticket_bytes);
	if (token)
		put_token(token);
	return rig_send(&rig);
}

// A kid is nobody's name: who sees a ticket on its way may have a token of the same issuer.
Test(turn_token, a_ticket_is_good_with_the_allocations_own_key_alone)
{
	rig_close(&rig);
	open_as(3, 3600, true);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	put_token(good);
	cr_assert_eq(rig_send(&rig), 0);
	rig_keep_ticket(&rig);
	rig.client.port++;
	rig_challenge(&rig);
	rig.user = &other_north;
	cr_expect_eq(move_with(other), 441);
	cr_expect_eq(rig.effects.n, 0);
	rig.user = &north;
	cr_expect_eq(move_with(good), 0);
	rig_keep_ticket(&rig);
	rig.client.port++;
	rig_challenge(&rig);
	cr_expect_eq(move_with(NULL), 0, "the key is known");
}

Test(turn_token, each_token_has_a_quota)
{
	cr_assert_eq(allocate(good, 600), 0);
	rig.client.port++;
	rig_challenge(&rig);
	cr_expect_eq(allocate(good, 600), 486);
	rig.user = &other_north;
	cr_expect_eq(allocate(other, 600), 0);
}

// Entries that stand name their user, so a new token makes nobody else of him.
Test(turn_token, who_refreshes_with_another_token_stays_the_same_user)
{
	rig.user = &rig_user;
	cr_assert_eq(rig_allocate(&rig), 0);
	rig.client.port++;
	rig_challenge(&rig);
	rig.user = &north;
	cr_assert_eq(allocate(good, 600), 0);
	rig.user = &other_north;
	cr_assert_eq(refresh(other, 600), 0);
	cr_expect_null(turn_check(rig.turn));
	rig.client.port++;
	rig_challenge(&rig);
	rig.user = &north;
	cr_expect_eq(allocate(good, 600), 486);
	rig.user = &other_north;
	cr_expect_eq(allocate(other, 600), 0);
	cr_expect_eq(refresh(other, 0), 0);
	rig.client.port--;
	rig_challenge(&rig);
	cr_expect_eq(refresh(other, 0), 0);
	cr_expect_null(turn_check(rig.turn));
	rig.user = &north;
	cr_expect_eq(allocate(good, 600), 0);
}

Test(turn_token, users_with_passwords_go_on_beside_it)
{
	rig.user = &rig_user;
	cr_expect_eq(rig_allocate(&rig), 0);
	rig.user = &north;
	cr_expect_eq(refresh(good, 600), 441);
}

// The configuration refuses such a kid; names of REST users and of sources it does not know.
Test(turn_token, a_kid_like_a_users_name_is_not_that_user)
{
	static const struct rig_user likewise = {"user", {"abcdefghijklmnopqrst", 20}, {{0}, 0}};

	rig.user = &rig_user;
	cr_assert_eq(rig_allocate(&rig), 0);
	rig.user = &likewise;
	cr_expect_eq(refresh(good, 0), 441);
}

Test(turn_token, where_none_is_taken_it_is_unknown)
{
	rig_close(&rig);
	open_with(0, 3600);
	rig_challenge(&rig);
	cr_expect_not(rig_has(&rig, STUN_ATTR_THIRD_PARTY_AUTHORIZATION));
	cr_expect_eq(allocate(good, 600), 401);
	rig.user = &rig_user;
	cr_expect_eq(allocate(good, 600), 420);
}

Test(turn_token, a_key_of_another_length_is_refused)
{
	static const struct turn_token_key key = {.kid = "north", .key_bytes = 24};
	struct turn_config config = rig_config();
	struct turn *turn = NULL;

	config.tokens = (struct turn_tokens){"turn.example.org", &key, 1};
	cr_expect_neq(turn_create(&turn, &config), 0);
	cr_expect_null(turn);
}
