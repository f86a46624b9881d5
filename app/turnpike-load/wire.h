// A wire: how datagrams leave and arrive. The engine knows nothing else of the world.
//
// Each client and each peer has a slot, a local address of its own: clients 0..n_calls-1, then the
// peers. A wire maps slots to sockets or to addresses in frames.
#ifndef WIRE_H
#define WIRE_H

#include "base/base.h"

#include <stdbool.h>

enum direction {
	UP, // client to peer
	DOWN, // peer to client
	N_DIRECTIONS,
};

#define WIRE_ERROR_BYTES 512

struct port_range {
	uint16_t min;
	uint16_t max;
};

static inline uint32_t port_count(const struct port_range *range)
{
	return range->max - range->min + 1U;
}

// The local addresses of the slots: those of clients are filled one after the other, ports from
// the lowest on, then those of peers. All of clients are of one family, and all of peers.
struct wire_slots {
	const struct ip_addr *clients;
	size_t n_clients;
	const struct ip_addr *peers;
	size_t n_peers;
	struct port_range ports;
	uint32_t n_client_slots;
	uint32_t n_peer_slots;
};

struct datagram {
	uint32_t slot; // the local end
	struct endpoint remote;
	uint8_t *bytes; // UDP payload
	uint16_t n_bytes;
	bool sent; // set by send_burst()
	uint8_t purpose; // the engine's own mark
};

struct wire {
	// Send what can be sent without waiting and mark it; what is left unmarked is lost.
	void (*send_burst)(struct wire *wire, struct datagram *datagrams, size_t n);
	// Up to `n` datagrams, waiting at most `wait_ns` for the first. Their bytes are the wire's
	// and stay until the next call. Returns how many.
	size_t (*receive_burst)(
		struct wire *wire, struct datagram *datagrams, size_t n, int64_t wait_ns);
	// What arrived at this machine since the wire was opened but was thrown away before it
	// could be received, by the direction of its media.
	void (*count_drops)(struct wire *wire, uint64_t n_drops[static N_DIRECTIONS]);
};

#endif
