#include "mirror.h"

#include "interface.h"
#include "netlink.h"
#include "sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define TUN_DEVICE "/dev/net/tun"
// Frames the kernel may have waiting for us: the control core reads them between other work.
#define QUEUE_FRAMES 4096

static int __attribute__((format(printf, 4, 5)))
fail(char *error, const struct mirror_config *config, int code, const char *format, ...)
{
	const int n = snprintf(error, MIRROR_ERROR_BYTES, "mirror %s: ", config->name);
	va_list args;

	va_start(args, format);
	if (n >= 0 && n < MIRROR_ERROR_BYTES)
		vsnprintf(error + n, MIRROR_ERROR_BYTES - (size_t)n, format, args);
	va_end(args);
	return code;
}

static uint8_t linux_family(const struct ip_addr *ip)
{
	return ip->family == FAMILY_IPV6 ? AF_INET6 : AF_INET;
}

static void put_ip(struct netlink *request, uint16_t type, const struct ip_addr *ip)
{
	mnl_attr_put(request->header, type, family_bytes(ip->family), ip->bytes);
}

static int create_tap(struct mirror *out, const struct mirror_config *config, char *error)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL};
	int rc;

	if (!config->name[0] || strlen(config->name) >= sizeof(out->name))
		return fail(error, config, -EINVAL, "a name of 1 to 15 bytes is needed");
	out->fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (out->fd < 0)
		return fail(error, config, errno == EACCES ? -EPERM : -ENODEV,
			"cannot open " TUN_DEVICE ": %s", strerror(errno));
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", config->name);
	if (ioctl(out->fd, TUNSETIFF, &request)) {
		rc = -errno;
		if (rc == -EBUSY)
			return fail(error, config, rc, "an interface of this name is there");
		if (rc == -EPERM)
			return fail(error, config, rc, "CAP_NET_ADMIN is missing");
		return fail(error, config, rc, "cannot create the TAP: %s", strerror(-rc));
	}
	snprintf(out->name, sizeof(out->name), "%s", request.ifr_name);
	out->ifindex = (int)if_nametoindex(out->name);
	return 0;
}

static int set_link(const struct mirror *mirror, const struct mirror_config *config, char *error)
{
	struct netlink request;
	struct ifinfomsg *info = netlink_begin(&request, RTM_NEWLINK, 0, sizeof(*info));
	int rc;

	info->ifi_index = mirror->ifindex;
	mnl_attr_put(request.header, IFLA_ADDRESS, sizeof(config->mac), config->mac);
	mnl_attr_put_u32(request.header, IFLA_MTU, config->mtu_bytes);
	mnl_attr_put_u32(request.header, IFLA_TXQLEN, QUEUE_FRAMES);
	rc = netlink_run(&request, NULL, NULL);
	if (!rc)
		rc = interface_set_flags(mirror->ifindex, IFF_UP, IFF_UP);
	if (rc)
		return fail(error, config, rc, "the kernel refuses MAC or MTU %u: %s",
			config->mtu_bytes, strerror(-rc));
	return 0;
}

static bool has_ipv6(const struct mirror_config *config)
{
	for (size_t i = 0; i < config->n_addresses; i++) {
		if (config->addresses[i].ip.family == FAMILY_IPV6)
			return true;
	}
	return false;
}

// IPv6 where an address of it asks for it, whatever new interfaces have; but no address, route or
// silence (duplicate detection) that nobody configured. Before the link is up.
static int set_ipv6(const struct mirror *mirror, const struct mirror_config *config, char *error)
{
	static const struct {
		const char *name;
		const char *value;
	} settings[] = {
		{"disable_ipv6", "0"}, // only where there is an address
		{"accept_ra", "0"},
		{"autoconf", "0"},
		{"accept_dad", "0"},
	};
	const bool needed = has_ipv6(config);
	char path[128];

	for (size_t i = needed ? 0 : 1; i < N_ELEMENTS(settings); i++) {
		int rc;

		snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/%s", mirror->name,
			settings[i].name);
		rc = sysctl_set(path, settings[i].value);
		if (rc == -ENOENT && needed)
			return fail(error, config, -ENOTSUP, "this kernel has no IPv6");
		if (rc && needed)
			return fail(error, config, rc,
				"cannot write %s (%s): make /proc/sys writable", path,
				strerror(-rc));
	}
	return 0;
}

static int add_address(const struct mirror *mirror, const struct prefix *prefix)
{
	struct netlink request;
	struct ifaddrmsg *address =
		netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(*address));

	address->ifa_family = linux_family(&prefix->ip);
	address->ifa_prefixlen = prefix->n_bits;
	address->ifa_index = (uint32_t)mirror->ifindex;
	// The fast path answers for the address from the first frame on, so must the kernel.
	if (prefix->ip.family == FAMILY_IPV6)
		address->ifa_flags = IFA_F_NODAD;
	put_ip(&request, IFA_LOCAL, &prefix->ip);
	put_ip(&request, IFA_ADDRESS, &prefix->ip);
	return netlink_run(&request, NULL, NULL);
}

static int add_route(const struct mirror *mirror, const struct static_route *route)
{
	struct netlink request;
	struct rtmsg *message =
		netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, sizeof(*message));
	const bool on_link = route->via.family == FAMILY_NONE;

	if (!on_link && route->via.family != route->to.ip.family)
		return -EINVAL;
	message->rtm_family = linux_family(&route->to.ip);
	message->rtm_dst_len = route->to.n_bits;
	message->rtm_table = RT_TABLE_MAIN;
	message->rtm_protocol = RTPROT_STATIC;
	message->rtm_scope = on_link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
	message->rtm_type = RTN_UNICAST;
	put_ip(&request, RTA_DST, &route->to.ip);
	if (!on_link)
		put_ip(&request, RTA_GATEWAY, &route->via);
	mnl_attr_put_u32(request.header, RTA_OIF, (uint32_t)mirror->ifindex);
	return netlink_run(&request, NULL, NULL);
}

static int add_neighbour(const struct mirror *mirror, const struct static_neighbour *neighbour)
{
	struct netlink request;
	struct ndmsg *message = netlink_begin(
		&request, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, sizeof(*message));

	message->ndm_family = linux_family(&neighbour->address);
	message->ndm_ifindex = mirror->ifindex;
	message->ndm_state = NUD_PERMANENT;
	put_ip(&request, NDA_DST, &neighbour->address);
	mnl_attr_put(request.header, NDA_LLADDR, sizeof(neighbour->mac), neighbour->mac);
	return netlink_run(&request, NULL, NULL);
}

static int add_all(const struct mirror *mirror, const struct mirror_config *config, char *error)
{
	char text[ADDR_TEXT_BYTES];
	int rc;

	for (size_t i = 0; i < config->n_addresses; i++) {
		rc = add_address(mirror, &config->addresses[i]);
		if (rc)
			return fail(error, config, rc, "the kernel refuses address %s: %s",
				prefix_format(&config->addresses[i], text), strerror(-rc));
	}
	for (size_t i = 0; i < config->n_routes; i++) {
		rc = add_route(mirror, &config->routes[i]);
		if (rc)
			return fail(error, config, rc, "the kernel refuses the route to %s: %s",
				prefix_format(&config->routes[i].to, text), strerror(-rc));
	}
	for (size_t i = 0; i < config->n_neighbours; i++) {
		rc = add_neighbour(mirror, &config->neighbours[i]);
		if (rc)
			return fail(error, config, rc, "the kernel refuses neighbour %s: %s",
				ip_format(&config->neighbours[i].address, text), strerror(-rc));
	}
	return 0;
}

int mirror_open(struct mirror *out, const struct mirror_config *config,
	char error[static MIRROR_ERROR_BYTES])
{
	int rc;

	*out = (struct mirror){.fd = -1};
	error[0] = 0;
	rc = create_tap(out, config, error);
	if (!rc)
		rc = set_ipv6(out, config, error);
	if (!rc)
		rc = set_link(out, config, error);
	if (!rc)
		rc = add_all(out, config, error);
	if (rc)
		mirror_close(out);
	return rc;
}

void mirror_close(struct mirror *mirror)
{
	if (mirror->fd >= 0)
		close(mirror->fd);
	*mirror = (struct mirror){.fd = -1};
}

int mirror_read(const struct mirror *mirror, uint8_t *frame, size_t capacity_bytes)
{
	const ssize_t n = read(mirror->fd, frame, capacity_bytes);

	if (n >= 0)
		return (int)n;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

int mirror_write(const struct mirror *mirror, const uint8_t *frame, size_t n_bytes)
{
	const ssize_t n = write(mirror->fd, frame, n_bytes);

	if (n < 0)
		return -errno;
	return (size_t)n == n_bytes ? 0 : -EIO;
}
