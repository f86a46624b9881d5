// The threads: workers on their CPUs, the control core on its own, until a signal ends them.
#ifndef TURNPIKE_RUN_H
#define TURNPIKE_RUN_H

#include "box.h"

// Returns an exit status.
int run(struct box *box);

#endif
