// The choice of the password algorithm, integrity by SHA-256, and hidden names (RFC 8489 §9.2).
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <errno.h>

#define OFFER "\x00\x02\x00\x00\x00\x01\x00\x00"
#define OFFER_BYTES 8
#define CHOICE_SHA256 "\x00\x02\x00\x00"
#define CHOICE_MD5 "\x00\x01\x00\x00"

static struct rig rig;

static void open_with(bool offers_sha256, bool asks_userhash)
{
	struct turn_config config = rig_config();

	config.realm.offers_sha256 = offers_sha256;
	config.realm.asks_userhash = asks_userhash;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void open_rig(void)
{
	open_with(true, false);
}

static void reopen_with(bool offers_sha256, bool asks_userhash)
{
	rig_close(&rig);
	open_with(offers_sha256, asks_userhash);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_algorithms, .init = open_rig, .fini = close_rig);

// What a client puts into an Allocate; what is NULL is left out.
struct login {
	const char *offer; // OFFER_BYTES
	const char *choice;
	size_t choice_bytes; // 0: 4
	const uint8_t *userhash; // instead of the name
	const struct stun_key *sha1_key; // for MESSAGE-INTEGRITY
	const struct stun_key *sha256_key; // for MESSAGE-INTEGRITY-SHA256
};

static void begin_login(const struct login *login)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (login->userhash)
		stun_put_bytes(&rig.w, STUN_ATTR_USERHASH, login->userhash, STUN_SHA256_BYTES);
	else
		stun_put_bytes(&rig.w, STUN_ATTR_USERNAME, "user", 4);
	stun_put_bytes(&rig.w, STUN_ATTR_REALM, "realm", 5);
	stun_put_bytes(&rig.w, STUN_ATTR_NONCE, rig.nonce, rig.nonce_bytes);
	if (login->offer)
		stun_put_bytes(&rig.w, STUN_ATTR_PASSWORD_ALGORITHMS, login->offer, OFFER_BYTES);
	if (login->choice)
		stun_put_bytes(&rig.w, STUN_ATTR_PASSWORD_ALGORITHM, login->choice,
			login->choice_bytes ? login->choice_bytes : 4);
}

static int log_in(const struct login *login)
{
	rig.user = NULL; // the answer is judged here
	begin_login(login);
	if (login->sha1_key)
		stun_put_integrity(&rig.w, rig.mac, login->sha1_key);
	if (login->sha256_key)
		stun_put_integrity_sha256(&rig.w, rig.mac, login->sha256_key);
	return rig_deliver(&rig);
}

static bool is_signed_by_sha256(const struct stun_key *key)
{
	return !rig.view.integrity_offset && stun_integrity_sha256_check(rig.mac, &rig.view, key);
}

static bool is_signed_by_sha1(const struct stun_key *key)
{
	return !rig.view.integrity_sha256_offset && stun_integrity_check(rig.mac, &rig.view, key);
}

static void expect_offer(void)
{
	const struct stun_attr *offer = stun_find(&rig.view, STUN_ATTR_PASSWORD_ALGORITHMS);

	cr_assert(offer && offer->n_bytes == OFFER_BYTES);
	cr_expect_arr_eq(offer->value, OFFER, OFFER_BYTES);
}

Test(turn_algorithms, challenge_offers_sha256_before_md5_and_its_nonce_says_so)
{
	expect_offer();
	cr_expect_eq(memcmp(rig.nonce, "obMatJos2gAAA", 13), 0);
	cr_expect_eq(rig.reply_bytes, 20 + 8 + 12 + 44 + 12);
}

Test(turn_algorithms, stale_nonce_is_told_with_the_offer)
{
	rig_pass(&rig, 600000);
	cr_expect_eq(rig_allocate(&rig), 438);
	expect_offer();
}

Test(turn_algorithms, who_chooses_sha256_is_answered_with_sha256)
{
	const struct login login = {
		.offer = OFFER, .choice = CHOICE_SHA256, .sha256_key = &rig_user.key_sha256};

	cr_expect_eq(log_in(&login), 0);
	cr_expect(is_signed_by_sha256(&rig_user.key_sha256));
}

Test(turn_algorithms, who_chooses_md5_is_answered_with_sha256)
{
	const struct login login = {
		.offer = OFFER, .choice = CHOICE_MD5, .sha256_key = &rig_user.key};

	cr_expect_eq(log_in(&login), 0);
	cr_expect(is_signed_by_sha256(&rig_user.key));
}

Test(turn_algorithms, who_chooses_and_signs_with_sha1_is_answered_with_sha256)
{
	const struct login login = {
		.offer = OFFER, .choice = CHOICE_SHA256, .sha1_key = &rig_user.key_sha256};

	cr_expect_eq(log_in(&login), 0);
	cr_expect(is_signed_by_sha256(&rig_user.key_sha256));
}

Test(turn_algorithms, who_knows_neither_attribute_uses_md5_and_sha1)
{
	const struct login login = {.sha1_key = &rig_user.key};

	cr_expect_eq(log_in(&login), 0);
	cr_expect(is_signed_by_sha1(&rig_user.key));
}

Test(turn_algorithms, sha256_integrity_alone_is_checked_with_the_md5_key)
{
	const struct login login = {.sha256_key = &rig_user.key};
	const struct login wrong = {.sha256_key = &rig_user.key_sha256};

	cr_expect_eq(log_in(&wrong), 401);
	cr_expect_eq(log_in(&login), 0);
	cr_expect(is_signed_by_sha1(&rig_user.key));
}

Test(turn_algorithms, of_two_integrities_sha256_counts)
{
	const struct login login = {.offer = OFFER,
		.choice = CHOICE_SHA256,
		.sha1_key = &rig_other.key,
		.sha256_key = &rig_user.key_sha256};
	const struct login wrong = {.offer = OFFER,
		.choice = CHOICE_SHA256,
		.sha1_key = &rig_user.key_sha256,
		.sha256_key = &rig_other.key_sha256};

	cr_expect_eq(log_in(&wrong), 401);
	cr_expect_eq(log_in(&login), 0);
}

Test(turn_algorithms, shortened_sha256_integrity_is_401)
{
	const struct login login = {.offer = OFFER, .choice = CHOICE_SHA256};
	uint8_t hash[STUN_SHA256_BYTES];

	for (uint16_t n = 16; n < STUN_SHA256_BYTES; n += 4) {
		size_t offset;

		rig.user = NULL;
		begin_login(&login);
		offset = rig.w.n_bytes;
		stun_put_bytes(&rig.w, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, (uint8_t[32]){0}, n);
		stun_hmac_sha256(rig.mac, hash, rig_user.key_sha256.bytes, STUN_SHA256_BYTES,
			rig.request, offset);
		memcpy(rig.request + offset + 4, hash, n);
		cr_expect_eq(rig_deliver(&rig), 401, "%u bytes", n);
	}
}

Test(turn_algorithms, offers_and_choices_that_do_not_fit_are_400_before_the_password)
{
	static const struct login logins[] = {
		{.offer = OFFER},
		{.choice = CHOICE_SHA256},
		{.choice = CHOICE_MD5},
		{.offer = "\x00\x01\x00\x00\x00\x02\x00\x00", .choice = CHOICE_MD5},
		{.offer = "\x00\x01\x00\x00\x00\x01\x00\x00", .choice = CHOICE_MD5},
		{.offer = OFFER, .choice = "\x00\x03\x00\x00"},
		{.offer = OFFER, .choice = "\x00\x00\x00\x00"},
		{.offer = OFFER, .choice = "\x00\x02\x00\x01"},
		{.offer = OFFER, .choice = "\x00\x02\x00\x00\x00\x00\x00\x00", .choice_bytes = 8},
		{.offer = OFFER, .choice = "\x00\x02", .choice_bytes = 2},
	};

	for (size_t i = 0; i < N_ELEMENTS(logins); i++) {
		struct login login = logins[i];

		login.sha256_key = &rig_nobody.key;
		cr_expect_eq(log_in(&login), 400, "login %zu", i);
		cr_expect_eq(rig.view.n_attrs, 1);
		cr_expect(!rig.view.integrity_offset && !rig.view.integrity_sha256_offset);
	}
}

// Somebody on the way takes the offer out of the challenge and the bit out of the nonce.
Test(turn_algorithms, nonce_without_its_bit_is_not_ours)
{
	const struct login login = {.sha1_key = &rig_user.key};

	memcpy(rig.nonce + 9, "AAAA", 4);
	cr_expect_eq(log_in(&login), 438);
}

Test(turn_algorithms, without_an_offer_nothing_can_be_chosen)
{
	const struct login login = {
		.offer = OFFER, .choice = CHOICE_SHA256, .sha1_key = &rig_user.key};

	reopen_with(false, false);
	cr_expect_eq(memcmp(rig.nonce, "obMatJos2AAAA", 13), 0);
	cr_expect_not(rig_has(&rig, STUN_ATTR_PASSWORD_ALGORITHMS));
	cr_expect_eq(log_in(&login), 0);
	cr_expect(is_signed_by_sha1(&rig_user.key));
	memcpy(rig.nonce + 9, "gAAA", 4);
	cr_expect_eq(log_in(&login), 400, "an offer that was never made");
}

// SHA-256("user:realm") by Python's hashlib.
static const uint8_t userhash[STUN_SHA256_BYTES] = {0x6a, 0x30, 0x29, 0x11, 0x6b, 0x47, 0xaa, 0x98,
	0xbc, 0xaa, 0x32, 0x53, 0x99, 0x73, 0x3d, 0xc1, 0xa2, 0x3c, 0xd5, 0x7e, 0x26, 0xb8, 0x1b,
	0xef, 0x3f, 0xf6, 0x53, 0x1c, 0xe6, 0x24, 0xe2, 0xda};

Test(turn_algorithms, hidden_name_is_asked_for_by_a_bit)
{
	reopen_with(false, true);
	cr_expect_eq(memcmp(rig.nonce, "obMatJos2QAAA", 13), 0);
	reopen_with(true, true);
	cr_expect_eq(memcmp(rig.nonce, "obMatJos2wAAA", 13), 0);
}

Test(turn_algorithms, hidden_name_is_as_good_as_the_name)
{
	const struct login login = {.offer = OFFER,
		.choice = CHOICE_SHA256,
		.userhash = userhash,
		.sha256_key = &rig_user.key_sha256};

	cr_expect_eq(log_in(&login), 0);
	rig.user = &rig_user;
	cr_expect_eq(rig_refresh(&rig, 600), 0, "the same user by name");
	rig.user = &rig_other;
	cr_expect_eq(rig_refresh(&rig, 600), 441);
}

Test(turn_algorithms, unknown_hidden_name_and_wrong_password_are_told_the_same_bytes)
{
	uint8_t unknown[STUN_SHA256_BYTES];
	struct login login = {.userhash = userhash, .sha1_key = &rig_other.key};
	uint8_t wrong[sizeof(rig.reply)];

	memcpy(unknown, userhash, sizeof(unknown));
	unknown[31] ^= 1;
	rig.n_transactions = 77;
	cr_expect_eq(log_in(&login), 401);
	memcpy(wrong, rig.reply, sizeof(wrong));
	login.userhash = unknown;
	login.sha1_key = &rig_user.key;
	rig.n_transactions = 77;
	cr_expect_eq(log_in(&login), 401);
	cr_expect_arr_eq(wrong, rig.reply, sizeof(wrong));
}

Test(turn_algorithms, hidden_name_of_another_length_is_401)
{
	uint8_t longer[STUN_SHA256_BYTES + 4] = {0};

	memcpy(longer, userhash, sizeof(userhash));
	rig.user = NULL;
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_bytes(&rig.w, STUN_ATTR_USERHASH, longer, sizeof(longer));
	stun_put_bytes(&rig.w, STUN_ATTR_REALM, "realm", 5);
	stun_put_bytes(&rig.w, STUN_ATTR_NONCE, rig.nonce, rig.nonce_bytes);
	stun_put_integrity(&rig.w, rig.mac, &rig_user.key);
	cr_expect_eq(rig_deliver(&rig), 401);
}

Test(turn_algorithms, offers_that_a_user_cannot_take_are_refused)
{
	static const struct turn_rest_secret secret = {.text = "north"};
	struct turn_config config = rig_config();
	struct turn_user user = config.realm.users[0];
	struct turn *turn;

	user.keys.has_sha256 = false;
	config.realm.users = &user;
	config.realm.n_users = 1;
	config.realm.offers_sha256 = true;
	cr_expect_eq(turn_create(&turn, &config), -EINVAL);
	config = rig_config();
	config.realm.rest_secrets = &secret;
	config.realm.n_rest_secrets = 1;
	config.realm.asks_userhash = true;
	cr_expect_eq(turn_create(&turn, &config), -EINVAL);
}
