// One run of random operations, of which every answer, every relayed address, every entry in the
// tables of workers and every expiry is what the model says.
#ifndef SIM_PROPERTY_H
#define SIM_PROPERTY_H

#include "draw.h"

// Aborts the test at the first difference. Each of `codes`, ended by -1, must have been answered.
void property_run(const struct scenario *scenario, const int *codes);

#endif
