// The wire that the options ask for: one, or one for clients and another for peers.
#ifndef WIRES_H
#define WIRES_H

#include "dpdk.h"
#include "options.h"
#include "pair.h"

struct frames;
struct sockets;

#define SIDES_MAX 2

struct side {
	struct sockets *sockets; // one of the two is open
	struct frames *frames;
};

struct wires {
	struct wire *wire;
	const struct endpoint *peers; // addresses of the peers: local, or of the far echo
	struct dpdk dpdk;
	struct side sides[SIDES_MAX];
	struct pair pair;
	struct endpoint *far; // addresses of the far echo, or NULL
};

// Returns 0 or the exit status; what is wrong has been said.
int wires_open(struct wires *out, const struct options *options);
// Harmless on a zeroed struct.
void wires_close(struct wires *wires);

// The i-th address of the far echo: every port of its first IP, then those of the next.
struct endpoint wires_far(const struct options *options, uint32_t i);

#endif
