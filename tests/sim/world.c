#include "world.h"

#include "pkt/pkt.h"

#include <criterion/criterion.h>
#include <rte_eal.h>
#include <rte_ring.h>

static const uint8_t port_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t host_mac[6] = {0x02, 0, 0, 0, 0, 0xfe};

struct endpoint world_endpoint(const char *ip, uint16_t port)
{
	struct endpoint endpoint = {.port = port};

	cr_assert_eq(ip_parse(&endpoint.ip, ip), 0);
	return endpoint;
}

static void open_port(struct world *world)
{
	char *arguments[] = {"sim", "--no-huge", "--no-shconf", "-m", "128", "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", "0@0"};
	struct port_config config = {
		.name = "sim",
		.kind = PORT_MEMORY,
		.mtu_bytes = 1500,
		.n_queues = WORLD_WORKERS,
	};
	char error[PORT_ERROR_BYTES] = "";
	static bool started;

	if (!started)
		cr_assert(rte_eal_init(N_ELEMENTS(arguments), arguments) >= 0);
	started = true;
	world->pool = rte_pktmbuf_pool_create("sim", 8191, 0, 0, 2176, SOCKET_ID_ANY);
	cr_assert_not_null(world->pool);
	config.pool = world->pool;
	memcpy(config.mac, port_mac, sizeof(config.mac));
	cr_assert_eq(port_open(&world->port, &config, error), 0, "%s", error);
}

static void open_workers(struct world *world)
{
	struct worker_port_config port = {.eth_id = world->port.eth_id};
	struct worker_config config = {
		.ports = &port,
		.n_ports = 1,
		.services = world->services,
		.n_services = N_ELEMENTS(world->services),
		.discovery = {world->services[0], world->services[3]},
		.relays = world->relays,
		.n_relays = N_ELEMENTS(world->relays),
		.n_flows = 4096,
		.n_flows6 = 4096,
		.frame_pool = world->pool,
		.virtual_ms = &world->now.now_ms,
		.numa_node = NUMA_NODE_ANY,
		.seed = {random_next(&world->random), 1},
		.doorbell = &world->doorbell,
	};

	memcpy(port.mac, port_mac, sizeof(port.mac));
	for (uint16_t i = 0; i < WORLD_WORKERS; i++) {
		struct world_worker *own = &world->workers[i];

		config.idx = i;
		config.punts = &own->punts;
		config.others = &own->others;
		config.inbox = &own->inbox;
		config.counts = &own->counts;
		config.seen = &own->seen;
		cr_assert_eq(msg_channel_create(&own->punts, 64, NUMA_NODE_ANY), 0);
		cr_assert_eq(msg_channel_create(&own->others, 64, NUMA_NODE_ANY), 0);
		cr_assert_eq(msg_channel_create(&own->inbox, 2048, NUMA_NODE_ANY), 0);
		cr_assert_eq(msg_channel_create(&own->counts, 4096, NUMA_NODE_ANY), 0);
		cr_assert_eq(msg_channel_create(&own->seen, CONTROL_SEEN_MAX, NUMA_NODE_ANY), 0);
		cr_assert_eq(worker_create(&own->worker, &config), 0);
	}
}

static void open_turn(struct world *world)
{
	struct turn_user user = {.name = WORLD_USER};
	struct turn_config config = {
		.realm =
			{
				.name = WORLD_REALM,
				.users = &user,
				.n_users = 1,
				.peers.allow_private = true,
				.uses_source = world->source.find != NULL,
			},
		.source = world->source,
		.nonce_lifetime_s = 600,
		.lifetime_s = 600,
		.lifetime_max_s = 3600,
		.n_allocations_max = 64,
		.relays = world->relays,
		.n_relays = N_ELEMENTS(world->relays),
		.services = world->services,
		.n_services = N_ELEMENTS(world->services),
		.discovery = {world->services[0], world->services[3]},
		.allows_mobility = true,
		.random_seed = random_next(&world->random) | 1,
	};
	struct ip_range lab[2];
	struct stun_mac *mac;

	cr_assert_eq(range_parse(&lab[0], "198.18.0.0/15"), 0);
	cr_assert_eq(range_parse(&lab[1], "2001:db8::/32"), 0);
	config.realm.peers.allow = lab;
	config.realm.peers.n_allow = N_ELEMENTS(lab);
	cr_assert_eq(stun_mac_create(&mac), 0);
	turn_keys_make(&user.keys, mac, WORLD_USER, strlen(WORLD_USER), WORLD_REALM, WORLD_PASSWORD,
		strlen(WORLD_PASSWORD));
	stun_mac_destroy(mac);
	cr_assert_eq(turn_create(&world->turn, &config), 0);
}

static void open_control(struct world *world)
{
	const struct control_relay relays[] = {{world->service.ip, 0}, {world->service6.ip, 0}};
	struct control_worker workers[WORLD_WORKERS];
	struct control_port port = {.mtu_bytes = 1500, .mirror = world->mirror};
	const struct control_config config = {
		.turn = world->turn,
		.route = world->route,
		.ports = &port,
		.n_ports = 1,
		.workers = workers,
		.n_workers = WORLD_WORKERS,
		.relays = relays,
		.n_relays = N_ELEMENTS(relays),
		.pool = world->pool,
		.kernel_fd = -1,
		.kernel6_fd = -1,
		.n_flows = 4096,
		.answers = world->answers,
		.ended = world->ended,
		.observe_percent = world->observe_percent,
	};

	memcpy(port.mac, port_mac, sizeof(port.mac));
	for (size_t i = 0; i < WORLD_WORKERS; i++)
		workers[i] = (struct control_worker){
			.punts = &world->workers[i].punts,
			.others = &world->workers[i].others,
			.inbox = &world->workers[i].inbox,
			.counts = &world->workers[i].counts,
			.seen = &world->workers[i].seen,
			.applied_seq = &worker_public(world->workers[i].worker)->applied_seq,
		};
	cr_assert_eq(control_create(&world->control, &config), 0);
}

void world_open(struct world *world, uint64_t seed)
{
	*world = (struct world){
		.source = world->source,
		.answers = world->answers,
		.ended = world->ended,
		.observe_percent = world->observe_percent,
		.mirror = world->mirror,
		.random.state = seed,
		.now = {.now_ms = 1000000, .wall_s = 1700000000},
		.doorbell.fd = -1,
		.delay_max_ms = 200,
	};
	world->service = world_endpoint(WORLD_RELAY_IP, 3478);
	world->service6 = world_endpoint(WORLD_RELAY_IP6, 3478);
	world->services[0] = world->service;
	world->services[1] = world_endpoint(WORLD_RELAY_IP, 3479);
	world->services[2] = world_endpoint(WORLD_SECOND_IP, 3478);
	world->services[3] = world_endpoint(WORLD_SECOND_IP, 3479);
	world->services[4] = world->service6;
	world->relays[0] = (struct relay_range){world->service.ip, WORLD_PORT_MIN, WORLD_PORT_MAX};
	world->relays[1] = (struct relay_range){world->service6.ip, WORLD_PORT_MIN, WORLD_PORT_MAX};
	open_port(world);
	cr_assert_eq(route_open_offline(&world->route), 0);
	open_workers(world);
	open_turn(world);
	open_control(world);
}

void world_close(struct world *world)
{
	struct rte_mbuf *mbuf;

	control_destroy(world->control);
	turn_destroy(world->turn);
	route_close(world->route);
	for (size_t i = 0; i < WORLD_WORKERS; i++) {
		worker_destroy(world->workers[i].worker);
		msg_channel_destroy(&world->workers[i].punts);
		msg_channel_destroy(&world->workers[i].others);
		msg_channel_destroy(&world->workers[i].inbox);
		msg_channel_destroy(&world->workers[i].counts);
		msg_channel_destroy(&world->workers[i].seen);
		while (rte_ring_dequeue(world->port.memory_rx[i], (void **)&mbuf) == 0)
			rte_pktmbuf_free(mbuf);
	}
	cr_assert_eq(rte_mempool_in_use_count(world->pool), 0, "buffers are lost");
	port_close(&world->port);
	rte_mempool_free(world->pool);
}

void world_add_host(struct world *world, const char *ip)
{
	const struct endpoint host = world_endpoint(ip, 0);

	cr_assert_eq(route_pin(world->route, &host.ip, 0, host_mac), 0);
}

static bool chance(struct world *world, unsigned percent)
{
	return random_below(&world->random, 100) < percent;
}

static void take_off(struct world *world, const struct datagram *datagram, bool to_relay)
{
	if (world->n_flights == WORLD_FLIGHTS_MAX || chance(world, world->loss_percent)) {
		world->n_lost++;
		return;
	}
	world->flights[world->n_flights++] = (struct flight){
		.due_ms = world->now.now_ms + random_below(&world->random, world->delay_max_ms + 1),
		.to_relay = to_relay,
		.datagram = *datagram,
	};
}

void world_send(struct world *world, const struct datagram *datagram)
{
	take_off(world, datagram, true);
	if (chance(world, world->double_percent))
		take_off(world, datagram, true);
}

// The frame that answers to this one would be: pkt_reply() turns it around and fills in the rest.
static struct pkt write_turned(uint8_t *frame, const struct datagram *d)
{
	const bool ipv4 = d->to.ip.family == FAMILY_IPV4;
	struct pkt p = {.frame = frame, .l3 = frame + 14, .l2_bytes = 14};

	p.family = d->to.ip.family;
	p.l3_bytes = pkt_ip_bytes(p.family);
	p.l4 = p.l3 + p.l3_bytes;
	p.payload = p.l4 + 8;
	memcpy(frame, host_mac, 6);
	memcpy(frame + 6, port_mac, 6);
	store_be16(frame + 12, ipv4 ? 0x0800 : 0x86dd);
	memset(p.l3, 0, p.l3_bytes + 8U);
	memcpy(p.l3 + (ipv4 ? 12 : 8), d->to.ip.bytes, family_bytes(p.family));
	memcpy(p.l3 + (ipv4 ? 16 : 24), d->from.ip.bytes, family_bytes(p.family));
	store_be16(p.l4, d->to.port);
	store_be16(p.l4 + 2, d->from.port);
	memcpy(p.payload, d->payload, d->n);
	return p;
}

// Into a random queue: no steering may be relied upon.
static void land_at_relay(struct world *world, const struct datagram *d)
{
	const uint32_t queue = world->one_queue ? 0 : random_below(&world->random, WORLD_WORKERS);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(world->pool);
	struct pkt p;

	cr_assert_not_null(mbuf, "no buffers left");
	p = write_turned(rte_pktmbuf_mtod(mbuf, uint8_t *), d);
	pkt_reply(&p, (uint16_t)d->n, 0);
	mbuf->data_len = pkt_frame_bytes(&p);
	mbuf->pkt_len = mbuf->data_len;
	if (rte_ring_enqueue(world->port.memory_rx[queue], mbuf))
		rte_pktmbuf_free(mbuf);
}

static void land_due(struct world *world)
{
	for (size_t i = 0; i < world->n_flights;) {
		struct flight flight = world->flights[i];

		if (flight.due_ms > world->now.now_ms) {
			i++;
			continue;
		}
		world->flights[i] = world->flights[--world->n_flights];
		if (flight.to_relay) {
			land_at_relay(world, &flight.datagram);
		} else {
			world->n_delivered++;
			if (world->on_arrived)
				world->on_arrived(world, &flight.datagram);
		}
	}
}

static void collect_sent(struct world *world, uint16_t queue)
{
	struct rte_mbuf *mbuf;
	struct datagram d;
	struct pkt p;

	while (rte_ring_dequeue(world->port.memory_tx[queue], (void **)&mbuf) == 0) {
		cr_assert_eq(pkt_parse(&p, rte_pktmbuf_mtod(mbuf, uint8_t *), mbuf->data_len, 0),
			PKT_UDP);
		cr_assert_leq(p.payload_bytes, WORLD_DATAGRAM_MAX);
		d.from = pkt_source(&p);
		d.to = pkt_target(&p);
		d.n = p.payload_bytes;
		memcpy(d.payload, p.payload, d.n);
		rte_pktmbuf_free(mbuf);
		world->sent = d;
		world->n_sent++;
		if (world->on_sent)
			world->on_sent(world, &d);
		take_off(world, &d, false);
	}
}

void world_poll(struct world *world, unsigned which)
{
	if (which < WORLD_WORKERS) {
		worker_poll(world->workers[which].worker);
		collect_sent(world, (uint16_t)which);
	} else {
		control_poll(world->control, &world->now);
	}
}

void world_advance(struct world *world, uint64_t ms)
{
	world->now.now_ms += ms;
	world->now.wall_s = 1700000000 + (int64_t)(world->now.now_ms / MS_IN_S);
	land_due(world);
}

static void run_rounds(struct world *world, int n_rounds, uint64_t ms)
{
	for (int round = 0; round < n_rounds; round++) {
		world_advance(world, ms);
		for (unsigned which = 0; which <= WORLD_WORKERS; which++)
			world_poll(world, which);
	}
}

void world_run(struct world *world)
{
	run_rounds(world, 4, 0);
}

void world_settle(struct world *world)
{
	world->loss_percent = 0;
	world->double_percent = 0;
	run_rounds(world, 20, 110);
}

uint32_t world_n_entries(const struct world *world)
{
	uint32_t n = 0;

	for (size_t i = 0; i < WORLD_WORKERS; i++)
		n += worker_n_entries(world->workers[i].worker);
	return n;
}

static unsigned n_waiting(const struct world *world)
{
	unsigned n = 0;

	for (size_t i = 0; i < WORLD_WORKERS; i++)
		n += rte_ring_count(world->port.memory_rx[i]);
	return n;
}

// Each packet that came in went out, is with the control core, or was dropped by name.
static void check_balance(const struct world_worker *own)
{
	const struct worker_stats *s = &worker_public(own->worker)->stats;
	const uint64_t n_in = s->n_rx + s->n_looped_in + s->n_from_control + s->n_made;
	const uint64_t n_out = s->n_tx + s->n_looped + s->n_punted + s->n_mirrored + s->n_kernel +
		s->n_absorbed + worker_stats_drops(s);

	cr_assert_eq(n_in, n_out, "%lu packets in, %lu accounted for", n_in, n_out);
	cr_assert_eq(s->n_table_full, 0);
	cr_assert_eq(s->n_counts_lost, 0);
}

// The control core refuses what tables have no room for by its own count.
static void check_entries(const struct world *world, const struct world_worker *own)
{
	const uint32_t n = worker_n_entries(own->worker);
	const uint32_t n_wanted = control_n_entries(world->control);

	if (!msg_waiting(&own->inbox))
		cr_assert_eq(n, n_wanted, "%u entries, and %u by the control core", n, n_wanted);
}

void world_check(struct world *world)
{
	const char *fault = turn_check(world->turn);
	struct turn_stats stats;

	cr_assert_null(fault, "%s", fault);
	turn_stats_get(world->turn, &stats);
	cr_assert_eq(stats.n_ports_cooling, control_n_cooling(world->control),
		"cooling ports: %u in turn, %zu in control", stats.n_ports_cooling,
		control_n_cooling(world->control));
	cr_assert_eq(stats.n_ports_free + stats.n_ports_used + stats.n_ports_reserved +
			stats.n_ports_cooling,
		WORLD_PORTS);
	for (size_t i = 0; i < WORLD_WORKERS; i++) {
		check_entries(world, &world->workers[i]);
		check_balance(&world->workers[i]);
	}
	cr_assert_geq(rte_mempool_in_use_count(world->pool), n_waiting(world));
}
