#include "interface.h"

#include "netlink.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static int on_link(const struct nlmsghdr *message, void *data)
{
	const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
	struct interface *out = data;
	const struct nlattr *attr;
	const struct nlattr *inner;

	out->ifindex = info->ifi_index;
	out->flags = info->ifi_flags;
	mnl_attr_for_each(attr, message, sizeof(*info))
	{
		if (mnl_attr_get_type(attr) == IFLA_MTU)
			out->mtu_bytes = mnl_attr_get_u32(attr);
		if (mnl_attr_get_type(attr) != IFLA_XDP)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) == IFLA_XDP_ATTACHED)
				out->xdp_attached = mnl_attr_get_u8(inner);
			if (mnl_attr_get_type(inner) == IFLA_XDP_PROG_ID)
				out->xdp_program_id = mnl_attr_get_u32(inner);
		}
	}
	return MNL_CB_OK;
}

int interface_read(struct interface *out, const char *name, int ifindex)
{
	struct netlink request;
	struct ifinfomsg *info = netlink_begin(&request, RTM_GETLINK, 0, sizeof(*info));

	memset(out, 0, sizeof(*out));
	info->ifi_index = ifindex;
	if (name && (!name[0] || strlen(name) >= IFNAMSIZ))
		return -ENODEV;
	if (name)
		mnl_attr_put_strz(request.header, IFLA_IFNAME, name);
	return netlink_run(&request, on_link, out);
}

int interface_set_flags(int ifindex, uint32_t mask, uint32_t flags)
{
	struct netlink request;
	struct ifinfomsg *info = netlink_begin(&request, RTM_NEWLINK, 0, sizeof(*info));

	info->ifi_index = ifindex;
	info->ifi_change = mask;
	info->ifi_flags = flags & mask;
	return netlink_run(&request, NULL, NULL);
}

int interface_set_mtu(int ifindex, uint32_t mtu_bytes)
{
	struct netlink request;
	struct ifinfomsg *info = netlink_begin(&request, RTM_NEWLINK, 0, sizeof(*info));

	info->ifi_index = ifindex;
	mnl_attr_put_u32(request.header, IFLA_MTU, mtu_bytes);
	return netlink_run(&request, NULL, NULL);
}

int interface_detach_xdp(int ifindex)
{
	struct netlink request;
	struct interface now;
	struct ifinfomsg *info;
	struct nlattr *nest;
	const int rc = interface_read(&now, NULL, ifindex);

	if (rc || now.xdp_attached == XDP_ATTACHED_NONE)
		return rc;
	info = netlink_begin(&request, RTM_SETLINK, 0, sizeof(*info));
	info->ifi_index = ifindex;
	nest = mnl_attr_nest_start(request.header, IFLA_XDP);
	mnl_attr_put_u32(request.header, IFLA_XDP_FD, (uint32_t)-1);
	mnl_attr_put_u32(request.header, IFLA_XDP_FLAGS,
		now.xdp_attached == XDP_ATTACHED_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE);
	mnl_attr_nest_end(request.header, nest);
	return netlink_run(&request, NULL, NULL);
}

struct address_search {
	int ifindex;
	bool found;
};

static int on_address(const struct nlmsghdr *message, void *data)
{
	const struct ifaddrmsg *address = mnl_nlmsg_get_payload(message);
	struct address_search *search = data;

	if ((int)address->ifa_index == search->ifindex && (address->ifa_flags & IFA_F_PERMANENT) &&
		address->ifa_scope != RT_SCOPE_LINK)
		search->found = true;
	return MNL_CB_OK;
}

bool interface_has_address(int ifindex)
{
	struct address_search search = {.ifindex = ifindex};
	struct netlink request;

	netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, sizeof(struct ifaddrmsg));
	return netlink_run(&request, on_address, &search) == 0 && search.found;
}

// Its name is asked for first: a name that is gone would have the kernel look for a module.
bool interface_is_running(int ifindex)
{
	struct ifreq request = {.ifr_ifindex = ifindex};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool running;

	if (fd < 0)
		return false;
	running = ioctl(fd, SIOCGIFNAME, &request) == 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 &&
		(request.ifr_flags & IFF_RUNNING);
	close(fd);
	return running;
}

uint32_t interface_count_queues(const char *name)
{
	struct ethtool_channels channels = {.cmd = ETHTOOL_GCHANNELS};
	struct ifreq request = {.ifr_data = (void *)&channels};
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t n = 1;

	if (fd < 0)
		return n;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, SIOCETHTOOL, &request) == 0 && channels.combined_count)
		n = channels.combined_count;
	close(fd);
	return n;
}
