// Clients of a control core: their requests as frames, and what they learn from the answers.
//
// Client `idx` is that of flows.h. Each has a REST user name of its own (time and number), so that
// the server has as many users as clients. A transaction id names client and request.
#ifndef BENCH_CLIENTS_H
#define BENCH_CLIENTS_H

#include "flows.h"
#include "stun/stun.h"

#include <stdint.h>

#define CLIENTS_REALM "bench.example"
#define CLIENTS_SECRET "a secret that the operator shares"
#define CLIENTS_FRAME_BYTES_MAX 512
#define CLIENTS_NONCE_BYTES 37
#define CLIENTS_BATCH 256 // that ask at once

// In the order of a client's life.
enum request {
	REQUEST_CHALLENGE, // an Allocate without credentials: 401
	REQUEST_ALLOCATE,
	REQUEST_BIND, // a channel to the client's peer
	REQUEST_REFRESH,
	REQUEST_RELEASE,
	REQUESTS,
};

extern const char *const request_names[REQUESTS];

struct client {
	struct stun_key key;
	char nonce[CLIENTS_NONCE_BYTES];
	struct endpoint relayed;
};

struct clients {
	struct client *all;
	uint32_t n;
	struct stun_mac *mac;
	uint32_t n_transactions;
	uint32_t next; // that clients_choose() gives
	uint32_t stride; // to the one after it
};

void clients_open(struct clients *clients, uint32_t n);
void clients_close(struct clients *clients);

// The next clients of a scattered order that comes to each once a round. Returns how many: at most
// `n_wanted`, CLIENTS_BATCH and all.
unsigned clients_choose(
	struct clients *clients, uint32_t idxs[static CLIENTS_BATCH], unsigned n_wanted);
// Returns its bytes, at most CLIENTS_FRAME_BYTES_MAX.
uint16_t clients_write(struct clients *clients, uint8_t *frame, enum request request, uint32_t idx);
// Read an answer. Ends the program where it is not the one that is due.
void clients_read(struct clients *clients, const uint8_t *frame, size_t n_bytes);

#endif
