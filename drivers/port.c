#include "port.h"

#include "interface.h"
#include "kind.h"
#include "owner.h"
#include "sysctl.h"
#include "undo.h"

#include <errno.h>
#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mbuf.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct kind *const kinds[] = {
	[PORT_AF_PACKET] = &kind_af_packet,
	[PORT_AF_XDP] = &kind_af_xdp,
	[PORT_VIRTIO_USER] = &kind_virtio_user,
	[PORT_VHOST] = &kind_vhost,
	[PORT_MEMIF] = &kind_memif,
	[PORT_PCI] = &kind_pci,
	[PORT_MEMORY] = &kind_memory,
};

int opening_fail(struct opening *opening, int code, const char *format, ...)
{
	const int n =
		snprintf(opening->error, PORT_ERROR_BYTES, "port %s: ", opening->config->name);
	va_list args;

	va_start(args, format);
	if (n >= 0 && n < PORT_ERROR_BYTES)
		vsnprintf(opening->error + n, PORT_ERROR_BYTES - (size_t)n, format, args);
	va_end(args);
	return code;
}

uint32_t opening_room_bytes(const struct opening *opening)
{
	return rte_pktmbuf_data_room_size(opening->config->pool) - RTE_PKTMBUF_HEADROOM;
}

// Drivers return -1 as often as a cause.
static const char *cause(int rc)
{
	return rc == -1 ? "its own message says why" : rte_strerror(-rc);
}

static const char *target(const struct opening *opening)
{
	return opening->config->target ? opening->config->target : "";
}

int opening_lacks_queues(struct opening *opening, uint32_t n_queues)
{
	const struct port_config *config = opening->config;

	return opening_fail(opening, -ENOTSUP, "%s%s%s has %u queue%s, %u workers need %u",
		opening->kind->name, target(opening)[0] ? ":" : "", target(opening), n_queues,
		n_queues == 1 ? "" : "s", config->n_queues, config->n_queues);
}

static int check_config(struct opening *opening)
{
	const struct port_config *config = opening->config;
	const struct kind *kind = opening->kind;

	if (!config->pool || !config->n_queues)
		return opening_fail(opening, -EINVAL, "needs a pool and a queue");
	if (kind->owner_space && !target(opening)[0])
		return opening_fail(opening, -EINVAL, "%s needs a target", kind->name);
	if (strpbrk(target(opening), ",="))
		return opening_fail(opening, -EINVAL, "the target may not contain ',' or '='");
	if (config->n_queues > kind->n_queues_max)
		return opening_lacks_queues(opening, kind->n_queues_max);
	if (config->mtu_bytes + (uint32_t)FRAME_OVERHEAD_BYTES > opening_room_bytes(opening))
		return opening_fail(opening, -ENOTSUP,
			"MTU %u does not fit the %u bytes of a packet buffer", config->mtu_bytes,
			opening_room_bytes(opening));
	return 0;
}

static int own(struct opening *opening)
{
	const struct port_config *config = opening->config;
	int fd;

	if (!opening->kind->owner_space)
		return 0;
	fd = owner_acquire(opening->kind->owner_space, config->target);
	if (fd == -EBUSY)
		return opening_fail(opening, fd, "device is owned by another process (%s:%s)",
			opening->kind->name, config->target);
	if (fd < 0)
		return opening_fail(opening, fd, "cannot claim the device: %s", strerror(-fd));
	opening->port->lock_fd = fd;
	return 0;
}

static int name_device(struct opening *opening)
{
	struct port *port = opening->port;
	uint16_t eth_id;

	for (unsigned i = 0; i < RTE_MAX_ETHPORTS; i++) {
		snprintf(port->device, sizeof(port->device), "%s%u", opening->kind->driver, i);
		if (rte_eth_dev_get_port_by_name(port->device, &eth_id))
			return 0;
	}
	port->device[0] = 0;
	return opening_fail(opening, -ENOMEM, "too many ports");
}

static int plug(struct opening *opening)
{
	struct port *port = opening->port;
	int rc = name_device(opening);

	if (rc)
		return rc;
	if (opening->kind->plug) {
		rc = opening->kind->plug(opening);
	} else {
		rc = rte_eal_hotplug_add("vdev", port->device, opening->arguments);
		if (!rc)
			rc = rte_eth_dev_get_port_by_name(port->device, &port->eth_id);
		if (rc)
			rc = opening_fail(opening, -EIO, "the driver refuses %s:%s (%s)",
				opening->kind->name, target(opening), cause(rc));
	}
	if (rc)
		port->device[0] = 0; // nothing to unplug
	return rc;
}

static void unplug(struct port *port)
{
	if (!port->device[0])
		return;
	rte_eth_dev_stop(port->eth_id);
	rte_eth_dev_close(port->eth_id);
	if (kinds[port->kind]->unplug)
		kinds[port->kind]->unplug(port);
	else
		rte_eal_hotplug_remove("vdev", port->device);
}

// A NIC checks incoming checksums where it can; virtio would take that as leave to hand over
// unfinished ones. Nothing is asked for on transmit: checksums follow by difference there, for less
// than a descriptor's flags cost, and offloads would cost some NICs their vector path. RSS where
// there is something to spread.
static struct rte_eth_conf choose_conf(const struct opening *opening, struct rte_eth_dev_info *info)
{
	const struct port_config *config = opening->config;
	const uint64_t checksums = RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
	const uint64_t rss = RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP;
	struct rte_eth_conf conf = {
		.rxmode.mtu = config->mtu_bytes,
	};

	if (opening->kind->checks_checksums && strcmp(info->driver_name, "net_virtio") != 0)
		conf.rxmode.offloads = info->rx_offload_capa & checksums;
	if (opening->kind->mtu_by_kind && config->mtu_bytes > RTE_ETHER_MTU)
		conf.rxmode.mtu = RTE_ETHER_MTU;
	if (config->n_queues > 1 && (info->flow_type_rss_offloads & rss)) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = info->flow_type_rss_offloads & rss;
	}
	return conf;
}

static int set_up_queues(struct opening *opening)
{
	const struct port_config *config = opening->config;
	const struct port *port = opening->port;
	uint16_t n_rx = config->n_rx_desc ? config->n_rx_desc : opening->kind->n_desc;
	uint16_t n_tx = config->n_tx_desc ? config->n_tx_desc : opening->kind->n_desc;
	const unsigned node = (unsigned)port->numa_node; // -1 is SOCKET_ID_ANY
	const uint32_t n_objects = config->pool->populated_size;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(port->eth_id, &n_rx, &n_tx);

	if (opening->kind->widen_pool)
		opening->kind->widen_pool(config->pool);
	for (uint16_t q = 0; !rc && q < config->n_queues; q++)
		rc = rte_eth_rx_queue_setup(port->eth_id, q, n_rx, node, NULL, config->pool);
	config->pool->populated_size = n_objects;
	for (uint16_t q = 0; !rc && q < config->n_queues; q++)
		rc = rte_eth_tx_queue_setup(port->eth_id, q, n_tx, node, NULL);
	if (rc)
		return opening_fail(opening, -EIO, "the driver refuses %u queues of %u and %u: %s",
			config->n_queues, n_rx, n_tx, cause(rc));
	return 0;
}

// Of a virtual device the EAL says where the core is that made it.
static int node_of(const struct port *port)
{
	char path[64];
	char text[16];

	if (port->kind == PORT_PCI)
		return rte_eth_dev_socket_id(port->eth_id);
	snprintf(path, sizeof(path), "/sys/class/net/%s/device/numa_node", port->interface);
	if (!port->interface[0] || sysctl_read(path, text, sizeof(text)))
		return -1;
	return atoi(text);
}

// Once, at the start: some ask the device, and wait for it.
static void name_firmware(struct port *port)
{
	if (rte_eth_dev_fw_version_get(port->eth_id, port->firmware, sizeof(port->firmware)))
		port->firmware[0] = 0; // it has none, does not say, or would be cut
}

static int configure(struct opening *opening)
{
	const struct port_config *config = opening->config;
	struct port *port = opening->port;
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	uint16_t n_queues;
	int rc = rte_eth_dev_info_get(port->eth_id, &info);

	if (rc)
		return opening_fail(opening, -EIO, "the driver fails: %s", cause(rc));
	n_queues = RTE_MIN(info.max_rx_queues, info.max_tx_queues);
	if (config->n_queues > n_queues)
		return opening_lacks_queues(opening, n_queues);
	if (!opening->kind->mtu_by_kind && config->mtu_bytes > info.max_mtu)
		return opening_fail(opening, -ENOTSUP, "MTU %u, but %s carries %u at most",
			config->mtu_bytes, opening->kind->name, info.max_mtu);
	conf = choose_conf(opening, &info);
	rc = rte_eth_dev_configure(port->eth_id, config->n_queues, config->n_queues, &conf);
	if (rc)
		return opening_fail(opening, -EIO, "the driver refuses %u queues and MTU %u: %s",
			config->n_queues, config->mtu_bytes, cause(rc));
	port->mtu_bytes = config->mtu_bytes;
	port->n_queues = config->n_queues;
	port->numa_node = node_of(port);
	port->kernel_wire = opening->kind->kernel_wire;
	port->keeps_buffers = opening->kind->keeps_buffers;
	port->rx_checksums = conf.rxmode.offloads != 0;
	snprintf(port->driver, sizeof(port->driver), "%s", info.driver_name);
	name_firmware(port);
	if (info.if_index && !port->interface[0])
		if_indextoname(info.if_index, port->interface);
	return set_up_queues(opening);
}

// A device that cannot take another MAC still receives for it: all ports are promiscuous.
static void choose_mac(struct opening *opening)
{
	static const uint8_t none[RTE_ETHER_ADDR_LEN];
	const struct port_config *config = opening->config;
	struct rte_ether_addr mac;

	if (memcmp(config->mac, none, sizeof(none))) {
		memcpy(mac.addr_bytes, config->mac, sizeof(mac.addr_bytes));
		if (!opening->kind->kernel_wire && opening->kind->own_mac)
			rte_eth_dev_default_mac_addr_set(opening->port->eth_id, &mac);
	} else if (!opening->kind->own_mac || rte_eth_macaddr_get(opening->port->eth_id, &mac) ||
		rte_is_zero_ether_addr(&mac)) {
		rte_eth_random_addr(mac.addr_bytes);
	}
	memcpy(opening->port->mac, mac.addr_bytes, sizeof(mac.addr_bytes));
}

static int start(struct opening *opening)
{
	const uint16_t eth_id = opening->port->eth_id;
	int rc = rte_eth_dev_start(eth_id);

	if (rc)
		return opening_fail(opening, -EIO, "%s:%s does not start: %s", opening->kind->name,
			target(opening), cause(rc));
	rc = rte_eth_promiscuous_enable(eth_id);
	if (rc && rc != -ENOTSUP)
		return opening_fail(opening, -EIO, "cannot be made promiscuous: %s", cause(rc));
	// Neighbour discovery asks by multicast, which not every device counts to the above.
	rte_eth_allmulticast_enable(eth_id);
	return 0;
}

static int open_steps(struct opening *opening)
{
	int rc = check_config(opening);

	if (!rc)
		rc = own(opening);
	if (rc)
		return rc;
	journal_open(opening->journal, opening->config->guard, opening->port->lock_fd);
	rc = opening->kind->prepare(opening);
	if (!rc)
		rc = plug(opening);
	if (!rc)
		rc = configure(opening);
	if (rc)
		return rc;
	choose_mac(opening);
	return start(opening);
}

int port_open(
	struct port *out, const struct port_config *config, char error[static PORT_ERROR_BYTES])
{
	struct opening opening = {
		.config = config,
		.kind = kinds[config->kind],
		.port = out,
		.error = error,
	};
	int rc;

	memset(out, 0, sizeof(*out));
	error[0] = 0;
	out->kind = config->kind;
	out->lock_fd = -1;
	opening.journal = calloc(1, sizeof(*opening.journal));
	if (!opening.journal)
		return opening_fail(&opening, -ENOMEM, "out of memory");
	out->journal = opening.journal;
	rc = open_steps(&opening);
	if (rc)
		port_close(out);
	return rc;
}

void port_close(struct port *port)
{
	if (!port->journal)
		return;
	unplug(port);
	journal_roll_back(port->journal);
	free(port->journal);
	if (port->lock_fd >= 0)
		close(port->lock_fd);
	memset(port, 0, sizeof(*port));
	port->lock_fd = -1;
}

bool port_link_up(const struct port *port)
{
	struct rte_eth_link link = {0};

	if (port->kernel_wire && !interface_is_running(port->ifindex))
		return false;
	return rte_eth_link_get_nowait(port->eth_id, &link) == 0 &&
		link.link_status == RTE_ETH_LINK_UP;
}
