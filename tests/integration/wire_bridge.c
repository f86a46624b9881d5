// A port and its mirror with nothing between: every frame of the wire goes to the kernel's TAP and
// back. A fixture for tests of ports.
//
//     wire_bridge [options] KIND:TARGET MIRROR [ADDRESS/BITS ...]
//
// Options: -q N queues, -m MTU, -s serve (memif), -n no guard, -u swallow UDP of IPv4 as a relay
// does, -r N open and close the port N times before, -2 take 2 MiB pages (EAL --in-memory) instead
// of none. Says "eal" when the EAL is up and "ready mac=... queues=..." when frames flow; ends at
// SIGTERM or SIGINT, cleanly and with counters.
#include "drivers/drivers.h"

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BURST 32
#define ADDRESSES_MAX 8
#define POOL_MBUFS 16383
#define IDLE_US 50

struct options {
	struct port_config port;
	struct mirror_config mirror;
	struct prefix addresses[ADDRESSES_MAX];
	int n_reopened;
	bool with_guard;
	bool swallow_udp;
	bool huge;
};

struct counters {
	uint64_t n_from_wire;
	uint64_t n_to_wire;
	uint64_t n_swallowed;
	uint64_t n_lost;
};

static volatile sig_atomic_t stopped;

static void on_stop(int sign)
{
	(void)sign;
	stopped = 1;
}

static void die(const char *text)
{
	fprintf(stderr, "wire_bridge: %s\n", text);
	exit(1);
}

static enum port_kind parse_kind(const char *text)
{
	static const char *const names[] = {
		[PORT_AF_PACKET] = "af_packet",
		[PORT_AF_XDP] = "af_xdp",
		[PORT_VIRTIO_USER] = "virtio_user",
		[PORT_VHOST] = "vhost",
		[PORT_MEMIF] = "memif",
		[PORT_PCI] = "pci",
		[PORT_MEMORY] = "memory",
	};

	for (size_t i = 0; i < N_ELEMENTS(names); i++) {
		if (strcmp(names[i], text) == 0)
			return (enum port_kind)i;
	}
	die("unknown kind of port");
	return PORT_MEMORY;
}

static void parse_option(struct options *options, int letter)
{
	switch (letter) {
	case 'q':
		options->port.n_queues = (uint16_t)atoi(optarg);
		break;
	case 'm':
		options->port.mtu_bytes = (uint16_t)atoi(optarg);
		break;
	case 's':
		options->port.memif_server = true;
		break;
	case 'n':
		options->with_guard = false;
		break;
	case '2':
		options->huge = true;
		break;
	case 'r':
		options->n_reopened = atoi(optarg);
		break;
	case 'u':
		options->swallow_udp = true;
		break;
	default:
		die("unknown option");
	}
}

static void parse(struct options *options, int argc, char **argv)
{
	char *target;
	int letter;

	options->port = (struct port_config){.name = "wire", .n_queues = 1, .mtu_bytes = 1500};
	options->with_guard = true;
	while ((letter = getopt(argc, argv, "q:m:snr:u2")) != -1)
		parse_option(options, letter);
	if (argc - optind < 2)
		die("usage: wire_bridge [options] KIND:TARGET MIRROR [ADDRESS/BITS ...]");
	target = strchr(argv[optind], ':');
	if (target)
		*target++ = 0;
	options->port.kind = parse_kind(argv[optind++]);
	options->port.target = target;
	options->mirror.name = argv[optind++];
	options->mirror.addresses = options->addresses;
	for (; optind < argc && options->mirror.n_addresses < ADDRESSES_MAX; optind++) {
		if (prefix_parse(&options->addresses[options->mirror.n_addresses++], argv[optind]))
			die("bad address");
	}
}

static void start_eal(const struct options *options)
{
	char *plain[] = {"wire_bridge", "--no-huge", "--no-shconf", "-m", "256", "--no-pci",
		"--no-telemetry", "--log-level=*:error"};
	char *huge[] = {"wire_bridge", "--in-memory", "-m", "256", "--single-file-segments",
		"--iova-mode=va", "--no-pci", "--no-telemetry", "--log-level=*:error"};
	const int n = options->huge ? N_ELEMENTS(huge) : N_ELEMENTS(plain);

	if (rte_eal_init(n, options->huge ? huge : plain) < 0)
		die("the EAL does not start");
	puts("eal");
	fflush(stdout);
}

static bool is_udp4(const struct rte_mbuf *mbuf)
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);

	return rte_pktmbuf_data_len(mbuf) >= 34 && load_be16(frame + 12) == 0x0800 &&
		frame[23] == 17;
}

static void from_wire(const struct port *port, const struct mirror *mirror, bool swallow_udp,
	struct counters *out)
{
	struct rte_mbuf *mbufs[BURST];

	for (uint16_t q = 0; q < port->n_queues; q++) {
		const uint16_t n = rte_eth_rx_burst(port->eth_id, q, mbufs, BURST);

		for (uint16_t i = 0; i < n; i++) {
			if (swallow_udp && is_udp4(mbufs[i]))
				out->n_swallowed++;
			else if (mirror_write(mirror, rte_pktmbuf_mtod(mbufs[i], uint8_t *),
					 rte_pktmbuf_data_len(mbufs[i])))
				out->n_lost++;
			rte_pktmbuf_free(mbufs[i]);
		}
		out->n_from_wire += n;
	}
}

static bool to_wire(const struct port *port, const struct mirror *mirror, struct rte_mempool *pool,
	struct counters *out)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	int n;

	if (!mbuf)
		return false;
	n = mirror_read(mirror, rte_pktmbuf_mtod(mbuf, uint8_t *), rte_pktmbuf_tailroom(mbuf));
	if (n <= 0) {
		rte_pktmbuf_free(mbuf);
		return false;
	}
	rte_pktmbuf_append(mbuf, (uint16_t)n);
	if (rte_eth_tx_burst(port->eth_id, 0, &mbuf, 1) == 1) {
		out->n_to_wire++;
	} else {
		rte_pktmbuf_free(mbuf);
		out->n_lost++;
	}
	return true;
}

static void shovel(
	const struct port *port, const struct mirror *mirror, const struct options *options)
{
	struct counters counters = {0};
	uint64_t n_before;

	while (!stopped) {
		n_before = counters.n_from_wire + counters.n_to_wire;
		from_wire(port, mirror, options->swallow_udp, &counters);
		for (int i = 0; i < BURST && to_wire(port, mirror, options->port.pool, &counters);
			i++)
			;
		if (counters.n_from_wire + counters.n_to_wire == n_before)
			usleep(IDLE_US);
	}
	printf("stopped from_wire=%lu to_wire=%lu swallowed=%lu lost=%lu\n", counters.n_from_wire,
		counters.n_to_wire, counters.n_swallowed, counters.n_lost);
}

static void run(struct options *options, struct guard *guard)
{
	char error[PORT_ERROR_BYTES];
	struct mirror mirror;
	struct port port;

	options->port.pool = rte_pktmbuf_pool_create(
		"pool", POOL_MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (!options->port.pool)
		die("no memory for packets");
	options->port.guard = options->with_guard ? guard : NULL;
	if (port_open(&port, &options->port, error))
		die(error);
	for (int i = 0; i < options->n_reopened; i++) {
		port_close(&port);
		if (port_open(&port, &options->port, error))
			die(error);
	}
	memcpy(options->mirror.mac, port.mac, sizeof(port.mac));
	options->mirror.mtu_bytes = port.mtu_bytes;
	if (mirror_open(&mirror, &options->mirror, error))
		die(error);
	printf("ready mac=%02x:%02x:%02x:%02x:%02x:%02x queues=%u interface=%s device=%s\n",
		port.mac[0], port.mac[1], port.mac[2], port.mac[3], port.mac[4], port.mac[5],
		port.n_queues, port.interface, port.device);
	fflush(stdout);
	shovel(&port, &mirror, options);
	mirror_close(&mirror);
	port_close(&port);
	rte_mempool_free(options->port.pool);
}

int main(int argc, char **argv)
{
	struct options options = {0};
	struct guard guard = {0};

	parse(&options, argc, argv);
	if (options.with_guard && guard_start(&guard, "bridge-guard"))
		die("the guard does not start");
	start_eal(&options);
	// After the EAL, which has handlers of its own.
	signal(SIGTERM, on_stop);
	signal(SIGINT, on_stop);
	run(&options, &guard);
	rte_eal_cleanup();
	guard_stop(&guard);
	return 0;
}
