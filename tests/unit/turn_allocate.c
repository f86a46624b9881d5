#include "turn_rig.h"

#include <criterion/criterion.h>
#include <errno.h>

static struct rig rig;

static void open_rig(void)
{
	rig_open_default(&rig);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_allocate, .init = open_rig, .fini = close_rig);

static int allocate_from(uint16_t client_port)
{
	rig.client.port = client_port;
	rig_challenge(&rig);
	return rig_allocate(&rig);
}

Test(turn_allocate, answer_has_relayed_address_lifetime_and_mapped_address)
{
	const struct endpoint client = rig_endpoint("198.51.100.2:7000");
	struct endpoint relayed, mapped;

	cr_assert_eq(rig_allocate(&rig), 0);
	relayed = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	mapped = rig_address(&rig, STUN_ATTR_XOR_MAPPED_ADDRESS);
	cr_expect_eq(memcmp(relayed.ip.bytes, "\xc0\x00\x02\x0f", 4), 0);
	cr_expect(relayed.port >= 50000 && relayed.port <= 50015);
	cr_expect(endpoint_equal(&mapped, &client));
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 600);
	cr_expect_eq(rig.view.n_attrs, 3);
	cr_expect_str_eq(rig_effects(&rig), "ALLOCATION_ADD");
	cr_expect(endpoint_equal(&rig.items[0].relayed, &relayed));
	cr_expect(endpoint_equal(&rig.items[0].client, &client));
	cr_expect(endpoint_equal(&rig.items[0].service, &rig.service));
	cr_expect_eq(rig.items[0].allocation_idx, 0);
}

Test(turn_allocate, retransmission_is_answered_alike_without_effects)
{
	struct endpoint first, again;

	cr_assert_eq(rig_allocate(&rig), 0);
	first = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	cr_expect_eq(rig_repeat(&rig), 0);
	again = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	cr_expect(endpoint_equal(&first, &again));
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 600);
	cr_expect_eq(rig.effects.n, 0);
	rig_pass(&rig, 30001);
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), 569, "what is left, rounded down");
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
}

Test(turn_allocate, another_transaction_on_the_same_5_tuple_is_437)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	cr_expect_eq(rig_allocate(&rig), 437);
	cr_expect_eq(rig.effects.n, 0);
}

Test(turn_allocate, same_transaction_of_another_user_is_437)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	rig.user = &rig_other;
	rig.n_transactions--;
	cr_expect_eq(rig_allocate(&rig), 437);
}

static int send_with(uint16_t type, const void *value, size_t n_bytes)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, type, value, n_bytes);
	return rig_send(&rig);
}

Test(turn_allocate, transport_missing_or_malformed_is_400_not_udp_442)
{
	rig_begin(&rig, STUN_ALLOCATE);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_bytes(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, "\x11", 1);
	cr_expect_eq(rig_send(&rig), 400);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 6u << 24);
	cr_expect_eq(rig_send(&rig), 442);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24 | 0xffffff);
	cr_expect_eq(rig_send(&rig), 0, "reserved bits are ignored");
}

Test(turn_allocate, first_of_two_transports_counts)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 6u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	cr_expect_eq(rig_send(&rig), 442);
}

Test(turn_allocate, requested_family)
{
	cr_expect_eq(send_with(STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\x02\0\0\0", 4), 440);
	cr_expect_eq(send_with(STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\x03\0\0\0", 4), 440);
	cr_expect_eq(send_with(STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\x01", 1), 400);
	cr_expect_eq(send_with(STUN_ATTR_REQUESTED_ADDRESS_FAMILY, "\x01\xff\xff\xff", 4), 0);
}

Test(turn_allocate, additional_family_gets_ipv4_and_the_reason_for_no_more)
{
	const struct stun_attr *why;

	cr_expect_eq(send_with(STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, "\x01\0\0\0", 4), 400);
	cr_expect_eq(send_with(STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, "\x03\0\0\0", 4), 400);
	cr_expect_eq(send_with(STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, "\x02\0", 2), 400);
	cr_expect_eq(send_with(STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, "\x02\0\0\0", 4), 0);
	for (int i = 0; i < 2; i++) {
		why = stun_find(&rig.view, STUN_ATTR_ADDRESS_ERROR_CODE);
		cr_assert(why && why->n_bytes == 4);
		cr_expect_eq(memcmp(why->value, "\x02\x00\x04\x28", 4), 0);
		cr_expect_eq(rig_repeat(&rig), 0);
	}
}

Test(turn_allocate, both_family_attributes_are_400)
{
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, 1u << 24);
	stun_put_u32(&rig.w, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY, 2u << 24);
	cr_expect_eq(rig_send(&rig), 400);
}

Test(turn_allocate, lifetime_is_between_default_and_maximum)
{
	static const uint32_t rows[][2] = {{0, 600}, {1, 600}, {600, 600}, {601, 601}, {3599, 3599},
		{3600, 3600}, {3601, 3600}, {UINT32_MAX, 3600}};

	for (uint16_t i = 0; i < N_ELEMENTS(rows); i++) {
		uint8_t wanted[4];

		rig.client.port = 7000 + i;
		rig_challenge(&rig);
		store_be32(wanted, rows[i][0]);
		cr_expect_eq(send_with(STUN_ATTR_LIFETIME, wanted, 4), 0);
		cr_expect_eq(rig_u32(&rig, STUN_ATTR_LIFETIME), rows[i][1]);
	}
	rig_challenge(&rig);
	rig.client.port++;
	rig_challenge(&rig);
	cr_expect_eq(send_with(STUN_ATTR_LIFETIME, "\0\0", 2), 400);
}

Test(turn_allocate, from_one_of_our_relayed_addresses_is_403)
{
	rig.client = rig_endpoint("192.0.2.15:50003");
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 403);
	cr_expect_neq(rig.view.integrity_offset, 0);
	rig.client.port = 50016;
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 0);
}

Test(turn_allocate, from_a_tunnel_is_403)
{
	rig.client = rig_endpoint("[2002:c000:204::1]:7000");
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 403);
	rig.client = rig_endpoint("[2001:0:53aa:64c::1]:7000");
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 403);
}

Test(turn_allocate, ends_at_its_lifetime_to_the_millisecond)
{
	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 599999);
	cr_expect_eq(rig.effects.n, 0);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1);
	cr_expect_str_eq(rig_effects(&rig), "ALLOCATION_REMOVE PORT_COOLING");
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
	cr_expect_eq(rig_refresh(&rig, 600), 438);
}

Test(turn_allocate, off_the_second_it_ends_late_by_less_than_one)
{
	rig_pass(&rig, 1);
	cr_assert_eq(rig_allocate(&rig), 0);
	rig_pass(&rig, 600000);
	rig_pass(&rig, 998);
	cr_expect_eq(rig_stats(&rig).n_allocations, 1);
	rig_pass(&rig, 1);
	cr_expect_eq(rig_stats(&rig).n_allocations, 0);
}

Test(turn_allocate, ports_run_out_with_508_and_come_back_only_when_released)
{
	uint32_t seen = 0;

	for (uint16_t i = 0; i < 16; i++) {
		cr_assert_eq(allocate_from(1000 + i), 0);
		seen |= 1u << (rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS).port - 50000);
	}
	cr_expect_eq(seen, 0xffff, "each port once");
	cr_expect_eq(allocate_from(2000), 508);
	cr_expect_neq(rig.view.integrity_offset, 0);
	rig.client.port = 1007;
	rig_challenge(&rig);
	cr_assert_eq(rig_refresh(&rig, 0), 0);
	cr_expect_eq(allocate_from(2000), 508, "it cools");
	cr_expect_eq(rig_stats(&rig).n_ports_cooling, 1);
	rig_cool_down(&rig);
	cr_expect_eq(allocate_from(2000), 0);
	cr_expect_eq(rig_stats(&rig).n_ports_used, 16);
	cr_expect_null(turn_check(rig.turn));
}

Test(turn_allocate, releasing_what_does_not_cool_does_nothing)
{
	struct endpoint relayed;

	cr_assert_eq(rig_allocate(&rig), 0);
	relayed = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	turn_port_release(rig.turn, &relayed);
	cr_expect_eq(rig_stats(&rig).n_ports_used, 1);
	relayed.port = 50016;
	turn_port_release(rig.turn, &relayed);
	relayed.port = 49999;
	turn_port_release(rig.turn, &relayed);
	cr_expect_eq(rig_stats(&rig).n_ports_free, 15);
	cr_expect_null(turn_check(rig.turn));
}

Test(turn_allocate, past_the_configured_number_is_508)
{
	struct turn_config config = rig_config();

	rig_close(&rig);
	config.n_allocations_max = 2;
	rig_open(&rig, &config);
	cr_expect_eq(allocate_from(1), 0);
	cr_expect_eq(allocate_from(2), 0);
	cr_expect_eq(allocate_from(3), 508);
	rig_pass(&rig, 600000);
	rig_cool_down(&rig);
	cr_expect_eq(allocate_from(3), 0);
}

static void expect_sent_to(const char *alternate)
{
	const struct stun_attr *attr = stun_find(&rig.view, STUN_ATTR_ALTERNATE_SERVER);
	const struct endpoint want = rig_endpoint(alternate);
	struct endpoint got;

	cr_assert_not_null(attr);
	cr_assert_eq(stun_get_address(attr, &got), 0);
	cr_expect(endpoint_equal(&got, &want));
	cr_expect_eq(rig.view.n_attrs, 2);
	cr_expect_neq(rig.view.integrity_offset, 0, "RFC 8489 14.8: it must be signed");
}

static void open_with_alternate(struct turn_config config)
{
	rig_close(&rig);
	config.alternates[0] = rig_endpoint("203.0.113.9:3478");
	rig_open(&rig, &config);
}

Test(turn_allocate, where_a_number_is_full_the_alternate_server_is_told)
{
	struct turn_config config = rig_config();

	config.n_allocations_max = 1;
	open_with_alternate(config);
	cr_expect_eq(allocate_from(1), 0);
	cr_expect_eq(allocate_from(2), 300);
	expect_sent_to("203.0.113.9:3478");
	rig.user = NULL;
	rig_begin(&rig, STUN_ALLOCATE);
	cr_expect_eq(rig_send(&rig), 401, "strangers are told nothing");
}

Test(turn_allocate, where_ports_are_out_the_alternate_server_is_told)
{
	static struct relay_range relay = {{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50000};
	struct turn_config config = rig_config();

	config.relays = &relay;
	open_with_alternate(config);
	cr_expect_eq(allocate_from(1), 0);
	cr_expect_eq(allocate_from(2), 300);
	expect_sent_to("203.0.113.9:3478");
}

static void expect_drained(enum stun_code asked, int code)
{
	turn_drain(rig.turn, asked);
	cr_expect_eq(allocate_from(2), code, "asked for %d", asked);
}

Test(turn_allocate, a_drained_server_lets_none_in_and_keeps_what_it_has)
{
	cr_assert_eq(allocate_from(1), 0);
	turn_drain(rig.turn, STUN_ALLOCATION_QUOTA_REACHED);
	cr_expect_eq(rig_refresh(&rig, 600), 0);
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	expect_drained(STUN_ALLOCATION_QUOTA_REACHED, 486);
	expect_drained(STUN_INSUFFICIENT_CAPACITY, 508);
	expect_drained(STUN_TRY_ALTERNATE, 508); // there is none
	expect_drained(STUN_CODE_NONE, 0);
}

Test(turn_allocate, a_drained_server_names_its_alternate)
{
	open_with_alternate(rig_config());
	cr_assert_eq(allocate_from(1), 0);
	expect_drained(STUN_TRY_ALTERNATE, 300);
	expect_sent_to("203.0.113.9:3478");
}

Test(turn_allocate, a_token_that_is_good_nowhere_is_508_not_300)
{
	open_with_alternate(rig_config());
	rig_challenge(&rig);
	rig_begin(&rig, STUN_ALLOCATE);
	stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	stun_put_bytes(&rig.w, STUN_ATTR_RESERVATION_TOKEN, "\0\0\1guess", 8);
	cr_expect_eq(rig_send(&rig), 508);
}

Test(turn_allocate, an_alternate_server_of_another_family_is_no_help)
{
	struct turn_config config = rig_config();

	config.n_allocations_max = 1;
	open_with_alternate(config);
	cr_expect_eq(allocate_from(1), 0);
	rig.client = rig_endpoint("[2001:db8::2]:7000");
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 508);
}

Test(turn_allocate, without_room_for_effects_is_508_and_nothing_happens)
{
	struct turn_stats before = rig_stats(&rig), after;

	rig.effects.capacity = TURN_EFFECTS_MAX - 1;
	cr_expect_eq(rig_allocate(&rig), 508);
	after = rig_stats(&rig);
	cr_expect_eq(after.n_allocations, 0);
	cr_expect_eq(after.n_ports_free, before.n_ports_free);
	cr_expect_null(turn_check(rig.turn));
	rig.effects.capacity = TURN_EFFECTS_MAX;
	cr_expect_eq(rig_repeat(&rig), 0);
}

Test(turn_allocate, ports_are_uniform_over_unequal_relays)
{
	struct relay_range relays[] = {
		{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50039},
		{{FAMILY_IPV4, {192, 0, 2, 16}}, 60000, 60009},
	};
	struct turn_config config = rig_config();
	uint32_t counts[50] = {0};
	double chi2 = 0;

	rig_close(&rig);
	config.relays = relays;
	config.n_relays = 2;
	config.random_seed = 42;
	rig_open(&rig, &config);
	for (int i = 0; i < 10000; i++) {
		struct endpoint relayed;

		cr_assert_eq(allocate_from(7000), 0);
		relayed = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
		counts[relayed.port < 60000 ? relayed.port - 50000 : 40 + relayed.port - 60000]++;
		cr_assert_eq(rig_refresh(&rig, 0), 0);
		rig_cool_down(&rig);
	}
	for (int i = 0; i < 50; i++)
		chi2 += (counts[i] - 200.0) * (counts[i] - 200.0) / 200.0;
	// 49 degrees of freedom: below 23.98 or above 85.35 once in a thousand each.
	cr_expect(chi2 > 23.98 && chi2 < 85.35, "%f", chi2);
}

static uint64_t four_ports(uint64_t seed)
{
	struct relay_range relay = {{FAMILY_IPV4, {192, 0, 2, 15}}, 10000, 65000};
	struct turn_config config = rig_config();
	uint64_t ports = 0;

	config.relays = &relay;
	config.random_seed = seed;
	rig_close(&rig);
	rig_open(&rig, &config);
	for (uint16_t i = 1; i <= 4; i++) {
		cr_assert_eq(allocate_from(i), 0);
		ports = ports << 16 | rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS).port;
	}
	return ports;
}

Test(turn_allocate, a_seed_repeats_its_ports_the_kernel_does_not)
{
	cr_expect_eq(four_ports(7), four_ports(7));
	cr_expect_neq(four_ports(7), four_ports(8));
	cr_expect_neq(four_ports(0), four_ports(0));
}

Test(turn_allocate, of_two_free_ports_either_comes_next)
{
	struct relay_range relay = {{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50001};
	struct turn_config config = rig_config();
	uint16_t last = 0;
	int n_same = 0;

	config.relays = &relay;
	rig_close(&rig);
	rig_open(&rig, &config);
	for (int i = 0; i < 1000; i++) {
		cr_assert_eq(allocate_from(1), 0);
		n_same += rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS).port == last;
		last = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS).port;
		cr_assert_eq(rig_refresh(&rig, 0), 0);
		rig_cool_down(&rig);
	}
	cr_expect(n_same > 400 && n_same < 600, "%d", n_same);
}

Test(turn_allocate, nodes_are_found_by_5_tuple_among_thousands)
{
	struct relay_range relay = {{FAMILY_IPV4, {192, 0, 2, 15}}, 10000, 20000};
	struct turn_config config = rig_config();

	rig_close(&rig);
	config.relays = &relay;
	config.n_allocations_max = 6000;
	rig_open(&rig, &config);
	for (uint16_t i = 1; i <= 6000; i++)
		cr_assert_eq(allocate_from(i), 0);
	cr_expect_null(turn_check(rig.turn));
	cr_expect_eq(allocate_from(6001), 508);
	for (uint16_t i = 1; i <= 6000; i += 2) {
		rig.client.port = i;
		rig_challenge(&rig);
		cr_assert_eq(rig_refresh(&rig, 0), 0);
		rig_cool_down(&rig);
	}
	cr_expect_null(turn_check(rig.turn));
	cr_expect_eq(rig_stats(&rig).n_allocations, 3000);
}

static int create_with(void (*change)(struct turn_config *))
{
	struct turn_config config = rig_config();
	struct turn *turn = NULL;
	int rc;

	change(&config);
	rc = turn_create(&turn, &config);
	turn_destroy(turn);
	return rc;
}

static struct relay_range bad_relays[2];

static void set_relays(struct turn_config *config, uint16_t min, uint16_t max, size_t n)
{
	bad_relays[0] = config->relays[0];
	bad_relays[1] = config->relays[0];
	bad_relays[1].port_min = min;
	bad_relays[1].port_max = max;
	config->relays = n == 1 ? &bad_relays[1] : bad_relays;
	config->n_relays = n;
}

static void range_upside_down(struct turn_config *config)
{
	set_relays(config, 50001, 50000, 1);
}

static void range_from_zero(struct turn_config *config)
{
	set_relays(config, 0, 10, 1);
}

static void ranges_that_overlap(struct turn_config *config)
{
	set_relays(config, 50015, 50020, 2);
}

static void ranges_side_by_side(struct turn_config *config)
{
	set_relays(config, 50016, 65535, 2);
}

static void range_over_the_service(struct turn_config *config)
{
	set_relays(config, 3478, 3478, 1);
}

static void no_relay(struct turn_config *config)
{
	config->n_relays = 0;
}

static void relay_of_no_family(struct turn_config *config)
{
	set_relays(config, 50000, 50001, 1);
	bad_relays[1].ip.family = FAMILY_NONE;
}

static void users_alike(struct turn_config *config)
{
	static struct turn_user users[2];

	users[0] = config->realm.users[0];
	users[1] = config->realm.users[0];
	config->realm.users = users;
}

static void lifetimes_upside_down(struct turn_config *config)
{
	config->lifetime_max_s = config->lifetime_s - 1;
}

Test(turn_allocate, configurations_that_cannot_be_are_refused)
{
	cr_expect_eq(create_with(range_upside_down), -EINVAL);
	cr_expect_eq(create_with(range_from_zero), -EINVAL);
	cr_expect_eq(create_with(ranges_that_overlap), -EINVAL);
	cr_expect_eq(create_with(range_over_the_service), -EINVAL);
	cr_expect_eq(create_with(no_relay), -EINVAL);
	cr_expect_eq(create_with(relay_of_no_family), -EINVAL);
	cr_expect_eq(create_with(users_alike), -EINVAL);
	cr_expect_eq(create_with(lifetimes_upside_down), -EINVAL);
	cr_expect_eq(create_with(ranges_side_by_side), 0);
}
