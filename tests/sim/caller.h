// A client that signs its requests and keeps what answers tell it: nonce, relayed address, ticket.
// The whole relay answers it; who sends the bytes, and when, is the test's.
#ifndef SIM_CALLER_H
#define SIM_CALLER_H

#include "world.h"

#define CALLER_CHANNEL 0x4001

struct caller {
	struct endpoint address;
	uint8_t relayed_family; // that it asks for; none: it does not say
	struct endpoint relayed; // family none: nothing was granted yet
	char nonce[128];
	size_t nonce_bytes;
	uint8_t ticket[64];
	size_t ticket_bytes;
	uint32_t n_transactions;
	struct stun_mac *mac;
	struct stun_key key;
};

// As WORLD_USER.
void caller_open(struct caller *caller, const char *ip, uint16_t port);
void caller_close(struct caller *caller);

// A request to the world's service of the caller's family: begin, stun_put_*(w, ...), end. End
// signs it where there is a nonce.
void caller_begin(
	struct caller *caller, struct stun_writer *w, struct datagram *d, uint16_t method);
void caller_sign(struct caller *caller, struct stun_writer *w);
void caller_end(
	struct caller *caller, struct world *world, struct stun_writer *w, struct datagram *d);
// Whole requests, signed.
void caller_allocate(
	struct caller *caller, struct world *world, struct datagram *d, bool with_ticket);
void caller_refresh(struct caller *caller, struct world *world, struct datagram *d);
// CALLER_CHANNEL to a peer.
void caller_bind(struct caller *caller, struct world *world, struct datagram *d,
	const struct endpoint *peer);

// Keep what an answer tells. Returns its code, 0 for success.
int caller_read(struct caller *caller, const struct datagram *answer);
// The request into a network without delay, and what its answer tells; -1 where there is none.
int caller_ask(struct caller *caller, struct world *world, const struct datagram *request);

#endif
