// Rings instead of a wire: what a test puts into memory_rx[q] is received on queue q, what is sent
// on queue q comes out of memory_tx[q]. The mbufs themselves pass; nothing is copied.
#include "kind.h"

#include <errno.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <string.h>

#define RING_SLOTS 8192
#define QUEUES_MAX 16 // of the PMD

static int prepare(struct opening *opening)
{
	(void)opening;
	return 0;
}

static void free_ring(struct rte_ring **ring)
{
	struct rte_mbuf *mbuf;

	while (*ring && rte_ring_dequeue(*ring, (void **)&mbuf) == 0)
		rte_pktmbuf_free(mbuf);
	rte_ring_free(*ring);
	*ring = NULL;
}

static void free_rings(struct port *port)
{
	for (unsigned q = 0; q < QUEUES_MAX; q++) {
		free_ring(&port->memory_rx[q]);
		free_ring(&port->memory_tx[q]);
	}
}

static struct rte_ring *create_ring(const struct port *port, char direction, unsigned q)
{
	char name[RTE_RING_NAMESIZE];

	snprintf(name, sizeof(name), "%.20s%c%u", port->device, direction, q);
	return rte_ring_create(name, RING_SLOTS, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
}

static int plug(struct opening *opening)
{
	struct port *port = opening->port;
	const uint16_t n = opening->config->n_queues;
	const char *number = port->device + strlen("net_ring_");
	bool complete = true;
	int eth_id = -1;

	for (unsigned q = 0; q < n; q++) {
		port->memory_rx[q] = create_ring(port, 'r', q);
		port->memory_tx[q] = create_ring(port, 't', q);
		complete &= port->memory_rx[q] && port->memory_tx[q];
	}
	if (complete)
		eth_id = rte_eth_from_rings(
			number, port->memory_rx, n, port->memory_tx, n, (unsigned)SOCKET_ID_ANY);
	if (eth_id < 0) {
		free_rings(port);
		return opening_fail(opening, -ENOMEM, "no rings: %s", rte_strerror(rte_errno));
	}
	port->eth_id = (uint16_t)eth_id;
	return 0;
}

static void unplug(struct port *port)
{
	rte_eal_hotplug_remove("vdev", port->device);
	free_rings(port);
}

const struct kind kind_memory = {
	.name = "memory",
	.driver = "net_ring_",
	.own_mac = false,
	.n_queues_max = QUEUES_MAX,
	.n_desc = RING_SLOTS,
	.prepare = prepare,
	.plug = plug,
	.unplug = unplug,
};
