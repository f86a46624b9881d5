// What options must be together, and what they are where they were not given.
#ifndef OPTIONS_CHECK_H
#define OPTIONS_CHECK_H

#include "options.h"

// Each is right by itself. Returns -1 to go on, or the exit status; what is wrong has been said.
int options_check(struct options *out);

#endif
