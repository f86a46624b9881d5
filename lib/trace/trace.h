// What one worker has dropped of late, for an operator who asks after one address.
//
// Not a list of packets but of runs: packets that were dropped for one reason between two addresses
// without a pause of TRACE_PAUSE_MS. So neither a call whose media finds no permission nor one
// address that floods takes more than a place. Each reason has places of its own, and so many new
// runs a second: what comes by the thousand, from made-up addresses even, pushes out neither other
// reasons nor what was there some seconds ago. Of these each source has a part, so that one that
// changes its ports takes no more. What is not kept is counted.
//
// One thread writes, on the way of packets that are dropped and on no other; another reads at any
// time, without locks. Memory is fixed, and only what has been used is touched.
#ifndef TRACE_H
#define TRACE_H

#include "base/base.h"
#include "stats/stats.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define TRACE_WAYS 4 // places for what has one hash
#define TRACE_SETS 128
#define TRACE_RUNS_OF_REASON (TRACE_SETS * TRACE_WAYS)
#define TRACE_RUNS (N_DROPS * TRACE_RUNS_OF_REASON)
#define TRACE_PAUSE_MS 10000
#define TRACE_NEW_PER_S 32 // runs of one reason
#define TRACE_NEW_AT_ONCE 128
// Of these, of one source beyond the wire: an IPv4 address or the 64 bits of an IPv6 network.
#define TRACE_SOURCE_NEW_PER_S 4
#define TRACE_SOURCE_NEW_AT_ONCE 16
#define TRACE_SOURCES 256 // several of one hash share a part

// Between whom, as it lies in the packet; what is not known is zero.
struct trace_key {
	uint8_t from_ip[IPV6_BYTES]; // of IPv4 the first four
	uint8_t to_ip[IPV6_BYTES];
	uint8_t about_ip[IPV6_BYTES]; // the peer of a Send indication; of an ICMP error, the relay
	uint16_t from_port_be;
	uint16_t to_port_be;
	uint16_t about_port_be;
	uint16_t channel_be; // of ChannelData
	uint8_t family; // enum family, of `from` and `to`
	uint8_t about_family;
	uint8_t port_idx;
	bool out; // it was on its way out: addresses are those it would have left with
	uint8_t zero[4];
};
static_assert(sizeof(struct trace_key) == 64, "eight words without padding: they are compared");

// Its ends; of one that is not known the family is none.
struct endpoint trace_key_from(const struct trace_key *key);
struct endpoint trace_key_to(const struct trace_key *key);
struct endpoint trace_key_about(const struct trace_key *key);

struct trace_run {
	struct trace_key key;
	enum drop reason;
	uint64_t n;
	uint64_t first_ticks;
	uint64_t last_ticks;
};

// What of a reason is not here.
struct trace_loss {
	uint64_t n; // packets
	uint64_t last_ticks; // none of them came later
};

struct trace_place {
	atomic_uint_least32_t version; // odd while another run moves in
	struct trace_key key;
	uint64_t n; // 0: free
	uint64_t first_ticks;
	uint64_t last_ticks;
};

struct trace_reason {
	struct bucket new_runs;
	struct bucket new_runs_of[TRACE_SOURCES];
	struct trace_loss loss;
	struct trace_place places[TRACE_RUNS_OF_REASON];
};

struct trace {
	struct bucket_rate rate;
	struct bucket_rate source_rate;
	uint64_t pause_ticks;
	uint64_t seed;
	struct trace_reason reasons[N_DROPS];
};

// Of a zeroed one. The seed keeps strangers from choosing whose places they take.
void trace_init(struct trace *trace, uint64_t ticks_per_ms, uint64_t seed);

// The writer's side: a packet was dropped.
void trace_note(
	struct trace *trace, enum drop reason, const struct trace_key *key, uint64_t now_ticks);

// The reader's side: place `idx` of TRACE_RUNS. False where it is free, or changes hands just now.
bool trace_read(const struct trace *trace, uint32_t idx, struct trace_run *out);
void trace_loss_get(const struct trace *trace, enum drop reason, struct trace_loss *out);

#endif
