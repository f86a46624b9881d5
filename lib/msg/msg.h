// Messages by value between the control core and a worker, over single-producer single-consumer
// rings.
//
// Ownership of an mbuf moves with its message; the sender must not look back. FIFO is the
// acknowledgement: an answer sent behind an install is sent after it is applied. `seq` grows with
// every message of the control core; a worker publishes the last one it applied.
#ifndef MSG_H
#define MSG_H

#include "base/base.h"
#include "flow/flow.h"
#include "quality/quality.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rte_mbuf;
struct rte_ring;
struct capture;
struct worker_setup;

enum msg_kind {
	// worker to control
	MSG_PUNT = 1, // mbuf, punted_ticks: a STUN request to a service address
	MSG_MIRROR, // mbuf: a frame for the kernel
	// allocation_idx: its client has sent from its new 5-tuple (RFC 8016); `seq` is that of the
	// last message applied before
	MSG_MOVED,
	MSG_KERNEL, // mbuf: a relayed packet whose neighbour is unknown yet
	MSG_SEEN, // allocation_idx, seen; `seq` is that of the last message applied before
	MSG_COUNTED, // tally_idx, count; `seq` is that of the message that asked
	// control to worker
	MSG_FLOW4_INSERT, // flow4
	MSG_FLOW4_REMOVE, // flow4_key, tally_idx: who wants to know what it has counted, or 0
	MSG_FLOW4_COUNT, // the same, and it stays
	MSG_FLOW6_INSERT, // flow6
	MSG_FLOW6_REMOVE, // flow6_key, tally_idx
	MSG_FLOW6_COUNT,
	MSG_HOP_SET, // hop_idx, hop
	MSG_ADDRESS_SET, // address_idx, ip, port_idx: Linux has it there; of FAMILY_NONE: none
	MSG_SEND, // mbuf, port_idx
	MSG_SETUP, // setup: the worker's until it has applied the message
	MSG_CAPTURE, // capture: the worker's until it has applied the next such message; or NULL
};

#define MSG_ADDRESSES_MAX 1024 // of all ports

struct msg {
	uint64_t seq;
	uint8_t kind; // enum msg_kind
	uint8_t port_idx; // where the mbuf came in or goes out
	union {
		uint16_t hop_idx;
		uint16_t address_idx;
	};
	union {
		uint32_t allocation_idx;
		uint32_t tally_idx;
	};
	union {
		struct flow4_entry flow4;
		struct flow4_key flow4_key;
		struct flow6_entry flow6;
		struct flow6_key flow6_key;
		struct flow_hop hop;
		struct ip_addr ip;
		struct flow_count count;
		struct worker_setup *setup;
		struct capture *capture;
		struct {
			struct quality_packet seen;
			uint32_t number; // counts those that found no room too
		};
		struct {
			struct rte_mbuf *mbuf;
			uint64_t punted_ticks; // MSG_PUNT: when its worker's round began
		};
	};
};
static_assert(sizeof(struct msg) == 144, "two lines and a quarter");

// For the table that the spec belongs to.
struct msg msg_flow_insert(const struct flow_spec *spec);
struct msg msg_flow_remove(const struct flow_spec *spec, uint32_t tally_idx);
struct msg msg_flow_count(const struct flow_spec *spec, uint32_t tally_idx);

struct msg_channel {
	struct rte_ring *ring;
	struct pages pages;
};

// A ring for at least `n_messages`. Returns 0; -ENOMEM.
int msg_channel_create(struct msg_channel *channel, unsigned n_messages, int numa_node);
void msg_channel_destroy(struct msg_channel *channel); // what is still in it is lost

// One producer. Returns how many were taken: all or none.
unsigned msg_send_burst(struct msg_channel *channel, const struct msg *messages, unsigned n);
static inline bool msg_send(struct msg_channel *channel, const struct msg *message)
{
	return msg_send_burst(channel, message, 1) == 1;
}
// Messages that surely fit now; only the producer may rely on it.
unsigned msg_room(const struct msg_channel *channel);
// One consumer. Returns how many were received, oldest first.
unsigned msg_receive_burst(struct msg_channel *channel, struct msg *messages, unsigned n);
bool msg_waiting(const struct msg_channel *channel);

// When the control core last went round, for who wonders whether it stands still.
struct heartbeat {
	alignas(CACHE_LINE_BYTES) atomic_uint_least64_t ticks; // of the CPU's counter
};

// Wakes a consumer that sleeps in poll(). The producer rings after it has sent; that costs a system
// call only while the consumer sleeps. The consumer announces its sleep, looks at its rings once
// more, and then blocks.
struct doorbell {
	alignas(CACHE_LINE_BYTES) atomic_bool asleep;
	int fd; // an eventfd; -1 where nobody ever sleeps
};

// Returns 0; -errno.
int doorbell_open(struct doorbell *doorbell);
void doorbell_close(struct doorbell *doorbell);
void doorbell_ring(struct doorbell *doorbell);
void doorbell_announce(struct doorbell *doorbell);
void doorbell_awake(struct doorbell *doorbell); // also takes back a ring that came meanwhile

#endif
