// Next hops that nobody asks for any more, on a real kernel: a namespace of its own with one link
// on which nobody answers. Needs root.
#include "route/route.h"

#include <criterion/criterion.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct route *route;

static void run(const char *command)
{
	cr_assert_eq(system(command), 0, "%s", command);
}

static void set_up(void)
{
	struct route_port port = {.port_idx = 5};
	char error[ROUTE_ERROR_BYTES];

	if (geteuid() != 0)
		cr_skip("needs root");
	cr_assert_eq(unshare(CLONE_NEWNET), 0);
	run("ip link add rt-a type veth peer name rt-b && ip link set rt-b up");
	run("ip addr add 2001:db8::1/64 dev rt-a nodad && ip link set rt-a up");
	run("ip route add 2001:db8:1::/48 via 2001:db8::2 dev rt-a");
	port.ifindex = (int)if_nametoindex("rt-a");
	cr_assert_eq(route_open(&route, &port, 1, error), 0, "%s", error);
}

static void tear_down(void)
{
	route_close(route);
}

TestSuite(route_room, .init = set_up, .fini = tear_down, .timeout = 60);

static uint16_t find(const char *text)
{
	const struct ip_addr any = {0};
	struct ip_addr destination;

	cr_assert_eq(ip_parse(&destination, text), 0);
	return route_find(route, &destination, &any);
}

// The neighbour of that number, on the link.
static uint16_t find_numbered(unsigned n)
{
	char text[ADDR_TEXT_BYTES];

	snprintf(text, sizeof(text), "2001:db8::1:%x", n);
	return find(text);
}

static uint32_t count_hops(void)
{
	struct route_stats stats;

	route_stats_get(route, &stats);
	cr_expect_eq(stats.n_hops[HOP_UNREACHABLE], 0);
	return stats.n_hops[HOP_UNRESOLVED] + stats.n_hops[HOP_RESOLVED];
}

static void forget(void)
{
	while (route_forget(route))
		;
}

// As a client does who names peers on the link, one after the other.
static void fill(void)
{
	for (unsigned n = 1; n < ROUTE_HOPS_MAX; n++)
		find_numbered(n);
}

Test(route_room, it_is_short_from_three_quarters_on)
{
	for (unsigned n = 1; n < ROUTE_HOPS_MAX * 3 / 4; n++)
		find_numbered(n);
	cr_expect_not(route_is_short(route));
	find_numbered(0xffff);
	cr_expect(route_is_short(route));
}

Test(route_room, what_is_asked_for_stays_and_the_rest_makes_room)
{
	const uint16_t gateway = find("2001:db8:1::7");
	uint16_t kept[ROUTE_HOPS_MAX];

	fill();
	cr_expect_eq(find("2001:db8::7:7"), HOP_IDX_UNREACHABLE, "it is full");
	route_take_moved(route);
	route_mark(route);
	cr_expect_eq(find("2001:db8:1::8"), gateway);
	for (unsigned n = 1; n < ROUTE_HOPS_MAX; n += 8)
		kept[n] = find_numbered(n);
	forget();
	cr_expect_eq(count_hops(), 1 + 512);
	for (unsigned n = 1; n < ROUTE_HOPS_MAX; n += 8)
		cr_expect_eq(find_numbered(n), kept[n], "%u", n);
	cr_expect_not(route_is_short(route));
	cr_expect(route_take_moved(route), "there is a way now for who had none");
	cr_expect_eq(find("2001:db8:1::7"), gateway);
	cr_expect_neq(find("2001:db8::7:7"), HOP_IDX_UNREACHABLE);
	run("test $(ip -6 neigh show dev rt-a | wc -l) -le 514");
}

Test(route_room, what_was_forgotten_comes_back)
{
	fill();
	for (int round = 0; round < 3; round++) {
		route_mark(route);
		forget();
		cr_expect_eq(count_hops(), 0);
		fill();
		cr_expect_eq(count_hops(), ROUTE_HOPS_MAX - 1);
	}
	for (unsigned n = 1; n < ROUTE_HOPS_MAX; n++)
		cr_expect_eq(find_numbered(n), find_numbered(n));
	cr_expect_neq(find_numbered(1), find_numbered(2));
}

Test(route_room, a_neighbour_of_both_families_stays_while_one_of_them_goes_by_it)
{
	run("ip route add 198.51.100.0/24 via inet6 2001:db8::2 dev rt-a");
	find("198.51.100.7"); // the first, which has it kept
	find("2001:db8:1::7");
	cr_expect_eq(count_hops(), 2);
	route_mark(route);
	find("2001:db8:1::7");
	forget();
	cr_expect_eq(count_hops(), 1);
	run("ip -6 neigh show 2001:db8::2 | grep -q managed");
	route_mark(route);
	forget();
	cr_expect_eq(count_hops(), 0);
	run("! ip -6 neigh show 2001:db8::2 | grep -q managed");
}
