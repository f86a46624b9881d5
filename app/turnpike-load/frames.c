#include "frames.h"

#include "pkt/pkt.h"
#include "wait.h"

#include <errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define BURST 64
#define POOL_MBUFS 16383
#define MTU_BYTES 1500
#define ARP_BYTES 42 // with its Ethernet header
#define ARP_REQUEST 1
#define ARP_REPLY 2
#define ARP_ASK_NS (100 * (int64_t)NS_IN_MS)
#define ARP_LIMIT_NS (5 * (int64_t)NS_IN_S)
#define LINK_ASK_NS (10 * (int64_t)NS_IN_MS)
#define LINK_LIMIT_NS (30 * (int64_t)NS_IN_S)
#define ETHER_IPV4 0x0800
#define ETHER_ARP 0x0806
#define UDP 17

struct frames {
	struct wire wire; // first: the engine hands it back
	struct frames_config config;
	struct port port;
	struct rte_mempool *pool;
	bool found_next_hop;
	bool conflict; // another host has one of our addresses
	uint8_t next_hop[6];
	uint16_t ip_id;
	struct endpoint *locals; // of every slot
	uint32_t n_slots;
	struct rte_mbuf *held[BURST]; // what receive_burst() gave out
	uint16_t n_held;
};

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const struct ip_addr nobody = {.family = FAMILY_IPV4};

// An empty mbuf becomes a frame of this size; what follows its Ethernet header is the caller's.
static uint8_t *put_ether(const struct frames *f, struct rte_mbuf *mbuf, const uint8_t target[6],
	uint16_t type, uint16_t n_bytes)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	mbuf->data_len = n_bytes;
	mbuf->pkt_len = n_bytes;
	memcpy(frame, target, 6);
	memcpy(frame + 6, f->port.mac, 6);
	store_be16(frame + 12, type);
	return frame + PKT_ETHER_BYTES;
}

// The sum under a UDP checksum, pseudo header included.
static uint16_t sum_udp(const uint8_t *ip, const uint8_t *udp, uint16_t udp_bytes)
{
	return csum_fold(csum_sum(ip + 12, 2 * IPV4_BYTES) + csum_sum(udp, udp_bytes) +
		__builtin_bswap16(UDP) + __builtin_bswap16(udp_bytes));
}

// | 20 IPv4 | 8 UDP | payload |, both checksums complete.
static void put_headers(
	struct frames *f, uint8_t *ip, const struct datagram *datagram, uint16_t udp_bytes)
{
	const struct endpoint *local = &f->locals[datagram->slot];
	uint8_t *udp = ip + PKT_IPV4_BYTES;
	uint16_t csum;

	memset(ip, 0, PKT_IPV4_BYTES);
	ip[0] = 0x45;
	store_be16(ip + 2, PKT_IPV4_BYTES + udp_bytes);
	store_be16(ip + 4, f->ip_id++);
	ip[8] = PKT_TTL_DEFAULT;
	ip[9] = UDP;
	memcpy(ip + 12, local->ip.bytes, IPV4_BYTES);
	memcpy(ip + 16, datagram->remote.ip.bytes, IPV4_BYTES);
	store_u16(ip + 10, csum_negate(csum_fold(csum_sum(ip, PKT_IPV4_BYTES))));
	store_be16(udp, local->port);
	store_be16(udp + 2, datagram->remote.port);
	store_be16(udp + 4, udp_bytes);
	store_be16(udp + 6, 0);
	memcpy(udp + PKT_UDP_BYTES, datagram->bytes, datagram->n_bytes);
	csum = csum_negate(sum_udp(ip, udp, udp_bytes));
	store_u16(udp + 6, csum ? csum : 0xffff);
}

static void send_burst(struct wire *wire, struct datagram *datagrams, size_t n)
{
	struct frames *f = (struct frames *)wire;
	struct rte_mbuf *mbufs[BURST];
	uint16_t n_sent;

	if (n > BURST || rte_pktmbuf_alloc_bulk(f->pool, mbufs, (unsigned)n))
		return;
	for (size_t i = 0; i < n; i++) {
		const uint16_t udp_bytes = PKT_UDP_BYTES + datagrams[i].n_bytes;
		uint8_t *ip = put_ether(f, mbufs[i], f->next_hop, ETHER_IPV4,
			PKT_ETHER_BYTES + PKT_IPV4_BYTES + udp_bytes);

		put_headers(f, ip, &datagrams[i], udp_bytes);
	}
	n_sent = rte_eth_tx_burst(f->port.eth_id, 0, mbufs, (uint16_t)n);
	for (size_t i = 0; i < n_sent; i++)
		datagrams[i].sent = true;
	rte_pktmbuf_free_bulk(mbufs + n_sent, (unsigned)n - n_sent);
}

static void send_arp(struct frames *f, uint16_t operation, const struct ip_addr *sender,
	const uint8_t *target_mac, const struct ip_addr *target)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(f->pool);
	uint8_t *arp;

	if (!mbuf)
		return;
	arp = put_ether(f, mbuf, target_mac, ETHER_ARP, ARP_BYTES);
	store_be16(arp, 1);
	store_be16(arp + 2, ETHER_IPV4);
	arp[4] = 6;
	arp[5] = IPV4_BYTES;
	store_be16(arp + 6, operation);
	memcpy(arp + 8, f->port.mac, 6);
	memcpy(arp + 14, sender->bytes, IPV4_BYTES);
	memcpy(arp + 18, target_mac, 6);
	memcpy(arp + 24, target->bytes, IPV4_BYTES);
	if (rte_eth_tx_burst(f->port.eth_id, 0, &mbuf, 1) == 0)
		rte_pktmbuf_free(mbuf);
}

static bool is_ours(const struct frames *f, const struct ip_addr *ip)
{
	for (size_t i = 0; i < f->config.slots.n_clients; i++)
		if (ip_equal(ip, &f->config.slots.clients[i]))
			return true;
	for (size_t i = 0; i < f->config.slots.n_peers; i++)
		if (ip_equal(ip, &f->config.slots.peers[i]))
			return true;
	return false;
}

static void take_arp(struct frames *f, const uint8_t *arp)
{
	const struct ip_addr sender = ip_from_bytes(FAMILY_IPV4, arp + 14);
	const struct ip_addr target = ip_from_bytes(FAMILY_IPV4, arp + 24);

	if (!memcmp(arp + 8, f->port.mac, 6))
		return;
	if (is_ours(f, &sender))
		f->conflict = true;
	if (ip_equal(&sender, &f->config.next_hop)) {
		memcpy(f->next_hop, arp + 8, 6);
		f->found_next_hop = true;
	}
	if (load_be16(arp + 6) == ARP_REQUEST && is_ours(f, &target))
		send_arp(f, ARP_REPLY, &target, arp + 8, &sender);
}

// The slot behind a local address, by the arithmetic that gave it; n_slots where there is none.
static uint32_t find_slot(const struct frames *f, const struct endpoint *local)
{
	const struct wire_slots *c = &f->config.slots;
	const uint32_t n_ports = port_count(&c->ports);

	if (local->port < c->ports.min || local->port > c->ports.max)
		return f->n_slots;
	for (uint32_t i = 0; i < c->n_clients; i++) {
		const uint32_t slot = i * n_ports + local->port - c->ports.min;

		if (slot < c->n_client_slots && ip_equal(&local->ip, &c->clients[i]))
			return slot;
	}
	for (uint32_t i = 0; i < c->n_peers; i++) {
		const uint32_t peer = i * n_ports + c->ports.max - local->port;

		if (peer < c->n_peer_slots && ip_equal(&local->ip, &c->peers[i]))
			return c->n_client_slots + peer;
	}
	return f->n_slots;
}

// What was damaged on its way is as good as lost. A kernel on a veth pair leaves checksums open.
static bool is_intact(const struct pkt *pkt)
{
	return pkt_udp_checksum(pkt) == 0 || pkt_checksum_unfinished(pkt) ||
		sum_udp(pkt->l3, pkt->l4, PKT_UDP_BYTES + pkt->payload_bytes) == 0xffff;
}

static bool take_frame(struct frames *f, struct rte_mbuf *mbuf, struct datagram *out)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct endpoint local;
	struct pkt pkt;

	if (mbuf->data_len >= ARP_BYTES && load_be16(frame + 12) == ETHER_ARP) {
		take_arp(f, frame + PKT_ETHER_BYTES);
		return false;
	}
	if (pkt_parse(&pkt, frame, mbuf->data_len, 0) != PKT_UDP || !is_intact(&pkt))
		return false;
	local = pkt_target(&pkt);
	*out = (struct datagram){
		.slot = find_slot(f, &local),
		.remote = pkt_source(&pkt),
		.bytes = pkt.payload,
		.n_bytes = pkt.payload_bytes,
	};
	return out->slot < f->n_slots;
}

static size_t receive_burst(
	struct wire *wire, struct datagram *datagrams, size_t n, int64_t wait_ns)
{
	struct frames *f = (struct frames *)wire;
	const struct wait wait = wait_begin(wait_ns);
	const uint16_t n_max = n < BURST ? (uint16_t)n : BURST;
	size_t n_taken = 0;

	do {
		rte_pktmbuf_free_bulk(f->held, f->n_held);
		f->n_held = rte_eth_rx_burst(f->port.eth_id, 0, f->held, n_max);
		for (uint16_t i = 0; i < f->n_held; i++)
			n_taken += take_frame(f, f->held[i], &datagrams[n_taken]);
	} while (n_taken == 0 && wait_more(&wait));
	return n_taken;
}

// A port does not tell whose packets it missed: they count for both directions.
static void count_drops(struct wire *wire, uint64_t n_drops[static N_DIRECTIONS])
{
	const struct frames *f = (const struct frames *)wire;
	struct rte_eth_stats stats = {0};

	rte_eth_stats_get(f->port.eth_id, &stats);
	n_drops[UP] = stats.imissed + stats.rx_nombuf;
	n_drops[DOWN] = n_drops[UP];
}

static int create_pool(struct frames *f)
{
	// Two ports may be open, each with a pool of its own.
	static int n_pools;
	char name[32];

	snprintf(name, sizeof(name), "frames-%d", n_pools++);
	f->pool = rte_pktmbuf_pool_create(
		name, POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	return f->pool ? 0 : -ENOMEM;
}

static int open_port(struct frames *f, char error[static WIRE_ERROR_BYTES])
{
	const struct port_config config = {
		.name = f->config.target,
		.kind = f->config.kind,
		.target = f->config.target,
		.mtu_bytes = MTU_BYTES,
		.n_queues = 1,
		.pool = f->pool,
		.guard = f->config.guard,
	};

	return port_open(&f->port, &config, error);
}

static int create_locals(struct frames *f, char error[static WIRE_ERROR_BYTES])
{
	const struct wire_slots *c = &f->config.slots;
	const uint32_t n_ports = port_count(&c->ports);

	f->n_slots = c->n_client_slots + c->n_peer_slots;
	f->locals = calloc(f->n_slots, sizeof(*f->locals));
	if (!f->locals)
		return -ENOMEM;
	for (uint32_t i = 0; i < f->n_slots; i++) {
		const bool client = i < c->n_client_slots;
		const uint32_t k = client ? i : i - c->n_client_slots;

		if (k / n_ports >= (client ? c->n_clients : c->n_peers))
			goto full;
		f->locals[i].ip = client ? c->clients[k / n_ports] : c->peers[k / n_ports];
		f->locals[i].port = (uint16_t)(client ? c->ports.min + k % n_ports
						      : c->ports.max - k % n_ports);
		if (find_slot(f, &f->locals[i]) != i)
			goto full;
	}
	return 0;
full:
	snprintf(error, WIRE_ERROR_BYTES,
		"no free port is left; give more addresses or a wider range");
	return -EADDRINUSE;
}

// The other end of a socket may come after us, or find its way to it late.
static int wait_link(const struct frames *f, char error[static WIRE_ERROR_BYTES])
{
	const int64_t end_ns = clock_ns() + LINK_LIMIT_NS;

	while (!port_link_up(&f->port) && clock_ns() < end_ns)
		nanosleep(&(struct timespec){.tv_nsec = LINK_ASK_NS}, NULL);
	if (port_link_up(&f->port))
		return 0;
	snprintf(
		error, WIRE_ERROR_BYTES, "there is no other end, or no link: %s", f->config.target);
	return -EHOSTUNREACH;
}

// Ask for the next hop, and whether anybody has our addresses (RFC 5227 §2.1.1).
static int find_next_hop(struct frames *f, char error[static WIRE_ERROR_BYTES])
{
	const int64_t end_ns = clock_ns() + ARP_LIMIT_NS;
	struct datagram datagrams[BURST];
	char text[ADDR_TEXT_BYTES];

	while (!f->found_next_hop && clock_ns() < end_ns) {
		const int64_t ask_ns = clock_ns() + ARP_ASK_NS;

		for (size_t i = 0; i < f->config.slots.n_clients; i++)
			send_arp(f, ARP_REQUEST, &nobody, broadcast, &f->config.slots.clients[i]);
		for (size_t i = 0; i < f->config.slots.n_peers; i++)
			send_arp(f, ARP_REQUEST, &nobody, broadcast, &f->config.slots.peers[i]);
		send_arp(f, ARP_REQUEST, &f->locals[0].ip, broadcast, &f->config.next_hop);
		while (clock_ns() < ask_ns)
			receive_burst(&f->wire, datagrams, BURST, ARP_ASK_NS / 10);
	}
	if (f->conflict) {
		snprintf(error, WIRE_ERROR_BYTES, "another host has one of our addresses");
		return -EADDRINUSE;
	}
	if (f->found_next_hop)
		return 0;
	snprintf(error, WIRE_ERROR_BYTES, "nobody answers ARP for %s",
		ip_format(&f->config.next_hop, text));
	return -EHOSTUNREACH;
}

int frames_open(struct frames **out, const struct frames_config *config,
	char error[static WIRE_ERROR_BYTES])
{
	struct frames *f = calloc(1, sizeof(*f));
	int err;

	snprintf(error, WIRE_ERROR_BYTES, "not enough memory");
	if (!f)
		return -ENOMEM;
	f->wire = (struct wire){send_burst, receive_burst, count_drops};
	f->config = *config;
	err = create_locals(f, error);
	if (!err)
		err = create_pool(f);
	if (!err)
		err = open_port(f, error);
	if (!err)
		err = wait_link(f, error);
	if (!err)
		err = find_next_hop(f, error);
	if (err) {
		frames_close(f);
		return err;
	}
	*out = f;
	return 0;
}

void frames_close(struct frames *f)
{
	if (!f)
		return;
	rte_pktmbuf_free_bulk(f->held, f->n_held);
	port_close(&f->port);
	free(f->locals);
	free(f);
}

struct wire *frames_wire(struct frames *f)
{
	return &f->wire;
}

const struct endpoint *frames_peers(const struct frames *f)
{
	return f->locals + f->config.slots.n_client_slots;
}
