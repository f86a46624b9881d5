// A poll-mode core: it takes bursts from its queues, finds each packet's flow in its own table,
// rewrites and sends it. Everything that needs thought goes to the control core; everything that is
// not ours goes to Linux.
//
// worker_poll() is the whole of it, one round at a time, so that tests and benches can drive it. A
// worker owns all it points to and shares no line with another; the control core only reads its
// struct worker_pub and what worker_trace() gives.
#ifndef WORKER_H
#define WORKER_H

#include "base/base.h"
#include "flow/flow.h"
#include "msg/msg.h"
#include "stats/stats.h"
#include "stun/stun.h"
#include "trace/trace.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct rte_mempool;

#define WORKER_PORTS_MAX 8
#define WORKER_BURST 32
#define WORKER_BURST_MAX 64
#define WORKER_SAMPLES 16384
#define WORKER_REASSEMBLY_SLOTS 64 // datagrams whose fragments are waited for
#define WORKER_JUMBO_ROOM UINT16_MAX // of a buffer for one of them

struct worker_port_config {
	uint16_t eth_id;
	uint8_t mac[6];
	uint16_t vlan; // the tag that every frame carries, or 0
	bool kernel_wire; // checksums may be unfinished
};

// What is done for those who have not shown who they are, a second and at once; 0: no limit. Each
// worker allows its share of it, at least one.
struct worker_answers {
	uint32_t bindings_per_source; // Binding answers to an IPv4 address or an IPv6 /64
	uint32_t bindings;
	uint32_t challenges_per_source; // unsigned requests, which control answers with 401
	uint32_t challenges;
	uint32_t ratio_percent; // of a Binding answer to its request, in bytes of UDP
};

// Of application data, each way by itself; 0: no limit.
struct worker_rate {
	uint64_t bytes_per_s;
	uint32_t packets_per_s;
};

struct worker_rates {
	struct worker_rate allocation;
	struct worker_rate user;
	struct worker_rate all; // of which each worker has its share
	uint32_t burst_ms; // at once: what would come in this time
	uint32_t n_allocations; // more than the largest allocation_idx and user_idx of any entry
};

struct worker_config {
	uint16_t idx; // of the worker, and of its queue on every port
	const struct worker_port_config *ports;
	size_t n_ports; // 1..WORKER_PORTS_MAX; position is the port_idx of hops and messages
	const struct endpoint *services;
	size_t n_services; // different ones: at most 6144
	const struct relay_range *relays;
	size_t n_relays; // addresses of services and relays together: at most 768
	uint32_t n_flows; // room in the table of IPv4
	uint32_t n_flows6; // room in the table of the pairs with IPv6; 0: they are not served
	// Buffers of WORKER_JUMBO_ROOM bytes for what comes in fragments, for each worker
	// WORKER_REASSEMBLY_SLOTS and a burst; NULL: fragments are dropped.
	struct rte_mempool *jumbo_pool;
	struct rte_mempool *frame_pool; // for frames of our own: ICMP errors, fragments
	const uint64_t *virtual_ms; // for tests, read once a round; NULL: the CPU's counter
	struct worker_answers answers;
	struct worker_rates rates;
	uint16_t n_workers; // who share `answers` and what is for all; 0 is 1
	uint16_t n_burst; // packets taken at once, up to WORKER_BURST_MAX; 0: WORKER_BURST
	int numa_node;
	bool try_huge;
	struct stun_discovery discovery; // of RFC 5780: its four pairs are among the services
	bool serves_classic; // requests of RFC 3489 go to control
	const char *software; // SOFTWARE of Binding answers, copied; NULL: none
	uint64_t seed[2];
	struct msg_channel *punts; // to control: STUN requests
	struct msg_channel *others; // to control: frames for the kernel
	struct msg_channel *inbox; // from control
	// To control, what flows have counted; no smaller than the inbox. NULL: it is not told.
	struct msg_channel *counts;
	struct msg_channel *seen; // to control, of observed flows; NULL: nothing is
	struct doorbell *doorbell; // control's
	const struct heartbeat *heartbeat; // control's; NULL: it never stands still
};

// Whose packets came last, of the bursts that are timed: one in 32.
struct worker_samples {
	atomic_uint_least64_t n; // that were written; the last WORKER_SAMPLES are still there
	atomic_uint_least32_t allocation_idx[WORKER_SAMPLES];
};

// What the control core reads while the worker runs.
struct worker_pub {
	alignas(CACHE_LINE_BYTES) struct worker_stats stats;
	atomic_uint_least64_t applied_seq; // of the last message applied
	alignas(CACHE_LINE_BYTES) struct worker_samples samples;
};

struct worker;

// Returns 0; -EINVAL for a configuration that cannot be; -ENOMEM.
int worker_create(struct worker **out, const struct worker_config *config);
// Of 2 MiB pages, what it maps where it gets them: by the numbers of flows and the rates alone.
size_t worker_huge_bytes(const struct worker_config *config);
// Frees the packets it still holds. NULL is fine. Only when its thread has ended.
void worker_destroy(struct worker *worker);

// What may be another while a worker runs: services, relays, answers, rates, discovery,
// serves_classic and software of `config`; the other members are those of worker_create(), and all
// of `rates.n_allocations` must cover the indices of entries that stand. Where answers or rates are
// those of `before`, what has been taken of them stays taken; with NULL all are new.
//
// Made on the control core and sent to that worker by a MSG_SETUP. When the worker has applied it,
// it is the control core's again, with what the worker had before, to be destroyed.
//
// Returns 0; -EINVAL for a configuration that cannot be; -ENOMEM.
int worker_setup_create(struct worker_setup **out, const struct worker_config *config,
	const struct worker_config *before);
void worker_setup_destroy(struct worker_setup *setup); // NULL is fine

// One round: a burst from every port, the loop, and what control sent. Never blocks, never makes a
// system call unless it wakes a sleeping control core. Returns how much was handled: 0 means idle.
unsigned worker_poll(struct worker *worker);

const struct worker_pub *worker_public(const struct worker *worker);
// What it has dropped of late: for the control core, at any time. Ticks are those of the CPU's
// counter, unless they are virtual.
const struct trace *worker_trace(const struct worker *worker);
// For tests and benches, while nobody polls: the table of IPv4; entries of both tables.
const struct flow_table *worker_flows(const struct worker *worker);
uint32_t worker_n_entries(const struct worker *worker);

#endif
