#include "frames.h"

#include "neighbours.h"
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
#define ASK_NS (100 * (int64_t)NS_IN_MS)
#define ASK_IPV6_NS ((int64_t)NS_IN_S) // RFC 4861 §10: RETRANS_TIMER
#define ASK_LIMIT_NS (5 * (int64_t)NS_IN_S)
#define LINK_ASK_NS (10 * (int64_t)NS_IN_MS)
#define LINK_LIMIT_NS (30 * (int64_t)NS_IN_S)

struct frames {
	struct wire wire; // first: the engine hands it back
	struct frames_config config;
	struct port port;
	struct rte_mempool *pool;
	struct neighbours neighbours;
	uint16_t ip_id;
	struct endpoint *locals; // of every slot
	uint32_t n_slots;
	struct rte_mbuf *held[BURST]; // what receive_burst() gave out
	uint16_t n_held;
};

static void put_ether(const struct frames *f, uint8_t *ether, uint16_t type)
{
	memcpy(ether, f->neighbours.next_hop_mac, 6);
	memcpy(ether + 6, f->port.mac, 6);
	store_u16(ether + 12, type);
}

// The sum under a UDP checksum, pseudo header included; of both addresses.
static inline uint16_t sum_udp(
	const uint8_t *ips, size_t ips_bytes, const uint8_t *udp, uint16_t udp_bytes)
{
	return csum_fold(csum_sum(ips, ips_bytes) + csum_sum(udp, udp_bytes) +
		__builtin_bswap16(PKT_PROTOCOL_UDP) + __builtin_bswap16(udp_bytes));
}

// | 20 IPv4 | 8 UDP | payload |, both checksums complete, without DF. Not by pkt_originate(), which
// takes 56 instructions more: it is the generator's own limit that is at stake.
static uint16_t put_ipv4(struct frames *f, uint8_t *frame, const struct datagram *datagram)
{
	const struct endpoint *local = &f->locals[datagram->slot];
	const uint16_t udp_bytes = PKT_UDP_BYTES + datagram->n_bytes;
	uint8_t *ip = frame + PKT_ETHER_BYTES;
	uint8_t *udp = ip + PKT_IPV4_BYTES;
	uint16_t csum;

	put_ether(f, frame, PKT_TYPE_IPV4);
	memset(ip, 0, PKT_IPV4_BYTES);
	ip[0] = 0x45;
	store_be16(ip + 2, PKT_IPV4_BYTES + udp_bytes);
	store_be16(ip + 4, f->ip_id++);
	ip[8] = PKT_TTL_DEFAULT;
	ip[9] = PKT_PROTOCOL_UDP;
	memcpy(ip + 12, local->ip.bytes, IPV4_BYTES);
	memcpy(ip + 16, datagram->remote.ip.bytes, IPV4_BYTES);
	store_u16(ip + 10, csum_negate(csum_fold(csum_sum(ip, PKT_IPV4_BYTES))));
	store_be16(udp, local->port);
	store_be16(udp + 2, datagram->remote.port);
	store_be16(udp + 4, udp_bytes);
	store_be16(udp + 6, 0);
	memcpy(udp + PKT_UDP_BYTES, datagram->bytes, datagram->n_bytes);
	csum = csum_negate(sum_udp(ip + 12, 2 * IPV4_BYTES, udp, udp_bytes));
	store_u16(udp + 6, csum ? csum : 0xffff);
	return PKT_ETHER_BYTES + PKT_IPV4_BYTES + udp_bytes;
}

// | 40 IPv6 | 8 UDP | payload |.
static uint16_t put_ipv6(const struct frames *f, uint8_t *frame, const struct datagram *datagram)
{
	const struct endpoint *local = &f->locals[datagram->slot];
	uint8_t ether[PKT_L2_BYTES_MAX] = {0};
	const struct pkt_rewrite rewrite = {
		.source_ip = local->ip.bytes,
		.target_ip = datagram->remote.ip.bytes,
		.source_port = __builtin_bswap16(local->port),
		.target_port = __builtin_bswap16(datagram->remote.port),
		.family = FAMILY_IPV6,
		.l2 = ether,
		.l2_bytes = PKT_ETHER_BYTES,
		.payload = frame + PKT_ETHER_BYTES + PKT_IPV6_BYTES + PKT_UDP_BYTES,
		.payload_bytes = datagram->n_bytes,
	};
	struct pkt pkt;

	put_ether(f, ether, PKT_TYPE_IPV6);
	memcpy(rewrite.payload, datagram->bytes, datagram->n_bytes);
	pkt_originate(&pkt, &rewrite);
	return pkt_frame_bytes(&pkt);
}

static void put_frame(struct frames *f, struct rte_mbuf *mbuf, const struct datagram *datagram)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);

	mbuf->data_len = datagram->remote.ip.family == FAMILY_IPV4 ? put_ipv4(f, frame, datagram)
								   : put_ipv6(f, frame, datagram);
	mbuf->pkt_len = mbuf->data_len;
}

static void send_burst(struct wire *wire, struct datagram *datagrams, size_t n)
{
	struct frames *f = (struct frames *)wire;
	struct rte_mbuf *mbufs[BURST];
	uint16_t n_sent;

	if (n > BURST || rte_pktmbuf_alloc_bulk(f->pool, mbufs, (unsigned)n))
		return;
	for (size_t i = 0; i < n; i++)
		put_frame(f, mbufs[i], &datagrams[i]);
	n_sent = rte_eth_tx_burst(f->port.eth_id, 0, mbufs, (uint16_t)n);
	for (size_t i = 0; i < n_sent; i++)
		datagrams[i].sent = true;
	rte_pktmbuf_free_bulk(mbufs + n_sent, (unsigned)n - n_sent);
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

// What was damaged on its way is as good as lost. A kernel on a veth pair leaves checksums open; in
// IPv4 there may be none (RFC 768), in IPv6 not (RFC 8200 §8.1).
static bool is_intact(const struct pkt *pkt)
{
	const bool ipv4 = pkt->family == FAMILY_IPV4;
	const uint16_t udp_bytes = PKT_UDP_BYTES + pkt->payload_bytes;
	uint16_t sum;

	if (pkt_udp_checksum(pkt) == 0)
		return ipv4;
	sum = ipv4 ? sum_udp(pkt->l3 + 12, 2 * IPV4_BYTES, pkt->l4, udp_bytes)
		   : sum_udp(pkt->l3 + 8, 2 * IPV6_BYTES, pkt->l4, udp_bytes);
	return sum == 0xffff || pkt_checksum_unfinished(pkt);
}

// A question or an answer; nothing where it has no bytes.
static void send_words(struct frames *f, const uint8_t *frame, size_t n_bytes)
{
	struct rte_mbuf *mbuf = n_bytes ? rte_pktmbuf_alloc(f->pool) : NULL;

	if (!mbuf)
		return;
	memcpy(rte_pktmbuf_append(mbuf, (uint16_t)n_bytes), frame, n_bytes);
	if (rte_eth_tx_burst(f->port.eth_id, 0, &mbuf, 1) == 0)
		rte_pktmbuf_free(mbuf);
}

static bool take_frame(struct frames *f, struct rte_mbuf *mbuf, struct datagram *out)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct endpoint local;
	struct pkt pkt;
	const enum pkt_kind kind = pkt_parse(&pkt, frame, mbuf->data_len, 0);

	if (kind == PKT_FOREIGN)
		send_words(f, frame, neighbours_take(&f->neighbours, &pkt, mbuf->data_len));
	if (kind != PKT_UDP || !is_intact(&pkt))
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

	const int err = port_open(&f->port, &config, error);

	memcpy(f->neighbours.mac, f->port.mac, sizeof(f->neighbours.mac));
	return err;
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

// Ask for the next hop, by an address of ours, and whether anybody has one: those of IPv6 are ours
// when nobody has answered within a while (RFC 4862 §5.4).
static void ask_around(struct frames *f)
{
	struct neighbours *n = &f->neighbours;
	const bool have_ipv6 = neighbours_have_ipv6(n);
	const int64_t round_ns = have_ipv6 ? ASK_IPV6_NS : ASK_NS;
	const int64_t end_ns = clock_ns() + ASK_LIMIT_NS;
	uint8_t frame[PKT_NEIGHBOUR_BYTES_MAX];
	struct datagram datagrams[BURST];

	n->tentative = have_ipv6;
	do {
		const int64_t next_ns = clock_ns() + round_ns;
		// Others may object to the end of the round.
		const bool to_the_end = n->tentative || !have_ipv6;

		for (size_t i = 0; i < neighbours_count(n); i++)
			send_words(f, frame, neighbours_probe(n, frame, i));
		if (!n->tentative || n->next_hop.family == FAMILY_IPV4)
			send_words(f, frame, neighbours_ask(n, frame));
		while (clock_ns() < next_ns && (to_the_end || !n->found_next_hop))
			receive_burst(&f->wire, datagrams, BURST, ASK_NS / 10);
		n->tentative = false;
	} while (!n->found_next_hop && !n->conflict && clock_ns() < end_ns);
}

static int find_next_hop(struct frames *f, char error[static WIRE_ERROR_BYTES])
{
	char text[ADDR_TEXT_BYTES];

	ask_around(f);
	if (f->neighbours.conflict) {
		snprintf(error, WIRE_ERROR_BYTES, "another host has %s as well",
			ip_format(f->neighbours.conflict, text));
		return -EADDRINUSE;
	}
	if (f->neighbours.found_next_hop)
		return 0;
	snprintf(error, WIRE_ERROR_BYTES, "nobody answers for %s, the next hop",
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
	f->neighbours.slots = &f->config.slots;
	f->neighbours.next_hop = config->next_hop;
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
