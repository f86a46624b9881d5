// doctor's look into NICs: drivers, firmware, and what they do with frames; before the start as the
// kernel tells it of its interfaces, then as the daemon's PMDs do.
#include "finding.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool ask(int fd, const char *interface, void *command)
{
	struct ifreq request = {.ifr_data = command};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

// 0 where the driver does not say.
static uint32_t ask_value(int fd, const char *interface, uint32_t command)
{
	struct ethtool_value value = {.cmd = command};

	return ask(fd, interface, &value) ? value.data : 0;
}

static void tell(struct doctor *doctor, const char *port, const char *driver, const char *firmware,
	bool rx_checksums)
{
	const bool named = firmware && firmware[0] && strcmp(firmware, "N/A") != 0;

	finding_add(doctor, SEVERITY_OK, "nic", NULL, "%s: %s, %s%s, RX checksum offload %s", port,
		driver, named ? "firmware " : "no firmware named", named ? firmware : "",
		rx_checksums ? "on" : "off");
}

// What the kernel has put together is longer than a frame of the packet socket's ring.
static void check_merging(struct doctor *doctor, const struct conf_port *port, int fd)
{
	const bool merges = ask_value(fd, port->target, ETHTOOL_GGRO) ||
		(ask_value(fd, port->target, ETHTOOL_GFLAGS) & ETH_FLAG_LRO);
	char advice[128];

	if (port->kind != CONF_AF_PACKET || !merges)
		return;
	snprintf(advice, sizeof(advice), "ethtool -K %s gro off lro off", port->target);
	finding_add(doctor, SEVERITY_WARNING, "offload", advice,
		"%s: the kernel puts segments together on %s, and af_packet cuts them: TCP to this "
		"box's own addresses suffers",
		port->name, port->target);
}

// A made-up machine has no interfaces to ask.
void check_interface_nic(struct doctor *doctor, const struct conf_port *port)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	const int fd = doctor->root[0] ? -1 : socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	if (ask(fd, port->target, &info))
		tell(doctor, port->name, info.driver, info.fw_version,
			ask_value(fd, port->target, ETHTOOL_GRXCSUM));
	check_merging(doctor, port, fd);
	close(fd);
}

void check_daemon_nics(struct doctor *doctor, const json_t *ports)
{
	json_t *port;
	size_t i;

	json_array_foreach((json_t *)ports, i, port)
	{
		const char *name, *driver, *firmware = NULL;
		int rx_checksums;

		if (json_unpack(port, "{s:s,s:s,s?s,s:b}", "port", &name, "driver", &driver,
			    "firmware", &firmware, "rx_checksum_offload", &rx_checksums) == 0)
			tell(doctor, name, driver, firmware, rx_checksums);
	}
}
