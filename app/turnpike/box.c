#include "box.h"

#include "exit.h"
#include "needs/needs.h"
#include "policy.h"

#include <errno.h>
#include <netinet/in.h>
#include <rte_lcore.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define INBOX_RING 8192
#define COUNTS_RING (2 * INBOX_RING) // what waits in the inbox, and as much again
#define MBUF_CACHE 256

enum exit_status exit_status_of(int error)
{
	switch (error) {
	case -EPERM:
	case -EACCES:
		return EXIT_PERMISSION;
	case -ENOMEM:
		return EXIT_RESOURCE;
	case -EINVAL:
		return EXIT_CONFIG;
	default:
		return EXIT_DEVICE;
	}
}

static int open_pools(
	struct box *box, const struct needs *needs, char error[static BOX_ERROR_BYTES])
{
	box->pool = rte_pktmbuf_pool_create(
		"mbufs", needs->n_mbufs, MBUF_CACHE, 0, needs->mbuf_room, SOCKET_ID_ANY);
	box->jumbo_pool = rte_pktmbuf_pool_create(
		"jumbos", needs->n_jumbos, 0, 0, WORKER_JUMBO_ROOM, SOCKET_ID_ANY);
	if (box->pool && box->jumbo_pool)
		return 0;
	snprintf(error, BOX_ERROR_BYTES, "no memory for %u packet buffers", needs->n_mbufs);
	return EXIT_RESOURCE;
}

static int open_ports(struct box *box, char error[static BOX_ERROR_BYTES])
{
	static const enum port_kind kinds[] = {
		[CONF_AF_PACKET] = PORT_AF_PACKET,
		[CONF_AF_XDP] = PORT_AF_XDP,
		[CONF_VIRTIO_USER] = PORT_VIRTIO_USER,
		[CONF_VHOST] = PORT_VHOST,
		[CONF_MEMIF] = PORT_MEMIF,
		[CONF_PCI] = PORT_PCI,
	};

	for (; box->n_ports < box->conf->n_ports; box->n_ports++) {
		const struct conf_port *from = &box->conf->ports[box->n_ports];
		struct port_config config = {
			.name = from->name,
			.kind = kinds[from->kind],
			.target = from->target,
			.memif_server = from->memif_server,
			.mtu_bytes = from->mtu_bytes,
			.n_queues = box->conf->n_workers,
			.pool = box->pool,
			.guard = &box->guard,
		};
		int rc;

		memcpy(config.mac, from->mac, sizeof(config.mac));
		rc = port_open(&box->ports[box->n_ports], &config, error);
		if (rc)
			return exit_status_of(rc);
	}
	return 0;
}

static int open_mirror(struct box *box, size_t i, char error[static BOX_ERROR_BYTES])
{
	const struct conf_port *from = &box->conf->ports[i];
	struct mirror_config config = {
		.name = from->mirror,
		.mtu_bytes = from->mtu_bytes,
		.addresses = from->addresses,
		.n_addresses = from->n_addresses,
		.routes = from->routes,
		.n_routes = from->n_routes,
		.neighbours = from->neighbours,
		.n_neighbours = from->n_neighbours,
	};

	memcpy(config.mac, box->ports[i].mac, sizeof(config.mac));
	return mirror_open(&box->mirrors[i], &config, error);
}

static int open_kernel_side(struct box *box, char error[static BOX_ERROR_BYTES])
{
	struct route_port ports[CONF_PORTS_MAX];
	int rc;

	for (; box->n_mirrors < box->n_ports; box->n_mirrors++) {
		rc = open_mirror(box, box->n_mirrors, error);
		if (rc)
			return exit_status_of(rc);
		ports[box->n_mirrors].ifindex = box->mirrors[box->n_mirrors].ifindex;
		ports[box->n_mirrors].port_idx = (uint8_t)box->n_mirrors;
	}
	rc = route_open(&box->route, ports, box->n_ports, error);
	if (rc)
		return exit_status_of(rc);
	box->kernel_fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (box->kernel_fd >= 0) {
		box->kernel6_fd = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
		// A kernel without IPv6 has no addresses of it either.
		if (box->kernel6_fd >= 0 || errno == EAFNOSUPPORT)
			return 0;
	}
	rc = -errno;
	snprintf(
		error, BOX_ERROR_BYTES, "no raw socket: %s (CAP_NET_RAW is needed)", strerror(-rc));
	return exit_status_of(rc);
}

struct worker_config box_worker_config(
	struct box *box, const struct worker_config *common, size_t worker_idx)
{
	struct box_worker *own = &box->workers[worker_idx];
	struct worker_config config = *common;
	const unsigned lcore = EAL_WORKER_LCORE_FIRST + (unsigned)worker_idx;

	config.idx = (uint16_t)worker_idx;
	config.numa_node = (int)rte_lcore_to_socket_id(lcore);
	config.try_huge = box->conf->hugepages != CONF_HUGEPAGES_OFF;
	config.punts = &own->punts;
	config.others = &own->others;
	config.inbox = &own->inbox;
	config.counts = &own->counts;
	config.seen = &own->seen;
	config.doorbell = &box->doorbell;
	config.heartbeat = &box->heartbeat;
	config.jumbo_pool = box->jumbo_pool;
	config.frame_pool = box->pool;
	random_secret(config.seed, sizeof(config.seed));
	return config;
}

static int open_workers(
	struct box *box, const struct policy *policy, char error[static BOX_ERROR_BYTES])
{
	int rc = doorbell_open(&box->doorbell);

	for (; !rc && box->n_workers < box->conf->n_workers; box->n_workers++) {
		struct box_worker *own = &box->workers[box->n_workers];
		const struct worker_config config =
			box_worker_config(box, &policy->worker, box->n_workers);

		rc = msg_channel_create(&own->punts, NEEDS_PUNT_RING, NUMA_NODE_ANY);
		rc = rc ? rc : msg_channel_create(&own->others, NEEDS_OTHERS_RING, NUMA_NODE_ANY);
		rc = rc ? rc : msg_channel_create(&own->inbox, INBOX_RING, config.numa_node);
		rc = rc ? rc : msg_channel_create(&own->counts, COUNTS_RING, NUMA_NODE_ANY);
		rc = rc ? rc : msg_channel_create(&own->seen, CONTROL_SEEN_MAX, NUMA_NODE_ANY);
		rc = rc ? rc : worker_create(&own->worker, &config);
	}
	box->worker = policy->worker;
	box->worker.services = NULL; // what these point to goes with the policy
	box->worker.relays = NULL;
	box->worker.ports = NULL;
	if (rc)
		snprintf(error, BOX_ERROR_BYTES, "worker %zu cannot be set up: %s", box->n_workers,
			strerror(-rc));
	return rc ? EXIT_RESOURCE : 0;
}

static int open_control(
	struct box *box, const struct policy *policy, char error[static BOX_ERROR_BYTES])
{
	struct control_worker workers[CONF_WORKERS_MAX];
	struct control_config config = policy->control;
	struct turn_config turn = policy->turn;
	int rc = 0;

	turn.watcher = trail_watcher(&box->trail);
	turn.first_id = (uint64_t)time(NULL) << 32 | 1;
	if (box->redis)
		turn.source = redis_source(box->redis);
	rc = trail_open(&box->trail, records_watcher(box->records, events_watcher(&box->events)));
	rc = rc ? rc : turn_create(&box->turn, &turn);
	for (size_t i = 0; i < box->n_workers; i++)
		workers[i] = (struct control_worker){
			.punts = &box->workers[i].punts,
			.others = &box->workers[i].others,
			.inbox = &box->workers[i].inbox,
			.counts = &box->workers[i].counts,
			.seen = &box->workers[i].seen,
			.applied_seq = &worker_public(box->workers[i].worker)->applied_seq,
		};
	config.turn = box->turn;
	config.route = box->route;
	config.ended = records_taker(box->records);
	config.witness = trail_witness(&box->trail);
	config.observe_percent = box->conf->records.observe_percent;
	config.workers = workers;
	config.n_workers = box->n_workers;
	config.pool = box->pool;
	config.heartbeat = &box->heartbeat;
	config.kernel_fd = box->kernel_fd;
	config.kernel6_fd = box->kernel6_fd;
	rc = rc ? rc : control_create(&box->control, &config);
	if (rc)
		snprintf(error, BOX_ERROR_BYTES, "the control core cannot be set up: %s",
			strerror(-rc));
	return rc ? EXIT_RESOURCE : 0;
}

// What the control core tells things to.
static int open_sinks(
	struct box *box, const struct policy *policy, char error[static BOX_ERROR_BYTES])
{
	int rc = box->conf->has_redis ? redis_open(&box->redis, &policy->redis) : 0;

	if (rc) {
		snprintf(error, BOX_ERROR_BYTES, "no memory for Redis");
		return EXIT_RESOURCE;
	}
	rc = records_open(&box->records, box->conf, box->redis);
	if (rc)
		snprintf(error, BOX_ERROR_BYTES, "records: %s", strerror(-rc));
	return rc ? EXIT_RESOURCE : 0;
}

// The cores, by one reading of the configuration: keys are made once.
static int open_cores(struct box *box, char error[static BOX_ERROR_BYTES])
{
	struct policy policy;
	int rc = own_find(&box->own, box->conf);
	int status;

	if (rc) {
		snprintf(error, BOX_ERROR_BYTES, "the kernel does not tell its addresses: %s",
			strerror(-rc));
		return EXIT_RESOURCE;
	}
	rc = policy_make(&policy, box->conf, &box->own, box->ports);
	status = rc ? EXIT_RESOURCE : 0;
	if (rc)
		snprintf(error, BOX_ERROR_BYTES, "users and keys cannot be set up: %s",
			strerror(-rc));
	for (size_t i = 0; i < box->n_mirrors; i++)
		policy.control_ports[i].mirror = &box->mirrors[i];
	status = status ? status : open_workers(box, &policy, error);
	status = status ? status : open_sinks(box, &policy, error);
	status = status ? status : open_control(box, &policy, error);
	policy_free(&policy);
	return status;
}

int box_open(struct box *box, char *const *eal_extra, int n_eal_extra,
	char error[static BOX_ERROR_BYTES])
{
	struct needs needs;
	int status;

	needs_find(&needs, box->conf);
	box->kernel_fd = -1;
	box->kernel6_fd = -1;
	box->doorbell.fd = -1;
	// Before the EAL makes threads.
	status = guard_start(&box->guard, "turnpike-guard");
	if (status) {
		snprintf(error, BOX_ERROR_BYTES, "the guard process does not start: %s",
			strerror(-status));
		return EXIT_RESOURCE;
	}
	status = eal_start(&box->eal, box->conf, &needs, eal_extra, n_eal_extra, error);
	status = status ? status : open_pools(box, &needs, error);
	status = status ? status : open_ports(box, error);
	status = status ? status : open_kernel_side(box, error);
	status = status ? status : open_cores(box, error);
	return status;
}

// Every buffer is back, but for those that a device keeps.
static void check_buffers(const struct box *box, bool some_are_kept)
{
	const unsigned n_lost = (box->pool ? rte_mempool_in_use_count(box->pool) : 0) +
		(box->jumbo_pool ? rte_mempool_in_use_count(box->jumbo_pool) : 0);

	if (n_lost && !some_are_kept)
		log_event(LOG_ERROR, "mbufs.lost", "n=%u", n_lost);
}

void box_close(struct box *box)
{
	bool some_are_kept = false;

	control_destroy(box->control);
	turn_destroy(box->turn);
	own_free(&box->own);
	trail_close(&box->trail);
	records_close(box->records);
	redis_close(box->redis);
	while (box->n_setups)
		worker_setup_destroy(box->setups[--box->n_setups]);
	for (size_t i = 0; i < N_ELEMENTS(box->workers); i++) {
		worker_destroy(box->workers[i].worker);
		msg_channel_destroy(&box->workers[i].punts);
		msg_channel_destroy(&box->workers[i].others);
		msg_channel_destroy(&box->workers[i].inbox);
		msg_channel_destroy(&box->workers[i].counts);
		msg_channel_destroy(&box->workers[i].seen);
	}
	doorbell_close(&box->doorbell);
	route_close(box->route);
	if (box->kernel_fd >= 0)
		close(box->kernel_fd);
	if (box->kernel6_fd >= 0)
		close(box->kernel6_fd);
	for (size_t i = 0; i < box->n_mirrors; i++)
		mirror_close(&box->mirrors[i]);
	for (size_t i = 0; i < box->n_ports; i++) {
		some_are_kept |= box->ports[i].keeps_buffers;
		port_close(&box->ports[i]);
	}
	check_buffers(box, some_are_kept);
	rte_mempool_free(box->pool);
	rte_mempool_free(box->jumbo_pool);
	eal_stop(&box->eal);
	guard_stop(&box->guard);
	conf_destroy(box->conf);
}
