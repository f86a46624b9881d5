// The wire of kernel sockets: one UDP socket a slot.
#ifndef SOCKETS_H
#define SOCKETS_H

#include "wire.h"

struct sockets_config {
	struct wire_slots slots; // a port in use is skipped
	struct endpoint server; // clients talk to it alone
};

struct sockets;

// Raises the limit of descriptors where it must. Returns 0; -EADDRNOTAVAIL where an address is not
// this host's, -EADDRINUSE where ports run out, -EMFILE, -ENOMEM or another -errno; `error` says
// which, in one line.
int sockets_open(struct sockets **out, const struct sockets_config *config,
	char error[static WIRE_ERROR_BYTES]);
void sockets_close(struct sockets *sockets); // NULL is fine

struct wire *sockets_wire(struct sockets *sockets);
// The local addresses of the peers' slots.
const struct endpoint *sockets_peers(const struct sockets *sockets);

#endif
