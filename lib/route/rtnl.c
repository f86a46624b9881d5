#include "rtnl.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#define REQUEST_BYTES 256
#define EVENT_QUEUE_BYTES (4 << 20)
#define DISCARDS_MAX 16384 // more than the queue holds
#define ATTRS_MAX 64
#define MAC_BYTES 6

// The kernel's NUD_VALID: states in which it sends to the neighbour.
#define NUD_SENDS (NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY)

static const int event_groups[] = {
	RTNLGRP_LINK,
	RTNLGRP_NEIGH,
	RTNLGRP_IPV4_IFADDR,
	RTNLGRP_IPV6_IFADDR,
	RTNLGRP_IPV4_ROUTE,
	RTNLGRP_IPV6_ROUTE,
	RTNLGRP_IPV4_RULE,
	RTNLGRP_IPV6_RULE,
	RTNLGRP_NEXTHOP,
};

struct attrs {
	const struct nlattr *by_type[ATTRS_MAX];
};

static int store_attr(const struct nlattr *attr, void *context)
{
	struct attrs *attrs = context;
	const uint16_t type = mnl_attr_get_type(attr);

	if (type < ATTRS_MAX)
		attrs->by_type[type] = attr;
	return MNL_CB_OK;
}

// libmnl takes a length above 2^31 for a negative one, which fits anywhere.
static bool is_whole(const struct nlmsghdr *message, int n_bytes)
{
	return mnl_nlmsg_ok(message, n_bytes) && message->nlmsg_len <= (uint32_t)n_bytes;
}

// What a message begins with, or NULL where it is shorter.
static const void *get_header(const struct nlmsghdr *message, size_t header_bytes)
{
	return mnl_nlmsg_get_payload_len(message) < header_bytes ? NULL
								 : mnl_nlmsg_get_payload(message);
}

static struct attrs parse_attrs(const struct nlmsghdr *message, size_t header_bytes)
{
	struct attrs attrs = {0};

	mnl_attr_parse(message, (unsigned int)header_bytes, store_attr, &attrs);
	return attrs;
}

static uint8_t af_of(uint8_t family)
{
	return family == FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

static enum family family_of(int af)
{
	return af == AF_INET ? FAMILY_IPV4 : af == AF_INET6 ? FAMILY_IPV6 : FAMILY_NONE;
}

// False where there is no such attribute, or its length is not that of an address of this family.
static bool load_ip(struct ip_addr *out, const struct nlattr *attr, int af)
{
	const enum family family = family_of(af);

	if (attr == NULL || family == FAMILY_NONE)
		return false;
	if (mnl_attr_get_payload_len(attr) != family_bytes(family))
		return false;
	*out = ip_from_bytes(family, mnl_attr_get_payload(attr));
	return true;
}

// False where there is no such attribute, or it is no number.
static bool load_number(uint32_t *out, const struct nlattr *attr)
{
	if (attr == NULL || mnl_attr_get_payload_len(attr) < sizeof(*out))
		return false;
	*out = mnl_attr_get_u32(attr);
	return true;
}

static int open_socket(struct mnl_socket **out)
{
	*out = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (*out == NULL)
		return -errno;
	return mnl_socket_bind(*out, 0, MNL_SOCKET_AUTOPID) < 0 ? -errno : 0;
}

static int follow_groups(struct mnl_socket *socket)
{
	const int queue_bytes = EVENT_QUEUE_BYTES;
	const int fd = mnl_socket_get_fd(socket);

	// Without CAP_NET_ADMIN the kernel allows less; then events are lost sooner, and seen to
	// be.
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue_bytes, sizeof(queue_bytes)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &queue_bytes, sizeof(queue_bytes));
	for (size_t i = 0; i < N_ELEMENTS(event_groups); i++) {
		int group = event_groups[i];

		if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) <
			0)
			return -errno;
	}
	return 0;
}

int rtnl_open(struct rtnl *rtnl)
{
	int rc;

	rtnl->requests = NULL;
	rtnl->events = NULL;
	rc = open_socket(&rtnl->requests);
	if (rc == 0)
		rc = open_socket(&rtnl->events);
	if (rc == 0)
		rc = follow_groups(rtnl->events);
	if (rc < 0)
		rtnl_close(rtnl);
	return rc;
}

void rtnl_close(struct rtnl *rtnl)
{
	if (rtnl->requests != NULL)
		mnl_socket_close(rtnl->requests);
	if (rtnl->events != NULL)
		mnl_socket_close(rtnl->events);
	rtnl->requests = NULL;
	rtnl->events = NULL;
}

int rtnl_fd(const struct rtnl *rtnl)
{
	return mnl_socket_get_fd(rtnl->events);
}

static int send_request(struct rtnl *rtnl, struct nlmsghdr *request)
{
	request->nlmsg_flags |= NLM_F_REQUEST;
	request->nlmsg_seq = ++rtnl->seq;
	return mnl_socket_sendto(rtnl->requests, request, request->nlmsg_len) < 0 ? -errno : 0;
}

// The next datagram of the answer to the last request. Returns its bytes, -errno.
static ssize_t read_answer(struct rtnl *rtnl)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->answer;
	ssize_t n_bytes;

	// An answer that came too late for its own request is passed over.
	do {
		n_bytes = mnl_socket_recvfrom(rtnl->requests, rtnl->answer, sizeof(rtnl->answer));
		if (n_bytes < 0)
			return -errno;
		if (!is_whole(message, (int)n_bytes))
			return -EBADMSG;
	} while (message->nlmsg_seq != rtnl->seq);
	return n_bytes;
}

// What an NLMSG_ERROR says, where 0 is an acknowledgement, or the NLMSG_DONE of a list.
static int error_of(const struct nlmsghdr *message)
{
	const struct nlmsgerr *error = get_header(message, sizeof(error->error));

	return error == NULL ? -EBADMSG : error->error;
}

// Send a request and read its answer, NULL where that is a mere acknowledgement.
static int ask(struct rtnl *rtnl, struct nlmsghdr *request, const struct nlmsghdr **answer)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->answer;
	ssize_t rc = send_request(rtnl, request);

	*answer = NULL;
	if (rc == 0)
		rc = read_answer(rtnl);
	if (rc < 0)
		return (int)rc;
	if (message->nlmsg_type == NLMSG_ERROR)
		return error_of(message);
	*answer = message;
	return 0;
}

// The gateway, or NULL for a destination on the link; an IPv4 route may lead to an IPv6 neighbour.
static bool load_gateway(struct ip_addr *out, const struct attrs *attrs, int af)
{
	const struct nlattr *via = attrs->by_type[RTA_VIA];
	const struct rtvia *rtvia;
	enum family family;

	if (via == NULL)
		return load_ip(out, attrs->by_type[RTA_GATEWAY], af);
	if (mnl_attr_get_payload_len(via) < sizeof(*rtvia))
		return false;
	rtvia = mnl_attr_get_payload(via);
	family = family_of(rtvia->rtvia_family);
	if (mnl_attr_get_payload_len(via) < sizeof(*rtvia) + family_bytes(family))
		return false;
	*out = ip_from_bytes(family, rtvia->rtvia_addr);
	return family != FAMILY_NONE;
}

static int parse_route(
	struct next_hop *out, const struct nlmsghdr *message, const struct ip_addr *destination)
{
	const struct rtmsg *rtm = get_header(message, sizeof(*rtm));
	const struct attrs attrs = parse_attrs(message, sizeof(*rtm));
	uint32_t ifindex;

	if (rtm == NULL)
		return -EBADMSG;
	if (rtm->rtm_type != RTN_UNICAST || !load_number(&ifindex, attrs.by_type[RTA_OIF]))
		return -ENETUNREACH;
	// Tunnels by route (MPLS, segment routing) would need a header that only the kernel writes.
	if (attrs.by_type[RTA_ENCAP] != NULL)
		return -ENETUNREACH;
	out->family = destination->family;
	out->ifindex = (int)ifindex;
	if (!load_gateway(&out->ip, &attrs, rtm->rtm_family))
		out->ip = *destination;
	return 0;
}

int rtnl_get_route(struct rtnl *rtnl, struct next_hop *out, const struct ip_addr *destination,
	const struct ip_addr *source)
{
	alignas(8) uint8_t buffer[REQUEST_BYTES];
	const size_t n_bytes = family_bytes(destination->family);
	const struct nlmsghdr *answer;
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(request, sizeof(*rtm));
	int rc;

	request->nlmsg_type = RTM_GETROUTE;
	rtm->rtm_family = af_of(destination->family);
	rtm->rtm_dst_len = (uint8_t)(8 * n_bytes);
	mnl_attr_put(request, RTA_DST, n_bytes, destination->bytes);
	if (source->family == destination->family) {
		rtm->rtm_src_len = (uint8_t)(8 * n_bytes);
		mnl_attr_put(request, RTA_SRC, n_bytes, source->bytes);
	}
	rc = ask(rtnl, request, &answer);
	if (rc < 0)
		return rc;
	return answer == NULL ? -EBADMSG : parse_route(out, answer, destination);
}

static struct nlmsghdr *put_neighbour(
	uint8_t *buffer, uint16_t type, const struct next_hop *next_hop)
{
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	struct ndmsg *ndm = mnl_nlmsg_put_extra_header(request, sizeof(*ndm));

	request->nlmsg_type = type;
	ndm->ndm_family = af_of(next_hop->ip.family);
	ndm->ndm_ifindex = next_hop->ifindex;
	mnl_attr_put(request, NDA_DST, family_bytes(next_hop->ip.family), next_hop->ip.bytes);
	return request;
}

static int parse_neighbour(struct neighbour *out, const struct nlmsghdr *message)
{
	const struct ndmsg *ndm = get_header(message, sizeof(*ndm));
	const struct attrs attrs = parse_attrs(message, sizeof(*ndm));
	const struct nlattr *lladdr = attrs.by_type[NDA_LLADDR];
	uint32_t flags_ext = 0;

	if (ndm == NULL)
		return -EBADMSG;
	load_number(&flags_ext, attrs.by_type[NDA_FLAGS_EXT]);
	*out = (struct neighbour){
		.fixed = (ndm->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0,
		.managed = (flags_ext & NTF_EXT_MANAGED) != 0,
	};
	if ((ndm->ndm_state & NUD_SENDS) == 0 || lladdr == NULL)
		return 0;
	if (mnl_attr_get_payload_len(lladdr) != MAC_BYTES)
		return 0;
	out->resolved = true;
	memcpy(out->mac, mnl_attr_get_payload(lladdr), MAC_BYTES);
	return 0;
}

int rtnl_get_neighbour(struct rtnl *rtnl, struct neighbour *out, const struct next_hop *next_hop)
{
	alignas(8) uint8_t buffer[REQUEST_BYTES];
	const struct nlmsghdr *answer;
	int rc = ask(rtnl, put_neighbour(buffer, RTM_GETNEIGH, next_hop), &answer);

	if (rc < 0)
		return rc;
	return answer == NULL ? -EBADMSG : parse_neighbour(out, answer);
}

int rtnl_keep_neighbour(struct rtnl *rtnl, const struct next_hop *next_hop)
{
	alignas(8) uint8_t buffer[REQUEST_BYTES];
	const struct nlmsghdr *answer;
	struct nlmsghdr *request = put_neighbour(buffer, RTM_NEWNEIGH, next_hop);
	struct ndmsg *ndm = mnl_nlmsg_get_payload(request);

	request->nlmsg_flags = NLM_F_CREATE | NLM_F_ACK;
	// A kernel before 5.16 passes over the extended flags; NTF_USE then asks for the neighbour
	// once. NTF_EXT_LEARNED keeps it from garbage collection, which a full table starts.
	ndm->ndm_flags = NTF_USE | NTF_EXT_LEARNED;
	mnl_attr_put_u32(request, NDA_FLAGS_EXT, NTF_EXT_MANAGED);
	return ask(rtnl, request, &answer);
}

int rtnl_drop_neighbour(struct rtnl *rtnl, const struct next_hop *next_hop)
{
	alignas(8) uint8_t buffer[REQUEST_BYTES];
	const struct nlmsghdr *answer;
	struct nlmsghdr *request = put_neighbour(buffer, RTM_DELNEIGH, next_hop);

	request->nlmsg_flags = NLM_F_ACK;
	return ask(rtnl, request, &answer);
}

// One that other hosts may not be told of yet, or never, is none (RFC 4862 §5.4).
static bool parse_address(struct ip_addr *out, int *ifindex, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *ifa = get_header(message, sizeof(*ifa));
	const struct attrs attrs = parse_attrs(message, sizeof(*ifa));
	uint32_t flags;

	if (ifa == NULL || message->nlmsg_type != RTM_NEWADDR)
		return false;
	if (!load_number(&flags, attrs.by_type[IFA_FLAGS]))
		flags = ifa->ifa_flags;
	*ifindex = (int)ifa->ifa_index;
	// Of a link between two IFA_ADDRESS is the other's.
	return (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) == 0 &&
		(load_ip(out, attrs.by_type[IFA_LOCAL], ifa->ifa_family) ||
			load_ip(out, attrs.by_type[IFA_ADDRESS], ifa->ifa_family));
}

int rtnl_get_addresses(struct rtnl *rtnl,
	void (*take)(void *context, int ifindex, const struct ip_addr *ip), void *context)
{
	alignas(8) uint8_t buffer[REQUEST_BYTES];
	struct nlmsghdr *request = mnl_nlmsg_put_header(buffer);
	bool is_whole_list = true;
	int rc;

	request->nlmsg_type = RTM_GETADDR;
	request->nlmsg_flags = NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(request, sizeof(struct ifaddrmsg)); // of either family
	rc = send_request(rtnl, request);
	while (rc == 0) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->answer;
		const ssize_t n_bytes = read_answer(rtnl);
		int left = (int)n_bytes;

		if (n_bytes < 0)
			return (int)n_bytes;
		for (; is_whole(message, left); message = mnl_nlmsg_next(message, &left)) {
			struct ip_addr ip;
			int ifindex;

			if (message->nlmsg_flags & NLM_F_DUMP_INTR)
				is_whole_list = false;
			if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR)
				return is_whole_list ? error_of(message) : -EINTR;
			if (parse_address(&ip, &ifindex, message))
				take(context, ifindex, &ip);
		}
	}
	return rc;
}

static void parse_neighbour_event(struct rtnl_event *out, const struct nlmsghdr *message)
{
	const struct ndmsg *ndm = get_header(message, sizeof(*ndm));
	const struct attrs attrs = parse_attrs(message, sizeof(*ndm));

	if (ndm == NULL || (ndm->ndm_flags & NTF_PROXY) != 0)
		return;
	if (!load_ip(&out->next_hop.ip, attrs.by_type[NDA_DST], ndm->ndm_family))
		return;
	out->next_hop.ifindex = ndm->ndm_ifindex;
	out->kind = RTNL_NEIGHBOUR;
}

static void parse_link_event(struct rtnl_event *out, const struct nlmsghdr *message)
{
	const struct ifinfomsg *ifi = get_header(message, sizeof(*ifi));

	// Bridges tell about their ports on the same group.
	if (ifi == NULL || ifi->ifi_family != AF_UNSPEC)
		return;
	out->next_hop.ifindex = ifi->ifi_index;
	// A link that goes down takes IPv4 routes with it, without events of their own.
	out->kind = ifi->ifi_change != 0 ? RTNL_PATHS : RTNL_LINK;
}

static struct rtnl_event parse_event(const struct nlmsghdr *message)
{
	struct rtnl_event event = {.kind = RTNL_OTHER};
	const struct rtmsg *rtm;

	switch (message->nlmsg_type) {
	case RTM_NEWNEIGH:
	case RTM_DELNEIGH:
		parse_neighbour_event(&event, message);
		break;
	case RTM_NEWLINK:
		parse_link_event(&event, message);
		break;
	case RTM_NEWROUTE:
	case RTM_DELROUTE:
		rtm = get_header(message, sizeof(*rtm));
		if (rtm != NULL && (rtm->rtm_flags & RTM_F_CLONED) == 0)
			event.kind = RTNL_PATHS;
		break;
	case RTM_DELLINK:
	case RTM_NEWRULE:
	case RTM_DELRULE:
	case RTM_NEWNEXTHOP:
	case RTM_DELNEXTHOP:
		event.kind = RTNL_PATHS;
		break;
	case RTM_NEWADDR: // also with each router advertisement
		event.kind = RTNL_ADDRESS;
		break;
	case RTM_DELADDR:
		event.kind = RTNL_ADDRESS_GONE;
		break;
	default:
		break;
	}
	return event;
}

int rtnl_read_events(struct rtnl *rtnl,
	void (*apply)(void *context, const struct rtnl_event *event), void *context)
{
	const struct nlmsghdr *message = (const struct nlmsghdr *)rtnl->event;
	ssize_t n_bytes = mnl_socket_recvfrom(rtnl->events, rtnl->event, sizeof(rtnl->event));
	int left = (int)n_bytes;

	// libmnl says ENOSPC of a datagram that was cut: its end is lost, too.
	if (n_bytes < 0)
		return errno == ENOBUFS || errno == ENOSPC ? -ENOBUFS : 0;
	for (; is_whole(message, left); message = mnl_nlmsg_next(message, &left)) {
		const struct rtnl_event event = parse_event(message);

		apply(context, &event);
	}
	return 1;
}

bool rtnl_discard_events(struct rtnl *rtnl)
{
	for (unsigned n = 0; n < DISCARDS_MAX; n++) {
		if (mnl_socket_recvfrom(rtnl->events, rtnl->event, sizeof(rtnl->event)) < 0 &&
			errno != ENOBUFS && errno != ENOSPC)
			return true;
	}
	return false;
}
