// Relayed addresses of IPv4, of IPv6 and of both (RFC 8656 §7.2, §8, §10.2, §12.2).
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

#define PORTS 16 // of each relay

static struct rig rig;

static struct turn_config config_of(const struct relay_range *relays, size_t n_relays)
{
	static const struct prefix prefix = {{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8}}, 32};
	static struct ip_range documentation;
	struct turn_config config = rig_config();

	config.relays = relays;
	config.n_relays = n_relays;
	config.lifetime_s = 600;
	rig_listen(&config, (const char *const[]){"192.0.2.15:3478", "[2001:db8::15]:3478", NULL});
	config.nonce_lifetime_s = 36000;
	documentation = range_of_prefix(&prefix);
	config.realm.peers.allow = &documentation;
	config.realm.peers.n_allow = 1;
	return config;
}

// The IPv4 relay comes last, so that order alone does not make it first.
static const struct relay_range dual[] = {
	{{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 0x15}}, 50000, 50000 + PORTS - 1},
	{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50000 + PORTS - 1},
};

static void open_with(const struct relay_range *relays, size_t n_relays)
{
	const struct turn_config config = config_of(relays, n_relays);

	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void reopen_with(const struct relay_range *relays, size_t n_relays)
{
	rig_close(&rig);
	open_with(relays, n_relays);
}

static void open_rig(void)
{
	open_with(dual, 2);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	cr_expect(rig_walk_matches(&rig));
	rig_close(&rig);
}

TestSuite(turn_family, .init = open_rig, .fini = close_rig);

static void begin_allocate(void)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
}

static int allocate_only(enum family family)
{
	begin_allocate();
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)family << 24);
	return rig_send(&rig);
}

static int allocate_both(void)
{
	begin_allocate();
	stun_put_u32(&rig.w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, (uint32_t)FAMILY_IPV6 << 24);
	return rig_send(&rig);
}

static int refresh_only(enum family family, uint32_t lifetime_s)
{
	rig_begin(&rig, STUN_REFRESH);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)family << 24);
	stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, lifetime_s);
	return rig_send(&rig);
}

static void next_client(void)
{
	rig.client.port++;
	rig_challenge(&rig);
}

static void expect_lacking(enum family family, int code)
{
	const struct stun_attr *why = stun_find(&rig.view, STUN_ATTR_ADDRESS_ERROR_CODE);

	cr_assert(why && why->n_bytes == 4);
	cr_expect_eq(why->value[0], family);
	cr_expect_eq(why->value[1], 0);
	cr_expect_eq(why->value[2] * 100 + why->value[3], code);
	cr_expect_null(stun_find_next(&rig.view, why));
	cr_expect_eq(rig_relayed(&rig, family).ip.family, FAMILY_NONE);
}

static bool is_on(const struct endpoint *relayed, const struct relay_range *relay)
{
	return ip_equal(&relayed->ip, &relay->ip) && relayed->port >= relay->port_min &&
		relayed->port <= relay->port_max;
}

// The effect says which relayed address it is about.
static void expect_relayed_of_effects(enum family family)
{
	cr_expect_gt(rig.effects.n, 0);
	for (size_t i = 0; i < rig.effects.n; i++)
		cr_expect_eq(rig.items[i].relayed.ip.family, family);
}

Test(turn_family, no_wish_is_ipv4_and_each_wish_is_granted)
{
	struct endpoint relayed;

	cr_assert_eq(rig_allocate(&rig), 0);
	relayed = rig_relayed(&rig, FAMILY_IPV4);
	cr_expect(is_on(&relayed, &dual[1]));
	next_client();
	cr_assert_eq(allocate_only(FAMILY_IPV4), 0);
	relayed = rig_relayed(&rig, FAMILY_IPV4);
	cr_expect(is_on(&relayed, &dual[1]));
	next_client();
	cr_assert_eq(allocate_only(FAMILY_IPV6), 0);
	relayed = rig_relayed(&rig, FAMILY_IPV6);
	cr_expect(is_on(&relayed, &dual[0]));
	cr_expect_eq(rig_relayed(&rig, FAMILY_IPV4).ip.family, FAMILY_NONE);
	expect_relayed_of_effects(FAMILY_IPV6);
	cr_expect_eq(allocate_only(3), 437);
	next_client();
	cr_expect_eq(allocate_only(3), 440);
	cr_expect_eq(allocate_only(0), 440);
}

Test(turn_family, without_ipv4_no_wish_is_440)
{
	reopen_with(&dual[0], 1);
	cr_expect_eq(rig_allocate(&rig), 440);
	cr_expect_eq(allocate_only(FAMILY_IPV4), 440);
	cr_expect_eq(allocate_only(FAMILY_IPV6), 0);
}

Test(turn_family, a_client_of_ipv6_may_have_either)
{
	rig.service = rig_endpoint("[2001:db8::15]:3478");
	rig.client = rig_endpoint("[2001:db8::99]:7000");
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_relayed(&rig, FAMILY_IPV4).ip.family, FAMILY_IPV4);
	next_client();
	cr_assert_eq(allocate_only(FAMILY_IPV6), 0);
	cr_expect_eq(rig_relayed(&rig, FAMILY_IPV6).ip.family, FAMILY_IPV6);
}

Test(turn_family, a_family_runs_out_by_itself_with_508)
{
	for (int i = 0; i < PORTS; i++) {
		cr_assert_eq(allocate_only(FAMILY_IPV6), 0);
		next_client();
	}
	cr_expect_eq(allocate_only(FAMILY_IPV6), 508);
	cr_expect_eq(rig_stats(&rig).n_ports_free, PORTS);
	cr_expect_eq(allocate_only(FAMILY_IPV4), 0);
}

Test(turn_family, additional_family_gives_both)
{
	struct endpoint relayed;

	cr_assert_eq(allocate_both(), 0);
	relayed = rig_relayed(&rig, FAMILY_IPV4);
	cr_expect(is_on(&relayed, &dual[1]));
	relayed = rig_relayed(&rig, FAMILY_IPV6);
	cr_expect(is_on(&relayed, &dual[0]));
	cr_expect(!rig_has(&rig, STUN_ATTR_ADDRESS_ERROR_CODE));
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 600);
	cr_expect_str_eq(rig_effects(&rig), "ALLOCATION_ADD ALLOCATION_ADD");
	cr_expect_neq(rig.items[0].relayed.ip.family, rig.items[1].relayed.ip.family);
	cr_expect_eq(rig.items[0].allocation_idx, rig.items[1].allocation_idx);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	cr_expect_eq(rig_stats(&rig).n_dual, 1);
	cr_expect_eq(rig_stats(&rig).n_ports_used, 2);
}

Test(turn_family, retransmission_tells_both_again)
{
	struct endpoint first[2], again;

	cr_assert_eq(allocate_both(), 0);
	first[0] = rig_relayed(&rig, FAMILY_IPV4);
	first[1] = rig_relayed(&rig, FAMILY_IPV6);
	cr_assert_eq(rig_repeat(&rig), 0);
	cr_expect_eq(rig.effects.n, 0);
	again = rig_relayed(&rig, FAMILY_IPV4);
	cr_expect(endpoint_equal(&first[0], &again));
	again = rig_relayed(&rig, FAMILY_IPV6);
	cr_expect(endpoint_equal(&first[1], &again));
}

Test(turn_family, one_family_alone_comes_with_440_for_the_other)
{
	reopen_with(&dual[1], 1);
	cr_assert_eq(allocate_both(), 0);
	for (int i = 0; i < 2; i++) {
		cr_expect_eq(rig_relayed(&rig, FAMILY_IPV4).ip.family, FAMILY_IPV4);
		expect_lacking(FAMILY_IPV6, 440);
		cr_assert_eq(rig_repeat(&rig), 0);
	}
	reopen_with(&dual[0], 1);
	cr_assert_eq(allocate_both(), 0);
	cr_expect_eq(rig_relayed(&rig, FAMILY_IPV6).ip.family, FAMILY_IPV6);
	expect_lacking(FAMILY_IPV4, 440);
}

Test(turn_family, one_family_run_out_comes_with_508_and_both_with_none)
{
	for (int i = 0; i < PORTS; i++) {
		cr_assert_eq(allocate_only(i < PORTS - 1 ? FAMILY_IPV6 : FAMILY_IPV4), 0);
		next_client();
	}
	cr_assert_eq(allocate_both(), 0, "the last one of IPv6");
	next_client();
	cr_assert_eq(allocate_both(), 0);
	expect_lacking(FAMILY_IPV6, 508);
	for (int i = 3; i < PORTS; i++) {
		next_client();
		cr_assert_eq(rig_allocate(&rig), 0);
	}
	next_client();
	cr_expect_eq(allocate_both(), 508);
	cr_expect_eq(rig_stats(&rig).n_ports_used, 2 * PORTS);
	rig_pass(&rig, 600000);
	rig_cool_down(&rig);
	cr_expect_eq(rig_stats(&rig).n_ports_free, 2 * PORTS);
}

Test(turn_family, run_out_of_ipv4_both_is_ipv6_with_508)
{
	for (int i = 0; i < PORTS; i++) {
		cr_assert_eq(rig_allocate(&rig), 0);
		next_client();
	}
	cr_assert_eq(allocate_both(), 0);
	cr_expect_eq(rig_relayed(&rig, FAMILY_IPV6).ip.family, FAMILY_IPV6);
	expect_lacking(FAMILY_IPV4, 508);
}

Test(turn_family, the_numbers_of_coturn_are_as_good)
{
	const struct stun_attr *why;

	begin_allocate();
	stun_put_u32(&rig.w, STUN_ATTR_SSODA_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	cr_assert_eq(rig_send(&rig), 0);
	cr_expect_eq(rig_relayed(&rig, FAMILY_IPV4).ip.family, FAMILY_IPV4);
	cr_expect_eq(rig_relayed(&rig, FAMILY_IPV6).ip.family, FAMILY_IPV6);
	reopen_with(&dual[1], 1);
	begin_allocate();
	stun_put_u32(&rig.w, STUN_ATTR_SSODA_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	cr_assert_eq(rig_send(&rig), 0);
	cr_expect(!rig_has(&rig, STUN_ATTR_ADDRESS_ERROR_CODE));
	why = stun_find(&rig.view, STUN_ATTR_SSODA_ADDRESS_ERROR_CODE);
	cr_assert(why && why->n_bytes == 4);
	cr_expect_arr_eq(why->value, "\x02\x00\x04\x28", 4);
}

Test(turn_family, even_ports_are_even_in_both)
{
	for (int i = 0; i < PORTS / 2; i++) {
		begin_allocate();
		stun_put_u32(&rig.w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
		stun_put_bytes(&rig.w, STUN_ATTR_EVEN_PORT, "\0", 1);
		cr_assert_eq(rig_send(&rig), 0);
		cr_expect_eq(rig_relayed(&rig, FAMILY_IPV4).port % 2, 0);
		cr_expect_eq(rig_relayed(&rig, FAMILY_IPV6).port % 2, 0);
		next_client();
	}
	cr_expect_eq(rig_stats(&rig).n_ports_free, PORTS);
}

Test(turn_family, even_ports_of_a_family_run_out_by_themselves)
{
	for (int i = 0; i <= PORTS / 2; i++) {
		begin_allocate();
		stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
		stun_put_bytes(&rig.w, STUN_ATTR_EVEN_PORT, "\0", 1);
		cr_expect_eq(rig_send(&rig), i < PORTS / 2 ? 0 : 508);
		next_client();
	}
}

Test(turn_family, a_pair_of_ipv6_is_reserved_and_taken_by_its_token)
{
	struct endpoint first, second;
	uint8_t token[8];

	begin_allocate();
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_EVEN_PORT, "\x80", 1);
	cr_assert_eq(rig_send(&rig), 0);
	first = rig_relayed(&rig, FAMILY_IPV6);
	cr_expect_eq(first.port % 2, 0);
	memcpy(token, stun_find(&rig.view, STUN_ATTR_RESERVATION_TOKEN)->value, 8);
	next_client();
	begin_allocate();
	stun_put_bytes(&rig.w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	cr_assert_eq(rig_send(&rig), 0);
	second = rig_relayed(&rig, FAMILY_IPV6);
	first.port++;
	cr_expect(endpoint_equal(&first, &second));
}

Test(turn_family, a_token_is_good_where_there_is_no_ipv4)
{
	uint8_t token[8];

	reopen_with(&dual[0], 1);
	begin_allocate();
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 2u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_EVEN_PORT, "\x80", 1);
	cr_assert_eq(rig_send(&rig), 0);
	memcpy(token, stun_find(&rig.view, STUN_ATTR_RESERVATION_TOKEN)->value, 8);
	next_client();
	begin_allocate();
	stun_put_bytes(&rig.w, STUN_ATTR_RESERVATION_TOKEN, token, 8);
	cr_expect_eq(rig_send(&rig), 0);
}

Test(turn_family, peers_of_a_family_that_is_not_there_are_443)
{
	cr_assert_eq(allocate_only(FAMILY_IPV6), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 443);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 443);
	cr_expect_eq(rig_permit(&rig, "2001:db8::1"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "[2001:db8::1]:9"), 0);
	expect_relayed_of_effects(FAMILY_IPV6);
}

Test(turn_family, with_both_each_peer_meets_the_address_of_its_family)
{
	const struct endpoint peers[] = {
		rig_endpoint("11.0.0.1:1"), rig_endpoint("[2001:db8::1]:1")};

	cr_assert_eq(allocate_both(), 0);
	rig_begin(&rig, STUN_CREATE_PERMISSION);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peers[0]);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peers[1]);
	cr_assert_eq(rig_send(&rig), 0);
	cr_expect_str_eq(rig_effects(&rig), "PERMISSION_ADD/11.0.0.1 PERMISSION_ADD/2001:db8::1");
	cr_expect_eq(rig.items[0].relayed.ip.family, FAMILY_IPV4);
	cr_expect_eq(rig.items[1].relayed.ip.family, FAMILY_IPV6);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	expect_relayed_of_effects(FAMILY_IPV4);
	cr_assert_eq(rig_bind(&rig, 0x4001, "[2001:db8::1]:9"), 0);
	expect_relayed_of_effects(FAMILY_IPV6);
	cr_expect_eq(rig_bind(&rig, 0x4001, "11.0.0.2:9"), 400, "numbers are the allocation's");
}

// A dual allocation with a channel and a lone permission in each family.
static void fill(void)
{
	cr_assert_eq(allocate_both(), 0);
	cr_assert_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_assert_eq(rig_bind(&rig, 0x4001, "[2001:db8::1]:9"), 0);
	cr_assert_eq(rig_permit(&rig, "11.0.0.2"), 0);
	cr_assert_eq(rig_permit(&rig, "2001:db8::2"), 0);
}

Test(turn_family, refresh_to_zero_of_ipv6_leaves_ipv4_alone)
{
	fill();
	cr_assert_eq(refresh_only(FAMILY_IPV6, 0), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 0);
	cr_expect_str_eq(rig_effects(&rig),
		"PERMISSION_REMOVE/2001:db8::2 PERMISSION_REMOVE/2001:db8::1 "
		"CHANNEL_DOWN_REMOVE/4001/[2001:db8::1]:9 "
		"CHANNEL_UP_REMOVE/4001/[2001:db8::1]:9 ALLOCATION_REMOVE PORT_COOLING");
	expect_relayed_of_effects(FAMILY_IPV6);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	cr_expect_eq(rig_stats(&rig).n_dual, 0);
	cr_expect_eq(rig_stats(&rig).n_permissions, 2);
	cr_expect_eq(rig_stats(&rig).n_channels, 1);
	cr_expect_null(turn_check(rig.turn));
	cr_expect_eq(rig_permit(&rig, "2001:db8::2"), 443);
	cr_expect_eq(refresh_only(FAMILY_IPV6, 600), 443);
	cr_expect_eq(rig_permit(&rig, "11.0.0.3"), 0);
	cr_expect_eq(refresh_only(FAMILY_IPV4, 0), 0);
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_eq(rig_refresh(&rig, 600), 437);
}

Test(turn_family, refresh_to_zero_of_ipv4_leaves_ipv6_alone)
{
	fill();
	cr_assert_eq(refresh_only(FAMILY_IPV4, 0), 0);
	expect_relayed_of_effects(FAMILY_IPV4);
	cr_expect_eq(rig.effects.n, 6);
	cr_expect_eq(rig_stats(&rig).n_permissions, 2);
	cr_expect_null(turn_check(rig.turn));
	cr_expect_eq(rig_bind(&rig, 0x4002, "11.0.0.1:9"), 443);
	cr_expect_eq(rig_bind(&rig, 0x4002, "[2001:db8::1]:10"), 0);
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_family, refresh_to_zero_of_none_in_particular_ends_both)
{
	fill();
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_eq(rig_stats(&rig).n_ports_cooling, 2);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_family, each_family_has_its_own_time)
{
	cr_assert_eq(allocate_both(), 0);
	cr_assert_eq(refresh_only(FAMILY_IPV6, 1200), 0);
	rig_pass(&rig, 599999);
	cr_expect_eq(rig_stats(&rig).n_dual, 1);
	rig_pass(&rig, 1);
	cr_expect_str_eq(rig_effects(&rig), "ALLOCATION_REMOVE PORT_COOLING");
	expect_relayed_of_effects(FAMILY_IPV4);
	cr_expect_eq(rig_stats(&rig).n_dual, 0);
	cr_expect_null(turn_check(rig.turn));
	rig_pass(&rig, 599999);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1);
	expect_relayed_of_effects(FAMILY_IPV6);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_family, the_second_may_end_first)
{
	cr_assert_eq(allocate_both(), 0);
	cr_assert_eq(refresh_only(FAMILY_IPV4, 1200), 0);
	rig_pass(&rig, 600000);
	expect_relayed_of_effects(FAMILY_IPV6);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 600000);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_family, a_refresh_of_none_in_particular_is_for_both)
{
	cr_assert_eq(allocate_both(), 0);
	cr_assert_eq(rig_refresh(&rig, 1200), 0);
	rig_pass(&rig, 1199999);
	cr_expect_eq(rig_stats(&rig).n_dual, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_family, a_full_dual_allocation_ends_in_as_many_effects_as_promised)
{
	char peer[64];

	cr_assert_eq(allocate_both(), 0);
	for (int i = 0; i < TURN_CHANNELS_MAX; i++) {
		snprintf(peer, sizeof(peer), i % 2 ? "11.0.0.%d:9" : "[2001:db8::%d]:9", i);
		cr_assert_eq(rig_bind(&rig, (uint16_t)(0x4000 + i), peer), 0);
	}
	cr_expect(rig_walk_matches(&rig));
	cr_expect_eq(rig_refresh(&rig, 0), 0);
	// All but those of a hand-over.
	cr_expect_eq(rig.effects.n, TURN_EFFECTS_MAX - TURN_CHANNELS_MAX - 2);
	cr_expect_eq(rig.n_entries, 0);
}

Test(turn_family, expiry_without_room_waits_and_loses_nothing)
{
	fill();
	rig.effects.capacity = 5;
	rig_pass(&rig, 600000);
	for (int i = 0; i < 8 && rig_stats(&rig).n_allocations > 0; i++) {
		cr_expect_null(turn_check(rig.turn));
		rig_pass(&rig, 1);
	}
	rig.effects.capacity = TURN_EFFECTS_MAX;
	rig_pass(&rig, 1);
	cr_expect_eq(rig.n_entries, 0);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_family, alternate_of_the_clients_family_comes_first)
{
	struct turn_config config = config_of(dual, 2);
	const struct stun_attr *attr;
	struct endpoint told;

	rig_close(&rig);
	config.n_allocations_max = 1;
	config.alternates[0] = rig_endpoint("203.0.113.9:3478");
	config.alternates[1] = rig_endpoint("[2001:db8::9]:3478");
	rig_open(&rig, &config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	for (int i = 0; i < 2; i++) {
		const uint8_t families[] = {
			i ? FAMILY_IPV6 : FAMILY_IPV4, i ? FAMILY_IPV4 : FAMILY_IPV6};

		rig.client = rig_endpoint(i ? "[2001:db8::77]:1" : "198.51.100.77:1");
		rig_challenge(&rig);
		cr_assert_eq(rig_allocate(&rig), 300);
		attr = stun_find(&rig.view, STUN_ATTR_ALTERNATE_SERVER);
		for (int k = 0; k < 2; k++) {
			cr_assert(attr && stun_get_address(attr, &told) == 0);
			cr_expect_eq(told.ip.family, families[k]);
			attr = stun_find_next(&rig.view, attr);
		}
		cr_expect_null(attr);
	}
}
