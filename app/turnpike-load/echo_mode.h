// The mode echo: the far end of another turnpike-load, until its time or count is over.
#ifndef ECHO_MODE_H
#define ECHO_MODE_H

#include "options.h"
#include "wire.h"

#include <signal.h>

// Ends early when `stop` is set. Returns the exit status; what went wrong has been said.
int echo_mode_run(
	const struct options *options, struct wire *wire, const volatile sig_atomic_t *stop);

#endif
