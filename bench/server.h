// A whole server on the memory port, as turnpike puts it together: worker, control core, and the
// kernel's routes behind a mirror.
//
// Order of calls: server_start_eal(), rig_open() of server->rig, server_open(), server_fill(). Time
// is the bench's own: it goes on with the requests, so that nothing ends but what is released.
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include "clients.h"
#include "control/control.h"
#include "rig.h"

struct server {
	struct rig rig;
	struct subject subject;
	struct mirror mirror;
	struct route *route;
	struct turn *turn;
	struct control *control;
	struct turn_time time;
	struct turn_watcher watcher; // to be set before server_open()
};

// In a network namespace of its own, on CPU 1.
void server_start_eal(void);
// With tables for `n_allocations`, sized as turnpike sizes them.
void server_open(struct server *server, uint32_t n_allocations);
void server_close(struct server *server);

// Let `n` clients, at most CLIENTS_BATCH, ask and be answered. Returns the microseconds of the
// control core, by the clock of the calling thread.
double server_ask(struct server *server, struct clients *clients, enum request request,
	const uint32_t *idxs, unsigned n);
// All clients allocate and bind a channel. Returns the microseconds of one.
double server_fill(struct server *server, struct clients *clients);
// What the calling thread has used of its CPU.
double server_cpu_us(void);

#endif
