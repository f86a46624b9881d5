// Shared-memory packet interface between two processes, VPP among them. The server side listens and
// must be there before the client; a client does not come back by itself after its server went.
//
// Without zero-copy: the PMD takes each mbuf for one in its first memory region, whether it is or
// not.
#include "socket_path.h"

#include <rte_common.h>
#include <stdio.h>

#define N_DESC 1024
#define BUFFER_BYTES_MIN 2048U

static int prepare(struct opening *opening)
{
	const struct port_config *config = opening->config;
	const uint32_t frame_bytes = config->mtu_bytes + FRAME_OVERHEAD_BYTES;
	const uint32_t n_desc = config->n_rx_desc ? config->n_rx_desc : N_DESC;
	const uint32_t buffer_bytes = RTE_ALIGN_CEIL(RTE_MAX(frame_bytes, BUFFER_BYTES_MIN), 64);
	const int rc =
		config->memif_server ? socket_path_claim(opening) : socket_path_reach(opening);

	if (rc)
		return rc;
	snprintf(opening->arguments, sizeof(opening->arguments),
		"role=%s,id=0,socket=%s,socket-abstract=no,bsize=%u,rsize=%u,zero-copy=no",
		config->memif_server ? "server" : "client", config->target, buffer_bytes,
		rte_log2_u32(n_desc));
	return 0;
}

const struct kind kind_memif = {
	.name = "memif",
	.driver = "net_memif",
	.owner_space = "memif",
	.own_mac = true,
	.mtu_by_kind = true,
	.n_queues_max = PORT_QUEUES_MAX,
	.n_desc = N_DESC,
	.prepare = prepare,
};
