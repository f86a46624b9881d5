// There is no asking whether a queue is free but by taking it, and the kernel takes as long over
// the asker's socket as over a dead process's. What tells the asker that its own is gone are the
// pages that the socket had pinned: the kernel lets go of them last, and a memfd cannot be sealed
// before.
#include "xdp_queue.h"

#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_xdp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define N_FRAMES 2
#define FRAME_BYTES 4096
#define MEMORY_BYTES (N_FRAMES * FRAME_BYTES)
#define WAIT_MS 5000
#define STEP_MS 5

static int set_up(int socket_fd, void *memory)
{
	const int rings[] = {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING};
	const int n_frames = N_FRAMES;
	const struct xdp_umem_reg umem = {
		.addr = (uintptr_t)memory,
		.len = MEMORY_BYTES,
		.chunk_size = FRAME_BYTES,
	};

	if (setsockopt(socket_fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)))
		return -errno;
	for (size_t i = 0; i < N_ELEMENTS(rings); i++)
		if (setsockopt(socket_fd, SOL_XDP, rings[i], &n_frames, sizeof(n_frames)))
			return -errno;
	return 0;
}

// In copy mode the driver of the interface hears nothing of it.
static int take_and_close(int ifindex, uint32_t queue, int memory_fd)
{
	const struct sockaddr_xdp address = {
		.sxdp_family = AF_XDP,
		.sxdp_flags = XDP_COPY,
		.sxdp_ifindex = (uint32_t)ifindex,
		.sxdp_queue_id = queue,
	};
	const int socket_fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	void *memory;
	int rc;

	if (socket_fd < 0)
		return -errno;
	memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_fd, 0);
	rc = memory == MAP_FAILED ? -errno : set_up(socket_fd, memory);
	if (!rc && bind(socket_fd, (const struct sockaddr *)&address, sizeof(address)))
		rc = -errno;
	close(socket_fd);
	if (memory != MAP_FAILED)
		munmap(memory, MEMORY_BYTES);
	return rc;
}

static void pause_step(void)
{
	nanosleep(&(struct timespec){.tv_nsec = STEP_MS * (long)NS_IN_MS}, NULL);
}

static int wait_until_unpinned(int memory_fd)
{
	int n_steps = WAIT_MS / STEP_MS;

	while (fcntl(memory_fd, F_ADD_SEALS, F_SEAL_WRITE)) {
		if (errno != EBUSY || n_steps-- == 0)
			return -errno;
		pause_step();
	}
	return 0;
}

static int take_once(int ifindex, uint32_t queue)
{
	const int memory_fd = memfd_create("xdp-queue", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int rc;

	if (memory_fd < 0)
		return -errno;
	rc = ftruncate(memory_fd, MEMORY_BYTES) ? -errno : 0;
	if (!rc)
		rc = take_and_close(ifindex, queue, memory_fd);
	if (!rc)
		rc = wait_until_unpinned(memory_fd);
	close(memory_fd);
	return rc;
}

int xdp_queue_wait_free(int ifindex, uint32_t queue)
{
	int n_steps = WAIT_MS / STEP_MS;
	int rc = take_once(ifindex, queue);

	while (rc == -EBUSY && n_steps-- > 0) {
		pause_step();
		rc = take_once(ifindex, queue);
	}
	return rc;
}
