// Routes and neighbours of a real kernel: two network namespaces of this process joined by a veth
// pair. The box has rt-a (our port 5) and rt-c (nobody's); the peer has rt-b with the gateways .2,
// .3 and .4. Needs root.
#include "route/route.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT_IDX 5
#define WAIT_S 10
#define N_BURST 5000

static const uint8_t peer_mac[6] = {0x02, 0, 0, 0, 0, 0x0b};
static const uint8_t other_mac[6] = {0x02, 0, 0, 0, 0, 0x0c};

static int box_fd, peer_fd;
static struct route *route;

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	cr_assert_eq(system(command), 0, "%s", command);
}

static void run_at_peer(const char *command)
{
	cr_assert_eq(setns(peer_fd, CLONE_NEWNET), 0);
	run("%s", command);
	cr_assert_eq(setns(box_fd, CLONE_NEWNET), 0);
}

static int new_namespace(void)
{
	int fd;

	cr_assert_eq(unshare(CLONE_NEWNET), 0, "%s", strerror(errno));
	fd = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	cr_assert(fd >= 0);
	return fd;
}

static void set_up(void)
{
	char error[ROUTE_ERROR_BYTES];
	struct route_port port = {.port_idx = PORT_IDX};

	if (geteuid() != 0)
		cr_skip("needs root");
	peer_fd = new_namespace();
	box_fd = new_namespace();
	run("ip link set lo up");
	run("ip link add rt-a address 02:00:00:00:00:0a type veth"
	    " peer name rt-b address 02:00:00:00:00:0b netns /proc/%d/fd/%d",
		getpid(), peer_fd);
	run("ip link add rt-c type veth peer name rt-d && ip link set rt-c up && ip link set rt-d "
	    "up");
	run("ip addr add 192.0.2.1/24 dev rt-a && ip addr add 192.0.2.9/32 dev rt-a");
	run("ip addr add 2001:db8::1/64 dev rt-a nodad && ip link set rt-a up");
	run("ip addr add 203.0.113.1/24 dev rt-c");
	run_at_peer("ip addr add 192.0.2.2/24 dev rt-b && ip addr add 192.0.2.3/24 dev rt-b"
		    " && ip addr add 192.0.2.4/24 dev rt-b"
		    " && ip addr add 2001:db8::2/64 dev rt-b nodad && ip link set rt-b up");
	run("ip route add default via 192.0.2.2 && ip -6 route add default via 2001:db8::2");
	port.ifindex = (int)if_nametoindex("rt-a");
	cr_assert_eq(route_open(&route, &port, 1, error), 0, "%s", error);
}

static void tear_down(void)
{
	route_close(route);
}

TestSuite(route_kernel, .init = set_up, .fini = tear_down, .timeout = 60);

static uint16_t find_from(const char *destination_text, const char *source_text)
{
	struct ip_addr destination, source = {0};

	cr_assert_eq(ip_parse(&destination, destination_text), 0);
	if (source_text != NULL)
		cr_assert_eq(ip_parse(&source, source_text), 0);
	return route_find(route, &destination, &source);
}

static uint16_t find(const char *destination)
{
	return find_from(destination, strchr(destination, ':') ? "2001:db8::1" : "192.0.2.1");
}

static void drain_changes(void)
{
	uint16_t hop_idx;

	while (route_next_change(route, &hop_idx))
		;
}

// Follow until the hop is in this state; a change must have been told on the way.
static void wait_state(uint16_t hop_idx, enum hop_state state)
{
	const time_t deadline_s = time(NULL) + WAIT_S;
	struct pollfd pollfd = {.fd = route_fd(route), .events = POLLIN};

	while (route_hop(route, hop_idx)->state != state && time(NULL) < deadline_s) {
		poll(&pollfd, 1, 100);
		route_follow(route);
	}
	cr_assert_eq(route_hop(route, hop_idx)->state, state);
}

static void wait_mac(uint16_t hop_idx, const uint8_t mac[6])
{
	const time_t deadline_s = time(NULL) + WAIT_S;
	struct pollfd pollfd = {.fd = route_fd(route), .events = POLLIN};

	while (memcmp(route_hop(route, hop_idx)->mac, mac, 6) != 0 && time(NULL) < deadline_s) {
		poll(&pollfd, 1, 100);
		route_follow(route);
	}
	cr_assert_arr_eq(route_hop(route, hop_idx)->mac, mac, 6);
	cr_assert_eq(route_hop(route, hop_idx)->state, HOP_RESOLVED);
}

static uint16_t find_resolved(const char *destination)
{
	const uint16_t hop_idx = find(destination);

	cr_assert_neq(hop_idx, HOP_IDX_UNREACHABLE);
	wait_state(hop_idx, HOP_RESOLVED);
	return hop_idx;
}

// Settle, then make a change with `command`: it must count as moved, once.
static void move_by(const char *command)
{
	route_follow(route);
	route_take_moved(route);
	run("%s", command);
	route_follow(route);
	cr_assert(route_take_moved(route), "%s", command);
	cr_assert_not(route_take_moved(route));
}

Test(route_kernel, gateway_resolves_to_its_mac)
{
	uint16_t changed;
	uint16_t hop_idx = find("198.51.100.7");

	cr_assert_neq(hop_idx, HOP_IDX_UNREACHABLE);
	wait_state(hop_idx, HOP_RESOLVED);
	cr_assert_arr_eq(route_hop(route, hop_idx)->mac, peer_mac, 6);
	cr_assert_eq(route_hop(route, hop_idx)->port_idx, PORT_IDX);
	cr_assert(route_next_change(route, &changed));
	cr_assert_eq(changed, hop_idx);
	cr_assert_not(route_next_change(route, &changed));
	cr_assert_eq(find("198.51.100.8"), hop_idx, "the same gateway is the same hop");
	cr_assert_eq(find("192.0.2.2"), hop_idx, "as is the gateway itself");
}

Test(route_kernel, ipv6_gateway_resolves_to_its_mac)
{
	const uint16_t hop_idx = find_resolved("2001:db8:1::7");

	cr_assert_arr_eq(route_hop(route, hop_idx)->mac, peer_mac, 6);
	cr_assert_eq(find("2001:db8::2"), hop_idx);
	cr_assert_neq(find("198.51.100.7"), hop_idx);
}

Test(route_kernel, ipv4_by_an_ipv6_gateway)
{
	uint16_t hop4_idx, hop6_idx;

	run("ip route add 198.51.100.0/24 via inet6 2001:db8::2 dev rt-a");
	hop4_idx = find_resolved("198.51.100.7");
	hop6_idx = find_resolved("2001:db8:1::7");

	// One neighbour, but the Ethernet header says what it carries.
	cr_assert_neq(hop4_idx, hop6_idx);
	cr_assert_eq(route_hop(route, hop4_idx)->family, FAMILY_IPV4);
	cr_assert_eq(route_hop(route, hop6_idx)->family, FAMILY_IPV6);
	cr_assert_arr_eq(route_hop(route, hop4_idx)->mac, peer_mac, 6);
	run("ip neigh replace 2001:db8::2 lladdr 02:00:00:00:00:0c dev rt-a nud permanent");
	wait_mac(hop4_idx, other_mac);
	wait_mac(hop6_idx, other_mac);
}

Test(route_kernel, link_local_gateway_of_ipv6)
{
	run_at_peer("ip addr add fe80::2/64 dev rt-b nodad");
	run("ip route add 2001:db8:2::/64 via fe80::2 dev rt-a");
	cr_assert_arr_eq(route_hop(route, find_resolved("2001:db8:2::7"))->mac, peer_mac, 6);
}

Test(route_kernel, the_kernel_manages_the_neighbours_we_use)
{
	find_resolved("198.51.100.7");
	run("ip neigh show 192.0.2.2 | grep -q 'managed'");
}

Test(route_kernel, a_neighbour_known_before_is_resolved_at_once)
{
	run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:0b dev rt-a nud reachable");
	cr_assert_eq(route_hop(route, find("198.51.100.7"))->state, HOP_RESOLVED);
	run("ip neigh show 192.0.2.2 | grep -q 'managed'");
}

Test(route_kernel, a_permanent_neighbour_stays_as_it_is)
{
	uint16_t hop_idx;

	run("ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:0c dev rt-a nud permanent");
	hop_idx = find("198.51.100.7");
	cr_assert_eq(route_hop(route, hop_idx)->state, HOP_RESOLVED);
	cr_assert_arr_eq(route_hop(route, hop_idx)->mac, other_mac, 6);
	run("ip neigh show 192.0.2.2 | grep -q '02:00:00:00:00:0c.*PERMANENT'");
}

Test(route_kernel, a_neighbour_made_permanent_later_stays_so)
{
	const uint16_t hop_idx = find_resolved("198.51.100.7");

	run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:0c dev rt-a nud permanent");
	wait_mac(hop_idx, other_mac);
	run("ip neigh show 192.0.2.2 | grep -q '02:00:00:00:00:0c.*PERMANENT'");
}

Test(route_kernel, new_mac_of_the_gateway_is_one_change)
{
	const uint16_t hop_idx = find_resolved("198.51.100.7");
	uint16_t changed;

	drain_changes();
	run_at_peer("echo 1 >/proc/sys/net/ipv4/conf/rt-b/arp_notify"
		    " && ip link set rt-b address 02:00:00:00:00:0c");
	wait_mac(hop_idx, other_mac);
	cr_assert(route_next_change(route, &changed));
	cr_assert_eq(changed, hop_idx);
	cr_assert_not(route_next_change(route, &changed));
	cr_assert_eq(find("198.51.100.7"), hop_idx);
}

Test(route_kernel, a_neighbour_event_moves_nothing)
{
	route_follow(route);
	route_take_moved(route);
	find_resolved("198.51.100.7");
	cr_assert_not(route_take_moved(route));
}

Test(route_kernel, replaced_route_leads_to_the_new_gateway)
{
	const uint16_t old = find_resolved("198.51.100.7");

	move_by("ip route replace default via 192.0.2.3");
	cr_assert_neq(find("198.51.100.7"), old);
	find_resolved("198.51.100.7");
	cr_assert_eq(route_hop(route, old)->state, HOP_RESOLVED, "hops live on");
}

Test(route_kernel, more_specific_route_wins)
{
	const uint16_t old = find("198.51.100.7");

	move_by("ip route add 198.51.100.0/25 via 192.0.2.3");
	cr_assert_neq(find("198.51.100.7"), old);
	cr_assert_eq(find("198.51.100.200"), old);
	move_by("ip route del 198.51.100.0/25");
	cr_assert_eq(find("198.51.100.7"), old);
}

Test(route_kernel, answers_repeat_until_the_event_is_read)
{
	const uint16_t old = find("198.51.100.7");

	run("ip route replace default via 192.0.2.3");
	cr_assert_eq(find("198.51.100.7"), old);
	route_follow(route);
	cr_assert_neq(find("198.51.100.7"), old);
}

Test(route_kernel, no_way_is_unreachable)
{
	run("ip route add unreachable 198.51.100.1 && ip route add blackhole 198.51.100.2"
	    " && ip route add prohibit 198.51.100.3 && ip -6 route add unreachable 2001:db8:1::1"
	    " && ip -6 route add blackhole 2001:db8:1::2 && ip -6 route add prohibit "
	    "2001:db8:1::3");
	cr_assert_eq(find("198.51.100.1"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("198.51.100.2"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("198.51.100.3"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("2001:db8:1::1"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("2001:db8:1::2"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("2001:db8:1::3"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find("192.0.2.9"), HOP_IDX_UNREACHABLE, "our own");
	cr_assert_eq(find("2001:db8::1"), HOP_IDX_UNREACHABLE, "our own");
	cr_assert_eq(find("192.0.2.255"), HOP_IDX_UNREACHABLE, "broadcast");
	cr_assert_eq(find("224.0.0.5"), HOP_IDX_UNREACHABLE, "multicast");
	cr_assert_eq(find("203.0.113.2"), HOP_IDX_UNREACHABLE, "nobody's link");
	cr_assert_neq(find("198.51.100.4"), HOP_IDX_UNREACHABLE);
}

Test(route_kernel, without_a_default_route_it_is_unreachable)
{
	cr_assert_neq(find("198.51.100.7"), HOP_IDX_UNREACHABLE);
	move_by("ip route del default");
	cr_assert_eq(find("198.51.100.7"), HOP_IDX_UNREACHABLE);
	move_by("ip -6 route del default");
	cr_assert_eq(find("2001:db8:1::7"), HOP_IDX_UNREACHABLE);
	move_by("ip route add default via 192.0.2.2");
	cr_assert_neq(find("198.51.100.7"), HOP_IDX_UNREACHABLE);
}

Test(route_kernel, rules_by_source_are_kept_apart)
{
	run("ip route add default via 192.0.2.3 table 100");
	move_by("ip rule add from 192.0.2.9 table 100");
	cr_assert_eq(find_from("198.51.100.7", "192.0.2.1"), find("192.0.2.2"));
	cr_assert_eq(find_from("198.51.100.7", "192.0.2.9"), find("192.0.2.3"));
	cr_assert_eq(find_from("198.51.100.7", "192.0.2.1"), find("192.0.2.2"));
}

Test(route_kernel, source_may_be_none_but_not_a_strangers)
{
	cr_assert_eq(find_from("198.51.100.7", NULL), find("192.0.2.2"));
	cr_assert_eq(find_from("198.51.100.7", "2001:db8::1"), find("192.0.2.2"));
	cr_assert_eq(find_from("198.51.100.7", "192.0.2.77"), HOP_IDX_UNREACHABLE);
	move_by("ip route add local 192.0.2.64/28 dev lo");
	cr_assert_eq(find_from("198.51.100.7", "192.0.2.77"), find("192.0.2.2"));
}

Test(route_kernel, a_rule_that_forbids_a_source_holds)
{
	move_by("ip rule add from 192.0.2.9 unreachable");
	cr_assert_eq(find_from("198.51.100.7", "192.0.2.9"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(find_from("198.51.100.7", "192.0.2.1"), find("192.0.2.2"));
}

Test(route_kernel, nexthop_objects)
{
	run("ip nexthop add id 7 via 192.0.2.3 dev rt-a && ip route add 198.51.100.0/24 nhid 7");
	cr_assert_eq(find("198.51.100.7"), find("192.0.2.3"));
	move_by("ip nexthop replace id 7 via 192.0.2.4 dev rt-a");
	cr_assert_eq(find("198.51.100.7"), find("192.0.2.4"));
}

Test(route_kernel, equal_cost_paths_use_both_gateways)
{
	bool used[ROUTE_HOPS_MAX] = {false};
	char text[ADDR_TEXT_BYTES];

	run("ip route add 198.51.100.0/24 nexthop via 192.0.2.2 nexthop via 192.0.2.3");
	for (int i = 1; i < 255; i++) {
		snprintf(text, sizeof(text), "198.51.100.%d", i);
		used[find(text)] = true;
	}
	cr_assert(used[find("192.0.2.2")]);
	cr_assert(used[find("192.0.2.3")]);
	cr_assert_not(used[HOP_IDX_UNREACHABLE]);
}

Test(route_kernel, an_address_of_any_interface_is_news)
{
	uint64_t n_before = route_n_readdressed(route);

	cr_assert_geq(n_before, 1);
	for (int i = 0; i < 2; i++) {
		run("ip addr %s 198.51.100.77/32 dev lo", i ? "del" : "add");
		route_follow(route);
		cr_expect_gt(route_n_readdressed(route), n_before);
		n_before = route_n_readdressed(route);
	}
	move_by("ip route add 198.51.100.0/24 via 192.0.2.3");
	cr_expect_eq(route_n_readdressed(route), n_before);
}

Test(route_kernel, new_address_makes_it_ours)
{
	cr_assert_neq(find("192.0.2.50"), HOP_IDX_UNREACHABLE);
	move_by("ip addr add 192.0.2.50/32 dev rt-a");
	cr_assert_eq(find("192.0.2.50"), HOP_IDX_UNREACHABLE);
	move_by("ip addr del 192.0.2.50/32 dev rt-a");
	cr_assert_neq(find("192.0.2.50"), HOP_IDX_UNREACHABLE);
}

// The addresses of the port, but for link-local ones, in the kernel's order.
static const char *list_addresses(void)
{
	static struct route_address addresses[ROUTE_ADDRESSES_MAX];
	static char list[512];
	char text[ADDR_TEXT_BYTES];
	size_t n;

	if (!route_take_addresses(route, addresses, &n))
		return "as before";
	list[0] = 0;
	for (size_t i = 0; i < n; i++) {
		cr_assert_eq(addresses[i].port_idx, PORT_IDX);
		ip_format(&addresses[i].ip, text);
		if (strncmp(text, "fe80:", 5) != 0)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), " %s", text);
	}
	return list;
}

// Settle, then make a change with `command`.
static const char *list_after(const char *command)
{
	route_follow(route);
	list_addresses();
	run("%s", command);
	route_follow(route);
	return list_addresses();
}

Test(route_kernel, the_ports_addresses_are_told_once)
{
	cr_expect_str_eq(list_addresses(), " 192.0.2.1 192.0.2.9 2001:db8::1");
	cr_expect_str_eq(list_addresses(), "as before");
	cr_expect_str_eq(list_after("ip route add 198.51.100.0/24 via 192.0.2.3"), "as before");
}

Test(route_kernel, addresses_come_and_go)
{
	cr_expect_str_eq(list_after("ip addr add 192.0.2.50/32 dev rt-a"),
		" 192.0.2.1 192.0.2.9 192.0.2.50 2001:db8::1");
	cr_expect_str_eq(list_after("ip addr del 192.0.2.50/32 dev rt-a"),
		" 192.0.2.1 192.0.2.9 2001:db8::1");
	cr_expect_str_eq(list_after("ip addr add 203.0.113.2/24 dev rt-c"),
		" 192.0.2.1 192.0.2.9 2001:db8::1");
	cr_expect_str_eq(list_after("ip addr add 192.0.2.60 peer 192.0.2.61 dev rt-a"),
		" 192.0.2.1 192.0.2.9 192.0.2.60 2001:db8::1");
	cr_expect_str_eq(list_after("ip link del rt-a"), "");
}

// RFC 4862 §5.4: nobody is told of an address that may be another's.
Test(route_kernel, an_address_that_is_being_tried_is_none)
{
	run("echo 1 >/proc/sys/net/ipv6/conf/rt-a/accept_dad"
	    " && echo 3000 >/proc/sys/net/ipv6/neigh/rt-a/retrans_time_ms");
	cr_expect_str_eq(list_after("ip addr add 2001:db8::5/64 dev rt-a"),
		" 192.0.2.1 192.0.2.9 2001:db8::1");
}

Test(route_kernel, link_down_and_up_again)
{
	const uint16_t hop_idx = find_resolved("198.51.100.7");

	move_by("ip link set rt-a down");
	cr_assert_eq(find("198.51.100.7"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(route_hop(route, hop_idx)->state, HOP_UNRESOLVED);
	move_by("ip link set rt-a up && ip route add default via 192.0.2.2");
	cr_assert_eq(find("198.51.100.7"), hop_idx);
	wait_state(hop_idx, HOP_RESOLVED);
}

Test(route_kernel, a_link_that_vanishes_is_unreachable)
{
	const uint16_t hop_idx = find_resolved("198.51.100.7");

	move_by("ip link del rt-a");
	cr_assert_eq(find("198.51.100.7"), HOP_IDX_UNREACHABLE);
	cr_assert_eq(route_hop(route, hop_idx)->state, HOP_UNRESOLVED);
}

Test(route_kernel, a_silent_neighbour_is_unresolved)
{
	run_at_peer("echo 8 >/proc/sys/net/ipv4/conf/all/arp_ignore");
	cr_assert_eq(route_hop(route, find("198.51.100.7"))->state, HOP_UNRESOLVED);
}

Test(route_kernel, deleted_neighbour_is_unresolved_and_asked_for_again)
{
	const uint16_t hop_idx = find_resolved("198.51.100.7");

	drain_changes();
	run_at_peer("echo 8 >/proc/sys/net/ipv4/conf/all/arp_ignore");
	run("ip neigh del 192.0.2.2 dev rt-a");
	wait_state(hop_idx, HOP_UNRESOLVED);
	run_at_peer("echo 0 >/proc/sys/net/ipv4/conf/all/arp_ignore");
	wait_state(hop_idx, HOP_RESOLVED);
}

Test(route_kernel, a_neighbour_no_longer_managed_is_taken_on_again)
{
	const uint16_t hop_idx = find_resolved("198.51.100.7");

	run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:0b dev rt-a nud stale");
	route_follow(route);
	run("ip neigh show 192.0.2.2 | grep -q managed");
	wait_state(hop_idx, HOP_RESOLVED);
}

static void burst(const char *verb)
{
	FILE *batch = popen("ip -batch -", "w");

	cr_assert_not_null(batch);
	for (int i = 0; i < N_BURST; i++)
		fprintf(batch, "route %s 100.64.%d.%d/32 via 192.0.2.3\n", verb, i / 250, i % 250);
	cr_assert_eq(pclose(batch), 0);
}

Test(route_kernel, a_burst_of_events_is_read_in_steps)
{
	struct pollfd pollfd = {.fd = route_fd(route), .events = POLLIN};
	const uint16_t hop_idx = find_resolved("198.51.100.7");

	burst("add");
	cr_assert_eq(poll(&pollfd, 1, 0), 1);
	while (poll(&pollfd, 1, 0) == 1)
		route_follow(route);
	cr_assert(route_take_moved(route));
	cr_assert_eq(find("100.64.19.249"), find("192.0.2.3"));
	cr_assert_eq(find("198.51.100.7"), hop_idx);
}

// The queue holds a few events only: what happens behind the burst is never told.
Test(route_kernel, lost_events_are_made_up_for)
{
	const uint16_t hop_idx = find_resolved("198.51.100.7");
	const int few_bytes = 4096;
	uint64_t n_readdressed;
	struct pollfd pollfd = {.fd = route_fd(route), .events = POLLIN};

	cr_assert_eq(setsockopt(pollfd.fd, SOL_SOCKET, SO_RCVBUF, &few_bytes, sizeof(int)), 0);
	route_follow(route);
	route_take_moved(route);
	drain_changes();
	list_addresses();
	n_readdressed = route_n_readdressed(route);
	burst("add");
	run("ip neigh replace 192.0.2.2 lladdr 02:00:00:00:00:0c dev rt-a nud permanent");
	run("ip route replace 198.51.100.0/24 via 192.0.2.4");
	run("ip addr add 192.0.2.50/32 dev rt-a");
	route_follow(route);
	cr_assert_gt(route_n_readdressed(route), n_readdressed);
	cr_assert_str_eq(list_addresses(), " 192.0.2.1 192.0.2.9 192.0.2.50 2001:db8::1");
	cr_assert_arr_eq(route_hop(route, hop_idx)->mac, other_mac, 6);
	cr_assert(route_take_moved(route));
	cr_assert_neq(find("198.51.100.7"), hop_idx);
	while (poll(&pollfd, 1, 0) == 1)
		route_follow(route);
	move_by("ip route del 198.51.100.0/24");
	cr_assert_eq(find("198.51.100.7"), hop_idx, "and events go on");
}

Test(route_kernel, more_destinations_than_the_cache_holds)
{
	struct ip_addr destination = {.family = FAMILY_IPV4};
	const struct ip_addr source = {.family = FAMILY_IPV4, .bytes = {192, 0, 2, 1}};
	const uint16_t hop_idx = find("198.51.100.7");

	for (uint32_t n = 0; n < 70000; n++) {
		store_be32(destination.bytes, 0x0b000000 + n);
		cr_assert_eq(route_find(route, &destination, &source), hop_idx);
	}
	store_be32(destination.bytes, 0x0b000000);
	cr_assert_eq(route_find(route, &destination, &source), hop_idx);
}

Test(route_kernel, a_pin_stands_whatever_the_kernel_says)
{
	struct ip_addr destination;

	cr_assert_eq(ip_parse(&destination, "198.51.100.7"), 0);
	cr_assert_eq(route_pin(route, &destination, 2, other_mac), 0);
	run("ip route replace default via 192.0.2.3");
	route_follow(route);
	cr_assert_eq(route_hop(route, find("198.51.100.7"))->port_idx, 2);
	cr_assert_arr_eq(route_hop(route, find("198.51.100.7"))->mac, other_mac, 6);
	cr_assert_eq(find("198.51.100.8"), find("192.0.2.3"));
}
