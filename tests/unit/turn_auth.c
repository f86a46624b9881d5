#include "turn_rig.h"

#include <criterion/criterion.h>

static struct rig rig;

static void open_rig(void)
{
	rig_open_default(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_auth, .init = open_rig, .fini = close_rig);

static const uint16_t methods[] = {
	STUN_ALLOCATE, STUN_REFRESH, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND};

Test(turn_auth, without_integrity_is_401_with_realm_and_nonce)
{
	rig.user = NULL;
	for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
		rig_begin(&rig, methods[i]);
		cr_expect_eq(rig_send(&rig), 401);
		cr_expect_eq(rig.view.n_attrs, 3);
		cr_expect(rig_has(&rig, STUN_ATTR_REALM) && rig_has(&rig, STUN_ATTR_NONCE));
		cr_expect_eq(rig.view.integrity_offset, 0);
		cr_expect_eq(rig.effects.n, 0);
	}
}

Test(turn_auth, challenge_is_small_text_with_the_nonce_cookie)
{
	const struct stun_attr *realm = stun_find(&rig.view, STUN_ATTR_REALM);

	cr_expect_eq(rig.nonce_bytes, 37);
	cr_expect_eq(memcmp(rig.nonce, "obMatJos2AAAA", 13), 0);
	for (size_t i = 0; i < rig.nonce_bytes; i++)
		cr_expect(rig.nonce[i] > ' ' && rig.nonce[i] < 0x7f && rig.nonce[i] != '"');
	cr_expect_eq(realm->n_bytes, 5);
	cr_expect_eq(memcmp(realm->value, "realm", 5), 0);
	// Header, ERROR-CODE, REALM with padding, NONCE with padding.
	cr_expect_eq(rig.reply_bytes, 20 + 8 + 12 + 44);
}

Test(turn_auth, integrity_without_username_realm_or_nonce_is_400)
{
	static const uint16_t types[] = {STUN_ATTR_USERNAME, STUN_ATTR_REALM, STUN_ATTR_NONCE};

	for (size_t m = 0; m < N_ELEMENTS(methods); m++) {
		for (size_t missing = 0; missing < N_ELEMENTS(types); missing++) {
			rig_begin(&rig, methods[m]);
			for (size_t i = 0; i < N_ELEMENTS(types); i++) {
				if (i != missing)
					stun_put_bytes(&rig.w, types[i], "user", 4);
			}
			stun_put_integrity(&rig.w, rig.mac, &rig_user.key);
			cr_expect_eq(rig_deliver(&rig), 400);
			cr_expect_eq(rig.view.n_attrs, 1);
			cr_expect_eq(rig.view.integrity_offset, 0);
		}
	}
}

Test(turn_auth, right_password_is_accepted_and_the_answer_signed)
{
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_neq(rig.view.integrity_offset, 0);
	cr_expect(stun_integrity_check(rig.mac, &rig.view, &rig_user.key));
	cr_expect(!rig_has(&rig, STUN_ATTR_REALM) && !rig_has(&rig, STUN_ATTR_NONCE));
}

static int send_as(const char *name, const struct stun_key *key, uint16_t method)
{
	const struct rig_user user = {name, *key};
	int code;

	rig.user = &user;
	rig.n_transactions = 77;
	rig_begin(&rig, method);
	code = rig_send(&rig);
	rig.user = &rig_user;
	return code;
}

Test(turn_auth, unknown_user_and_wrong_password_are_told_the_same_bytes)
{
	uint8_t wrong[sizeof(rig.reply)];

	for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
		cr_expect_eq(send_as("user", &rig_other.key, methods[i]), 401);
		cr_expect_eq(rig.view.integrity_offset, 0);
		memcpy(wrong, rig.reply, sizeof(wrong));
		cr_expect_eq(send_as("nobody", &rig_other.key, methods[i]), 401);
		cr_expect_eq(memcmp(wrong, rig.reply, sizeof(wrong)), 0);
	}
}

Test(turn_auth, names_that_only_begin_alike_are_unknown)
{
	static const char long_name[] = {[0 ... 599] = 'u', '\0'};
	static const char longest_name[] = {[0 ... 762] = 'u', '\0'}; // RFC 8489 §14.3

	cr_expect_eq(send_as("use", &rig_user.key, STUN_ALLOCATE), 401);
	cr_expect_eq(send_as("userr", &rig_user.key, STUN_ALLOCATE), 401);
	cr_expect_eq(send_as("", &rig_user.key, STUN_ALLOCATE), 401);
	cr_expect_eq(send_as(long_name, &rig_user.key, STUN_ALLOCATE), 401);
	cr_expect_eq(send_as(longest_name, &rig_user.key, STUN_ALLOCATE), 401);
}

// With one allocation at most, all names share a bucket, and all 5-tuples.
static void open_narrow(void)
{
	struct turn_config config = rig_config();

	rig_listen(&config,
		(const char *const[]){
			"192.0.2.15:3478", "192.0.2.15:3479", "192.0.2.16:3478", NULL});
	config.n_allocations_max = 1;
	rig_close(&rig);
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

Test(turn_auth, names_that_only_begin_alike_are_unknown_in_one_bucket_too)
{
	open_narrow();
	cr_expect_eq(send_as("use", &rig_user.key, STUN_ALLOCATE), 401);
	cr_expect_eq(send_as("", &rig_user.key, STUN_ALLOCATE), 401);
}

Test(turn_auth, wrong_password_with_stale_nonce_is_401_not_438)
{
	rig_pass(&rig, 600000);
	cr_expect_eq(send_as("user", &rig_other.key, STUN_ALLOCATE), 401);
	cr_expect_eq(send_as("user", &rig_user.key, STUN_ALLOCATE), 438);
}

static void expect_stale(void)
{
	const struct stun_attr *nonce;

	cr_assert_eq(rig_allocate(&rig), 438);
	cr_expect_eq(rig.view.n_attrs, 3);
	cr_expect(rig_has(&rig, STUN_ATTR_REALM));
	cr_expect_eq(rig.view.integrity_offset, 0);
	nonce = stun_find(&rig.view, STUN_ATTR_NONCE);
	cr_assert_not_null(nonce);
	memcpy(rig.nonce, nonce->value, nonce->n_bytes);
	rig.nonce_bytes = nonce->n_bytes;
	cr_expect_eq(rig_allocate(&rig), 0, "the fresh nonce is good");
}

Test(turn_auth, nonce_lives_for_its_lifetime_to_the_millisecond)
{
	rig_pass(&rig, 599999);
	cr_expect_eq(rig_allocate(&rig), 0);
	rig.client.port++;
	rig_challenge(&rig);
	rig_pass(&rig, 600000);
	expect_stale();
}

Test(turn_auth, nonce_is_bound_to_the_clients_port)
{
	rig.client.port++;
	expect_stale();
}

Test(turn_auth, nonce_is_bound_to_the_clients_address)
{
	rig.client.ip.bytes[3]++;
	expect_stale();
}

Test(turn_auth, nonce_from_the_future_is_stale)
{
	rig.time.now_ms--;
	expect_stale();
}

Test(turn_auth, any_changed_character_of_a_nonce_makes_it_stale)
{
	for (size_t i = 0; i < rig.nonce_bytes; i++) {
		const char was = rig.nonce[i];

		rig.nonce[i] = was == 'A' ? 'B' : 'A';
		cr_expect_eq(rig_allocate(&rig), 438, "character %zu", i);
		rig.nonce[i] = was;
	}
	rig.nonce[rig.nonce_bytes++] = 'A';
	cr_expect_eq(rig_allocate(&rig), 438);
	rig.nonce_bytes -= 2;
	cr_expect_eq(rig_allocate(&rig), 438);
	rig.nonce_bytes = 0;
	cr_expect_eq(rig_allocate(&rig), 438);
}

Test(turn_auth, nonces_of_other_instances_are_stale)
{
	struct turn_config config = rig_config();

	rig_close(&rig);
	config.nonce_secret[31] ^= 1;
	rig_open(&rig, &config);
	rig_challenge(&rig);
	rig_close(&rig);
	config.nonce_secret[31] ^= 1;
	cr_assert_eq(turn_create(&rig.turn, &config), 0);
	cr_assert_eq(stun_mac_create(&rig.mac), 0);
	expect_stale();
}

Test(turn_auth, refresh_with_a_stale_nonce_is_438_and_changes_nothing)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 599999);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_refresh(&rig, 0), 438);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 438);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 438);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}

Test(turn_auth, first_of_two_usernames_counts)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_USERNAME, "other", 5);
	rig.user = &rig_user; // signs with its own key after its own name
	cr_expect_eq(rig_send(&rig), 401);
}

Test(turn_auth, without_an_allocation_is_437_only_after_authentication)
{
	for (size_t i = 1; i < N_ELEMENTS(methods); i++) {
		rig_begin(&rig, methods[i]);
		cr_expect_eq(rig_send(&rig), 437);
		cr_expect_neq(rig.view.integrity_offset, 0);
		cr_expect_eq(send_as("nobody", &rig_nobody.key, methods[i]), 401);
	}
}

Test(turn_auth, another_user_on_the_allocation_is_441)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	rig.user = &rig_other;
	cr_expect_eq(rig_refresh(&rig, 0), 441);
	cr_expect_neq(rig.view.integrity_offset, 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 441);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 441);
	cr_expect_eq(rig_allocate(&rig), 437);
	cr_expect_eq(rig.n_entries, 1);
}

Test(turn_auth, five_tuple_includes_the_service)
{
	open_narrow();
	cr_assert_eq(rig_allocate(&rig), 0);
	rig.service.port = 3479;
	cr_expect_eq(rig_refresh(&rig, 0), 437);
	rig.service.port = 3478;
	rig.service.ip.bytes[3]++;
	cr_expect_eq(rig_refresh(&rig, 0), 437);
}

static void put_wanted(uint16_t method)
{
	const struct endpoint peer = rig_endpoint("11.0.0.1:9");

	if (method == STUN_ALLOCATE)
		stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (method == STUN_CHANNEL_BIND)
		stun_put_channel(&rig.w, 0x4000);
	if (method == STUN_CHANNEL_BIND || method == STUN_CREATE_PERMISSION)
		stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
}

// RFC 8489 §6.3: whatever they hold.
Test(turn_auth, known_attributes_that_have_no_place_in_a_method_are_ignored)
{
	static const struct {
		uint16_t type;
		bool expected[N_ELEMENTS(methods)];
	} rows[] = {
		{STUN_ATTR_MAPPED_ADDRESS, {0}},
		{STUN_ATTR_ERROR_CODE, {0}},
		{STUN_ATTR_UNKNOWN_ATTRIBUTES, {0}},
		{STUN_ATTR_DATA, {0}},
		{STUN_ATTR_XOR_RELAYED_ADDRESS, {0}},
		{STUN_ATTR_XOR_MAPPED_ADDRESS, {0}},
		{STUN_ATTR_REQUESTED_TRANSPORT, {true}},
		{STUN_ATTR_EVEN_PORT, {true}},
		{STUN_ATTR_RESERVATION_TOKEN, {true}},
		{STUN_ATTR_LIFETIME, {true, true}},
		{STUN_ATTR_REQUESTED_ADDRESS_FAMILY, {true, true}},
		{STUN_ATTR_XOR_PEER_ADDRESS, {false, false, true, true}},
		{STUN_ATTR_CHANNEL_NUMBER, {false, false, false, true}},
	};

	for (size_t m = 0; m < N_ELEMENTS(methods); m++) {
		rig_begin(&rig, methods[m]);
		put_wanted(methods[m]);
		for (size_t i = 0; i < N_ELEMENTS(rows); i++)
			if (!rows[i].expected[m])
				stun_put_bytes(&rig.w, rows[i].type, "junk!", 5);
		cr_expect_eq(rig_send(&rig), 0, "method %zu", m);
	}
}

Test(turn_auth, unknown_required_attributes_are_420_and_listed)
{
	static const uint16_t later[] = {0x001f, 0x002c, 0x7ffe};

	for (size_t m = 0; m < N_ELEMENTS(methods); m++) {
		for (size_t i = 0; i < N_ELEMENTS(later); i++) {
			const struct stun_attr *list;

			rig_begin(&rig, methods[m]);
			stun_put_bytes(&rig.w, later[i], "abcdefgh", 8);
			cr_expect_eq(rig_send(&rig), 420);
			list = stun_find(&rig.view, STUN_ATTR_UNKNOWN_ATTRIBUTES);
			cr_assert(list && list->n_bytes == 2);
			cr_expect_eq(load_be16(list->value), later[i]);
			cr_expect_neq(rig.view.integrity_offset, 0);
		}
	}
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, 0xfffe, "optional", 8);
	cr_expect_eq(rig_send(&rig), 0);
}

Test(turn_auth, unauthenticated_unknown_attributes_are_401)
{
	rig.user = NULL;
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_bytes(&rig.w, 0x7ffe, "", 0);
	cr_expect_eq(rig_send(&rig), 401);
}

Test(turn_auth, fingerprint_comes_back_on_every_kind_of_answer)
{
	rig.with_fingerprint = true; // the rig compares
	rig_challenge(&rig);
	cr_expect_neq(rig.view.fingerprint_offset, 0);
	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_neq(rig.view.fingerprint_offset, 0);
	cr_expect_eq(rig_permit(&rig, "127.0.0.1"), 403);
	cr_expect_neq(rig.view.fingerprint_offset, 0);
}

Test(turn_auth, wrong_fingerprint_is_not_answered)
{
	rig.with_fingerprint = true;
	rig_begin(&rig, STUN_BINDING);
	rig.user = NULL;
	rig_sign(&rig);
	rig.request[rig.w.n_bytes - 1] ^= 1;
	cr_expect_eq(rig_deliver(&rig), RIG_NO_ANSWER);
}

Test(turn_auth, binding_needs_no_credentials_and_mirrors_the_client)
{
	const struct endpoint expected = rig_endpoint("198.51.100.2:7000");
	struct endpoint mapped;

	rig.user = NULL;
	rig_begin(&rig, STUN_BINDING);
	cr_expect_eq(rig_send(&rig), 0);
	mapped = rig_address(&rig, STUN_ATTR_XOR_MAPPED_ADDRESS);
	cr_expect(endpoint_equal(&mapped, &expected));
	cr_expect_eq(rig.reply_bytes, 32);
}

Test(turn_auth, binding_with_unknown_required_attribute_is_420_unsigned)
{
	rig.user = NULL;
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, STUN_ATTR_CHANGE_REQUEST, 6);
	cr_expect_eq(rig_send(&rig), 420);
	cr_expect_eq(rig.view.integrity_offset, 0);
}

static int send_header(enum stun_class class, uint16_t method)
{
	const uint8_t transaction[STUN_TRANSACTION_BYTES] = {1};

	stun_writer_init(&rig.w, rig.request, sizeof(rig.request), class, method, transaction);
	return rig_deliver(&rig);
}

Test(turn_auth, only_requests_of_known_methods_are_answered)
{
	cr_expect_eq(send_header(STUN_REQUEST, STUN_SEND), RIG_NO_ANSWER);
	cr_expect_eq(send_header(STUN_REQUEST, STUN_DATA), RIG_NO_ANSWER);
	cr_expect_eq(send_header(STUN_REQUEST, 0x00a), RIG_NO_ANSWER);
	cr_expect_eq(send_header(STUN_REQUEST, 0xfff), RIG_NO_ANSWER);
	for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
		cr_expect_eq(send_header(STUN_INDICATION, methods[i]), RIG_NO_ANSWER);
		cr_expect_eq(send_header(STUN_SUCCESS, methods[i]), RIG_NO_ANSWER);
		cr_expect_eq(send_header(STUN_ERROR, methods[i]), RIG_NO_ANSWER);
	}
	cr_expect_eq(send_header(STUN_INDICATION, STUN_BINDING), RIG_NO_ANSWER);
}

static void count_state(struct turn_stats *stats)
{
	*stats = rig_stats(&rig);
	memset(stats->n_requests, 0, sizeof(stats->n_requests));
	memset(stats->n_errors, 0, sizeof(stats->n_errors));
}

Test(turn_auth, a_hundred_thousand_strangers_leave_no_state)
{
	struct turn_stats before, after;

	count_state(&before);
	for (uint32_t i = 0; i < 100000; i++) {
		store_be32(rig.client.ip.bytes, i);
		rig.client.port = (uint16_t)(i * 7);
		rig.user = i % 3 == 0 ? NULL : i % 3 == 1 ? &rig_nobody : &rig_user;
		rig_begin(&rig, methods[i % 4]);
		cr_assert_gt(rig_send(&rig), 400);
		cr_assert_eq(rig.effects.n, 0);
	}
	count_state(&after);
	cr_expect_eq(memcmp(&before, &after, sizeof(before)), 0);
	cr_expect_null(turn_check(rig.turn));
}

Test(turn_auth, answers_are_counted_by_method_and_code)
{
	struct turn_stats stats;

	cr_expect_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_allocate(&rig), 437);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	stats = rig_stats(&rig);
	cr_expect_eq(stats.n_requests[STUN_ALLOCATE], 3);
	cr_expect_eq(stats.n_requests[STUN_REFRESH], 1);
	cr_expect_eq(stats.n_errors[0], 2);
	cr_expect_eq(stats.n_errors[401], 1);
	cr_expect_eq(stats.n_errors[437], 1);
	cr_expect_eq(stats.n_allocations_created, 1);
}
