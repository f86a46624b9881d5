// The threads: workers on their CPUs, the control core on its own, until a signal ends them.
#ifndef TURNPIKE_RUN_H
#define TURNPIKE_RUN_H

#include "box.h"

struct loop;

// Returns an exit status.
int run(struct box *box);
// The log and the timers are as box->conf now says.
void run_adjust(struct loop *loop);

#endif
