// Any frames through a whole worker_poll(), with live flows: every frame is accounted for, what is
// sent is a whole packet of ours, and neither bytes behind a frame nor old bytes of a buffer get
// out or decide anything.
//
// An input is a row of frames, each behind two bytes of length (0xffff: a poll). The own mutator
// keeps lengths true, so that what is deeper is reached.
#include "drivers/drivers.h"
#include "worker/worker.h"

#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdio.h>
#include <stdlib.h>

#define FRAMES_MAX 40
#define FRAME_BYTES_MAX 1600
#define POLL_MARK 0xffff
#define SECRET_BYTES 8

#define SERVICE "198.18.0.2:3478"
#define SERVICE6 "[2001:db8::2]:3478"
#define ALTERNATE "198.18.0.3:3479" // only told
#define EXTERNAL "198.18.0.99:0" // of SERVICE, outside a 1:1 NAT

static const uint8_t port_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t gateway_mac[6] = {0x02, 0, 0, 0, 0, 0xfe};

static struct port port;
static struct rte_mempool *pool;
static struct rte_mempool *jumbo_pool;
static uint64_t now_ms = 10000;
static struct worker *worker;
static struct msg_channel punts, others, inbox;
static struct doorbell doorbell = {.fd = -1};
static struct heartbeat heartbeat; // has stopped: workers answer ARP and neighbour solicitations
static uint64_t seq;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n, size_t n_max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t n, size_t n_max) __attribute__((weak));

#define must(condition)                                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

static struct endpoint at(const char *text)
{
	struct endpoint endpoint;

	must(endpoint_parse(&endpoint, text) == 0);
	return endpoint;
}

static void tell(struct msg msg)
{
	msg.seq = ++seq;
	must(msg_send(&inbox, &msg));
	worker_poll(worker);
}

#define HOP_IPV6 8 // behind the hop of IPv4 stands that of IPv6

static void add_hop(uint16_t hop_idx, enum flow_hop_kind kind)
{
	struct msg msg = {.kind = MSG_HOP_SET, .hop_idx = hop_idx};

	msg.hop = (struct flow_hop){.kind = (uint8_t)kind, .mtu_bytes = 1500, .header_bytes = 14};
	memcpy(msg.hop.header, kind == FLOW_HOP_LOOP ? port_mac : gateway_mac, 6);
	memcpy(msg.hop.header + 6, port_mac, 6);
	store_be16(msg.hop.header + 12, 0x0800);
	tell(msg);
	msg.hop_idx = (uint16_t)(hop_idx + HOP_IPV6);
	store_be16(msg.hop.header + 12, 0x86dd);
	tell(msg);
}

static uint16_t hop_of(const char *address, uint16_t hop_idx)
{
	const bool ipv6 = at(address).ip.family == FAMILY_IPV6;

	return (uint16_t)(hop_idx + (ipv6 ? HOP_IPV6 : 0));
}

static void add_flow(const struct flow_spec *spec)
{
	tell(msg_flow_insert(spec));
}

static void add_call(const char *client, const char *relayed, const char *peer, uint16_t channel,
	uint16_t peer_hop_idx)
{
	const bool ipv4 = at(client).ip.family == FAMILY_IPV4;
	const struct endpoint service = at(ipv4 ? SERVICE : SERVICE6);
	struct flow_spec spec = {
		.kind = FLOW_OWNER,
		.local = service,
		.remote = at(client),
		.source = at(relayed),
		.target.ip.family = at(relayed).ip.family,
		.peer_hop_idx = hop_of(peer, peer_hop_idx),
	};

	add_flow(&spec);
	spec.kind = FLOW_UP;
	spec.channel = channel;
	spec.target = at(peer);
	spec.hop_idx = hop_of(peer, peer_hop_idx);
	add_flow(&spec);
	spec.kind = FLOW_DOWN;
	spec.hop_idx = hop_of(client, 1);
	spec.local = at(relayed);
	spec.remote = at(peer);
	spec.source = service;
	spec.target = at(client);
	add_flow(&spec);
	spec.kind = FLOW_PERMISSION;
	spec.remote.port = 0;
	add_flow(&spec);
}

static void open_worker(void)
{
	const struct endpoint services[] = {at(SERVICE), at(SERVICE6)};
	const struct relay_range relays[] = {
		{services[0].ip, 50000, 50999, at(EXTERNAL).ip}, {services[1].ip, 50000, 50999}};
	struct worker_port_config worker_port = {.eth_id = port.eth_id, .kernel_wire = true};
	const struct worker_config config = {
		.serves_classic = true,
		.software = "fuzz",
		.discovery = {services[0], at(ALTERNATE)},
		.answers = {.bindings_per_source = 50, .challenges_per_source = 50},
		.rates =
			{
				.allocation = {.packets_per_s = 80},
				.user = {.bytes_per_s = 100000},
				.all = {.bytes_per_s = 1000000, .packets_per_s = 1000},
				.burst_ms = 100,
				.n_allocations = 4,
			},
		.ports = &worker_port,
		.n_ports = 1,
		.services = services,
		.n_services = N_ELEMENTS(services),
		.relays = relays,
		.n_relays = N_ELEMENTS(relays),
		.n_flows = 64,
		.n_flows6 = 64,
		.numa_node = NUMA_NODE_ANY,
		.seed = {1, 2},
		.punts = &punts,
		.others = &others,
		.inbox = &inbox,
		.doorbell = &doorbell,
		.heartbeat = &heartbeat,
		.virtual_ms = &now_ms,
		.frame_pool = pool,
		.jumbo_pool = jumbo_pool,
	};

	memcpy(worker_port.mac, port_mac, sizeof(port_mac));
	must(msg_channel_create(&punts, 64, NUMA_NODE_ANY) == 0);
	must(msg_channel_create(&others, 64, NUMA_NODE_ANY) == 0);
	must(msg_channel_create(&inbox, 64, NUMA_NODE_ANY) == 0);
	must(worker_create(&worker, &config) == 0);
}

static void add_address(uint16_t address_idx, const char *text)
{
	tell((struct msg){.kind = MSG_ADDRESS_SET, .address_idx = address_idx, .ip = at(text).ip});
}

// Of each pair of families one whose peer is outside; two clients who call each other; one whose
// next hop is not resolved.
static void open_all(void)
{
	char *arguments[] = {"fuzz", "--no-huge", "--no-shconf", "-m", "64", "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", "0@0"};
	struct port_config config = {
		.name = "fuzz", .kind = PORT_MEMORY, .mtu_bytes = 1500, .n_queues = 1};
	char error[PORT_ERROR_BYTES] = "";

	must(rte_eal_init(N_ELEMENTS(arguments), arguments) >= 0);
	pool = rte_pktmbuf_pool_create("fuzz", 1023, 0, 0, 2176, SOCKET_ID_ANY);
	jumbo_pool = rte_pktmbuf_pool_create("jumbos", 127, 0, 0, WORKER_JUMBO_ROOM, SOCKET_ID_ANY);
	must(pool != NULL && jumbo_pool != NULL);
	config.pool = pool;
	memcpy(config.mac, port_mac, sizeof(config.mac));
	must(port_open(&port, &config, error) == 0);
	open_worker();
	add_address(0, SERVICE);
	add_address(1, SERVICE6);
	add_hop(1, FLOW_HOP_WIRE);
	add_hop(2, FLOW_HOP_LOOP);
	add_hop(3, FLOW_HOP_KERNEL);
	add_call("198.18.0.10:5000", "198.18.0.2:50000", "198.18.0.20:6000", 0x4001, 1);
	add_call("198.18.0.11:5001", "198.18.0.2:50001", "198.18.0.2:50002", 0x4002, 2);
	add_call("198.18.0.12:5002", "198.18.0.2:50002", "198.18.0.2:50001", 0x4003, 2);
	add_call("198.18.0.13:5003", "198.18.0.2:50003", "198.18.0.21:6001", 0x4004, 3);
	add_call("[2001:db8::10]:5000", "[2001:db8::2]:50000", "[2001:db8::20]:6000", 0x4001, 1);
	add_call("[2001:db8::11]:5001", "198.18.0.2:50011", "198.18.0.22:6000", 0x4001, 1);
	add_call("198.18.0.14:5004", "[2001:db8::2]:50001", "[2001:db8::21]:6000", 0x4001, 1);
	add_call("[2001:db8::12]:5002", "[2001:db8::2]:50002", "[2001:db8::2]:50003", 0x4002, 2);
	add_call("198.18.0.15:5005", "[2001:db8::2]:50003", "[2001:db8::2]:50002", 0x4003, 2);
}

static uint32_t sum(const uint8_t *bytes, size_t n, uint32_t so_far)
{
	for (size_t i = 0; i < n; i++)
		so_far += i & 1 ? bytes[i] : (uint32_t)bytes[i] << 8;
	while (so_far >> 16)
		so_far = (so_far & 0xffff) + (so_far >> 16);
	return so_far;
}

// A STUN message of ours has true lengths, and padding that says nothing.
static void check_stun(const uint8_t *message, size_t n)
{
	size_t offset = STUN_HEADER_BYTES;

	if (stun_classify(message, n) != STUN_KIND_MESSAGE || !stun_is_whole(message, n))
		return; // a peer's or a client's
	if (load_be16(message) != (STUN_BINDING | 0x100) && load_be16(message) != 0x17)
		return;
	while (offset < n) {
		const size_t n_value = load_be16(message + offset + 2);

		for (size_t i = n_value; i % 4 != 0; i++)
			must(message[offset + 4 + i] == 0);
		offset += 4 + (n_value + 3) / 4 * 4;
	}
	must(offset == n);
}

// What is damaged on the way in is seen to be damaged on the way out, so this is asked only while
// all that came in was right.
static bool sums_are_right;

static uint32_t pseudo_sum(const uint8_t *ip, size_t udp_bytes)
{
	return ip[0] >> 4 == 6 ? sum(ip + 8, 32, (uint32_t)(17 + udp_bytes))
			       : sum(ip + 12, 8, (uint32_t)(17 + udp_bytes));
}

static bool is_udp_sum_right(const uint8_t *ip, const uint8_t *udp, size_t udp_bytes)
{
	if (load_be16(udp + 6) == 0)
		return ip[0] >> 4 == 4;
	return sum(udp, udp_bytes, pseudo_sum(ip, udp_bytes)) == 0xffff;
}

// The frame that comes in: right, or as a kernel leaves it to hardware, or surely not relayed.
static bool is_right(const uint8_t *frame, size_t n)
{
	const uint8_t *ip = frame + 14;
	const bool ipv4 = n > 34 && load_be16(frame + 12) == 0x0800 && ip[0] == 0x45 && ip[9] == 17;
	const bool ipv6 = n > 54 && load_be16(frame + 12) == 0x86dd && ip[6] == 17;
	const uint8_t *udp = ip + (ipv4 ? 20 : 40);
	const size_t udp_bytes = (size_t)(frame + n - udp);

	if ((!ipv4 && !ipv6) || frame + n < udp + 8 || load_be16(udp + 4) != udp_bytes)
		return false;
	if (ipv4 && sum(ip, 20, 0) != 0xffff)
		return false;
	return is_udp_sum_right(ip, udp, udp_bytes) ||
		load_be16(udp + 6) == pseudo_sum(ip, udp_bytes);
}

static void check_ipv4(const uint8_t *ip, size_t n)
{
	must(ip[0] == 0x45 && ip[8] > 0);
	must(load_be16(ip + 2) == n);
	must(!sums_are_right || sum(ip, 20, 0) == 0xffff);
	must(load_be32(ip + 12) == 0xc6120002);
}

static void check_ipv6(const uint8_t *ip, size_t n)
{
	must(ip[0] >> 4 == 6 && ip[7] > 0);
	must(load_be16(ip + 4) == n - 40);
	must(memcmp(ip + 8, at(SERVICE6).ip.bytes, IPV6_BYTES) == 0);
}

// Where our MAC is.
static void check_arp(const uint8_t *arp, size_t n)
{
	must(n == 28 && memcmp(arp, "\x00\x01\x08\x00\x06\x04\x00\x02", 8) == 0);
	must(memcmp(arp + 8, port_mac, 6) == 0 && load_be32(arp + 14) == 0xc6120002);
	must(!(arp[18] & 1));
}

static void check_advertisement(const uint8_t *ip, const uint8_t *message, size_t n_message)
{
	must(n_message == 32 && ip[7] == 255);
	must(memcmp(message + 8, at(SERVICE6).ip.bytes, IPV6_BYTES) == 0);
	must(message[24] == 2 && message[25] == 1 && memcmp(message + 26, port_mac, 6) == 0);
}

// An error about what may not leave, with the start of it; or where our MAC is.
static void check_icmp(const uint8_t *ip, size_t n)
{
	const bool ipv4 = ip[0] >> 4 == 4;
	const size_t n_message = n - (ipv4 ? 20 : 40);
	const uint8_t *message = ip + (ipv4 ? 20 : 40);

	if (!ipv4 && message[0] == 136)
		check_advertisement(ip, message, n_message);
	else
		must(message[0] == (ipv4 ? 3 : 2) || message[0] == (ipv4 ? 11 : 3));
	must(n <= (ipv4 ? 576 : 1280) && n_message >= (message[0] == 136 ? 32 : 8 + 28));
	must(sum(message, n_message, ipv4 ? 0 : sum(ip + 8, 32, (uint32_t)(58 + n_message))) ==
		0xffff);
}

static void check_udp(const uint8_t *ip, const uint8_t *udp, size_t udp_bytes)
{
	must(udp_bytes >= 8);
	must(ip[0] >> 4 == 4 || load_be16(udp + 6) != 0); // RFC 8200 §8.1
	must(load_be16(udp + 4) == udp_bytes);
	must(!sums_are_right || is_udp_sum_right(ip, udp, udp_bytes));
	if (load_be16(udp) == 3478)
		check_stun(udp + 8, udp_bytes - 8);
}

// What leaves is UDP, whole or a fragment, an ICMP error, or where our MAC is, from an address of
// ours, and holds no byte that was not meant.
static void check_sent(const struct rte_mbuf *mbuf, const uint8_t secret[SECRET_BYTES])
{
	const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
	const bool ipv4 = load_be16(frame + 12) == 0x0800;
	const uint8_t *udp = frame + 14 + (ipv4 ? 20 : 40);
	const size_t udp_bytes = (size_t)(frame + mbuf->data_len - udp);
	const uint8_t protocol = frame[14 + (ipv4 ? 9 : 6)];
	const char *reason;

	must(rte_mbuf_check(mbuf, 1, &reason) == 0 && mbuf->nb_segs == 1);
	must(mbuf->data_len > 14 + 20 && mbuf->data_len <= 1514); // a last fragment has a byte
	must(mbuf->pkt_len == mbuf->data_len);
	must(memcmp(frame + 6, port_mac, 6) == 0);
	must(memmem(frame, mbuf->data_len, secret, SECRET_BYTES) == NULL);
	if (load_be16(frame + 12) == 0x0806)
		return check_arp(frame + 14, mbuf->data_len - 14u);
	must(ipv4 || load_be16(frame + 12) == 0x86dd);
	if (ipv4)
		check_ipv4(frame + 14, mbuf->data_len - 14u);
	else
		check_ipv6(frame + 14, mbuf->data_len - 14u);
	if (protocol == (ipv4 ? 1 : 58))
		check_icmp(frame + 14, mbuf->data_len - 14u);
	else if (ipv4 ? !(load_be16(frame + 20) & 0x3fff) : protocol != 44)
		check_udp(frame + 14, udp, udp_bytes);
	must(protocol == 17 || protocol == (ipv4 ? 1 : 58) || (!ipv4 && protocol == 44));
}

static void check_balance(void)
{
	const struct worker_stats *s = &worker_public(worker)->stats;

	must(s->n_rx + s->n_looped_in + s->n_from_control + s->n_made ==
		s->n_tx + s->n_looped + s->n_punted + s->n_mirrored + s->n_kernel + s->n_absorbed +
			worker_stats_drops(s));
}

static void collect(const uint8_t secret[SECRET_BYTES])
{
	struct rte_mbuf *mbuf;
	struct msg msg;

	while (rte_ring_dequeue(port.memory_tx[0], (void **)&mbuf) == 0) {
		check_sent(mbuf, secret);
		rte_pktmbuf_free(mbuf);
	}
	while (msg_receive_burst(&punts, &msg, 1) || msg_receive_burst(&others, &msg, 1)) {
		const char *reason;

		must(rte_mbuf_check(msg.mbuf, 1, &reason) == 0);
		rte_pktmbuf_free(msg.mbuf);
	}
}

static void poll_all(const uint8_t secret[SECRET_BYTES])
{
	for (unsigned n = 0; worker_poll(worker) > 0; n++) {
		collect(secret);
		must(n < 4 * FRAMES_MAX); // nothing goes round for ever
	}
	collect(secret);
	check_balance();
}

static void receive(const uint8_t *bytes, size_t n, const uint8_t secret[SECRET_BYTES])
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	uint8_t *room = mbuf->buf_addr;

	must(mbuf != NULL);
	for (size_t i = 0; i < mbuf->buf_len; i += SECRET_BYTES)
		memcpy(room + i, secret, SECRET_BYTES);
	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)n), bytes, n);
	must(rte_ring_enqueue(port.memory_rx[0], mbuf) == 0);
}

// The bytes of the next record, or NULL for a poll.
static const uint8_t *next_frame(const uint8_t **p, const uint8_t *end, size_t *n)
{
	const uint16_t length = end - *p >= 2 ? load_be16(*p) : POLL_MARK;
	const uint8_t *bytes = *p + 2;

	*p = end - *p >= 2 ? bytes : end;
	if (length == POLL_MARK)
		return NULL;
	*n = length % FRAME_BYTES_MAX;
	if (*n > (size_t)(end - bytes))
		*n = (size_t)(end - bytes);
	*p = bytes + *n;
	return bytes;
}

static void run(const uint8_t *data, size_t n_bytes, const uint8_t secret[SECRET_BYTES])
{
	const uint8_t *end = data + n_bytes;
	unsigned n_frames = 0;
	size_t n;

	sums_are_right = true;
	while (data < end && n_frames < FRAMES_MAX) {
		const uint8_t *frame = next_frame(&data, end, &n);

		if (frame) {
			receive(frame, n, secret);
			sums_are_right &= is_right(frame, n);
			n_frames++;
		} else {
			poll_all(secret);
		}
	}
	poll_all(secret);
	must(rte_mempool_in_use_count(pool) == 0);
}

// What was counted since `before`; polls and time apart.
static struct worker_stats since(const struct worker_stats *before)
{
	struct worker_stats now = worker_public(worker)->stats;
	const uint64_t *b = (const uint64_t *)before;
	uint64_t *n = (uint64_t *)&now;

	for (size_t i = 0; i < sizeof(now) / sizeof(*n); i++)
		n[i] -= b[i];
	now.n_polls = now.n_busy_polls = now.n_busy_ticks = 0;
	now.relay = (struct latency){{0}, 0};
	return now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	static const uint8_t secrets[2][SECRET_BYTES] = {
		{0x00, 0x13, 0x00, 0x04, 0xd5, 0xe7, 0x91, 0xb3},
		{0x40, 0x01, 0x7f, 0xc9, 0x5b, 1, 0, 8}};
	struct worker_stats before, first, second;

	if (!worker)
		open_all();
	for (int i = 0; i < 2; i++)
		if (memmem(data, n_bytes, secrets[i], SECRET_BYTES))
			return 0;
	before = worker_public(worker)->stats;
	run(data, n_bytes, secrets[0]);
	first = since(&before);
	now_ms += 3000;
	before = worker_public(worker)->stats;
	run(data, n_bytes, secrets[1]);
	second = since(&before);
	now_ms += 3000;
	// Fragments that wait for more are given up when the next ones come.
	first.n_reassembly_failed = second.n_reassembly_failed = 0;
	must(memcmp(&first, &second, sizeof(first)) == 0);
	return 0;
}

static void mend_udp_sum(const uint8_t *ip, uint8_t *udp, size_t udp_bytes)
{
	uint16_t csum;

	store_be16(udp + 6, 0);
	csum = (uint16_t)~sum(udp, udp_bytes, pseudo_sum(ip, udp_bytes));
	store_be16(udp + 6, csum ? csum : 0xffff);
}

// Lengths and sums that are true, from the outside in: IP, UDP, and STUN or ChannelData.
static void mend(uint8_t *frame, size_t n, unsigned int how)
{
	const size_t ip_bytes = n > 14 && frame[14] >> 4 == 6 ? 40 : 20;
	uint8_t *ip = frame + 14;
	uint8_t *udp = ip + ip_bytes;

	if (n < 14 + ip_bytes + 8 + 4 || how % 8 == 0)
		return;
	store_be16(frame + 12, ip_bytes == 40 ? 0x86dd : 0x0800);
	if (ip_bytes == 40) {
		store_be16(ip + 4, (uint16_t)(n - 54));
		ip[6] = how % 8 > 1 ? 17 : ip[6];
	} else {
		ip[0] = 0x45;
		store_be16(ip + 2, (uint16_t)(n - 14));
		store_be16(ip + 6, load_be16(ip + 6) & 0x4000);
		ip[9] = how % 8 > 1 ? 17 : ip[9];
		store_be16(ip + 10, 0);
		store_be16(ip + 10, (uint16_t)~sum(ip, 20, 0));
	}
	store_be16(udp + 4, (uint16_t)(frame + n - udp));
	if (how % 8 > 3)
		store_be16(udp + 10, (uint16_t)(frame + n - udp - 8 - (udp[8] & 0x40 ? 4 : 20)));
	mend_udp_sum(ip, udp, (size_t)(frame + n - udp));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t n_bytes, size_t n_max, unsigned int seed)
{
	const uint8_t *p = data;
	const uint8_t *end;
	const unsigned int skip = seed / 64 % 4;

	if (seed % 4 == 0)
		return LLVMFuzzerMutate(data, n_bytes, n_max);
	// Of one frame the inside, at its length.
	end = data + n_bytes;
	for (unsigned int i = 0; p < end; i++) {
		size_t n;
		uint8_t *frame = (uint8_t *)next_frame(&p, end, &n);

		if (!frame || i < skip || n == 0)
			continue;
		LLVMFuzzerMutate(frame, n, n);
		mend(frame, n, seed / 4);
		return n_bytes;
	}
	return LLVMFuzzerMutate(data, n_bytes, n_max);
}
