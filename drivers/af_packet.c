// Any Linux interface through packet sockets: labs, virtual machines, CI.
//
// The PMD puts its sockets into a fanout group that always defragments IPv4, so a datagram may
// arrive whole and longer than the MTU; one that is longer than the ring's frame is cut silently.
// A frame of the ring must also fit an mbuf.
#include "wire.h"

#include <errno.h>
#include <rte_common.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// Of a ring's frame: the kernel's header before a received frame, the PMD's before one to send.
#define RX_HEADER_BYTES 66
#define TX_HEADER_BYTES 32
#define PAGE_BYTES 4096

// 4096 frames a queue bridge 10 ms at 400 kpps.
#define N_FRAMES 4096

static uint32_t choose_frame_bytes(const struct opening *opening)
{
	const uint32_t usual =
		opening_room_bytes(opening) + TX_HEADER_BYTES >= PAGE_BYTES ? PAGE_BYTES : 2048;
	const uint32_t needed = RTE_ALIGN_CEIL(
		opening->config->mtu_bytes + FRAME_OVERHEAD_BYTES + RX_HEADER_BYTES, 16);

	return RTE_MAX(usual, needed);
}

static int prepare(struct opening *opening)
{
	const struct port_config *config = opening->config;
	const uint32_t frame_bytes = choose_frame_bytes(opening);
	// Whole pages, and no gap after the last frame of a block.
	const uint32_t block_bytes = PAGE_BYTES % frame_bytes ? frame_bytes * 256 : PAGE_BYTES;
	const int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct interface interface;
	int rc;

	if (fd < 0)
		return opening_fail(opening, errno == EPERM ? -EPERM : -ENOTSUP,
			"no packet socket: %s%s", strerror(errno),
			errno == EPERM ? " (CAP_NET_RAW is missing)" : "");
	close(fd);
	if (frame_bytes > opening_room_bytes(opening) + TX_HEADER_BYTES)
		return opening_fail(opening, -ENOTSUP,
			"MTU %u on af_packet needs packet buffers of %u bytes, they have %u",
			config->mtu_bytes, frame_bytes - TX_HEADER_BYTES,
			opening_room_bytes(opening));
	rc = wire_claim(opening, &interface);
	if (!rc)
		rc = wire_deafen(opening, &interface);
	if (rc)
		return rc;
	snprintf(opening->arguments, sizeof(opening->arguments),
		"iface=%s,qpairs=%u,framesz=%u,blocksz=%u,framecnt=%u,qdisc_bypass=1",
		config->target, config->n_queues, frame_bytes, block_bytes,
		config->n_rx_desc ? config->n_rx_desc : N_FRAMES);
	return 0;
}

const struct kind kind_af_packet = {
	.name = "af_packet",
	.driver = "net_af_packet",
	.owner_space = "interface",
	.kernel_wire = true,
	.own_mac = true,
	.mtu_by_kind = true,
	.n_queues_max = PORT_QUEUES_MAX,
	.n_desc = N_FRAMES,
	.prepare = prepare,
};
