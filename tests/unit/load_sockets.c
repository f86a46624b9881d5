// The wire of kernel sockets, on loopback.
#include "app/turnpike-load/sockets.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#define N_FLOOD 20000 // of these more than any buffer of a socket holds
#define N_BYTES 1000
#define BURST 64

static const struct ip_addr loopback = {FAMILY_IPV4, {127, 0, 0, 1}};
static struct sockets *sockets;
static struct wire *wire;
static struct datagram datagrams[BURST];
static int server;

static int open_socket(struct sockaddr_in *out)
{
	const int fd = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t n_bytes = sizeof(*out);

	*out = (struct sockaddr_in){.sin_family = AF_INET};
	out->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	cr_assert_eq(bind(fd, (const struct sockaddr *)out, sizeof(*out)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)out, &n_bytes), 0);
	return fd;
}

static void setup(void)
{
	struct sockets_config config = {
		.slots =
			{
				.clients = &loopback,
				.n_clients = 1,
				.peers = &loopback,
				.n_peers = 1,
				.ports = {10000, 59999},
				.n_client_slots = 2,
				.n_peer_slots = 1,
			},
		.server.ip = loopback,
	};
	char error[WIRE_ERROR_BYTES];
	struct sockaddr_in name;

	server = open_socket(&name);
	config.server.port = ntohs(name.sin_port);
	cr_assert_eq(sockets_open(&sockets, &config, error), 0, "%s", error);
	wire = sockets_wire(sockets);
}

static void teardown(void)
{
	sockets_close(sockets);
	close(server);
}

TestSuite(load_sockets, .init = setup, .fini = teardown);

// Let slot 0 speak, so that the server learns its address.
static struct sockaddr_in greet(void)
{
	uint8_t hello[] = "hello";
	struct datagram datagram = {.bytes = hello, .n_bytes = sizeof(hello)};
	struct sockaddr_in name;
	socklen_t n_bytes = sizeof(name);

	wire->send_burst(wire, &datagram, 1);
	cr_assert(datagram.sent);
	cr_assert_eq(recvfrom(server, hello, sizeof(hello), 0, (struct sockaddr *)&name, &n_bytes),
		sizeof(hello));
	return name;
}

static void send_to(int fd, const struct sockaddr_in *name)
{
	static const uint8_t bytes[N_BYTES];

	cr_assert_eq(
		sendto(fd, bytes, sizeof(bytes), 0, (const struct sockaddr *)name, sizeof(*name)),
		sizeof(bytes));
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
	const struct sockaddr_in name = greet();
	uint64_t n_drops[N_DIRECTIONS];
	size_t n_received;

	for (int i = 0; i < N_FLOOD; i++)
		send_to(server, &name);
	n_received = receive_all();
	wire->count_drops(wire, n_drops);
	cr_assert_lt(n_received, N_FLOOD);
	cr_assert_eq(n_drops[DOWN], N_FLOOD - n_received);
	cr_assert_eq(n_drops[UP], 0);
}

Test(load_sockets, client_hears_nobody_but_the_server)
{
	const struct sockaddr_in name = greet();
	struct sockaddr_in other_name;
	const int other = open_socket(&other_name);

	send_to(other, &name);
	send_to(server, &name);
	cr_assert_eq(receive_all(), 1);
	cr_assert_eq(datagrams[0].slot, 0);
	close(other);
}

Test(load_sockets, peer_hears_everybody_and_says_where_it_is)
{
	const struct endpoint *peer = sockets_peers(sockets);
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(peer->port)};
	struct sockaddr_in other_name;
	const int other = open_socket(&other_name);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	send_to(other, &name);
	cr_assert_eq(receive_all(), 1);
	cr_assert_eq(datagrams[0].slot, 2);
	cr_assert_eq(datagrams[0].n_bytes, N_BYTES);
	cr_assert_eq(datagrams[0].remote.port, ntohs(other_name.sin_port));
	close(other);
}
