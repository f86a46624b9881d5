// Frames of Linux on their way to the wire; a pair of sockets is the mirror.
#include "world.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <rte_mempool.h>
#include <sys/socket.h>
#include <unistd.h>

#define POOL_MAX 8192

static struct world world;
static struct mirror mirror;
static int linux_fd;

static void begin(void)
{
	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
	mirror.fd = ends[0];
	linux_fd = ends[1];
	world.mirror = &mirror;
	world_open(&world, 1);
}

static void end(void)
{
	world_close(&world);
	close(linux_fd);
}

TestSuite(mirror, .init = begin, .fini = end);

static void linux_sends(void)
{
	const uint8_t frame[60] = {0};

	cr_assert_eq(write(linux_fd, frame, sizeof(frame)), sizeof(frame));
}

static void read_mirror(void)
{
	cr_assert_eq(control_mirror_read(world.control, 0), 0);
}

static void expect_moved(uint64_t n_to_wire, uint64_t n_lost)
{
	const struct control_stats *stats = control_stats_get(world.control);

	cr_expect_eq(stats->n_mirror_to_wire, n_to_wire);
	cr_expect_eq(stats->n_mirror_lost, n_lost);
}

Test(mirror, a_frame_that_finds_no_buffer_is_lost_once)
{
	static struct rte_mbuf *taken[POOL_MAX];
	const unsigned n = rte_mempool_avail_count(world.pool);

	cr_assert_eq(rte_pktmbuf_alloc_bulk(world.pool, taken, n), 0);
	linux_sends();
	read_mirror();
	expect_moved(0, 1);
	read_mirror();
	expect_moved(0, 1);
	rte_pktmbuf_free_bulk(taken, n);
	read_mirror();
	expect_moved(0, 1);
	linux_sends();
	read_mirror();
	expect_moved(1, 1);
}

Test(mirror, one_that_is_gone_is_told_of)
{
	close(mirror.fd);
	cr_expect_eq(control_mirror_read(world.control, 0), -EBADF);
	expect_moved(0, 0);
}
