// Clients of RFC 3489: requests without the cookie.
#include "turn_rig.h"

#include <criterion/criterion.h>

#define RESPONSE_ADDRESS 0x0002
#define CHANGE_IP 4u
#define CHANGE_PORT 2u

static struct rig rig;

static void open_with(bool serves_classic, const char *alternate)
{
	struct turn_config config = rig_config();

	config.serves_classic = serves_classic;
	config.discovery.primary = rig_endpoint("192.0.2.15:3478");
	if (alternate)
		config.discovery.alternate = rig_endpoint(alternate);
	rig_open(&rig, &config);
	rig.user = NULL;
}

static void open_rig(void)
{
	open_with(true, NULL);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_classic, .init = open_rig, .fini = close_rig);

static void reopen(bool serves_classic, const char *alternate)
{
	rig_close(&rig);
	open_with(serves_classic, alternate);
}

static int send_classic(void)
{
	store_be32(rig.request + 4, 0x0badcafe);
	return rig_deliver(&rig);
}

static int ask(void)
{
	rig_begin(&rig, STUN_BINDING);
	return send_classic();
}

static int ask_with(uint16_t type, uint32_t value)
{
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, type, value);
	return send_classic();
}

// RFC 3489 §8.1: MAPPED-ADDRESS, SOURCE-ADDRESS. The rig compares all 16 bytes of the id.
Test(turn_classic, learns_its_address_in_clear)
{
	cr_assert_eq(ask(), 0);
	cr_expect_eq(rig.view.n_attrs, 2);
	cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_MAPPED_ADDRESS), "198.51.100.2:7000");
	cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_SOURCE_ADDRESS), "192.0.2.15:3478");
	cr_expect_not(rig.answer.known);
}

Test(turn_classic, unless_it_is_off)
{
	reopen(false, "192.0.2.16:3479");
	cr_expect_eq(ask(), RIG_NO_ANSWER);
}

// Table 1 of §8.1.
Test(turn_classic, with_a_second_address_it_learns_the_kind_of_its_nat)
{
	static const struct {
		uint32_t flags;
		const char *from;
	} rows[] = {
		{0, "192.0.2.15:3478"},
		{CHANGE_IP, "192.0.2.16:3478"},
		{CHANGE_PORT, "192.0.2.15:3479"},
		{CHANGE_IP | CHANGE_PORT, "192.0.2.16:3479"},
	};
	char text[ADDR_TEXT_BYTES];

	reopen(true, "192.0.2.16:3479");
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		cr_assert_eq(ask_with(STUN_ATTR_CHANGE_REQUEST, rows[i].flags), 0);
		cr_expect_str_eq(endpoint_format(&rig.answer.from, text), rows[i].from);
		cr_expect_str_eq(endpoint_format(&rig.answer.to, text), "198.51.100.2:7000");
		cr_expect_str_eq(
			rig_plain_address(&rig, STUN_ATTR_MAPPED_ADDRESS), "198.51.100.2:7000");
		cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_SOURCE_ADDRESS), rows[i].from);
		cr_expect_str_eq(
			rig_plain_address(&rig, STUN_ATTR_CHANGED_ADDRESS), "192.0.2.16:3479");
	}
}

static void expect_unknown(uint16_t one, uint16_t two)
{
	const struct stun_attr *attr = stun_find(&rig.view, STUN_ATTR_UNKNOWN_ATTRIBUTES);
	char text[ADDR_TEXT_BYTES];

	cr_assert_not_null(attr);
	cr_assert_eq(attr->n_bytes, 4);
	cr_expect_eq(load_be16(attr->value), one);
	cr_expect_eq(load_be16(attr->value + 2), two);
	cr_expect_str_eq(endpoint_format(&rig.answer.to, text), "198.51.100.2:7000");
}

// Debian's stun-client says so in its first request.
Test(turn_classic, who_wants_nothing_changed_needs_no_second_address)
{
	cr_assert_eq(ask_with(STUN_ATTR_CHANGE_REQUEST, 0), 0);
	cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_MAPPED_ADDRESS), "198.51.100.2:7000");
	cr_expect_null(stun_find(&rig.view, STUN_ATTR_CHANGED_ADDRESS));
	cr_expect_eq(ask_with(STUN_ATTR_CHANGE_REQUEST, CHANGE_PORT), 420);
	expect_unknown(STUN_ATTR_CHANGE_REQUEST, STUN_ATTR_CHANGE_REQUEST);
}

// RFC 5389 §12.2: it would send what it is told to whomever it is told. §11.2.10 of RFC 3489: an
// even number of types.
Test(turn_classic, no_answer_goes_to_somebody_else)
{
	reopen(true, "192.0.2.16:3479");
	cr_expect_eq(ask_with(RESPONSE_ADDRESS, 0x00010001), 420);
	expect_unknown(RESPONSE_ADDRESS, RESPONSE_ADDRESS);
}

Test(turn_classic, without_a_second_address_there_is_nothing_to_change_to)
{
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, STUN_ATTR_CHANGE_REQUEST, CHANGE_IP);
	stun_put_u32(&rig.w, RESPONSE_ADDRESS, 0);
	cr_expect_eq(send_classic(), 420);
	expect_unknown(STUN_ATTR_CHANGE_REQUEST, RESPONSE_ADDRESS);
}

Test(turn_classic, unknown_types_are_listed_up_to_the_last)
{
	rig_begin(&rig, STUN_BINDING);
	for (uint16_t type = 0x7001; type < 0x700b; type++)
		stun_put_u32(&rig.w, type, 0);
	cr_expect_eq(send_classic(), 420);
	cr_expect_eq(
		stun_find(&rig.view, STUN_ATTR_UNKNOWN_ATTRIBUTES)->n_bytes, 2 * STUN_UNKNOWN_MAX);
	cr_expect_eq(ask_with(0x8099, 0), 0);
}

Test(turn_classic, a_change_request_of_the_wrong_length_is_400)
{
	reopen(true, "192.0.2.16:3479");
	rig_begin(&rig, STUN_BINDING);
	stun_put_bytes(&rig.w, STUN_ATTR_CHANGE_REQUEST, "\0\0\0\0\0\0\0\6", 8);
	cr_expect_eq(send_classic(), 400);
}

// RFC 3489 §8.1: there is no shared secret that could have signed it.
Test(turn_classic, signed_requests_are_432_without_a_name_and_430_with_one)
{
	static const uint8_t hmac[STUN_SHA1_BYTES];

	for (int with_name = 0; with_name < 2; with_name++) {
		rig_begin(&rig, STUN_BINDING);
		if (with_name)
			stun_put_bytes(&rig.w, STUN_ATTR_USERNAME, "user", 4);
		stun_put_bytes(&rig.w, STUN_ATTR_MESSAGE_INTEGRITY, hmac, sizeof(hmac));
		cr_expect_eq(send_classic(), with_name ? 430 : 432);
	}
}

// A wrong one, even: it is an optional attribute that RFC 3489 does not know.
Test(turn_classic, fingerprint_is_ignored_and_sha256_not_understood)
{
	cr_assert_eq(ask_with(STUN_ATTR_FINGERPRINT, 0x12345678), 0);
	cr_expect_eq(rig.view.n_attrs, 2);
	rig_begin(&rig, STUN_BINDING);
	stun_put_bytes(&rig.w, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, "0123456789abcdef", 16);
	cr_expect_eq(send_classic(), 420);
	expect_unknown(STUN_ATTR_MESSAGE_INTEGRITY_SHA256, STUN_ATTR_MESSAGE_INTEGRITY_SHA256);
}

// RFC 3489 §9.2: over UDP.
Test(turn_classic, shared_secrets_are_told_over_tls_only)
{
	rig_begin(&rig, STUN_SHARED_SECRET);
	cr_expect_eq(send_classic(), 433);
}

Test(turn_classic, other_methods_and_classes_are_nothing)
{
	static const uint16_t types[] = {
		STUN_ALLOCATE, STUN_BINDING | 0x0010, STUN_BINDING | 0x0100, STUN_BINDING | 0x0110};

	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		rig_begin(&rig, STUN_BINDING);
		store_be16(rig.request, types[i]);
		cr_expect_eq(send_classic(), RIG_NO_ANSWER);
	}
	rig_begin(&rig, STUN_SHARED_SECRET);
	cr_expect_eq(rig_deliver(&rig), RIG_NO_ANSWER); // with the cookie: no method of RFC 8489
}
