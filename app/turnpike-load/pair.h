// Two wires as one: clients on the first, peers on the second, each with those slots alone.
#ifndef PAIR_H
#define PAIR_H

#include "wire.h"

struct pair {
	struct wire wire; // first: the engine hands it back
	struct wire *clients;
	struct wire *peers;
	uint32_t n_client_slots;
};

// The wires must outlive it.
void pair_init(struct pair *out, struct wire *clients, struct wire *peers, uint32_t n_client_slots);

#endif
