// Copies of frames for an operator: a worker's filter and ring, and the file that they become.
//
// The control core makes one capture a worker, hands it over by a message, takes records while the
// worker puts them, and frees it when the worker has let go. A worker without one pays a branch a
// burst. What finds the ring full is counted and lost; packets are never held up.
#ifndef CAPTURE_H
#define CAPTURE_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_SNAP_MIN 14
#define CAPTURE_SNAP_MAX 9216
#define CAPTURE_ERROR_BYTES 256
#define CAPTURE_PROGRAM_MAX 2048 // instructions

struct bpf_insn;
struct rte_mbuf;
struct capture;

enum capture_way {
	CAPTURE_IN, // as it came from a port
	CAPTURE_OUT, // as it is given to a port
};

// A BPF program as libpcap compiles it, for Ethernet frames. Shared by the captures of all workers,
// read only.
struct capture_filter;

// `program` is copied, and not trusted. Returns 0, or with one line in `error`: -EINVAL with what
// is wrong with it; -ENOMEM.
int capture_filter_create(struct capture_filter **out, const struct bpf_insn *program, size_t n,
	char error[static CAPTURE_ERROR_BYTES]);
void capture_filter_destroy(struct capture_filter *filter); // NULL is fine
// A frame of `n_bytes`, of which the first `n_there` are at `bytes`.
bool capture_filter_passes(
	const struct capture_filter *filter, const uint8_t *bytes, size_t n_bytes, size_t n_there);

struct capture_record {
	uint64_t ticks; // of the CPU's counter when the burst was taken or given
	uint32_t n_bytes; // of the frame
	uint16_t n_kept; // of them that follow: `snap_bytes` at most
	uint8_t port_idx;
	uint8_t way; // enum capture_way
	uint8_t bytes[];
};

// `filter` outlives it. Returns 0; -EINVAL for a snap length out of range; -ENOMEM.
int capture_create(struct capture **out, const struct capture_filter *filter, uint16_t snap_bytes,
	unsigned n_records);
void capture_destroy(struct capture *capture); // NULL is fine

// The worker's side: put what the filter lets through.
void capture_burst(struct capture *capture, enum capture_way way, uint8_t port_idx,
	struct rte_mbuf *const *frames, unsigned n);

// The control core's side: the oldest record, of `capture_record_bytes()`; false where there is
// none.
size_t capture_record_bytes(const struct capture *capture);
bool capture_take(struct capture *capture, struct capture_record *out);
uint64_t capture_n_lost(const struct capture *capture);

// The file's blocks (pcapng, draft-ietf-opsawg-pcapng): a head for ports by their names, a packet,
// and at the end how many were lost. Each gives its bytes; `out` has room for PCAPNG_BYTES() of
// what it holds.
#define PCAPNG_BYTES(n_payload) ((n_payload) + 96UL)

size_t pcapng_put_head(uint8_t *out);
size_t pcapng_put_port(uint8_t *out, const char *name, uint16_t snap_bytes);
size_t pcapng_put_packet(uint8_t *out, const struct capture_record *record, uint64_t unix_ns);
size_t pcapng_put_lost(uint8_t *out, uint8_t port_idx, uint64_t unix_ns, uint64_t n_lost);

#endif
