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
	struct wire_slots slots; // peers' ports count down from `port_max`
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
