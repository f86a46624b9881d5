// Readings of a box that runs.
#ifndef TURNPIKE_GAUGE_H
#define TURNPIKE_GAUGE_H

#include "box.h"
#include "readings.h"

// Of one port; never blocks.
void gauge_read_port(struct reading_port *out, const struct box *box, size_t port_idx);
// All but `version`, `started_s`, `last_took_s`, `draining`, `health` and `clock`. Asks each port
// for its counters; never blocks.
void gauge_read(struct readings *out, const struct box *box);

#endif
