// A TURN relay as lean as kernel sockets allow: the yardstick of bench/versus.
//
//     build/bench/ideal_relay ADDRESS:PORT RELAY_ADDRESS        says "ready"
//
// One thread; one socket for all clients and one for each relayed address; datagrams go by bursts
// (recvmmsg, sendmmsg), and all there is to do is to take a ChannelData header off or put it on.
// It asks for no credentials, keeps no time, and gives a client one channel to one peer. A real
// relay on such sockets does all this besides, so it is slower.
#include "stun/stun.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BURST 64
#define ROOM_BYTES 2048
#define SOCKET_BUFFER_BYTES (4 << 20) // as the generator's: a scheduling gap must not lose packets
#define CALLS_BITS 18
#define CALLS_MAX (1u << CALLS_BITS)
#define SERVICE CALLS_MAX // in an epoll event, where else a call's index stands
#define LIFETIME_S 3600

// A client. Found by its address, which stays once it was seen.
struct call {
	struct sockaddr_in client;
	struct sockaddr_in relayed;
	int fd; // of the relayed address; 0: no allocation
	uint16_t channel; // 0: not bound
};

struct relay {
	int epoll_fd;
	int service_fd;
	struct in_addr relay_ip;
	struct call calls[CALLS_MAX];
	// What was received and waits to be sent, all from one socket.
	unsigned n_used; // buffers
	unsigned n_tx;
	int tx_fd;
	struct mmsghdr tx[BURST];
	struct iovec tx_parts[BURST];
	struct mmsghdr rx[BURST];
	struct iovec rx_parts[BURST];
	struct sockaddr_in names[BURST];
	uint8_t bytes[BURST][ROOM_BYTES]; // with room for a ChannelData header in front
};

static struct relay relay;

__attribute__((noreturn)) static void fail(const char *what)
{
	fprintf(stderr, "ideal_relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct sockaddr_in to_name(const struct endpoint *endpoint)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_port = htons(endpoint->port),
		.sin_addr.s_addr = ip_to_u32_raw(&endpoint->ip),
	};
}

static struct endpoint from_name(const struct sockaddr_in *name)
{
	return (struct endpoint){ip_from_u32_raw(name->sin_addr.s_addr), ntohs(name->sin_port)};
}

// The client's place, which may be an empty one; NULL where all are taken.
static struct call *find_call(struct relay *r, const struct sockaddr_in *client)
{
	const uint64_t key = (uint64_t)client->sin_addr.s_addr << 16 | client->sin_port;
	const uint32_t first = (uint32_t)(key * 0x9e3779b97f4a7c15u >> (64 - CALLS_BITS));

	for (uint32_t i = 0; i < CALLS_MAX; i++) {
		struct call *call = &r->calls[(first + i) % CALLS_MAX];

		if (call->client.sin_port == client->sin_port &&
			call->client.sin_addr.s_addr == client->sin_addr.s_addr)
			return call;
		if (call->client.sin_port == 0)
			return call;
	}
	return NULL;
}

static void flush(struct relay *r)
{
	for (unsigned i = 0; i < r->n_tx;) {
		const int n = sendmmsg(r->tx_fd, r->tx + i, r->n_tx - i, 0);

		i += n > 0 ? (unsigned)n : 1; // the first one cannot be sent
	}
	r->n_tx = 0;
}

// To a name, or to whom the socket is connected. The bytes stay until the flush.
static void put(struct relay *r, int fd, struct sockaddr_in *name, void *bytes, size_t n)
{
	struct msghdr *header;

	if (fd != r->tx_fd)
		flush(r);
	r->tx_fd = fd;
	r->tx_parts[r->n_tx] = (struct iovec){bytes, n};
	header = &r->tx[r->n_tx++].msg_hdr;
	header->msg_name = name;
	header->msg_namelen = name ? sizeof(*name) : 0;
}

// Into the buffers that are left. Returns the first one's index; those up to n_used are new.
static unsigned receive(struct relay *r, int fd)
{
	const unsigned first = r->n_used;
	int n;

	for (unsigned i = first; i < BURST; i++)
		r->rx[i].msg_hdr.msg_namelen = sizeof(r->names[i]);
	n = recvmmsg(fd, r->rx + first, BURST - first, MSG_DONTWAIT, NULL);
	r->n_used += n > 0 ? (unsigned)n : 0;
	return first;
}

static int open_socket(struct in_addr ip, uint16_t port_be)
{
	const struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_port = port_be, .sin_addr = ip};
	const int n_bytes = SOCKET_BUFFER_BYTES;
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &n_bytes, sizeof(n_bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &n_bytes, sizeof(n_bytes));
	if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) == 0)
		return fd;
	close(fd);
	return -1;
}

static int watch(struct relay *r, int fd, uint32_t idx)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = idx};

	return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void release(struct call *call)
{
	if (call->fd)
		close(call->fd);
	call->fd = 0;
	call->channel = 0;
}

static enum stun_code allocate(struct relay *r, struct call *call)
{
	socklen_t n_bytes = sizeof(call->relayed);

	if (call->fd)
		return STUN_CODE_NONE; // asked again
	call->fd = open_socket(r->relay_ip, 0);
	if (call->fd > 0 && watch(r, call->fd, (uint32_t)(call - r->calls)) == 0 &&
		getsockname(call->fd, (struct sockaddr *)&call->relayed, &n_bytes) == 0)
		return STUN_CODE_NONE;
	if (call->fd < 0)
		call->fd = 0;
	release(call);
	return STUN_INSUFFICIENT_CAPACITY;
}

static enum stun_code bind_channel(struct call *call, const struct stun_view *request)
{
	const struct stun_attr *number = stun_find(request, STUN_ATTR_CHANNEL_NUMBER);
	const struct stun_attr *peer = stun_find(request, STUN_ATTR_XOR_PEER_ADDRESS);
	struct endpoint endpoint;
	struct sockaddr_in name;

	if (!call->fd || !number || !peer || stun_get_channel(number, &call->channel) ||
		stun_get_xor_address(peer, request->transaction_id, &endpoint))
		return STUN_BAD_REQUEST;
	name = to_name(&endpoint);
	// Nobody else reaches the client then: that is the permission.
	return connect(call->fd, (const struct sockaddr *)&name, sizeof(name)) ? STUN_FORBIDDEN
									       : STUN_CODE_NONE;
}

static enum stun_code serve(struct relay *r, struct call *call, const struct stun_view *request)
{
	const struct stun_attr *lifetime = stun_find(request, STUN_ATTR_LIFETIME);
	uint32_t lifetime_s;

	switch (request->method) {
	case STUN_BINDING:
		return STUN_CODE_NONE;
	case STUN_ALLOCATE:
		return allocate(r, call);
	case STUN_CHANNEL_BIND:
		return bind_channel(call, request);
	case STUN_REFRESH:
		if (lifetime && stun_get_u32(lifetime, &lifetime_s) == 0 && lifetime_s == 0)
			release(call);
		return STUN_CODE_NONE;
	default:
		return STUN_BAD_REQUEST;
	}
}

// The answer is written over the request.
static void answer(struct relay *r, unsigned idx, size_t n_bytes)
{
	uint8_t *bytes = r->bytes[idx] + STUN_CHANNEL_HEADER_BYTES;
	const struct endpoint client = from_name(&r->names[idx]);
	struct call *call = find_call(r, &r->names[idx]);
	struct stun_view request;
	struct stun_writer w;
	enum stun_code code;

	if (!call || stun_parse(&request, bytes, n_bytes) || request.class != STUN_REQUEST)
		return;
	call->client = r->names[idx];
	code = serve(r, call, &request);
	stun_writer_init(&w, bytes, ROOM_BYTES - STUN_CHANNEL_HEADER_BYTES,
		code ? STUN_ERROR : STUN_SUCCESS, request.method, request.transaction_id);
	if (code)
		stun_put_error(&w, code, false);
	if (request.method == STUN_BINDING || request.method == STUN_ALLOCATE)
		stun_put_xor_address(&w, STUN_ATTR_XOR_MAPPED_ADDRESS, &client);
	if (request.method == STUN_ALLOCATE && !code) {
		const struct endpoint relayed = from_name(&call->relayed);

		stun_put_xor_address(&w, STUN_ATTR_XOR_RELAYED_ADDRESS, &relayed);
		stun_put_u32(&w, STUN_ATTR_LIFETIME, LIFETIME_S);
	}
	put(r, r->service_fd, &r->names[idx], bytes, stun_writer_end(&w));
}

static void take_from_client(struct relay *r, unsigned idx)
{
	uint8_t *bytes = r->bytes[idx] + STUN_CHANNEL_HEADER_BYTES;
	const size_t n_bytes = r->rx[idx].msg_len;
	const struct call *call;
	size_t data_bytes;

	switch (stun_classify(bytes, n_bytes)) {
	case STUN_KIND_CHANNEL:
		call = find_call(r, &r->names[idx]);
		data_bytes = load_be16(bytes + 2);
		if (call && call->fd && call->channel == load_be16(bytes) &&
			data_bytes <= n_bytes - STUN_CHANNEL_HEADER_BYTES)
			put(r, call->fd, NULL, bytes + STUN_CHANNEL_HEADER_BYTES, data_bytes);
		break;
	case STUN_KIND_MESSAGE:
		answer(r, idx, n_bytes);
		break;
	case STUN_KIND_OTHER:
		break;
	}
}

static void take_from_peer(struct relay *r, struct call *call, unsigned idx)
{
	const size_t data_bytes = r->rx[idx].msg_len;

	if (!call->channel)
		return;
	store_be16(r->bytes[idx], call->channel);
	store_be16(r->bytes[idx] + 2, (uint16_t)data_bytes);
	put(r, r->service_fd, &call->client, r->bytes[idx], STUN_CHANNEL_HEADER_BYTES + data_bytes);
}

static void take_event(struct relay *r, uint32_t idx)
{
	unsigned i;

	// Clients' datagrams are many on one socket: they get all buffers.
	if (r->n_used == BURST || idx == SERVICE) {
		flush(r);
		r->n_used = 0;
	}
	if (idx == SERVICE) {
		for (i = receive(r, r->service_fd); i < r->n_used; i++)
			take_from_client(r, i);
	} else if (r->calls[idx].fd) {
		for (i = receive(r, r->calls[idx].fd); i < r->n_used; i++)
			take_from_peer(r, &r->calls[idx], i);
	}
}

static void open_relay(struct relay *r, const char *service_text, const char *relay_text)
{
	struct rlimit limit;
	struct endpoint service;
	struct ip_addr relay_ip;

	errno = EINVAL;
	if (endpoint_parse(&service, service_text) || ip_parse(&relay_ip, relay_text))
		fail("an address");
	for (unsigned i = 0; i < BURST; i++) {
		r->rx_parts[i] = (struct iovec){r->bytes[i] + STUN_CHANNEL_HEADER_BYTES,
			ROOM_BYTES - STUN_CHANNEL_HEADER_BYTES};
		r->rx[i].msg_hdr = (struct msghdr){
			.msg_name = &r->names[i], .msg_iov = &r->rx_parts[i], .msg_iovlen = 1};
		r->tx[i].msg_hdr = (struct msghdr){.msg_iov = &r->tx_parts[i], .msg_iovlen = 1};
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	r->relay_ip.s_addr = ip_to_u32_raw(&relay_ip);
	r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r->service_fd =
		open_socket((struct in_addr){ip_to_u32_raw(&service.ip)}, htons(service.port));
	if (r->epoll_fd < 0 || r->service_fd < 0 || watch(r, r->service_fd, SERVICE))
		fail(service_text);
}

int main(int argc, char **argv)
{
	struct epoll_event events[BURST];

	if (argc != 3) {
		fputs("usage: ideal_relay ADDRESS:PORT RELAY_ADDRESS\n", stderr);
		return 64;
	}
	open_relay(&relay, argv[1], argv[2]);
	puts("ready");
	fflush(stdout);
	for (;;) {
		const int n = epoll_wait(relay.epoll_fd, events, BURST, -1);

		for (int i = 0; i < n; i++)
			take_event(&relay, events[i].data.u32);
		flush(&relay);
		relay.n_used = 0;
	}
}
