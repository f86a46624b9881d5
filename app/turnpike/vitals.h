// The box's vital signs, as health.h judges them.
#ifndef TURNPIKE_VITALS_H
#define TURNPIKE_VITALS_H

#include "box.h"
#include "health.h"

// `now_ms` is monotonic. Reads counters and asks each port for its link; never blocks.
void vitals_take(struct vitals *out, const struct box *box, uint64_t now_ms);

#endif
