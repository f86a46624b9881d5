// The memory port: what a test puts in comes out of the burst functions, and the other way round.
#include "drivers/drivers.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <rte_ring.h>
#include <string.h>

#define POOL_MBUFS 1023

static struct rte_mempool *pool;

static void start_eal(void)
{
	char *argv[] = {"drivers_memory", "--no-huge", "--no-shconf", "-m", "128", "--no-pci",
		"--no-telemetry", "--log-level=*:error"};

	cr_assert_geq(rte_eal_init(N_ELEMENTS(argv), argv), 0);
	pool = rte_pktmbuf_pool_create(
		"pool", POOL_MBUFS, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	cr_assert_not_null(pool);
}

TestSuite(drivers_memory, .init = start_eal, .timeout = 30);

static struct port_config memory_config(uint16_t n_queues)
{
	return (struct port_config){
		.name = "inside",
		.kind = PORT_MEMORY,
		.mtu_bytes = 1500,
		.n_queues = n_queues,
		.pool = pool,
	};
}

static struct port open_memory(const struct port_config *config)
{
	char error[PORT_ERROR_BYTES];
	struct port port;

	cr_assert_eq(port_open(&port, config, error), 0, "%s", error);
	return port;
}

Test(drivers_memory, received_mbufs_are_those_put_into_the_ring_of_the_queue)
{
	const struct port_config config = memory_config(2);
	struct port port = open_memory(&config);
	struct rte_mbuf *in = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *out[4];

	cr_assert_eq(rte_ring_enqueue(port.memory_rx[1], in), 0);
	cr_expect_eq(rte_eth_rx_burst(port.eth_id, 0, out, 4), 0);
	cr_assert_eq(rte_eth_rx_burst(port.eth_id, 1, out, 4), 1);
	cr_expect_eq(out[0], in);
	rte_pktmbuf_free(in);
	port_close(&port);
}

Test(drivers_memory, sent_mbufs_come_out_of_the_ring_of_the_queue)
{
	const struct port_config config = memory_config(2);
	struct port port = open_memory(&config);
	struct rte_mbuf *in = rte_pktmbuf_alloc(pool);
	void *out = NULL;

	cr_assert_eq(rte_eth_tx_burst(port.eth_id, 1, &in, 1), 1);
	cr_expect_neq(rte_ring_dequeue(port.memory_tx[0], &out), 0);
	cr_assert_eq(rte_ring_dequeue(port.memory_tx[1], &out), 0);
	cr_expect_eq(out, in);
	rte_pktmbuf_free(in);
	port_close(&port);
}

Test(drivers_memory, tells_its_capabilities)
{
	const uint8_t mac[6] = {0x02, 0, 0, 0, 0, 0x17};
	struct port_config config = memory_config(3);
	struct port port;

	memcpy(config.mac, mac, sizeof(mac));
	port = open_memory(&config);
	cr_expect_eq(port.n_queues, 3);
	cr_expect_eq(port.mtu_bytes, 1500);
	cr_expect_not(port.kernel_wire);
	cr_expect_not(port.rx_checksums);
	cr_expect_str_eq(port.interface, "");
	cr_expect_arr_eq(port.mac, mac, sizeof(mac));
	cr_expect(port_link_up(&port));
	cr_expect_null(port.memory_rx[3]);
	port_close(&port);
}

Test(drivers_memory, without_a_mac_it_gets_a_local_unicast_one)
{
	const struct port_config config = memory_config(1);
	struct port port = open_memory(&config);

	cr_expect_eq(port.mac[0] & 3, 2);
	port_close(&port);
}

Test(drivers_memory, two_ports_are_two_devices)
{
	const struct port_config config = memory_config(1);
	struct port a = open_memory(&config);
	struct port b = open_memory(&config);
	struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);
	struct rte_mbuf *out;

	cr_expect_neq(a.eth_id, b.eth_id);
	cr_assert_eq(rte_ring_enqueue(a.memory_rx[0], mbuf), 0);
	cr_expect_eq(rte_eth_rx_burst(b.eth_id, 0, &out, 1), 0);
	cr_expect_eq(rte_eth_rx_burst(a.eth_id, 0, &out, 1), 1);
	rte_pktmbuf_free(mbuf);
	port_close(&a);
	port_close(&b);
}

Test(drivers_memory, close_frees_what_lies_in_the_rings_and_opens_again)
{
	const struct port_config config = memory_config(2);

	for (int i = 0; i < 50; i++) {
		struct port port = open_memory(&config);
		struct rte_mbuf *mbuf = rte_pktmbuf_alloc(pool);

		cr_assert_eq(rte_ring_enqueue(port.memory_rx[0], rte_pktmbuf_alloc(pool)), 0);
		cr_assert_eq(rte_eth_tx_burst(port.eth_id, 1, &mbuf, 1), 1);
		port_close(&port);
		cr_assert_eq(rte_mempool_in_use_count(pool), 0);
	}
}

Test(drivers_memory, close_is_harmless_on_a_zeroed_struct_and_twice)
{
	const struct port_config config = memory_config(1);
	struct port port = {0};

	port_close(&port);
	port = open_memory(&config);
	port_close(&port);
	port_close(&port);
}

Test(drivers_memory, refusals_say_why)
{
	const struct {
		uint16_t n_queues;
		uint16_t mtu_bytes;
		int rc;
		const char *error;
	} rows[] = {
		{0, 1500, -EINVAL, "port inside: needs a pool and a queue"},
		{17, 1500, -ENOTSUP, "port inside: memory has 16 queues, 17 workers need 17"},
		{1, 2031, -ENOTSUP,
			"port inside: MTU 2031 does not fit the 2048 bytes of a packet buffer"},
		{1, 2030, 0, ""},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct port_config config = memory_config(rows[i].n_queues);
		char error[PORT_ERROR_BYTES];
		struct port port;

		config.mtu_bytes = rows[i].mtu_bytes;
		cr_expect_eq(port_open(&port, &config, error), rows[i].rc, "row %zu", i);
		cr_expect_str_eq(error, rows[i].error);
		port_close(&port);
	}
}

Test(drivers_memory, relative_paths_and_commas_are_refused)
{
	struct port_config config = memory_config(1);
	char error[PORT_ERROR_BYTES];
	struct port port;

	config.kind = PORT_VHOST;
	config.target = "vhost.sock";
	cr_expect_eq(port_open(&port, &config, error), -EINVAL);
	cr_expect_str_eq(error, "port inside: socket vhost.sock: the path must be absolute");
	config.target = "/run/a,b=c";
	cr_expect_eq(port_open(&port, &config, error), -EINVAL);
	cr_expect_str_eq(error, "port inside: the target may not contain ',' or '='");
	config.target = "";
	cr_expect_eq(port_open(&port, &config, error), -EINVAL);
	cr_expect_str_eq(error, "port inside: vhost needs a target");
}
