// What netlink does in bad times, which a real kernel does not do when asked to: libmnl's socket
// calls are answered here. There is one route, by a gateway whose neighbour is fixed.
#include "mnl_calls.h"
#include "route/route.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>

#define IFINDEX 7
#define MAC_BYTES 6

struct mnl_socket {
	bool is_events;
};

static const uint8_t mac_a[MAC_BYTES] = {0x02, 0, 0, 0, 0, 0x0a};
static const uint8_t mac_b[MAC_BYTES] = {0x02, 0, 0, 0, 0, 0x0b};
static const uint8_t gateway[IPV4_BYTES] = {192, 0, 2, 2};

static struct kernel {
	const uint8_t *mac; // of the gateway
	bool has_lost; // events, which is told once
	bool storms; // events never end
	bool tells_neighbour; // once
	uint16_t failing_type; // of requests
	uint16_t asked_type;
	uint32_t asked_seq;
} kernel;

static struct mnl_socket sockets[2];
static unsigned n_opened;
static struct route *route;

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *socket = &sockets[n_opened];

	(void)bus;
	(void)flags;
	// Events are the second one that is opened.
	socket->is_events = n_opened++ == 1;
	return socket;
}

int mnl_socket_close(struct mnl_socket *socket)
{
	(void)socket;
	return 0;
}

static ssize_t fail(int error)
{
	errno = error;
	return -1;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t n)
{
	const struct nlmsghdr *message = request;

	(void)socket;
	if (message->nlmsg_type == kernel.failing_type)
		return fail(ENOBUFS);
	kernel.asked_type = message->nlmsg_type;
	kernel.asked_seq = message->nlmsg_seq;
	return (ssize_t)n;
}

static ssize_t write_route(struct nlmsghdr *message)
{
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(message, sizeof(*rtm));

	message->nlmsg_type = RTM_NEWROUTE;
	rtm->rtm_family = AF_INET;
	rtm->rtm_type = RTN_UNICAST;
	mnl_attr_put_u32(message, RTA_OIF, IFINDEX);
	mnl_attr_put(message, RTA_GATEWAY, sizeof(gateway), gateway);
	return message->nlmsg_len;
}

static ssize_t write_neighbour(struct nlmsghdr *message)
{
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(message, sizeof(*ndm));

	message->nlmsg_type = RTM_NEWNEIGH;
	ndm->ndm_family = AF_INET;
	ndm->ndm_ifindex = IFINDEX;
	ndm->ndm_state = NUD_PERMANENT;
	mnl_attr_put(message, NDA_DST, sizeof(gateway), gateway);
	mnl_attr_put(message, NDA_LLADDR, MAC_BYTES, kernel.mac);
	return message->nlmsg_len;
}

static ssize_t tell(struct nlmsghdr *message)
{
	if (kernel.has_lost) {
		kernel.has_lost = false;
		return fail(ENOBUFS);
	}
	if (kernel.tells_neighbour) {
		kernel.tells_neighbour = false;
		return write_neighbour(message);
	}
	return kernel.storms ? write_route(message) : fail(EAGAIN);
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t capacity)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

	(void)capacity; // far more than is written
	if (socket->is_events)
		return tell(message);
	message->nlmsg_seq = kernel.asked_seq;
	return kernel.asked_type == RTM_GETROUTE ? write_route(message) : write_neighbour(message);
}

static void open_route(void)
{
	const struct route_port port = {.ifindex = IFINDEX, .port_idx = 3};
	char error[ROUTE_ERROR_BYTES];

	kernel.mac = mac_a;
	cr_assert_eq(route_open(&route, &port, 1, error), 0, "%s", error);
}

static void close_route(void)
{
	route_close(route);
}

TestSuite(route_netlink, .init = open_route, .fini = close_route, .timeout = 20);

static uint16_t find(void)
{
	const struct ip_addr destination = {.family = FAMILY_IPV4, .bytes = {198, 51, 100, 7}};
	const struct ip_addr any = {0};

	return route_find(route, &destination, &any);
}

static void expect_mac(uint16_t hop_idx, const uint8_t mac[MAC_BYTES])
{
	cr_expect_eq(route_hop(route, hop_idx)->state, HOP_RESOLVED);
	cr_expect_arr_eq(route_hop(route, hop_idx)->mac, mac, MAC_BYTES);
}

Test(route_netlink, events_that_never_end_hold_nobody_up)
{
	kernel.storms = true;
	route_follow(route);
	cr_expect(route_take_moved(route));
	kernel.has_lost = true;
	route_follow(route);
	cr_expect(route_take_moved(route));
}

// Linux tells nothing new before its queue has been empty.
Test(route_netlink, what_a_storm_has_lost_is_made_up_for_when_it_rests)
{
	const uint16_t hop_idx = find();

	expect_mac(hop_idx, mac_a);
	kernel.storms = true;
	kernel.has_lost = true;
	route_follow(route);
	kernel.mac = mac_b;
	kernel.storms = false;
	route_take_moved(route);
	route_follow(route);
	expect_mac(hop_idx, mac_b);
	cr_expect(route_take_moved(route));
	route_follow(route);
	cr_expect_not(route_take_moved(route), "once is enough");
}

Test(route_netlink, a_route_without_a_verdict_is_asked_for_again)
{
	kernel.failing_type = RTM_GETROUTE;
	cr_assert_eq(find(), HOP_IDX_UNREACHABLE);
	cr_expect_not(route_take_moved(route), "not at once: it may go on failing");
	route_ask_again(route);
	cr_expect(route_take_moved(route));
	cr_assert_eq(find(), HOP_IDX_UNREACHABLE);
	kernel.failing_type = 0;
	route_ask_again(route);
	cr_expect(route_take_moved(route));
	expect_mac(find(), mac_a);
	route_ask_again(route);
	cr_expect_not(route_take_moved(route), "there is no doubt any more");
}

Test(route_netlink, a_new_neighbour_without_a_verdict_is_asked_for_again)
{
	kernel.failing_type = RTM_GETNEIGH;
	cr_assert_eq(route_hop(route, find())->state, HOP_UNRESOLVED);
	kernel.failing_type = 0;
	route_ask_again(route);
	expect_mac(find(), mac_a);
}

Test(route_netlink, a_changed_neighbour_without_a_verdict_is_asked_for_again)
{
	const uint16_t hop_idx = find();

	kernel.mac = mac_b;
	kernel.tells_neighbour = true;
	kernel.failing_type = RTM_GETNEIGH;
	route_follow(route);
	expect_mac(hop_idx, mac_a);
	kernel.failing_type = 0;
	route_ask_again(route);
	expect_mac(hop_idx, mac_b);
}
