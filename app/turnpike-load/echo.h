// The far end: gives back what clients of this tool sent through a relay, so that they need no
// peers on their own machine.
//
// It is a reflector for nobody else: it answers addresses of the relay only, and only our own
// sealed media, which it has not given back before, with no more bytes than came.
#ifndef ECHO_H
#define ECHO_H

#include "wire.h"

struct echo {
	const struct prefix *relays; // given: what it answers; n_relays of them
	size_t n_relays;
	uint64_t n_received;
	uint64_t n_returned; // taken by the wire
	uint64_t n_dropped; // by this machine: refused by the wire
	uint64_t n_strangers; // not from an address of the relay
	uint64_t n_foreign; // not media of ours, or given back before
};

// Give back what is to be given back. The datagrams are those that `wire` just received; their
// order and bytes are lost.
void echo_take(struct echo *echo, struct wire *wire, struct datagram *datagrams, size_t n);

#endif
