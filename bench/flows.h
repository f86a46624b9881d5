// The allocations of a bench and the frames that belong to them.
//
// Allocation `idx` is a client with one peer, a permission and a channel for it: four entries, as
// the control core would install them. Everything follows from `idx`; nothing is stored.
#ifndef BENCH_FLOWS_H
#define BENCH_FLOWS_H

#include "flow/flow.h"

#include <stdint.h>

#define FLOWS_PER_ALLOCATION 4
#define FLOWS_ALLOCATIONS_MAX 8000000 // as many relay addresses as a worker takes
#define FLOWS_RELAYS_MAX 125
#define FLOWS_HOP_IDX 1
#define FLOWS_CHANNEL 0x4000
#define FLOWS_DATA_BYTES 160 // that a frame carries
#define FLOWS_HEADER_BYTES (14 + 20 + 8) // Ethernet, IPv4, UDP

// The kinds up to FRAME_BINDING are sent. The others end earlier, so that the difference of two
// kinds is the cost of a stage.
enum frame_kind {
	FRAME_BOTH, // ChannelData of clients and datagrams of their peers, mixed
	FRAME_UP,
	FRAME_DOWN,
	FRAME_SEND, // Send indications
	FRAME_DATA, // of peers from a port without a channel: they become Data indications
	FRAME_BINDING, // Binding requests
	FRAME_EXPIRED, // as FRAME_BOTH, dropped behind the look-up: hop limit 1
	FRAME_NOT_STUN, // dropped by classify
	FRAME_OTHER_MAC, // dropped by parse
	FRAME_NONE, // an empty round
	FRAME_KINDS,
};

#define FLOWS_HEADERS_BYTES_MAX 78 // what flows_write_frame() writes at most

extern const uint8_t flows_mac[6]; // of our port
extern const char *const flows_kind_names[FRAME_KINDS];

// FRAME_KINDS where no kind has that name.
enum frame_kind flows_kind_find(const char *name);

struct endpoint flows_service(void);
struct endpoint flows_client(uint32_t idx);
struct endpoint flows_peer(uint32_t idx);
// The relay addresses of that many allocations. Returns how many, at most FLOWS_RELAYS_MAX.
size_t flows_relays(struct relay_range out[static FLOWS_RELAYS_MAX], uint32_t n_allocations);
void flows_make(struct flow_spec out[static FLOWS_PER_ALLOCATION], uint32_t idx);

// Everything before the payload, which has `payload_bytes`. The UDP checksum is not right.
void flows_write_headers(uint8_t *frame, const struct endpoint *from, const struct endpoint *to,
	uint16_t payload_bytes);
// Write the headers of a frame of `kind` (not FRAME_NONE) that belongs to a random one of the
// allocations; what it carries stays what it was. Returns its bytes.
uint16_t flows_write_frame(
	uint8_t *frame, enum frame_kind kind, struct random *random, uint32_t n_allocations);

#endif
