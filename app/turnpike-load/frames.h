// The wire of frames: one DPDK port of any kind. Its addresses live here only, so it answers for
// them itself, by ARP and neighbour discovery; everything goes to one MAC, that of the next hop.
#ifndef FRAMES_H
#define FRAMES_H

#include "drivers/drivers.h"
#include "wire.h"

struct frames_config {
	enum port_kind kind;
	const char *target;
	struct wire_slots slots; // peers' ports count down from the highest
	struct ip_addr next_hop; // of the family of some slot
	struct guard *guard; // as port_open() wants it
};

struct frames;

// DPDK is up. Opens the port, waits up to 30 s for its link, finds the next hop, and refuses
// addresses that another host answers for. Returns 0; -EADDRINUSE, -EHOSTUNREACH, or
// another -errno; `error` says what, in one line.
int frames_open(struct frames **out, const struct frames_config *config,
	char error[static WIRE_ERROR_BYTES]);
void frames_close(struct frames *frames); // NULL is fine

struct wire *frames_wire(struct frames *frames);
const struct endpoint *frames_peers(const struct frames *frames);

#endif
