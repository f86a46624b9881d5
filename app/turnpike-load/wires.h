// The wire that the options ask for.
#ifndef WIRES_H
#define WIRES_H

#include "options.h"
#include "wire.h"

struct frames;
struct sockets;

struct wires {
	struct wire *wire;
	const struct endpoint *peers; // local addresses of the peers' slots
	struct sockets *sockets; // one of the two is open
	struct frames *frames;
};

// Returns 0 or the exit status; what is wrong has been said.
int wires_open(struct wires *out, const struct options *options);
// Harmless on a zeroed struct.
void wires_close(struct wires *wires);

#endif
