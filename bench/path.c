// Cycles a packet through the whole worker_poll() on the memory port: ChannelData up, flows in
// random order.
//
//     build/bench/path [FLOWS ...]        default: 1000 100000
//
// Each line is one table size: median and 99th percentile over bursts of 32. Frames are prepared
// outside the measured part, but their bytes and the table are as cold as they come.
#include "drivers/drivers.h"
#include "worker/worker.h"

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

#define BURST 32
#define N_BURSTS 20000
#define DATA_BYTES 160
#define FRAME_BYTES (14 + 20 + 8 + 4 + DATA_BYTES)
#define N_MBUFS 4095
#define CHANNEL 0x4000
#define SERVICE_PORT 3478

static const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 1};

struct bench {
	struct port port;
	struct rte_mempool *pool;
	struct worker *worker;
	struct msg_channel punts;
	struct msg_channel others;
	struct msg_channel inbox;
	struct doorbell doorbell;
	struct random random;
	uint32_t n_flows;
	uint64_t cycles[N_BURSTS];
};

static void fail(const char *what)
{
	fprintf(stderr, "path: %s\n", what);
	exit(1);
}

static struct endpoint at(uint32_t host, uint16_t port)
{
	return (struct endpoint){ip_from_u32_raw(__builtin_bswap32(host)), port};
}

// Client and relayed port of flow `i`: many clients, a few relay addresses.
static struct endpoint client_of(uint32_t i)
{
	return at(0xc6120000 + 256 + i / 4, (uint16_t)(10000 + i % 4));
}

static struct endpoint relayed_of(uint32_t i)
{
	return at(0xc6130000 + i / 16384, (uint16_t)(49152 + i % 16384));
}

static struct endpoint service(void)
{
	return at(0xc6120002, SERVICE_PORT);
}

static void send_message(struct bench *b, struct msg *msg)
{
	while (!msg_send(&b->inbox, msg))
		worker_poll(b->worker);
}

static void install(struct bench *b)
{
	struct msg msg = {.kind = MSG_HOP_SET, .hop_idx = 1};

	msg.hop = (struct flow_hop){.kind = FLOW_HOP_WIRE, .mtu_bytes = 1500, .header_bytes = 14};
	send_message(b, &msg);
	for (uint32_t i = 0; i < b->n_flows; i++) {
		struct flow_spec spec = {
			.kind = FLOW_UP,
			.local = service(),
			.remote = client_of(i),
			.channel = CHANNEL,
			.source = relayed_of(i),
			.target = at(0xcb007100 + i % 200, 6000),
			.hop_idx = 1,
		};

		msg = (struct msg){.kind = MSG_FLOW_INSERT, .flow4 = flow4_entry_make(&spec)};
		send_message(b, &msg);
		spec.kind = FLOW_DOWN;
		spec.local = relayed_of(i);
		spec.remote = spec.target;
		spec.source = service();
		spec.target = client_of(i);
		msg = (struct msg){.kind = MSG_FLOW_INSERT, .flow4 = flow4_entry_make(&spec)};
		send_message(b, &msg);
	}
	worker_poll(b->worker);
}

static void open_bench(struct bench *b)
{
	struct port_config port = {
		.name = "bench", .kind = PORT_MEMORY, .mtu_bytes = 1500, .n_queues = 1};
	struct worker_port_config worker_port = {0};
	const struct endpoint listen = service();
	const struct relay_range relay = {relayed_of(0).ip, 49152, 65535};
	struct worker_config config = {
		.ports = &worker_port,
		.n_ports = 1,
		.services = &listen,
		.n_services = 1,
		.relays = &relay,
		.n_relays = 1,
		.n_flows = 2 * b->n_flows,
		.numa_node = NUMA_NODE_ANY,
		.try_huge = true,
		.seed = {1, 2},
		.punts = &b->punts,
		.others = &b->others,
		.inbox = &b->inbox,
		.doorbell = &b->doorbell,
	};
	char error[PORT_ERROR_BYTES];

	b->pool = rte_pktmbuf_pool_create("bench", N_MBUFS, 0, 0, 2176, SOCKET_ID_ANY);
	port.pool = b->pool;
	memcpy(port.mac, mac, sizeof(mac));
	if (!b->pool || port_open(&b->port, &port, error))
		fail("no port");
	worker_port.eth_id = b->port.eth_id;
	memcpy(worker_port.mac, mac, sizeof(mac));
	if (msg_channel_create(&b->punts, 64, NUMA_NODE_ANY) ||
		msg_channel_create(&b->others, 64, NUMA_NODE_ANY) ||
		msg_channel_create(&b->inbox, 1024, NUMA_NODE_ANY) ||
		worker_create(&b->worker, &config))
		fail("no worker");
	install(b);
}

static void close_bench(struct bench *b)
{
	worker_destroy(b->worker);
	msg_channel_destroy(&b->punts);
	msg_channel_destroy(&b->others);
	msg_channel_destroy(&b->inbox);
	port_close(&b->port);
	rte_mempool_free(b->pool);
}

static void write_frame(uint8_t *frame, uint32_t flow)
{
	const struct endpoint client = client_of(flow);
	const struct endpoint to = service();

	memset(frame, 0, 46);
	memcpy(frame, mac, sizeof(mac));
	store_be16(frame + 12, 0x0800);
	frame[14] = 0x45;
	store_be16(frame + 16, FRAME_BYTES - 14);
	frame[22] = 64;
	frame[23] = 17;
	memcpy(frame + 26, client.ip.bytes, 4);
	memcpy(frame + 30, to.ip.bytes, 4);
	store_be16(frame + 34, client.port);
	store_be16(frame + 36, to.port);
	store_be16(frame + 38, FRAME_BYTES - 34);
	store_be16(frame + 40, 0x1234);
	store_be16(frame + 42, CHANNEL);
	store_be16(frame + 44, DATA_BYTES);
}

static void receive_burst(struct bench *b)
{
	for (int i = 0; i < BURST; i++) {
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(b->pool);

		if (!mbuf)
			fail("buffers are lost");
		mbuf->data_len = FRAME_BYTES;
		mbuf->pkt_len = FRAME_BYTES;
		write_frame(
			rte_pktmbuf_mtod(mbuf, uint8_t *), random_below(&b->random, b->n_flows));
		rte_ring_enqueue(b->port.memory_rx[0], mbuf);
	}
}

static void take_burst(struct bench *b)
{
	void *mbufs[BURST];
	const unsigned n = rte_ring_dequeue_burst(b->port.memory_tx[0], mbufs, BURST, NULL);

	if (n != BURST)
		fail("a packet was not relayed");
	rte_pktmbuf_free_bulk((struct rte_mbuf **)mbufs, n);
}

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a;
	const uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void measure(uint32_t n_flows)
{
	static struct bench b;

	b = (struct bench){.n_flows = n_flows, .doorbell.fd = -1, .random.state = 7};
	open_bench(&b);
	for (int i = 0; i < N_BURSTS; i++) {
		uint64_t begin;

		receive_burst(&b);
		begin = rte_rdtsc_precise();
		worker_poll(b.worker);
		b.cycles[i] = rte_rdtsc_precise() - begin;
		take_burst(&b);
	}
	qsort(b.cycles, N_BURSTS, sizeof(b.cycles[0]), compare);
	printf("%9u %18.1f %12.1f  %s\n", n_flows, (double)b.cycles[N_BURSTS / 2] / BURST,
		(double)b.cycles[N_BURSTS * 99 / 100] / BURST,
		worker_flows(b.worker)->entry_pages.huge ? "2 MiB pages" : "ordinary pages");
	close_bench(&b);
}

int main(int argc, char **argv)
{
	char *arguments[] = {"path", "--no-huge", "--no-shconf", "-m", "128", "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", "0@1"};

	if (rte_eal_init(N_ELEMENTS(arguments), arguments) < 0)
		fail("the EAL does not start");
	printf("    flows   cycles a packet          p99  table\n");
	if (argc < 2) {
		measure(1000);
		measure(100000);
	}
	for (int i = 1; i < argc; i++)
		measure((uint32_t)strtoul(argv[i], NULL, 10));
	rte_eal_cleanup();
	return 0;
}
