// The two ends of bench/wire: a port on a socket that no kernel sees.
#ifndef BENCH_WIRE_H
#define BENCH_WIRE_H

#include "rig.h"

#include <signal.h>

extern volatile sig_atomic_t wire_stopped; // SIGTERM or SIGINT came

// Relay what arrives with one worker that has the entries of `n_allocations`, until stopped; then
// print its counters.
void wire_relay(struct rig *rig, uint32_t n_allocations);

// Send frames of `kind`, which is one that is answered, for `seconds`, as many as the port takes,
// and then for as long at 90 % of what came back; print both.
void wire_load(struct rig *rig, enum frame_kind kind, uint32_t n_allocations, unsigned seconds);

#endif
