// EVEN-PORT and RESERVATION-TOKEN (RFC 8656 §7.2, §18.7, §18.10).
#include "turn_rig.h"

#include <criterion/criterion.h>

static struct rig rig;

static void open_rig(void)
{
	rig_open_default(&rig);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_reservation, .init = open_rig, .fini = close_rig);

static int allocate(uint16_t type, const void *value, size_t n_bytes)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, type, value, n_bytes);
	return rig_send(&rig);
}

static uint16_t relayed_port(void)
{
	const struct stun_attr *attr = stun_find(&rig.view, STUN_ATTR_XOR_RELAYED_ADDRESS);
	struct endpoint relayed;

	cr_assert(attr && stun_get_xor_address(attr, rig.view.transaction_id, &relayed) == 0);
	return relayed.port;
}

static bool take_token(uint8_t token[8])
{
	const struct stun_attr *attr = stun_find(&rig.view, STUN_ATTR_RESERVATION_TOKEN);

	if (!attr)
		return false;
	cr_assert_eq(attr->n_bytes, 8);
	memcpy(token, attr->value, 8);
	return true;
}

// Another client of the same user.
static void next_client(void)
{
	rig.client.port++;
	rig_challenge(&rig);
}

static struct turn_stats stats(void)
{
	struct turn_stats out;

	turn_stats_get(rig.turn, &out);
	cr_assert_null(turn_check(rig.turn));
	return out;
}

Test(turn_reservation, even_port_is_even_and_reserves_nothing)
{
	uint8_t token[8];

	for (int i = 0; i < 8; i++) {
		cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x00", 1), 0);
		cr_expect_eq(relayed_port() % 2, 0);
		cr_expect_not(take_token(token));
		next_client();
	}
	// The rig's relay has 16 ports: the eight even ones are gone, the odd ones are not.
	cr_expect_eq(allocate(STUN_ATTR_EVEN_PORT, "\x00", 1), 508);
	cr_expect_eq(stats().n_ports_free, 8);
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_reservation, reserved_bits_of_even_port_are_ignored)
{
	uint8_t token[8];

	cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x7f", 1), 0);
	cr_expect_not(take_token(token));
}

Test(turn_reservation, token_gives_the_next_port_to_another_client_of_the_user)
{
	uint8_t token[8];
	uint16_t port;

	cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x80", 1), 0);
	port = relayed_port();
	cr_expect_eq(port % 2, 0);
	cr_assert(take_token(token));
	cr_expect_eq(stats().n_ports_reserved, 1);
	next_client();
	turn_drain(rig.turn, STUN_INSUFFICIENT_CAPACITY); // holds the door shut for others only
	cr_assert_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 0);
	cr_expect_eq(relayed_port(), port + 1);
	cr_expect_eq(stats().n_ports_reserved, 0);
	cr_expect_eq(stats().n_ports_used, 2);
}

Test(turn_reservation, token_works_once)
{
	uint8_t token[8];

	cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x80", 1), 0);
	cr_assert(take_token(token));
	next_client();
	cr_assert_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 0);
	next_client();
	cr_expect_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 508);
}

Test(turn_reservation, holds_thirty_seconds_and_then_frees_the_port)
{
	uint8_t token[8];

	cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x80", 1), 0);
	cr_assert(take_token(token));
	rig_pass(&rig, 29999);
	cr_expect_eq(stats().n_ports_reserved, 1);
	rig_pass(&rig, 1001);
	cr_expect_eq(stats().n_ports_reserved, 0);
	cr_expect_eq(stats().n_ports_free, 15);
	next_client();
	cr_expect_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 508);
}

Test(turn_reservation, token_of_another_user_or_a_guess_is_508)
{
	uint8_t token[8];

	cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x80", 1), 0);
	cr_assert(take_token(token));
	next_client();
	rig.user = &rig_other;
	cr_expect_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 508);
	rig.user = &rig_user;
	for (int i = 0; i < 8; i++) {
		token[i] ^= 1;
		cr_expect_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 508, "byte %d", i);
		token[i] ^= 1;
	}
	cr_expect_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, "\0\0\0\0\0\0\0\0", 8), 508);
	cr_expect_eq(stats().n_ports_reserved, 1);
	cr_expect_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 0);
}

Test(turn_reservation, outlives_the_allocation_that_made_it)
{
	uint8_t token[8];
	uint16_t port;

	cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x80", 1), 0);
	cr_assert(take_token(token));
	port = relayed_port();
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(stats().n_ports_reserved, 1);
	next_client();
	cr_assert_eq(allocate(STUN_ATTR_RESERVATION_TOKEN, token, 8), 0);
	cr_expect_eq(relayed_port(), port + 1);
}

Test(turn_reservation, retransmission_gives_the_same_token)
{
	uint8_t first[8];
	uint8_t again[8];

	cr_assert_eq(allocate(STUN_ATTR_EVEN_PORT, "\x80", 1), 0);
	cr_assert(take_token(first));
	cr_assert_eq(rig_repeat(&rig), 0);
	cr_assert(take_token(again));
	cr_expect_arr_eq(first, again, 8);
	cr_expect_eq(stats().n_ports_reserved, 1);
}

Test(turn_reservation, pairs_run_out_before_ports_do)
{
	int n_pairs = 0;

	while (allocate(STUN_ATTR_EVEN_PORT, "\x80", 1) == 0) {
		n_pairs++;
		next_client();
	}
	cr_expect_eq(n_pairs, 8);
	cr_expect_eq(stats().n_ports_free, 0);
	rig_pass(&rig, 31000);
	cr_expect_eq(stats().n_ports_free, 8);
}

Test(turn_reservation, impossible_combinations_are_400)
{
	static const uint8_t ipv4[4] = {FAMILY_IPV4};
	static const uint8_t ipv6[4] = {FAMILY_IPV6};
	static const uint8_t token[8] = {0};
	static const struct {
		const char *name;
		uint16_t types[2];
		const uint8_t *values[2];
		uint16_t n_bytes[2];
	} rows[] = {
		{"token and EVEN-PORT", {STUN_ATTR_RESERVATION_TOKEN, STUN_ATTR_EVEN_PORT},
			{token, token}, {8, 1}},
		{"token and family",
			{STUN_ATTR_RESERVATION_TOKEN, STUN_ATTR_REQUESTED_ADDRESS_FAMILY},
			{token, ipv4}, {8, 4}},
		{"token and second family",
			{STUN_ATTR_RESERVATION_TOKEN, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY},
			{token, ipv6}, {8, 4}},
		{"a pair and a second family",
			{STUN_ATTR_EVEN_PORT, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY},
			{(const uint8_t *)"\x80", ipv6}, {1, 4}},
		{"a token of seven bytes", {STUN_ATTR_RESERVATION_TOKEN, 0}, {token}, {7}},
		{"an EVEN-PORT of two bytes", {STUN_ATTR_EVEN_PORT, 0}, {token}, {2}},
		{"an EVEN-PORT of none", {STUN_ATTR_EVEN_PORT, 0}, {token}, {0}},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		rig_begin(&rig, STUN_ALLOCATE);
		stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
		for (int k = 0; k < 2 && rows[i].types[k]; k++)
			stun_put_bytes(
				&rig.w, rows[i].types[k], rows[i].values[k], rows[i].n_bytes[k]);
		cr_expect_eq(rig_send(&rig), 400, "%s", rows[i].name);
		cr_expect_eq(stats().n_allocations, 0);
	}
}
