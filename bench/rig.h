// What the benches drive: one port, and workers on it that are polled by turns.
//
// Order of calls: rte_eal_init(), rig_open(), subject_open() for each table; on a memory port then
// rounds of rig_receive(), worker_poll(), rig_take(). What goes wrong ends the program with a line.
#ifndef BENCH_RIG_H
#define BENCH_RIG_H

#include "drivers/drivers.h"
#include "flows.h"
#include "worker/worker.h"

struct rte_mempool;

// Frames that wait on a memory port at once: as many as the descriptors of a NIC's queue.
#define RIG_FRAMES 512
#define RIG_MTU_BYTES 1500

struct rig {
	struct port port;
	struct rte_mempool *pool;
	unsigned n_mbufs; // all of them free between rounds
	struct msg_channel punts;
	struct msg_channel others;
	struct doorbell doorbell;
	struct random random;
};

// A worker with the entries of `n_allocations` in its table. n_burst 0 is what turnpike takes. With
// n_flows the table is empty and has room for that many: a control core fills it.
struct subject {
	uint16_t n_burst;
	uint32_t n_flows;
	uint32_t n_allocations;
	struct msg_channel inbox;
	struct worker *worker;
};

__attribute__((noreturn)) void rig_fail(const char *what);
// Whether to go on with a round: with `wait`, a line on standard input says so, its end says no.
bool rig_may_begin(bool wait);

// `target` is the port's socket, NULL for a memory port. The port's MAC is that of the frames.
void rig_open(struct rig *rig, enum port_kind kind, const char *target, unsigned n_mbufs);
void rig_close(struct rig *rig);
void subject_open(struct subject *subject, struct rig *rig, uint32_t n_allocations, bool try_huge);
void subject_close(struct subject *subject);

// Put RIG_FRAMES frames of `kind` (none for FRAME_NONE) on the port.
void rig_receive(struct rig *rig, enum frame_kind kind, uint32_t n_allocations);
// Take back what was sent; fails where not all frames of that kind ended as they should.
void rig_take(struct rig *rig, enum frame_kind kind);

#endif
