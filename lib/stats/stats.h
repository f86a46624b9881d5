// Counters of the workers and the control core, and the names of all drops.
//
// A worker's counters are written by that worker alone, as plain 64-bit words; the control core
// reads them relaxed. They only grow.
#ifndef STATS_H
#define STATS_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum drop {
	DROP_NONE,
#define DROP(name, counter, text) DROP_##name,
#include "drops.def"
#undef DROP
	N_DROPS,
};

// "no_permission", or "none".
const char *drop_name(enum drop drop);
// One sentence about it.
const char *drop_text(enum drop drop);

// What was relayed, by direction and framing.
enum relay_path {
	RELAY_UP_CHANNEL,
	RELAY_UP_SEND,
	RELAY_DOWN_CHANNEL,
	RELAY_DOWN_DATA,
	N_RELAY_PATHS,
};

// "up_channel", "up_send", "down_channel", "down_data".
const char *relay_path_name(enum relay_path path);

// Which requests a control core that is behind takes first. Those of a 5-tuple that has an
// allocation keep running calls alive.
enum urgency {
	URGENCY_OTHER, // unsigned
	URGENCY_ALLOCATE, // and whatever else is signed and comes from nobody we know
	URGENCY_PERMISSION, // CreatePermission and ChannelBind of a known client that floods not
	URGENCY_REFRESH, // of such a one
	URGENCIES,
};

// "shed_other", "shed_allocate" ...: requests dropped because control is behind.
const char *urgency_name(enum urgency urgency);

// How long something took, log-linear: two buckets an octave, so what is read from it is at most
// half above the truth. Bucket 0 ends at LATENCY_LEAST_NS; the last has no end.
#define LATENCY_LEAST_NS 256
#define LATENCY_OCTAVES 24 // up to 4.3 s
#define LATENCY_BUCKETS (2 * LATENCY_OCTAVES + 2)

struct latency {
	uint64_t n[LATENCY_BUCKETS];
	uint64_t sum_ns;
};

void latency_record(struct latency *latency, uint64_t ns);
// The longest that falls into a bucket; UINT64_MAX for the last.
uint64_t latency_bucket_end_ns(unsigned bucket);

// Balance at rest: n_rx + n_looped_in + n_from_control + n_made
//   = n_tx + n_looped + n_punted + n_mirrored + n_kernel + n_absorbed + sum of drops.
struct worker_stats {
	uint64_t n_rx; // frames from ports
	uint64_t n_looped_in; // packets of our own loop, taken up again
	uint64_t n_from_control; // packets that the control core gave us to send
	uint64_t n_made; // frames of our own: ICMP errors, fragments, datagrams made whole
	uint64_t n_absorbed; // frames that became others: fragments, datagrams that were split
	uint64_t n_reassembled; // datagrams made whole
	uint64_t n_reassembly_failed; // datagrams that were not, in time or for overlaps
	uint64_t n_split; // datagrams sent as fragments
	uint64_t n_tx; // frames that a port took
	uint64_t n_looped; // packets to another allocation of this box
	uint64_t n_punted; // requests to the control core
	uint64_t n_mirrored; // frames to the kernel
	uint64_t n_kernel; // relayed packets whose next hop the kernel must resolve
	uint64_t n_icmp_relayed; // errors that became Data indications (RFC 8656 §11.5)
	uint64_t n_icmp_sent; // errors of our own, to clients and peers
	uint64_t n_neighbours_answered; // ARP and neighbour solicitations that Linux did not hear
	uint64_t n_bindings; // Binding requests answered here
	uint64_t n_checksums_finished;
	uint64_t n_table_full; // entries that found no room
	uint64_t n_counts_lost; // what flows had counted and control's ring had no room for
	uint64_t n_seen_lost; // packets of observed flows that were not shown to control
	uint64_t n_express; // of n_relayed: packets that took the express lane
	uint64_t n_relayed[N_RELAY_PATHS];
	uint64_t n_relayed_bytes[N_RELAY_PATHS]; // of application data
	uint64_t n_drops[N_DROPS];
	uint64_t n_shed[URGENCIES]; // of n_drops: by how urgent they were
	uint64_t n_polls;
	uint64_t n_busy_polls; // polls that found something
	uint64_t n_busy_ticks; // of the CPU's counter, in them
	struct latency relay; // of bursts, sampled: from their port to the last frame's port
};

// Those of a worker that are one number each, for whoever shows all of them.
struct stats_counter {
	const char *name; // "rx"
	const char *text; // what it counts
	size_t offset; // of the uint64_t in struct worker_stats
};

// False past the last.
bool stats_counter_get(size_t idx, struct stats_counter *out);

static inline uint64_t stats_counter_read(
	const struct worker_stats *stats, const struct stats_counter *counter)
{
	return *(const uint64_t *)((const char *)stats + counter->offset);
}

struct control_stats {
	uint64_t n_punts;
	uint64_t n_answers;
	uint64_t n_silent; // punts that get no answer
	uint64_t n_mirror_to_kernel;
	uint64_t n_mirror_to_wire;
	uint64_t n_mirror_lost; // frames the kernel or the rings did not take
	uint64_t n_kernel_sent; // relayed packets given to the kernel for their first hop
	uint64_t n_kernel_lost;
	uint64_t n_answers_withheld; // to somebody unknown: above a budget, or too large
	uint64_t n_answers_lost; // no room to answer: the client repeats
	uint64_t n_parked; // requests that waited for their user
	uint64_t n_counts_lost; // what workers had counted and no memory was there for
	uint64_t n_parked_lost; // of them, for too long; and those that found no place to wait
	uint64_t n_observed; // allocations whose media is looked at now
	struct latency answers; // from the worker's ring to the answer, all of them
};

// sum[i] += part[i] for every counter.
void worker_stats_add(struct worker_stats *sum, const struct worker_stats *part);
uint64_t worker_stats_drops(const struct worker_stats *stats);

#endif
