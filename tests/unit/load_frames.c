// The wire of frames, on a memory port whose other end is a host of the test's own.
#include "app/turnpike-load/clock.h"
#include "app/turnpike-load/frames.h"
#include "pkt/pkt.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_ring.h>
#include <stdatomic.h>
#include <time.h>

#define N_BYTES 100
#define BURST 64
#define UDP_CHECKSUM 6

static const uint8_t router_mac[6] = {0x02, 0, 0, 0, 0, 0x99};
static const struct ip_addr client = {FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}};
static const struct ip_addr peer = {FAMILY_IPV4, {192, 0, 2, 1}};
static const struct ip_addr router = {FAMILY_IPV6, {0xfe, 0x80, [15] = 9}};
static const struct endpoint server = {{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 2}}, 3478};
static const struct endpoint relayed = {{FAMILY_IPV4, {192, 0, 2, 2}}, 50000};

// The host at the other end: what it answers for, and what it has heard.
static struct {
	pthread_t thread;
	atomic_bool stop;
	struct ip_addr also; // an address that it claims to have
	int64_t probed_ns; // somebody looked whether the client's address is taken
	int64_t asked_ns; // for the router, first
	uint32_t n_probes; // of IPv6
} host;

static struct rte_ring *to_us;
static struct rte_ring *from_us;
static struct rte_mempool *pool;
static struct frames *frames;
static struct wire *wire;
static struct datagram datagrams[BURST];

static void start_eal(void)
{
	char *argv[] = {"load_frames", "--no-huge", "--no-shconf", "-m", "128", "--no-pci",
		"--no-telemetry", "--log-level=*:error"};

	cr_assert_geq(rte_eal_init(N_ELEMENTS(argv), argv), 0);
}

TestSuite(load_frames, .init = start_eal, .timeout = 30);

static bool find_port(void)
{
	to_us = rte_ring_lookup("net_ring_0r0");
	from_us = rte_ring_lookup("net_ring_0t0");
	pool = rte_mempool_lookup("frames-0");
	return to_us && from_us && pool;
}

static void hear(struct rte_mbuf *mbuf)
{
	uint8_t *frame = rte_pktmbuf_mtod(mbuf, uint8_t *);
	struct pkt_question question;
	struct ip_addr target;
	struct pkt p;

	if (pkt_parse(&p, frame, mbuf->data_len, 0) != PKT_FOREIGN ||
		!pkt_question_parse(&question, &p, mbuf->data_len))
		goto done;
	target = ip_from_bytes((enum family)question.family, question.target_ip);
	if (ip_equal(&target, &client)) {
		host.probed_ns = clock_ns();
		host.n_probes++;
	}
	if (ip_equal(&target, &router) && !host.asked_ns)
		host.asked_ns = clock_ns();
	if (!ip_equal(&target, &router) && !ip_equal(&target, &host.also))
		goto done;
	pkt_question_answer(&p, &question, router_mac);
	mbuf->data_len = pkt_frame_bytes(&p);
	mbuf->pkt_len = mbuf->data_len;
	if (rte_ring_enqueue(to_us, mbuf) == 0)
		return;
done:
	rte_pktmbuf_free(mbuf);
}

static void *live(void *none)
{
	while (!atomic_load(&host.stop)) {
		void *mbuf;

		if (find_port() && rte_ring_dequeue(from_us, &mbuf) == 0)
			hear(mbuf);
		else
			nanosleep(&(struct timespec){.tv_nsec = (long)NS_IN_MS}, NULL);
	}
	return none;
}

static int open_frames(void)
{
	const struct frames_config config = {
		.kind = PORT_MEMORY,
		.target = "memory",
		.slots =
			{
				.clients = &client,
				.n_clients = 1,
				.peers = &peer,
				.n_peers = 1,
				.ports = {10000, 59999},
				.n_client_slots = 3,
				.n_peer_slots = 1,
			},
		.next_hop = router,
	};
	char error[WIRE_ERROR_BYTES];
	int err;

	cr_assert_eq(pthread_create(&host.thread, NULL, live, NULL), 0);
	err = frames_open(&frames, &config, error);
	atomic_store(&host.stop, true);
	pthread_join(host.thread, NULL);
	wire = err ? NULL : frames_wire(frames);
	return err;
}

// A datagram to us, whose UDP checksum then becomes another.
static void put(const struct endpoint *from, const struct endpoint *to, uint16_t checksum_xor)
{
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	const uint8_t ether[PKT_L2_BYTES_MAX] = {
		[12] = from->ip.family == FAMILY_IPV4 ? 0x08 : 0x86,
		[13] = from->ip.family == FAMILY_IPV4 ? 0x00 : 0xdd,
	};
	const struct pkt_rewrite rewrite = {
		.source_ip = from->ip.bytes,
		.target_ip = to->ip.bytes,
		.source_port = __builtin_bswap16(from->port),
		.target_port = __builtin_bswap16(to->port),
		.family = from->ip.family,
		.l2 = ether,
		.l2_bytes = PKT_ETHER_BYTES,
		.payload = (uint8_t *)rte_pktmbuf_append(mbuf, 256) + 128,
		.payload_bytes = N_BYTES,
	};
	struct pkt p;

	memset(rewrite.payload, 0x11, N_BYTES);
	pkt_originate(&p, &rewrite);
	rte_pktmbuf_adj(mbuf, (uint16_t)(p.frame - rte_pktmbuf_mtod(mbuf, uint8_t *)));
	rte_pktmbuf_trim(mbuf, (uint16_t)(mbuf->data_len - pkt_frame_bytes(&p)));
	store_u16(p.l4 + UDP_CHECKSUM, pkt_udp_checksum(&p) ^ checksum_xor);
	// "All of it" means none.
	if (checksum_xor == UINT16_MAX)
		store_u16(p.l4 + UDP_CHECKSUM, 0);
	cr_assert_eq(rte_ring_enqueue(to_us, mbuf), 0);
}

static size_t receive(void)
{
	return wire->receive_burst(wire, datagrams, BURST, 0);
}

// RFC 4862 §5.4: asked once, waited for a second; nothing is asked by a tentative address.
Test(load_frames, address_of_ipv6_is_looked_for_before_it_is_used)
{
	cr_assert_eq(open_frames(), 0);
	cr_assert_eq(host.n_probes, 1);
	cr_assert_geq(host.asked_ns - host.probed_ns, 900 * (int64_t)NS_IN_MS);
	frames_close(frames);
}

Test(load_frames, address_that_another_host_has_is_refused)
{
	host.also = client;
	cr_assert_eq(open_frames(), -EADDRINUSE);
}

Test(load_frames, datagrams_of_both_families_reach_their_slots)
{
	const struct endpoint second = {client, 10001};
	struct endpoint nobodys = {client, 10003};
	const struct endpoint *ours;

	cr_assert_eq(open_frames(), 0);
	ours = frames_peers(frames);
	put(&server, &second, 0);
	put(&relayed, ours, 0);
	put(&server, &nobodys, 0);
	cr_assert_eq(receive(), 2);
	cr_assert_eq(datagrams[0].slot, 1);
	cr_assert(endpoint_equal(&datagrams[0].remote, &server));
	cr_assert_eq(datagrams[0].n_bytes, N_BYTES);
	cr_assert_eq(datagrams[1].slot, 3);
	cr_assert(endpoint_equal(&datagrams[1].remote, &relayed));
	frames_close(frames);
}

Test(load_frames, damaged_datagram_is_lost_and_so_is_one_of_ipv6_without_checksum)
{
	const struct endpoint first = {client, 10000};

	cr_assert_eq(open_frames(), 0);
	put(&server, &first, 0x0100);
	put(&server, &first, UINT16_MAX);
	put(&relayed, frames_peers(frames), 0x0100);
	cr_assert_eq(receive(), 0);
	put(&relayed, frames_peers(frames), UINT16_MAX);
	cr_assert_eq(receive(), 1);
	frames_close(frames);
}

// What we send is what pkt_parse() and the checksum take, to the next hop.
static void expect_sent(uint32_t slot, const struct endpoint *from, const struct endpoint *to)
{
	static uint8_t bytes[N_BYTES] = {1, 2, 3};
	struct datagram datagram = {
		.slot = slot, .remote = *to, .bytes = bytes, .n_bytes = N_BYTES};
	struct endpoint told;
	void *mbuf = NULL;
	uint16_t checksum;
	struct pkt p;

	wire->send_burst(wire, &datagram, 1);
	cr_assert(datagram.sent);
	cr_assert_eq(rte_ring_dequeue(from_us, &mbuf), 0);
	cr_assert_eq(pkt_parse(&p, rte_pktmbuf_mtod((struct rte_mbuf *)mbuf, uint8_t *),
			     ((struct rte_mbuf *)mbuf)->data_len, 0),
		PKT_UDP);
	cr_assert_eq(memcmp(p.frame, router_mac, 6), 0);
	cr_assert_eq(pkt_ttl(&p), PKT_TTL_DEFAULT);
	told = pkt_source(&p);
	cr_assert(endpoint_equal(&told, from));
	told = pkt_target(&p);
	cr_assert(endpoint_equal(&told, to));
	cr_assert_eq(p.payload_bytes, N_BYTES);
	cr_assert_eq(memcmp(p.payload, bytes, N_BYTES), 0);
	checksum = pkt_udp_checksum(&p);
	pkt_checksum_finish(&p);
	cr_assert_eq(checksum, pkt_udp_checksum(&p));
	rte_pktmbuf_free(mbuf);
}

Test(load_frames, each_slot_sends_from_its_address_to_the_next_hop)
{
	const struct endpoint third = {client, 10002};

	cr_assert_eq(open_frames(), 0);
	expect_sent(2, &third, &server);
	expect_sent(3, frames_peers(frames), &relayed);
	frames_close(frames);
}
