// What the daemon says about itself in its log: one line when it is ready, one now and then, one at
// the end.
#ifndef TURNPIKE_REPORT_H
#define TURNPIKE_REPORT_H

#include "box.h"

struct report {
	struct turn_stats turn; // too large for the stack of a callback
	struct worker_stats sum;
	struct log_site realm_sites[TURN_REALMS_MAX];
};

void report_ready(const struct box *box);
// All counters, under the event's name, and the drops by name in a line of their own where there
// are any; of several realms, one line each.
void report_log(struct report *report, const struct box *box, const char *event);

#endif
