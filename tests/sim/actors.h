// Clients and peers of the simulation. A client is a plain state machine that believes only what
// reaches it; the judge below it sees what leaves the relay and knows whose a relayed address is.
#ifndef SIM_ACTORS_H
#define SIM_ACTORS_H

#include "world.h"

#define N_CLIENTS 24
#define N_PEERS 3
#define CLIENT_CHANNEL 0x4005

struct client {
	struct endpoint address;
	char nonce[128];
	bool allocated;
	bool bound; // CLIENT_CHANNEL
	uint8_t peer; // the one it talks to
	struct endpoint relayed;
	uint8_t allocate_transaction[STUN_TRANSACTION_BYTES]; // the same in a retransmission
	bool allocate_pending;
	uint64_t n_received;
};

struct actors {
	struct client clients[N_CLIENTS];
	struct endpoint peers[N_PEERS];
	struct stun_mac *mac;
	struct stun_key key;
	// The judge: who was granted each relayed port last, as a client's number, from 1.
	uint8_t owner_of[65536];
	uint64_t n_peer_received;
	uint64_t n_grants;
};

void actors_open(struct actors *actors, struct world *world);
void actors_close(struct actors *actors);
// Client `i` does one of the things that clients do.
void actors_act(struct world *world, unsigned i);
// A peer sends to a relayed port, whoever may have it.
void actors_peer_send(struct world *world);
// Client `i` gives its allocation up.
void actors_release(struct world *world, unsigned i);
// Client `i` asks for `n` permissions at once, for addresses that do not exist.
void actors_permit_many(struct world *world, unsigned i, unsigned n);
// A lossless call from Allocate to media both ways; asserts that it works.
void actors_call(struct world *world, unsigned i);

#endif
