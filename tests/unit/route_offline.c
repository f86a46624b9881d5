// Routes without a kernel: what is pinned, and the bounds of the tables.
#include "route/route.h"

#include <criterion/criterion.h>
#include <errno.h>

static const struct ip_addr source = {.family = FAMILY_IPV4, .bytes = {192, 0, 2, 1}};
static const uint8_t mac_a[6] = {0x02, 0, 0, 0, 0, 0x0a};
static const uint8_t mac_b[6] = {0x02, 0, 0, 0, 0, 0x0b};

static struct route *route;

static void open_route(void)
{
	cr_assert_eq(route_open_offline(&route), 0);
}

static void close_route(void)
{
	route_close(route);
}

TestSuite(route_offline, .init = open_route, .fini = close_route);

static struct ip_addr ip(const char *text)
{
	struct ip_addr ip;

	cr_assert_eq(ip_parse(&ip, text), 0);
	return ip;
}

static struct ip_addr numbered_ip(uint32_t n)
{
	struct ip_addr ip = {.family = FAMILY_IPV4};

	store_be32(ip.bytes, 0x0a000000 + n);
	return ip;
}

static uint16_t find(const char *text)
{
	const struct ip_addr destination = ip(text);

	return route_find(route, &destination, &source);
}

static int pin(const char *text, uint8_t port_idx, const uint8_t mac[6])
{
	const struct ip_addr destination = ip(text);

	return route_pin(route, &destination, port_idx, mac);
}

Test(route_offline, everything_is_unreachable_until_pinned)
{
	cr_assert_eq(find("198.51.100.1"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("2001:db8::1"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(route_hop(route, HOP_IDX_UNREACHABLE)->state, HOP_UNREACHABLE);
}

Test(route_offline, pinned_destination_has_its_port_and_mac)
{
	const struct hop *hop;

	cr_assert_eq(pin("198.51.100.1", 3, mac_a), 0);
	hop = route_hop(route, find("198.51.100.1"));
	cr_assert_eq(hop->state, HOP_RESOLVED);
	cr_assert_eq(hop->port_idx, 3);
	cr_assert_arr_eq(hop->mac, mac_a, sizeof(mac_a));
	cr_assert_eq(find("198.51.100.2"), HOP_IDX_UNREACHABLE);
}

Test(route_offline, a_pin_holds_for_every_source)
{
	const struct ip_addr destination = ip("198.51.100.1");
	const struct ip_addr other = ip("203.0.113.9");
	const struct ip_addr none = {0};

	cr_assert_eq(pin("198.51.100.1", 0, mac_a), 0);
	cr_assert_neq(find("198.51.100.1"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(route_find(route, &destination, &other), find("198.51.100.1"));
	cr_assert_eq(route_find(route, &destination, &none), find("198.51.100.1"));
}

Test(route_offline, addresses_of_both_families_with_the_same_bytes_differ)
{
	cr_assert_eq(pin("10.0.0.1", 0, mac_a), 0);
	cr_assert_eq(find("a00:1::"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(pin("a00:1::", 0, mac_b), 0);
	cr_assert_neq(find("10.0.0.1"), find("a00:1::"));
}

Test(route_offline, the_same_neighbour_is_the_same_hop)
{
	cr_assert_eq(pin("198.51.100.1", 0, mac_a), 0);
	cr_assert_eq(pin("198.51.100.2", 0, mac_a), 0);
	cr_assert_neq(find("198.51.100.1"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("198.51.100.1"), find("198.51.100.2"));
}

Test(route_offline, the_same_mac_is_a_hop_of_each_family)
{
	cr_assert_eq(pin("198.51.100.1", 0, mac_a), 0);
	cr_assert_eq(pin("2001:db8::1", 0, mac_a), 0);
	cr_assert_eq(pin("2001:db8::2", 0, mac_a), 0);
	cr_assert_neq(find("198.51.100.1"), find("2001:db8::1"));
	cr_assert_eq(find("2001:db8::1"), find("2001:db8::2"));
	cr_assert_eq(route_hop(route, find("198.51.100.1"))->family, FAMILY_IPV4);
	cr_assert_eq(route_hop(route, find("2001:db8::1"))->family, FAMILY_IPV6);
}

Test(route_offline, the_same_mac_on_another_port_is_another_hop)
{
	cr_assert_eq(pin("198.51.100.1", 0, mac_a), 0);
	cr_assert_eq(pin("198.51.100.2", 1, mac_a), 0);
	cr_assert_neq(find("198.51.100.1"), find("198.51.100.2"));
	cr_assert_eq(route_hop(route, find("198.51.100.1"))->port_idx, 0);
	cr_assert_eq(route_hop(route, find("198.51.100.2"))->port_idx, 1);
}

Test(route_offline, there_are_no_addresses)
{
	static struct route_address addresses[ROUTE_ADDRESSES_MAX];
	size_t n;

	cr_assert_not(route_take_addresses(route, addresses, &n));
	cr_assert_eq(route_n_readdressed(route), 0);
}

Test(route_offline, pinned_again_it_moves_to_the_new_neighbour)
{
	uint16_t old;

	cr_assert_eq(pin("198.51.100.1", 0, mac_a), 0);
	old = find("198.51.100.1");
	cr_assert(route_take_moved(route));
	cr_assert_eq(pin("198.51.100.1", 0, mac_b), 0);
	cr_assert(route_take_moved(route));
	cr_assert_not(route_take_moved(route));
	cr_assert_neq(find("198.51.100.1"), old);
	cr_assert_arr_eq(route_hop(route, find("198.51.100.1"))->mac, mac_b, sizeof(mac_b));
	cr_assert_arr_eq(route_hop(route, old)->mac, mac_a, sizeof(mac_a));
}

Test(route_offline, a_new_hop_is_one_change)
{
	uint16_t changed;

	cr_assert_not(route_next_change(route, &changed));
	cr_assert_eq(pin("198.51.100.1", 0, mac_a), 0);
	cr_assert_eq(pin("198.51.100.2", 0, mac_a), 0);
	cr_assert(route_next_change(route, &changed));
	cr_assert_eq(changed, find("198.51.100.1"));
	cr_assert_not(route_next_change(route, &changed));
	cr_assert_eq(pin("198.51.100.3", 0, mac_a), 0);
	cr_assert_not(route_next_change(route, &changed), "an old hop with the same MAC");
}

Test(route_offline, every_new_hop_is_told_once)
{
	bool told[ROUTE_HOPS_MAX] = {false};
	uint16_t changed;
	size_t n_told = 0;

	for (uint32_t n = 1; n < ROUTE_HOPS_MAX; n++) {
		const struct ip_addr destination = numbered_ip(n);
		const uint8_t mac[6] = {0x02, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n};

		cr_assert_eq(route_pin(route, &destination, 0, mac), 0);
	}
	while (route_next_change(route, &changed)) {
		cr_assert_not(told[changed]);
		told[changed] = true;
		n_told++;
	}
	cr_assert_eq(n_told, ROUTE_HOPS_MAX - 1);
	cr_assert_not(told[HOP_IDX_UNREACHABLE]);
}

Test(route_offline, hops_are_bounded_and_old_ones_stay)
{
	struct ip_addr destination;

	for (uint32_t n = 1; n < ROUTE_HOPS_MAX; n++) {
		const uint8_t mac[6] = {0x02, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n};

		destination = numbered_ip(n);
		cr_assert_eq(route_pin(route, &destination, 0, mac), 0);
	}
	cr_assert_eq(pin("198.51.100.1", 1, mac_a), -ENOSPC);
	cr_assert_eq(find("198.51.100.1"), HOP_IDX_UNREACHABLE);
	for (uint32_t n = 1; n < ROUTE_HOPS_MAX; n++) {
		destination = numbered_ip(n);
		cr_assert_eq(
			load_be16(route_hop(route, route_find(route, &destination, &source))->mac +
				4),
			n);
	}
	cr_assert_eq(pin("198.51.100.1", 0, (const uint8_t[6]){0x02, 0, 0, 0, 0, 1}), 0);
	cr_assert_eq(find("198.51.100.1"), find("10.0.0.1"));
}

Test(route_offline, pins_are_bounded_and_old_ones_can_still_change)
{
	struct ip_addr destination;

	for (uint32_t n = 0; n < ROUTE_PINS_MAX; n++) {
		destination = numbered_ip(n);
		cr_assert_eq(route_pin(route, &destination, 0, mac_a), 0);
	}
	cr_assert_eq(pin("198.51.100.1", 0, mac_a), -ENOSPC);
	cr_assert_eq(find("198.51.100.1"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(pin("10.0.0.7", 0, mac_b), 0);
	cr_assert_arr_eq(route_hop(route, find("10.0.0.7"))->mac, mac_b, sizeof(mac_b));
	cr_assert_arr_eq(route_hop(route, find("10.0.255.255"))->mac, mac_a, sizeof(mac_a));
}

Test(route_offline, pins_stay_while_their_table_grows)
{
	struct ip_addr destination;

	for (uint32_t n = 0; n < 3000; n++) {
		destination = numbered_ip(n);
		cr_assert_eq(route_pin(route, &destination, 0, n % 2 ? mac_a : mac_b), 0);
	}
	for (uint32_t n = 0; n < 3000; n++) {
		destination = numbered_ip(n);
		cr_assert_arr_eq(route_hop(route, route_find(route, &destination, &source))->mac,
			n % 2 ? mac_a : mac_b, sizeof(mac_a), "pin %u", n);
	}
}

Test(route_offline, there_is_nothing_to_follow)
{
	uint16_t changed;

	cr_assert_eq(route_fd(route), -1);
	route_follow(route);
	cr_assert_not(route_take_moved(route));
	cr_assert_not(route_next_change(route, &changed));
}

Test(route_offline, close_takes_null)
{
	route_close(NULL);
}
