// The control core: it judges requests, keeps time, follows the kernel's routes, and tells the
// workers what to do.
//
// It owns policy (lib/turn) and the view of the network (lib/route); workers only learn entries and
// next hops. Every change goes to all workers, so either leg of an allocation may arrive on any
// queue. Nothing here blocks. One thread calls all of it.
//
// Order of calls: control_create(); then, over and over, control_poll() and, when their file
// descriptors are readable, control_mirror_read() and control_route_follow(); before sleeping,
// control_waiting().
#ifndef CONTROL_H
#define CONTROL_H

#include "base/base.h"
#include "drivers/drivers.h"
#include "flow/flow.h"
#include "msg/msg.h"
#include "quality/quality.h"
#include "route/route.h"
#include "stats/stats.h"
#include "turn/turn.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define CONTROL_PORTS_MAX 8
#define CONTROL_PEERS_MAX 8 // of an allocation, that are told apart in its tally
#define CONTROL_OBSERVED_MAX 4096 // allocations at one time
#define CONTROL_SEEN_MAX 4095 // packets of them that wait at one worker: a power of two less 1
#define CONTROL_ASKS_MAX 16 // at once
#define CONTROL_PARKED_MAX 512 // requests that wait for their user, for 2 s at most

struct rte_mempool;

struct control_port {
	uint8_t mac[6];
	uint16_t mtu_bytes;
	uint16_t vlan;
	bool kernel_wire;
	const struct mirror *mirror; // NULL: frames for the kernel are counted and lost
};

// The control core's end of one worker.
struct control_worker {
	struct msg_channel *punts;
	struct msg_channel *others;
	struct msg_channel *inbox;
	struct msg_channel *counts; // NULL: nothing is counted for control
	struct msg_channel *seen; // of CONTROL_SEEN_MAX; NULL: nothing is observed
	const atomic_uint_least64_t *applied_seq;
};

// A relayed address reaches another allocation of this box through the loop of its port.
struct control_relay {
	struct ip_addr ip;
	uint8_t port_idx;
};

// What is done for those who have not shown who they are, a second and at once; 0: no limit.
struct control_answers {
	uint32_t per_source; // an IPv4 address or an IPv6 /64
	uint32_t total;
	uint32_t ratio_percent; // of an answer to its request, in bytes of UDP
};

// Application data that was relayed, by way.
enum control_way {
	CONTROL_UP, // client to peer
	CONTROL_DOWN,
	CONTROL_WAYS,
};

struct control_traffic {
	uint64_t n_packets[CONTROL_WAYS];
	uint64_t n_bytes[CONTROL_WAYS];
};

struct control_peer {
	struct endpoint peer; // port 0: any port of it, by Data indications
	struct control_traffic traffic;
};

// What an allocation's flows have carried on all workers. What left by Send indications is of no
// peer: it stands in the sum alone.
struct control_tally {
	uint64_t allocation_id;
	struct control_traffic sum;
	size_t n_peers; // that had any traffic, up to CONTROL_PEERS_MAX of them
	bool more_peers; // than are told apart
	struct control_peer peers[CONTROL_PEERS_MAX];
	bool observed; // then, of what went by channels:
	struct quality_figures quality[QUALITY_WAYS]; // by enum quality_way
};

// Who is given a tally.
struct control_tally_taker {
	void (*take)(void *context, const struct control_tally *tally);
	void *context;
};

// Why a request has got no answer.
enum control_silence {
	CONTROL_SILENT, // none is due, or its user is out of reach
	CONTROL_WITHHELD, // from somebody unknown: above a budget, or too large
	CONTROL_LOST, // no room for it
	CONTROL_PARKED_LOST, // its user could not be found in time
};

// Who is told of them.
struct control_witness {
	void (*unanswered)(void *context, const struct endpoint *client, enum control_silence why);
	void *context;
};

// All of it is copied; what it points to must outlive the control core.
struct control_config {
	struct turn *turn;
	struct route *route;
	const struct control_port *ports;
	size_t n_ports;
	const struct control_worker *workers;
	size_t n_workers;
	const struct control_relay *relays;
	size_t n_relays;
	struct rte_mempool *pool; // for frames from the kernel
	// Raw sockets that take the IP header (IPPROTO_RAW), or -1.
	int kernel_fd; // of IPv4
	int kernel6_fd;
	struct control_answers answers;
	uint32_t n_flows; // entries that the table of each worker holds
	uint32_t observe_percent; // of the allocations, 0..100
	struct heartbeat *heartbeat; // beats in every round; NULL: nobody listens
	// Of each allocation that has ended, once, in the order of their ends; `take` NULL: nobody.
	struct control_tally_taker ended;
	struct control_witness witness; // `unanswered` NULL: nobody
};

struct capture;
struct control;

// Returns 0; -ENOMEM.
int control_create(struct control **out, const struct control_config *config);
// Frees packets that wait in the workers' rings, and answers what was asked with what is known.
// NULL is fine.
void control_destroy(struct control *control);

// Judge requests, move frames to the kernel, expire, free cooled ports: a bounded share of each.
// Returns how much was done: 0 means idle.
unsigned control_poll(struct control *control, const struct turn_time *time);
// True where a worker has sent something since.
bool control_waiting(const struct control *control);

// Frames from the kernel to the wire, a bounded number. Returns 0; -errno where the mirror is gone.
int control_mirror_read(struct control *control, uint8_t port_idx);
void control_route_follow(struct control *control);
// The source of users has answers, or has given up waiting for some: the next control_poll() takes
// up the requests that wait for them.
void control_users_answered(struct control *control);

// Ends by an operator, as turn_allocation_end() and turn_user_end() have them. Returns 0; -ENOENT;
// -EAGAIN where the workers' rings have no room for now.
int control_allocation_end(struct control *control, const struct turn_time *time, uint64_t id);
// A bounded share. Returns true while there may be more: go on after a control_poll().
bool control_user_end(
	struct control *control, const struct turn_time *time, struct turn_kick *kick);

// Ask what a living allocation's flows have carried up to now: `taker` is told within a
// control_poll() to come, when every worker has answered, or by control_destroy(). Returns 0;
// -ENOENT; -EAGAIN with too many questions open, or without room for now.
int control_tally_ask(
	struct control *control, uint64_t id, const struct control_tally_taker *taker);

// What may be another while it runs. All of it is copied but `setups`.
struct control_change {
	struct turn *turn; // what turn_prepare() made; NULL: it stays
	const struct control_relay *relays; // also of addresses that are closed and still in use
	size_t n_relays;
	struct control_answers answers;
	struct worker_setup **setups; // one for each worker
};

// All of it is done, or nothing. Returns 0, with the number in `seq` that tells
// control_has_applied() when the workers have given back their setups; -ENOMEM; -EAGAIN where their
// rings have no room for now.
int control_reconfigure(
	struct control *control, const struct control_change *change, uint64_t *seq);
// Anew, by the rules of now: what stands for denied ones ends, a bounded share at a time.
void control_judge_peers(struct control *control);
// Hand each worker a capture, or NULL take them away: they are the workers' until
// control_has_applied() is true for the `seq` of having taken them away. Returns 0; -EAGAIN where
// their rings have no room for now.
int control_capture(struct control *control, struct capture *const *captures, uint64_t *seq);
bool control_has_applied(const struct control *control, uint64_t seq);

// At the end: a worker that stands is told nothing and waited for no more. What it has not told of
// its counters by now is missing in tallies. It may move again: what it then counts is read no
// more, and control_has_applied() leaves it what it has.
void control_leave_out(struct control *control, size_t worker_idx);

const struct control_stats *control_stats_get(const struct control *control);
// Of the observed allocations that have ended.
const struct quality_spreads *control_quality(const struct control *control);
// Ports that wait for the workers' removals.
size_t control_n_cooling(const struct control *control);
// Entries that each worker holds when it has applied what is on its way. For tests.
uint32_t control_n_entries(const struct control *control);

#endif
