// doctor's look at NICs, addresses and ports.
#include "finding.h"

#include <dirent.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ADVICE_BYTES 96
#define KERNEL_PORTS_FIRST 32768U // as Linux has it
#define KERNEL_PORTS_MIN 1000U // it should have

static bool has_pci(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_ports; i++)
		if (conf->ports[i].kind == CONF_PCI)
			return true;
	return false;
}

static bool has_entries(const struct doctor *doctor, const char *directory)
{
	char path[512];
	const struct dirent *entry;
	DIR *open;
	bool found = false;

	snprintf(path, sizeof(path), "%s%s", doctor->root, directory);
	open = opendir(path);
	while (open && !found && (entry = readdir(open)))
		found = entry->d_name[0] != '.';
	if (open)
		closedir(open);
	return found;
}

void check_iommu(struct doctor *doctor)
{
	char unsafe[16];

	if (!has_pci(doctor->conf))
		return;
	if (has_entries(doctor, "/sys/kernel/iommu_groups"))
		finding_add(doctor, SEVERITY_OK, "iommu", NULL, "it is on");
	else if (finding_read(doctor, unsafe, sizeof(unsafe),
			 "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode") &&
		unsafe[0] == 'Y')
		finding_add(doctor, SEVERITY_WARNING, "iommu", NULL,
			"there is none, and vfio works without: a NIC may write anywhere");
	else
		finding_add(doctor, SEVERITY_ERROR, "iommu",
			"intel_iommu=on iommu=pt on the kernel's command line, or "
			"echo Y > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode",
			"there is none: vfio cannot give a NIC away");
}

// The name of a device's driver; "" where it has none.
static const char *driver_of(
	const struct doctor *doctor, char out[static PATH_MAX], const char *pci_address)
{
	char path[512];
	ssize_t n;
	char *slash;

	snprintf(path, sizeof(path), "%s/sys/bus/pci/devices/%s/driver", doctor->root, pci_address);
	n = readlink(path, out, PATH_MAX - 1);
	out[n > 0 ? n : 0] = 0;
	slash = strrchr(out, '/');
	return slash ? slash + 1 : out;
}

static bool is_left_to_kernel(const char *driver)
{
	return strncmp(driver, "mlx5", 4) == 0 || strncmp(driver, "mlx4", 4) == 0;
}

static void check_pci_port(struct doctor *doctor, const struct conf_port *port)
{
	char path[256];
	char target[PATH_MAX];
	char vendor[32];
	char advice[256];
	const char *driver;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s", port->target);
	if (!finding_read(doctor, vendor, sizeof(vendor), "%s/vendor", path)) {
		finding_add(doctor, SEVERITY_ERROR, "port", "lspci -D | grep -i ethernet",
			"%s: there is no device %s", port->name, port->target);
		return;
	}
	driver = driver_of(doctor, target, port->target);
	snprintf(advice, sizeof(advice), "driverctl set-override %s vfio-pci", port->target);
	if (strcmp(driver, "vfio-pci") != 0 && !is_left_to_kernel(driver))
		finding_add(doctor, SEVERITY_ERROR, "port", advice, "%s: the driver of %s is %s",
			port->name, port->target, driver[0] ? driver : "none");
	else
		finding_add(doctor, SEVERITY_OK, "port", NULL, "%s: %s by %s", port->name,
			port->target, driver);
	check_nic_node(doctor, port, path);
}

static void check_interface(struct doctor *doctor, const struct conf_port *port)
{
	char state[32];
	char device[64];
	char advice[128];
	long mtu;

	if (!finding_read(
		    doctor, state, sizeof(state), "/sys/class/net/%s/operstate", port->target)) {
		finding_add(doctor, SEVERITY_ERROR, "port", "ip -br link",
			"%s: there is no interface %s", port->name, port->target);
		return;
	}
	mtu = finding_read_number(doctor, "/sys/class/net/%s/mtu", port->target);
	snprintf(advice, sizeof(advice), "ip link set %s up", port->target);
	if (strcmp(state, "down") == 0 || strcmp(state, "lowerlayerdown") == 0)
		finding_add(doctor, SEVERITY_ERROR, "port", advice, "%s: %s has no link (%s)",
			port->name, port->target, state);
	snprintf(advice, sizeof(advice), "ip link set %s mtu %u", port->target, port->mtu_bytes);
	if (mtu >= 0 && mtu < port->mtu_bytes)
		finding_add(doctor, SEVERITY_ERROR, "port", advice,
			"%s: the MTU of %s is %ld, and %u in the configuration", port->name,
			port->target, mtu, port->mtu_bytes);
	if (port->kind == CONF_AF_PACKET)
		finding_add(doctor, SEVERITY_WARNING, "port",
			"use pci:, or af_xdp: on an interface whose driver helps",
			"%s: af_packet copies every packet through the kernel", port->name);
	else
		finding_add(doctor, SEVERITY_OK, "port", NULL, "%s: %s, %s", port->name,
			port->target, state);
	check_interface_nic(doctor, port);
	snprintf(device, sizeof(device), "/sys/class/net/%s/device", port->target);
	check_nic_node(doctor, port, device);
}

void check_ports(struct doctor *doctor)
{
	for (size_t i = 0; i < doctor->conf->n_ports; i++) {
		const struct conf_port *port = &doctor->conf->ports[i];

		if (port->kind == CONF_PCI)
			check_pci_port(doctor, port);
		else if (port->kind == CONF_AF_PACKET || port->kind == CONF_AF_XDP)
			check_interface(doctor, port);
		else
			finding_add(doctor, SEVERITY_OK, "port", NULL, "%s: by the socket %s",
				port->name, port->target);
	}
}

static void check_relay_family(struct doctor *doctor, uint8_t family, const char *name)
{
	const struct conf *conf = doctor->conf;
	unsigned long n_ports = 0;

	for (size_t i = 0; i < conf->n_relay; i++)
		if (conf->relay[i].ip.family == family)
			n_ports += conf->relay[i].port_max - conf->relay[i].port_min + 1UL;
	if (n_ports == 0)
		return;
	if (n_ports < conf->n_allocations_max)
		finding_add(doctor, SEVERITY_WARNING, "relay",
			"more addresses under relay, or wider ports",
			"%lu relay ports of %s for limits.allocations of %u", n_ports, name,
			conf->n_allocations_max);
	else
		finding_add(doctor, SEVERITY_OK, "relay", NULL,
			"%lu relay ports of %s for %u allocations", n_ports, name,
			conf->n_allocations_max);
}

void check_relay_ports(struct doctor *doctor)
{
	check_relay_family(doctor, FAMILY_IPV4, "IPv4");
	check_relay_family(doctor, FAMILY_IPV6, "IPv6");
}

// Where there is room for them beside what is relayed: in front of it, else behind.
static void advise_kernel_ports(const struct conf *conf, char advice[static ADVICE_BYTES])
{
	unsigned first = KERNEL_PORTS_FIRST;
	unsigned relay_min = UINT16_MAX, relay_max = 0;
	unsigned last;

	for (size_t i = 0; i < conf->n_relay; i++) {
		if (conf->relay[i].port_min < relay_min)
			relay_min = conf->relay[i].port_min;
		if (conf->relay[i].port_max > relay_max)
			relay_max = conf->relay[i].port_max;
	}
	last = relay_min - 1;
	if (last < first + KERNEL_PORTS_MIN) {
		first = relay_max + 1;
		last = UINT16_MAX;
	}
	if (last < first + KERNEL_PORTS_MIN)
		snprintf(advice, ADVICE_BYTES, "relay fewer ports, such as 49152-65535");
	else
		snprintf(advice, ADVICE_BYTES, "sysctl net.ipv4.ip_local_port_range=\"%u %u\"",
			first, last);
}

// The kernel's own sockets must not take what is relayed.
void check_kernel_ports(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	char advice[ADVICE_BYTES];
	char text[64];
	unsigned first, last;

	if (!finding_read(doctor, text, sizeof(text), "/proc/sys/net/ipv4/ip_local_port_range") ||
		sscanf(text, "%u %u", &first, &last) != 2)
		return;
	for (size_t i = 0; i < conf->n_relay; i++) {
		if (first > conf->relay[i].port_max || last < conf->relay[i].port_min)
			continue;
		advise_kernel_ports(conf, advice);
		finding_add(doctor, SEVERITY_WARNING, "kernel_ports", advice,
			"the kernel's own UDP ports %u-%u overlap the relayed ones", first, last);
		return;
	}
	finding_add(doctor, SEVERITY_OK, "kernel_ports", NULL,
		"the kernel's own ports %u-%u are not relayed", first, last);
}

// With several ports a packet may well come in where its answer does not leave.
void check_rp_filter(struct doctor *doctor)
{
	const long value = finding_read_number(doctor, "/proc/sys/net/ipv4/conf/all/rp_filter");

	if (doctor->conf->n_ports > 1 && value == 1)
		finding_add(doctor, SEVERITY_WARNING, "rp_filter",
			"sysctl net.ipv4.conf.all.rp_filter=2",
			"strict: with several ports Linux drops what comes by another than it "
			"would answer by");
	else
		finding_add(doctor, SEVERITY_OK, "rp_filter", NULL, "not in the way");
}
