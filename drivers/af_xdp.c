// Any Linux interface through AF_XDP: faster than af_packet, one queue a channel of the interface.
//
// The kernel's umem is the whole mempool, so the pool must be one piece of memory with objects of
// at most a page. The XDP program stays on the interface when the process dies: the guard detaches
// it, and where the guard died as well the next start takes it over. DPDK 22.11 never closes the
// socket, so a process opens each interface once.
#include "wire.h"
#include "xdp_queue.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/bpf.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// The kernel keeps this before each frame; a page holds it, the object's headers and the frame.
#define XDP_HEADROOM_BYTES 256
#define PAGE_BYTES 4096
// What veth takes in native mode, and most drivers alike.
#define FRAME_BYTES_MAX 3498
#define N_DESC 2048

static int check_socket(struct opening *opening)
{
	const int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return opening_fail(opening, errno == EPERM ? -EPERM : -ENOTSUP,
			"no AF_XDP socket: %s%s", strerror(errno),
			errno == EPERM ? " (CAP_NET_RAW is missing)" : "");
	close(fd);
	return 0;
}

static uint32_t object_bytes_of(const struct rte_mempool *pool)
{
	return pool->header_size + pool->elt_size + pool->trailer_size;
}

static int check_pool(struct opening *opening)
{
	const struct rte_mempool *pool = opening->config->pool;
	const uint32_t object_bytes = object_bytes_of(pool);
	const uint32_t frame_bytes = opening->config->mtu_bytes + FRAME_OVERHEAD_BYTES;

	if (object_bytes > PAGE_BYTES)
		return opening_fail(opening, -ENOTSUP,
			"af_xdp takes packet buffers of at most 4096 bytes all in all, they have "
			"%u",
			object_bytes);
	if (frame_bytes > FRAME_BYTES_MAX ||
		frame_bytes + XDP_HEADROOM_BYTES > opening_room_bytes(opening))
		return opening_fail(opening, -ENOTSUP,
			"MTU %u is too much for af_xdp: %u bytes a frame at most, and buffers of "
			"256 "
			"bytes more",
			opening->config->mtu_bytes, FRAME_BYTES_MAX);
	if (pool->nb_mem_chunks != 1)
		return opening_fail(opening, -ENOTSUP,
			"af_xdp needs packet buffers in one piece of memory, they lie in %u: give "
			"the EAL --iova-mode=va",
			pool->nb_mem_chunks);
	return 0;
}

static void find_end(struct rte_mempool *pool, void *end, void *object, unsigned idx)
{
	const uintptr_t object_end = (uintptr_t)object + pool->elt_size + pool->trailer_size;

	(void)idx;
	if (object_end > *(uintptr_t *)end)
		*(uintptr_t *)end = object_end;
}

// DPDK 22.11 gives the kernel a umem as long as the objects together, but a pool leaves the end of
// a page free where no whole object fits: on pages of 4 KiB that is 40 % of its memory. The kernel
// drops what lies beyond the umem without a word.
static void widen_pool(struct rte_mempool *pool)
{
	const uint32_t object_bytes = object_bytes_of(pool);
	const uintptr_t begin = (uintptr_t)STAILQ_FIRST(&pool->mem_list)->addr;
	uintptr_t end = begin;

	rte_mempool_obj_iter(pool, find_end, &end);
	pool->populated_size = (uint32_t)((end - begin + object_bytes - 1) / object_bytes);
}

static void read_program_name(uint32_t id, char name[static BPF_OBJ_NAME_LEN])
{
	struct bpf_prog_info info = {0};
	union bpf_attr request = {.prog_id = id};
	const int fd = (int)syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &request, sizeof(request));

	name[0] = 0;
	if (fd < 0)
		return;
	memset(&request, 0, sizeof(request));
	request.info.bpf_fd = (uint32_t)fd;
	request.info.info_len = sizeof(info);
	request.info.info = (uintptr_t)&info;
	if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &request, sizeof(request)) == 0)
		snprintf(name, BPF_OBJ_NAME_LEN, "%s", info.name);
	close(fd);
}

// libxdp's own program is what a dead process left behind and can be used again; any other is
// somebody's, and the PMD would detach it at its end.
static int check_program(struct opening *opening, const struct interface *interface)
{
	char name[BPF_OBJ_NAME_LEN];

	if (!interface->xdp_attached)
		return 0;
	read_program_name(interface->xdp_program_id, name);
	if (strcmp(name, "xsk_def_prog") == 0)
		return 0;
	return opening_fail(opening, -EBUSY,
		"interface %s has an XDP program already (%s): ip link set dev %s xdp off",
		opening->config->target, name, opening->config->target);
}

static int wait_for_queues(struct opening *opening, int ifindex)
{
	const struct port_config *config = opening->config;

	for (uint32_t q = 0; q < config->n_queues; q++) {
		const int rc = xdp_queue_wait_free(ifindex, q);

		if (rc == -EBUSY)
			return opening_fail(opening, rc,
				"queue %u of %s belongs to another AF_XDP socket", q,
				config->target);
		if (rc)
			return opening_fail(opening, rc, "no AF_XDP socket on queue %u of %s: %s",
				q, config->target, strerror(-rc));
	}
	return 0;
}

static int say_nothing(void)
{
	return 0;
}

// libxdp and libbpf tell standard error about every step. The PMD brings them along; they are not
// linked, so they are asked to be silent by name.
static void silence(const char *library, const char *set_print)
{
	void *handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD);
	void *(*function)(int (*)(void));

	if (!handle)
		return;
	*(void **)&function = dlsym(handle, set_print);
	if (function)
		function(say_nothing);
	dlclose(handle);
}

static int prepare(struct opening *opening)
{
	const struct port_config *config = opening->config;
	struct interface interface;
	uint32_t n_queues;
	int rc = check_socket(opening);

	if (!rc)
		rc = check_pool(opening);
	if (!rc)
		rc = wire_claim(opening, &interface);
	if (!rc)
		rc = check_program(opening, &interface);
	if (!rc)
		rc = wire_mute(opening);
	if (rc)
		return rc;
	silence("libxdp.so.1", "libxdp_set_print");
	silence("libbpf.so.1", "libbpf_set_print");
	n_queues = interface_count_queues(config->target);
	if (n_queues < config->n_queues)
		return opening_lacks_queues(opening, n_queues);
	rc = wait_for_queues(opening, interface.ifindex);
	if (rc)
		return rc;
	journal_add(
		opening->journal, &(struct undo){.kind = UNDO_XDP, .ifindex = interface.ifindex});
	snprintf(opening->arguments, sizeof(opening->arguments),
		"iface=%s,start_queue=0,queue_count=%u,busy_budget=0", config->target,
		config->n_queues);
	return 0;
}

const struct kind kind_af_xdp = {
	.name = "af_xdp",
	.driver = "net_af_xdp",
	.owner_space = "interface",
	.kernel_wire = true,
	.keeps_buffers = true, // those in the umem's rings
	.own_mac = true,
	.mtu_by_kind = true,
	.n_queues_max = PORT_QUEUES_MAX,
	.n_desc = N_DESC,
	.prepare = prepare,
	.widen_pool = widen_pool,
};
