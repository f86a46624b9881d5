// The wire of kernel sockets, on loopback.
#include "app/turnpike-load/name.h"
#include "app/turnpike-load/sockets.h"

#include <criterion/criterion.h>
#include <unistd.h>

#define N_FLOOD 20000 // of these more than any buffer of a socket holds
#define N_BYTES 1000
#define BURST 64

static const struct ip_addr loopback_ipv4 = {FAMILY_IPV4, {127, 0, 0, 1}};
static const struct ip_addr loopback_ipv6 = {FAMILY_IPV6, {[15] = 1}};
static struct sockets *sockets;
static struct wire *wire;
static struct datagram datagrams[BURST];
static int server;

static int open_socket(const struct ip_addr *ip, struct endpoint *out)
{
	const struct endpoint any_port = {.ip = *ip};
	const int fd = socket(name_family(ip), SOCK_DGRAM, 0);
	union name name;
	socklen_t n_bytes = name_store(&name, &any_port);

	cr_assert_eq(bind(fd, &name.any, n_bytes), 0);
	cr_assert_eq(getsockname(fd, &name.any, &n_bytes), 0);
	*out = name_load(&name);
	return fd;
}

static void open_wire(const struct ip_addr *client, const struct ip_addr *peer)
{
	struct sockets_config config = {
		.slots =
			{
				.clients = client,
				.n_clients = 1,
				.peers = peer,
				.n_peers = 1,
				.ports = {10000, 59999},
				.n_client_slots = 2,
				.n_peer_slots = 1,
			},
	};
	char error[WIRE_ERROR_BYTES];

	server = open_socket(client, &config.server);
	cr_assert_eq(sockets_open(&sockets, &config, error), 0, "%s", error);
	wire = sockets_wire(sockets);
}

static void setup(void)
{
	open_wire(&loopback_ipv4, &loopback_ipv4);
}

static void teardown(void)
{
	sockets_close(sockets);
	close(server);
}

TestSuite(load_sockets, .init = setup, .fini = teardown);

// Let slot 0 speak, so that the server learns its address.
static struct endpoint greet(void)
{
	uint8_t hello[] = "hello";
	struct datagram datagram = {.bytes = hello, .n_bytes = sizeof(hello)};
	union name name;
	socklen_t n_bytes = sizeof(name);

	wire->send_burst(wire, &datagram, 1);
	cr_assert(datagram.sent);
	cr_assert_eq(recvfrom(server, hello, sizeof(hello), 0, &name.any, &n_bytes), sizeof(hello));
	return name_load(&name);
}

static void send_to(int fd, const struct endpoint *remote)
{
	static const uint8_t bytes[N_BYTES];
	union name name;
	const socklen_t n_bytes = name_store(&name, remote);

	cr_assert_eq(sendto(fd, bytes, sizeof(bytes), 0, &name.any, n_bytes), sizeof(bytes));
}

static size_t receive_all(void)
{
	size_t n_all = 0;
	size_t n;

	while ((n = wire->receive_burst(wire, datagrams, BURST, 0)) > 0)
		n_all += n;
	return n_all;
}

Test(load_sockets, what_overflows_is_counted_for_its_direction)
{
	const struct endpoint client = greet();
	uint64_t n_drops[N_DIRECTIONS];
	size_t n_received;

	for (int i = 0; i < N_FLOOD; i++)
		send_to(server, &client);
	n_received = receive_all();
	wire->count_drops(wire, n_drops);
	cr_assert_lt(n_received, N_FLOOD);
	cr_assert_eq(n_drops[DOWN], N_FLOOD - n_received);
	cr_assert_eq(n_drops[UP], 0);
}

static void expect_client_to_hear_the_server_alone(const struct ip_addr *ip)
{
	const struct endpoint client = greet();
	struct endpoint stranger;
	const int other = open_socket(ip, &stranger);

	send_to(other, &client);
	send_to(server, &client);
	cr_assert_eq(receive_all(), 1);
	cr_assert_eq(datagrams[0].slot, 0);
	close(other);
}

Test(load_sockets, client_hears_nobody_but_the_server)
{
	expect_client_to_hear_the_server_alone(&loopback_ipv4);
}

// And be heard by it.
static void expect_peer_to_hear(const struct ip_addr *ip)
{
	const struct endpoint *peer = sockets_peers(sockets);
	struct endpoint remote;
	const int other = open_socket(ip, &remote);
	uint8_t bytes[BURST];

	send_to(other, peer);
	cr_assert_eq(receive_all(), 1);
	cr_assert_eq(datagrams[0].slot, 2);
	cr_assert_eq(datagrams[0].n_bytes, N_BYTES);
	cr_assert(endpoint_equal(&datagrams[0].remote, &remote));
	datagrams[0].n_bytes = 5;
	wire->send_burst(wire, datagrams, 1);
	cr_assert_eq(recv(other, bytes, sizeof(bytes), MSG_DONTWAIT), 5);
	close(other);
}

Test(load_sockets, peer_hears_everybody_and_says_where_it_is)
{
	expect_peer_to_hear(&loopback_ipv4);
}

static void setup_ipv6(void)
{
	open_wire(&loopback_ipv6, &loopback_ipv6);
}

TestSuite(load_sockets_ipv6, .init = setup_ipv6, .fini = teardown);

Test(load_sockets_ipv6, client_hears_nobody_but_the_server)
{
	expect_client_to_hear_the_server_alone(&loopback_ipv6);
}

Test(load_sockets_ipv6, peer_hears_everybody_and_says_where_it_is)
{
	expect_peer_to_hear(&loopback_ipv6);
}

static void setup_mixed(void)
{
	open_wire(&loopback_ipv4, &loopback_ipv6);
}

TestSuite(load_sockets_mixed, .init = setup_mixed, .fini = teardown);

Test(load_sockets_mixed, client_and_peer_are_of_different_families)
{
	expect_client_to_hear_the_server_alone(&loopback_ipv4);
	expect_peer_to_hear(&loopback_ipv6);
}
