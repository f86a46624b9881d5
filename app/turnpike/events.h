// What the control core does for clients, in the log: allocations as they come and go, and what is
// refused.
#ifndef TURNPIKE_EVENTS_H
#define TURNPIKE_EVENTS_H

#include "turn/turn.h"

// Codes that are logged apart, so that a flood of one does not hide another.
#define EVENTS_REFUSALS 7

struct events {
	struct log_site created;
	struct log_site refreshed;
	struct log_site moved;
	struct log_site ended;
	struct log_site failed;
	struct log_site granted;
	struct log_site refused[EVENTS_REFUSALS];
};

// `events`, zeroed, is told: it must outlive what watches with it.
struct turn_watcher events_watcher(struct events *events);
const char *events_method_name(uint16_t method); // "Allocate", "other"

#endif
