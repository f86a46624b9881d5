// The wire of frames: one DPDK port of any kind. Its addresses live here only, so it answers ARP
// for them itself; everything goes to one MAC, that of the server or of the gateway to it.
#ifndef FRAMES_H
#define FRAMES_H

#include "drivers/drivers.h"
#include "wire.h"

#define FRAMES_ERROR_BYTES 512

struct frames_config {
	enum port_kind kind;
	const char *target;
	const struct ip_addr *clients; // filled one after the other, ports counting up
	size_t n_clients;
	const struct ip_addr *peers; // ports counting down
	size_t n_peers;
	uint16_t port_min;
	uint16_t port_max;
	uint32_t n_client_slots;
	uint32_t n_peer_slots;
	struct ip_addr next_hop;
	int64_t cpu; // -1: where this process may run
};

struct frames;

// Starts DPDK, opens the port, finds the next hop by ARP, and refuses addresses that another host
// answers for. Once a process. Returns 0; -EADDRINUSE, -EHOSTUNREACH, or another -errno; `error`
// says what, in one line.
int frames_open(struct frames **out, const struct frames_config *config,
	char error[static FRAMES_ERROR_BYTES]);
void frames_close(struct frames *frames); // NULL is fine

struct wire *frames_wire(struct frames *frames);
const struct endpoint *frames_peers(const struct frames *frames);

#endif
