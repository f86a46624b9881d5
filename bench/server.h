// A whole server on the memory port, as turnpike puts it together: worker, control core, and the
// kernel's routes behind a mirror.
//
// The program must be alone in its network namespace. Time is the bench's own: it goes on with the
// requests, so that nothing ends but what is released.
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

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
};

// On server->rig, which is open, with tables for `n_allocations`, sized as turnpike sizes them.
void server_open(struct server *server, uint32_t n_allocations);
void server_close(struct server *server);

#endif
