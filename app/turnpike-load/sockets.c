#include "sockets.h"

#include "name.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define BURST 64
#define BUFFER_BYTES 2048
#define SOCKET_BUFFER_BYTES (4 << 20) // queued media of a flood to one socket
#define OTHER_DESCRIPTORS 64

struct sockets {
	struct wire wire; // first: the engine hands it back
	int epoll_fd;
	uint32_t n_client_slots;
	uint32_t n_slots;
	int *fds; // n_slots, -1: not open
	struct endpoint *locals; // of every slot
	struct mmsghdr rx[BURST];
	struct mmsghdr tx[BURST];
	struct iovec rx_parts[BURST];
	struct iovec tx_parts[BURST];
	union name rx_names[BURST];
	union name tx_names[BURST];
	uint8_t rx_bytes[BURST][BUFFER_BYTES];
};

// Where the next local port comes from.
struct cursor {
	const struct ip_addr *ips; // of one family
	size_t n_ips;
	size_t ip_idx;
	uint32_t port;
	const struct sockets_config *config;
};

// The datagrams of one slot in a row go by one call. Returns how many of them.
static size_t send_run(struct sockets *s, struct datagram *datagrams, size_t n)
{
	const int fd = s->fds[datagrams[0].slot];
	const bool connected = datagrams[0].slot < s->n_client_slots;
	size_t n_run = 0;
	int n_sent;

	for (; n_run < n && n_run < BURST && datagrams[n_run].slot == datagrams[0].slot; n_run++) {
		s->tx_parts[n_run] =
			(struct iovec){datagrams[n_run].bytes, datagrams[n_run].n_bytes};
		s->tx[n_run].msg_hdr.msg_name = connected ? NULL : &s->tx_names[n_run];
		s->tx[n_run].msg_hdr.msg_namelen =
			connected ? 0 : name_store(&s->tx_names[n_run], &datagrams[n_run].remote);
	}
	n_sent = sendmmsg(fd, s->tx, (unsigned)n_run, MSG_DONTWAIT);
	// That is news of an earlier datagram; this one was not tried.
	if (n_sent < 0 && errno == ECONNREFUSED)
		n_sent = sendmmsg(fd, s->tx, (unsigned)n_run, MSG_DONTWAIT);
	for (int i = 0; i < n_sent; i++)
		datagrams[i].sent = true;
	return n_run;
}

static void send_burst(struct wire *wire, struct datagram *datagrams, size_t n)
{
	struct sockets *s = (struct sockets *)wire;

	for (size_t i = 0; i < n;)
		i += send_run(s, datagrams + i, n - i);
}

// Into the buffers from `first` on: those before hold what the same burst received already.
static size_t receive_run(
	struct sockets *s, uint32_t slot, struct datagram *datagrams, size_t first, size_t n)
{
	int n_received;

	for (size_t i = first; i < n; i++)
		s->rx[i].msg_hdr.msg_namelen = sizeof(s->rx_names[i]);
	n_received =
		recvmmsg(s->fds[slot], s->rx + first, (unsigned)(n - first), MSG_DONTWAIT, NULL);
	if (n_received < 0)
		return first;
	n = first + (size_t)n_received;
	for (size_t i = first; i < n; i++)
		datagrams[i] = (struct datagram){
			.slot = slot,
			.remote = name_load(&s->rx_names[i]),
			.bytes = s->rx_bytes[i],
			.n_bytes = (uint16_t)s->rx[i].msg_len,
		};
	return n;
}

static size_t receive_burst(
	struct wire *wire, struct datagram *datagrams, size_t n, int64_t wait_ns)
{
	struct sockets *s = (struct sockets *)wire;
	const struct timespec wait = {wait_ns / (int64_t)NS_IN_S, wait_ns % (int64_t)NS_IN_S};
	struct epoll_event events[BURST];
	size_t n_received = 0;
	int n_events;

	if (n > BURST)
		n = BURST;
	n_events = epoll_pwait2(s->epoll_fd, events, (int)n, &wait, NULL);
	for (int i = 0; i < n_events && n_received < n; i++)
		n_received = receive_run(s, events[i].data.u32, datagrams, n_received, n);
	return n_received;
}

static void count_drops(struct wire *wire, uint64_t n_drops[static N_DIRECTIONS])
{
	const struct sockets *s = (const struct sockets *)wire;

	n_drops[UP] = 0;
	n_drops[DOWN] = 0;
	for (uint32_t i = 0; i < s->n_slots; i++) {
		uint32_t memory[SK_MEMINFO_VARS] = {0};
		socklen_t n_bytes = sizeof(memory);

		if (getsockopt(s->fds[i], SOL_SOCKET, SO_MEMINFO, memory, &n_bytes) == 0)
			n_drops[i < s->n_client_slots ? DOWN : UP] += memory[SK_MEMINFO_DROPS];
	}
}

static int raise_descriptors(uint32_t n, char error[static WIRE_ERROR_BYTES])
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return -errno;
	if (limit.rlim_cur >= n)
		return 0;
	limit.rlim_cur = n;
	if (limit.rlim_max < n)
		limit.rlim_max = n;
	if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
		return 0;
	snprintf(error, WIRE_ERROR_BYTES,
		"%u sockets need a limit of descriptors (ulimit -n) of %u or more", n, n);
	return -EMFILE;
}

// Take the next free port of the cursor's addresses.
static int bind_next(
	int fd, struct cursor *cursor, struct endpoint *out, char error[static WIRE_ERROR_BYTES])
{
	char text[ADDR_TEXT_BYTES];

	while (cursor->ip_idx < cursor->n_ips) {
		const struct endpoint local = {cursor->ips[cursor->ip_idx], (uint16_t)cursor->port};
		union name name;
		const socklen_t n_bytes = name_store(&name, &local);

		if (++cursor->port > cursor->config->slots.ports.max) {
			cursor->port = cursor->config->slots.ports.min;
			cursor->ip_idx++;
		}
		if (bind(fd, &name.any, n_bytes) == 0) {
			*out = local;
			return 0;
		}
		if (errno == EADDRINUSE)
			continue;
		snprintf(error, WIRE_ERROR_BYTES, "cannot use %s as an address of this host: %s",
			ip_format(&local.ip, text), strerror(errno));
		return -errno;
	}
	snprintf(error, WIRE_ERROR_BYTES,
		"no free port is left; give more addresses or a wider range");
	return -EADDRINUSE;
}

static void set_buffers(int fd)
{
	const int n_bytes = SOCKET_BUFFER_BYTES;

	// Without the privilege the kernel's own limits hold; what overflows is counted.
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n_bytes, sizeof(n_bytes)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &n_bytes, sizeof(n_bytes));
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n_bytes, sizeof(n_bytes)))
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &n_bytes, sizeof(n_bytes));
}

static int open_slot(struct sockets *s, uint32_t slot, struct cursor *cursor,
	char error[static WIRE_ERROR_BYTES])
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = slot};
	const bool client = slot < s->n_client_slots;
	union name server;
	const socklen_t n_bytes = name_store(&server, &cursor->config->server);
	int err;

	s->fds[slot] =
		socket(name_family(cursor->ips), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (s->fds[slot] < 0)
		goto fail;
	set_buffers(s->fds[slot]);
	err = bind_next(s->fds[slot], cursor, &s->locals[slot], error);
	if (err)
		return err;
	if (client && connect(s->fds[slot], &server.any, n_bytes))
		goto fail;
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->fds[slot], &event))
		goto fail;
	return 0;
fail:
	err = -errno;
	snprintf(error, WIRE_ERROR_BYTES, "socket %u: %s", slot, strerror(-err));
	return err;
}

static int open_slots(
	struct sockets *s, const struct sockets_config *config, char error[static WIRE_ERROR_BYTES])
{
	struct cursor clients = {
		.ips = config->slots.clients,
		.n_ips = config->slots.n_clients,
		.port = config->slots.ports.min,
		.config = config,
	};
	struct cursor peers = {
		.ips = config->slots.peers,
		.n_ips = config->slots.n_peers,
		.port = config->slots.ports.min,
		.config = config,
	};
	int err = raise_descriptors(s->n_slots + OTHER_DESCRIPTORS, error);

	for (uint32_t i = 0; i < s->n_slots && !err; i++)
		err = open_slot(s, i, i < s->n_client_slots ? &clients : &peers, error);
	return err;
}

static int create_arrays(struct sockets *s, const struct sockets_config *config)
{
	s->n_client_slots = config->slots.n_client_slots;
	s->n_slots = config->slots.n_client_slots + config->slots.n_peer_slots;
	s->fds = malloc(s->n_slots * sizeof(*s->fds));
	s->locals = calloc(s->n_slots, sizeof(*s->locals));
	if (!s->fds || !s->locals)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->n_slots; i++)
		s->fds[i] = -1;
	for (int i = 0; i < BURST; i++) {
		s->rx_parts[i] = (struct iovec){s->rx_bytes[i], BUFFER_BYTES};
		s->rx[i].msg_hdr.msg_name = &s->rx_names[i];
		s->rx[i].msg_hdr.msg_iov = &s->rx_parts[i];
		s->rx[i].msg_hdr.msg_iovlen = 1;
		s->tx[i].msg_hdr.msg_iov = &s->tx_parts[i];
		s->tx[i].msg_hdr.msg_iovlen = 1;
	}
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	return s->epoll_fd < 0 ? -errno : 0;
}

int sockets_open(struct sockets **out, const struct sockets_config *config,
	char error[static WIRE_ERROR_BYTES])
{
	struct sockets *s = calloc(1, sizeof(*s));
	int err;

	snprintf(error, WIRE_ERROR_BYTES, "not enough memory or descriptors");
	if (!s)
		return -ENOMEM;
	s->wire = (struct wire){send_burst, receive_burst, count_drops};
	s->epoll_fd = -1;
	err = create_arrays(s, config);
	if (!err)
		err = open_slots(s, config, error);
	if (err) {
		sockets_close(s);
		return err;
	}
	*out = s;
	return 0;
}

void sockets_close(struct sockets *s)
{
	if (!s)
		return;
	for (uint32_t i = 0; s->fds && i < s->n_slots; i++)
		if (s->fds[i] >= 0)
			close(s->fds[i]);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s->fds);
	free(s->locals);
	free(s);
}

struct wire *sockets_wire(struct sockets *s)
{
	return &s->wire;
}

const struct endpoint *sockets_peers(const struct sockets *s)
{
	return s->locals + s->n_client_slots;
}
