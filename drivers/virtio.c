// Virtio without a machine between: virtio_user connects to a vhost socket (of a virtual switch,
// or of another turnpike), vhost is the listening side (of a virtual machine). The memory is
// shared, so the EAL must not run without descriptors for it; --single-file-segments keeps their
// number low.
#include "socket_path.h"

#include <signal.h>
#include <stdio.h>

#define N_DESC 1024

static int prepare_virtio_user(struct opening *opening)
{
	const struct port_config *config = opening->config;
	const int rc = socket_path_reach(opening);

	if (rc)
		return rc;
	// The PMD writes to the other end when it closes, also where that has gone before us.
	signal(SIGPIPE, SIG_IGN);
	snprintf(opening->arguments, sizeof(opening->arguments),
		"path=%s,queues=%u,queue_size=%u,cq=1,packed_vq=1", config->target,
		config->n_queues, config->n_rx_desc ? config->n_rx_desc : N_DESC);
	return 0;
}

static int prepare_vhost(struct opening *opening)
{
	const struct port_config *config = opening->config;
	const int rc = socket_path_claim(opening);

	if (rc)
		return rc;
	snprintf(opening->arguments, sizeof(opening->arguments), "iface=%s,queues=%u,client=0",
		config->target, config->n_queues);
	return 0;
}

const struct kind kind_virtio_user = {
	.name = "virtio_user",
	.driver = "net_virtio_user",
	.owner_space = "virtio_user",
	.own_mac = true,
	.n_queues_max = PORT_QUEUES_MAX,
	.n_desc = N_DESC,
	.prepare = prepare_virtio_user,
};

const struct kind kind_vhost = {
	.name = "vhost",
	.driver = "net_vhost",
	.owner_space = "vhost",
	.own_mac = false, // the driver's is the same on every machine
	.n_queues_max = PORT_QUEUES_MAX,
	.n_desc = N_DESC,
	.prepare = prepare_vhost,
};
