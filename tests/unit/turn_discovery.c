// NAT behaviour discovery (RFC 5780): Binding requests that ask for another way of the answer.
#include "turn_rig.h"

#include <criterion/criterion.h>

#define CHANGE_IP 4u
#define CHANGE_PORT 2u

static struct rig rig;

static void open_with(const char *alternate, const char *software)
{
	struct turn_config config = rig_config();

	rig_listen(&config,
		(const char *const[]){"192.0.2.15:3478", "192.0.2.15:3479", "192.0.2.16:3478",
			"192.0.2.16:3479", "192.0.2.15:3480", NULL});
	config.software = software;
	config.discovery.primary = rig_endpoint("192.0.2.15:3478");
	if (alternate)
		config.discovery.alternate = rig_endpoint(alternate);
	rig_open(&rig, &config);
	rig_challenge(&rig);
	rig.user = NULL;
}

static void open_rig(void)
{
	open_with("192.0.2.16:3479", NULL);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_discovery, .init = open_rig, .fini = close_rig);

static void reopen(const char *alternate, const char *software)
{
	rig_close(&rig);
	open_with(alternate, software);
}

static void expect_way(const char *from, const char *to)
{
	char text[ADDR_TEXT_BYTES];

	cr_expect_str_eq(endpoint_format(&rig.answer.from, text), from);
	cr_expect_str_eq(endpoint_format(&rig.answer.to, text), to);
}

static int ask_change(uint32_t flags)
{
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, STUN_ATTR_CHANGE_REQUEST, flags);
	return rig_send(&rig);
}

struct row {
	const char *service;
	uint32_t flags;
	const char *from;
	const char *other;
};

// RFC 5780 §6.1, table 1; bits that are not flags are nothing.
static const struct row rows[] = {
	{"192.0.2.15:3478", 0, "192.0.2.15:3478", "192.0.2.16:3479"},
	{"192.0.2.15:3478", CHANGE_IP, "192.0.2.16:3478", "192.0.2.16:3479"},
	{"192.0.2.15:3478", CHANGE_PORT, "192.0.2.15:3479", "192.0.2.16:3479"},
	{"192.0.2.15:3478", CHANGE_IP | CHANGE_PORT, "192.0.2.16:3479", "192.0.2.16:3479"},
	{"192.0.2.16:3478", CHANGE_IP, "192.0.2.15:3478", "192.0.2.15:3479"},
	{"192.0.2.16:3479", CHANGE_PORT, "192.0.2.16:3478", "192.0.2.15:3478"},
	{"192.0.2.15:3479", CHANGE_IP | CHANGE_PORT, "192.0.2.16:3478", "192.0.2.16:3478"},
	{"192.0.2.15:3478", 0xfffffff9, "192.0.2.15:3478", "192.0.2.16:3479"},
};

Test(turn_discovery, the_answer_leaves_from_where_it_was_asked_to)
{
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		rig.service = rig_endpoint(rows[i].service);
		cr_assert_eq(ask_change(rows[i].flags), 0);
		expect_way(rows[i].from, "198.51.100.2:7000");
		cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_RESPONSE_ORIGIN), rows[i].from);
		cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_OTHER_ADDRESS), rows[i].other);
		cr_expect_str_eq(
			rig_plain_address(&rig, STUN_ATTR_MAPPED_ADDRESS), "198.51.100.2:7000");
		cr_expect_eq(rig_address(&rig, STUN_ATTR_XOR_MAPPED_ADDRESS).port, 7000);
	}
}

Test(turn_discovery, an_empty_request_is_told_of_the_other_address_too)
{
	rig_begin(&rig, STUN_BINDING);
	cr_assert_eq(rig_send(&rig), 0);
	cr_expect_eq(rig.view.n_attrs, 4);
	cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_RESPONSE_ORIGIN), "192.0.2.15:3478");
	cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_OTHER_ADDRESS), "192.0.2.16:3479");
}

static const uint16_t types[] = {
	STUN_ATTR_CHANGE_REQUEST, STUN_ATTR_PADDING, STUN_ATTR_RESPONSE_PORT};

static void expect_420(uint16_t method)
{
	for (size_t i = 0; i < N_ELEMENTS(types); i++) {
		rig_begin(&rig, method);
		stun_put_u32(&rig.w, types[i], 0x00060000);
		cr_expect_eq(rig_send(&rig), 420);
		expect_way("192.0.2.15:3478", "198.51.100.2:7000");
		cr_expect_eq(load_be16(stun_find(&rig.view, STUN_ATTR_UNKNOWN_ATTRIBUTES)->value),
			types[i]);
	}
}

Test(turn_discovery, without_an_alternate_it_is_420)
{
	reopen(NULL, NULL);
	expect_420(STUN_BINDING);
	rig_begin(&rig, STUN_BINDING);
	cr_assert_eq(rig_send(&rig), 0);
	cr_expect_eq(rig.view.n_attrs, 1);
}

Test(turn_discovery, at_a_listener_that_is_none_of_the_four_it_is_420)
{
	rig.service = rig_endpoint("192.0.2.15:3480");
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, STUN_ATTR_CHANGE_REQUEST, CHANGE_IP);
	cr_expect_eq(rig_send(&rig), 420);
}

Test(turn_discovery, in_other_methods_it_is_420)
{
	rig.user = &rig_user;
	rig_challenge(&rig);
	expect_420(STUN_ALLOCATE);
}

Test(turn_discovery, response_port_moves_the_port_and_never_the_host)
{
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, STUN_ATTR_RESPONSE_PORT, 0x1234ffff); // the padding is nothing
	cr_assert_eq(rig_send(&rig), 0);
	expect_way("192.0.2.15:3478", "198.51.100.2:4660");
	cr_expect_str_eq(rig_plain_address(&rig, STUN_ATTR_MAPPED_ADDRESS), "198.51.100.2:7000");
}

Test(turn_discovery, no_port_at_all_is_400_and_goes_back)
{
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, STUN_ATTR_CHANGE_REQUEST, CHANGE_IP);
	stun_put_u32(&rig.w, STUN_ATTR_RESPONSE_PORT, 0);
	cr_expect_eq(rig_send(&rig), 400);
	expect_way("192.0.2.15:3478", "198.51.100.2:7000");
}

Test(turn_discovery, malformed_ones_are_400)
{
	rig_begin(&rig, STUN_BINDING);
	stun_put_bytes(&rig.w, STUN_ATTR_CHANGE_REQUEST, "\0\0", 2);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_BINDING);
	stun_put_bytes(&rig.w, STUN_ATTR_RESPONSE_PORT, "\x12\x34", 2);
	cr_expect_eq(rig_send(&rig), 400);
}

Test(turn_discovery, response_port_with_padding_is_400)
{
	rig_begin(&rig, STUN_BINDING);
	stun_put_u32(&rig.w, STUN_ATTR_RESPONSE_PORT, 0x12340000);
	stun_put_bytes(&rig.w, STUN_ATTR_PADDING, "", 0);
	cr_expect_eq(rig_send(&rig), 400);
	expect_way("192.0.2.15:3478", "198.51.100.2:7000");
}

static void ask_padded(size_t n_bytes)
{
	static const uint8_t padding[1400] = {[0 ... 1399] = 0xee};

	rig_begin(&rig, STUN_BINDING);
	stun_put_bytes(&rig.w, STUN_ATTR_PADDING, padding, n_bytes);
	cr_assert_eq(rig_send(&rig), 0);
}

// Not the MTU that RFC 5780 §6.1 wants: a short request from a false address would be multiplied.
Test(turn_discovery, padding_makes_the_answer_as_long_as_the_request_and_no_longer)
{
	static const size_t sizes[] = {48, 100, 201, 1400};

	for (int i = 0; i < 8; i++) {
		rig.with_fingerprint = i % 2;
		ask_padded(sizes[i / 2]);
		cr_expect_eq(rig.reply_bytes, rig.w.n_bytes, "%zu", sizes[i / 2]);
		cr_expect_not_null(stun_find(&rig.view, STUN_ATTR_PADDING));
	}
}

Test(turn_discovery, padding_is_empty_where_the_request_is_short)
{
	ask_padded(4);
	cr_assert_not_null(stun_find(&rig.view, STUN_ATTR_PADDING));
	cr_expect_eq(stun_find(&rig.view, STUN_ATTR_PADDING)->n_bytes, 0);
}

Test(turn_discovery, padding_leaves_room_for_the_rest)
{
	reopen("192.0.2.16:3479", "a relay");
	rig.with_fingerprint = true;
	ask_padded(300);
	cr_expect_eq(rig.reply_bytes, rig.w.n_bytes);
	cr_expect_not_null(stun_find(&rig.view, STUN_ATTR_SOFTWARE));
}
