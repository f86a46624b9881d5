// Any bytes as what the kernel says by netlink, as events and as answers: routes and hops stay
// whole, and nothing behind a datagram is read. libmnl's socket calls are answered here; its parser
// is the real one.
//
// An input is a row of records: a kind, a length, the datagram's bytes.
#include "../unit/mnl_calls.h"
#include "route/route.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdlib.h>

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(at, n) ((void)(at), (void)(n))
#endif

#define STEPS_MAX 64

struct mnl_socket {
	bool is_events;
	void *poisoned; // the rest of the buffer that the last datagram was read into
	size_t n_poisoned;
};

enum record_kind {
	RECORD_EVENT, // and those that follow it, up to another kind
	RECORD_FIND, // the destination; the records behind it answer what is asked
	RECORD_LOST, // events were
	RECORD_ANSWER, // to the request, whatever sequence number it has
	RECORD_STRANGE, // an answer as it is
	RECORD_KINDS,
};

static const uint8_t *at, *end;
static struct mnl_socket sockets[2];
static unsigned n_opened;
static uint32_t last_seq;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes);

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct mnl_socket *mnl_socket_open2(int bus, int flags)
{
	struct mnl_socket *socket = &sockets[n_opened % 2];

	(void)bus;
	(void)flags;
	// Events are the second one that is opened.
	*socket = (struct mnl_socket){.is_events = n_opened++ % 2};
	return socket;
}

static void unpoison(struct mnl_socket *socket)
{
	ASAN_UNPOISON_MEMORY_REGION(socket->poisoned, socket->n_poisoned);
	socket->n_poisoned = 0;
}

int mnl_socket_close(struct mnl_socket *socket)
{
	unpoison(socket);
	return 0;
}

ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *request, size_t n)
{
	must(!socket->is_events && mnl_nlmsg_ok(request, (int)n));
	last_seq = ((const struct nlmsghdr *)request)->nlmsg_seq;
	return (ssize_t)n;
}

static enum record_kind next_kind(void)
{
	return at < end ? *at % RECORD_KINDS : RECORD_KINDS;
}

// The record's bytes into `buffer`; behind them nothing may be read.
static ssize_t take_record(struct mnl_socket *socket, void *buffer, size_t capacity)
{
	const enum record_kind kind = next_kind();
	size_t n = end - at > 1 ? at[1] * 4u : 0;

	at += end - at > 1 ? 2 : 1;
	if (n > (size_t)(end - at))
		n = (size_t)(end - at);
	must(n < capacity);
	memcpy(buffer, at, n);
	at += n;
	if (kind == RECORD_ANSWER && n >= sizeof(struct nlmsghdr))
		((struct nlmsghdr *)buffer)->nlmsg_seq = last_seq;
	// libmnl takes the end of the last message for aligned, as the kernel makes it: up to three
	// bytes behind the datagram, never behind the buffer.
	socket->poisoned = (uint8_t *)buffer + MNL_ALIGN(n);
	socket->n_poisoned = capacity - MNL_ALIGN(n);
	ASAN_POISON_MEMORY_REGION(socket->poisoned, socket->n_poisoned);
	return (ssize_t)n;
}

ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *buffer, size_t capacity)
{
	struct mnl_socket *mine = &sockets[socket - sockets];
	const enum record_kind kind = next_kind();
	const bool answers = kind == RECORD_ANSWER || kind == RECORD_STRANGE;

	unpoison(mine);
	if (mine->is_events && kind == RECORD_LOST) {
		at++;
		errno = ENOBUFS;
		return -1;
	}
	if (mine->is_events ? kind != RECORD_EVENT : !answers) {
		errno = EAGAIN;
		return -1;
	}
	return take_record(mine, buffer, capacity);
}

static void find(struct route *route)
{
	static const char *const texts[] = {"11.0.0.1", "11.0.0.2", "192.0.2.1", "10.9.8.7",
		"2600::1", "2600::2", "fe80::1", "11.0.1.1"};
	struct ip_addr destination, source = {0};
	uint16_t hop_idx;

	at++;
	must(ip_parse(&destination, texts[at < end ? *at % N_ELEMENTS(texts) : 0]) == 0);
	if (at < end && *at++ & 0x80)
		must(ip_parse(&source,
			     destination.family == FAMILY_IPV4 ? "192.0.2.15" : "2600::15") == 0);
	hop_idx = route_find(route, &destination, &source);
	must(hop_idx < ROUTE_HOPS_MAX);
}

static void check_hops(struct route *route)
{
	uint16_t hop_idx;
	unsigned n = 0;

	while (route_next_change(route, &hop_idx)) {
		const struct hop *hop = route_hop(route, hop_idx);

		must(hop_idx < ROUTE_HOPS_MAX && ++n < ROUTE_HOPS_MAX);
		must(hop->state <= HOP_RESOLVED && hop->port_idx < 2);
	}
	must(route_hop(route, HOP_IDX_UNREACHABLE)->state == HOP_UNREACHABLE);
	route_take_moved(route);
}

static void check_addresses(struct route *route)
{
	static struct route_address addresses[ROUTE_ADDRESSES_MAX];
	size_t n;

	if (!route_take_addresses(route, addresses, &n))
		return;
	must(n <= ROUTE_ADDRESSES_MAX);
	for (size_t i = 0; i < n; i++)
		must(family_bytes(addresses[i].ip.family) != 0 && addresses[i].port_idx < 2);
}

static void step(struct route *route)
{
	switch (next_kind()) {
	case RECORD_EVENT:
	case RECORD_LOST:
		route_follow(route);
		break;
	case RECORD_FIND:
		find(route);
		break;
	default:
		at++; // an answer that nobody asked for
		break;
	}
	check_hops(route);
	check_addresses(route);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	static const struct route_port ports[] = {{7, 0}, {8, 1}};
	char error[ROUTE_ERROR_BYTES];
	struct route *route;

	at = data;
	end = data + n_bytes;
	n_opened = 0;
	log_set_level(LOG_ERROR);
	must(route_open(&route, ports, N_ELEMENTS(ports), error) == 0);
	for (int i = 0; i < STEPS_MAX && at < end; i++)
		step(route);
	must(next_kind() == RECORD_KINDS || at < end);
	route_close(route);
	return 0;
}
