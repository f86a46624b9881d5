#include "server.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <sched.h>
#include <time.h>

#define FLOWS_PER_TURN_ALLOCATION 8 // as in turnpike
#define FLOWS_MIN 4096
#define ALLOCATIONS_SPARE 2048 // ports and entries that are still on their way back
#define START_MS 1000000
#define START_WALL_S 1700000000
#define NONCE_LIFETIME_S 3600
#define BATCH_MS 1 // of the bench's time

static struct ip_addr service_ip;
static struct relay_range relays[FLOWS_RELAYS_MAX];
static size_t n_relays;

static struct prefix prefix_of(const struct ip_addr *ip, uint8_t n_bits)
{
	return (struct prefix){.ip = *ip, .n_bits = n_bits};
}

// Everybody is behind one gateway; our addresses are ours in the kernel's eyes, too.
static void open_network(struct server *server)
{
	const struct ip_addr gateway = {FAMILY_IPV4, {198, 18, 0, 1}};
	const struct static_route route = {.to = {.ip = {.family = FAMILY_IPV4}}, .via = gateway};
	const struct static_neighbour neighbour = {gateway, {0x02, 0, 0, 0, 0, 2}};
	struct prefix addresses[FLOWS_RELAYS_MAX + 1];
	struct mirror_config config = {
		.name = "bench",
		.mtu_bytes = RIG_MTU_BYTES,
		.addresses = addresses,
		.n_addresses = n_relays + 1,
		.routes = &route,
		.n_routes = 1,
		.neighbours = &neighbour,
		.n_neighbours = 1,
	};
	struct route_port port = {.port_idx = 0};
	char error[MIRROR_ERROR_BYTES];

	static_assert(MIRROR_ERROR_BYTES >= ROUTE_ERROR_BYTES, "one for both");
	addresses[0] = prefix_of(&service_ip, 24);
	for (size_t i = 0; i < n_relays; i++)
		addresses[i + 1] = prefix_of(&relays[i].ip, 32);
	memcpy(config.mac, flows_mac, sizeof(config.mac));
	if (mirror_open(&server->mirror, &config, error))
		rig_fail(error);
	port.ifindex = server->mirror.ifindex;
	if (route_open(&server->route, &port, 1, error))
		rig_fail(error);
}

static void open_turn(struct server *server, uint32_t n_allocations)
{
	static const struct ip_range peers = {
		{FAMILY_IPV4, {203, 0, 113}}, {FAMILY_IPV4, {203, 0, 113, 255}}};
	static const struct turn_rest_secret secrets[] = {{.text = CLIENTS_SECRET}};
	const struct endpoint service = flows_service();
	struct turn_config config = {
		.realm =
			{
				.name = CLIENTS_REALM,
				.rest_secrets = secrets,
				.n_rest_secrets = 1,
				.peers = {.allow = &peers, .n_allow = 1},
			},
		.nonce_lifetime_s = NONCE_LIFETIME_S,
		.lifetime_s = 600,
		.lifetime_max_s = 3600,
		.n_allocations_max = n_allocations,
		.relays = relays,
		.n_relays = n_relays,
		.services = &service,
		.n_services = 1,
		.watcher = server->watcher,
	};

	random_secret(config.nonce_secret, sizeof(config.nonce_secret));
	if (turn_create(&server->turn, &config))
		rig_fail("no memory for allocations");
}

static void open_control(struct server *server)
{
	struct control_port port = {.mtu_bytes = RIG_MTU_BYTES, .mirror = &server->mirror};
	const struct control_worker worker = {
		.punts = &server->rig.punts,
		.others = &server->rig.others,
		.inbox = &server->subject.inbox,
		.applied_seq = &worker_public(server->subject.worker)->applied_seq,
	};
	struct control_relay control_relays[FLOWS_RELAYS_MAX] = {0};
	const struct control_config config = {
		.turn = server->turn,
		.route = server->route,
		.ports = &port,
		.n_ports = 1,
		.workers = &worker,
		.n_workers = 1,
		.relays = control_relays,
		.n_relays = n_relays,
		.pool = server->rig.pool,
		.kernel_fd = -1,
		.kernel6_fd = -1,
		.n_flows = server->subject.n_flows,
	};

	memcpy(port.mac, flows_mac, sizeof(port.mac));
	for (size_t i = 0; i < n_relays; i++)
		control_relays[i].ip = relays[i].ip;
	if (control_create(&server->control, &config))
		rig_fail("no memory for a control core");
}

void server_start_eal(void)
{
	char *arguments[] = {"bench", "--no-huge", "--no-shconf", "-m", "64", "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", "0@1"};

	if (unshare(CLONE_NEWNET))
		rig_fail("a network namespace of its own needs root");
	if (rte_eal_init(N_ELEMENTS(arguments), arguments) < 0)
		rig_fail("DPDK does not start");
}

void server_open(struct server *server, uint32_t n_allocations)
{
	const uint32_t n_with_spare = n_allocations + ALLOCATIONS_SPARE;

	service_ip = flows_service().ip;
	n_relays = flows_relays(relays, n_with_spare);
	server->time = (struct turn_time){START_MS, START_WALL_S};
	server->subject.n_flows = FLOWS_MIN + FLOWS_PER_TURN_ALLOCATION * n_with_spare;
	subject_open(&server->subject, &server->rig, n_with_spare, true);
	open_network(server);
	open_turn(server, n_with_spare);
	open_control(server);
}

void server_close(struct server *server)
{
	control_destroy(server->control);
	turn_destroy(server->turn);
	route_close(server->route);
	mirror_close(&server->mirror);
	subject_close(&server->subject);
}

double server_cpu_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void put_requests(struct rig *rig, struct clients *clients, enum request request,
	const uint32_t *idxs, unsigned n)
{
	struct rte_mbuf *mbufs[CLIENTS_BATCH];

	if (rte_pktmbuf_alloc_bulk(rig->pool, mbufs, n))
		rig_fail("buffers are lost");
	for (unsigned i = 0; i < n; i++) {
		mbufs[i]->data_len = clients_write(
			clients, rte_pktmbuf_mtod(mbufs[i], uint8_t *), request, idxs[i]);
		mbufs[i]->pkt_len = mbufs[i]->data_len;
	}
	if (!rte_ring_enqueue_bulk(rig->port.memory_rx[0], (void **)mbufs, n, NULL))
		rig_fail("the port is full");
}

static void take_answers(struct rig *rig, struct clients *clients, unsigned n)
{
	struct rte_mbuf *mbufs[CLIENTS_BATCH];

	if (rte_ring_dequeue_burst(rig->port.memory_tx[0], (void **)mbufs, CLIENTS_BATCH, NULL) !=
		n)
		rig_fail("a request was not answered");
	for (unsigned i = 0; i < n; i++)
		clients_read(clients, rte_pktmbuf_mtod(mbufs[i], uint8_t *), mbufs[i]->data_len);
	rte_pktmbuf_free_bulk(mbufs, n);
}

static void drain_worker(struct server *server)
{
	while (worker_poll(server->subject.worker))
		;
}

double server_ask(struct server *server, struct clients *clients, enum request request,
	const uint32_t *idxs, unsigned n)
{
	double begin_us;
	double used_us;

	put_requests(&server->rig, clients, request, idxs, n);
	drain_worker(server);
	server->time.now_ms += BATCH_MS;
	begin_us = server_cpu_us();
	while (control_poll(server->control, &server->time))
		;
	used_us = server_cpu_us() - begin_us;
	drain_worker(server);
	take_answers(&server->rig, clients, n);
	return used_us;
}

double server_fill(struct server *server, struct clients *clients)
{
	static const enum request life[] = {REQUEST_CHALLENGE, REQUEST_ALLOCATE, REQUEST_BIND};
	uint32_t idxs[CLIENTS_BATCH];
	double used_us = 0;
	unsigned n;

	for (uint32_t n_done = 0; n_done < clients->n; n_done += n) {
		n = clients_choose(clients, idxs, clients->n - n_done);
		for (size_t i = 0; i < N_ELEMENTS(life); i++)
			used_us += server_ask(server, clients, life[i], idxs, n);
	}
	return used_us / clients->n;
}
