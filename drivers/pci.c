// A NIC of its own: bound to vfio-pci, or of NVIDIA (Mellanox), which keeps its kernel driver.
//
// The device is taken over as the EAL found it at its start (-a ADDRESS), or plugged now.
#include "kind.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEVICES "/sys/bus/pci/devices"
#define DRIVER_BYTES 64

// The last part of where the driver's link leads; "" where no driver is bound.
static void read_driver(const char *address, char driver[static DRIVER_BYTES])
{
	char path[128];
	char target[256];
	const char *slash;
	ssize_t n;

	driver[0] = 0;
	snprintf(path, sizeof(path), DEVICES "/%s/driver", address);
	n = readlink(path, target, sizeof(target) - 1);
	if (n < 0)
		return;
	target[n] = 0;
	slash = strrchr(target, '/');
	snprintf(driver, DRIVER_BYTES, "%.63s", slash ? slash + 1 : target);
}

static int prepare(struct opening *opening)
{
	const char *address = opening->config->target;
	char driver[DRIVER_BYTES];
	char path[128];

	snprintf(path, sizeof(path), DEVICES "/%s", address);
	if (strchr(address, '/') || access(path, F_OK))
		return opening_fail(opening, -ENODEV,
			"no PCI device %s (write it as in lspci -D: 0000:3b:00.0)", address);
	read_driver(address, driver);
	if (strcmp(driver, "vfio-pci") && strcmp(driver, "mlx5_core") &&
		strcmp(driver, "mlx4_core"))
		return opening_fail(opening, -ENODEV,
			"PCI device %s is bound to %s: driverctl set-override %s vfio-pci", address,
			driver[0] ? driver : "no driver", address);
	return 0;
}

static int plug(struct opening *opening)
{
	struct port *port = opening->port;
	const char *address = opening->config->target;
	int rc = 0;

	if (rte_eth_dev_get_port_by_name(address, &port->eth_id))
		rc = rte_eal_hotplug_add("pci", address, "");
	if (!rc)
		rc = rte_eth_dev_get_port_by_name(address, &port->eth_id);
	if (rc == -EACCES || rc == -EPERM)
		return opening_fail(opening, -EPERM, "no permission on PCI device %s", address);
	if (rc)
		return opening_fail(opening, -EIO, "no driver takes PCI device %s: %s", address,
			rte_strerror(-rc));
	snprintf(port->device, sizeof(port->device), "%s", address);
	return 0;
}

static void unplug(struct port *port)
{
	rte_eal_hotplug_remove("pci", port->device);
}

const struct kind kind_pci = {
	.name = "pci",
	.driver = "pci",
	.owner_space = "pci",
	.checks_checksums = true,
	.own_mac = true,
	.n_queues_max = PORT_QUEUES_MAX,
	.n_desc = 1024,
	.prepare = prepare,
	.plug = plug,
	.unplug = unplug,
};
