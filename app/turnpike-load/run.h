// The modes: what happens in which order, on the real clock and a real wire.
#ifndef RUN_H
#define RUN_H

#include "options.h"

// Returns the exit status; what went wrong has been said.
int run(const struct options *options);

#endif
