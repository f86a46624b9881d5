// What the daemon says about itself in its log: one line when it is ready, one now and then, one at
// the end, and one where its health changes or time does something odd.
#ifndef TURNPIKE_REPORT_H
#define TURNPIKE_REPORT_H

#include "box.h"
#include "clock.h"
#include "health.h"

struct report {
	struct turn_stats turn; // too large for the stack of a callback
	struct worker_stats sum;
	struct log_site realm_sites[TURN_REALMS_MAX];
	struct log_site peer_sites[TURN_REALMS_MAX];
};

// Fill `turn` and `sum` with what holds now.
void report_take(struct report *report, const struct box *box);

void report_ready(const struct box *box);
// The signs that health_judge() says have changed, a line each.
void report_health(const struct health *health, unsigned changed);
// `clock.stepped` and `control.stood`, where there is such news.
void report_clock(const struct clock_news *news);
// All counters, as `stats`, or as `stopped` for the last time; in lines of their own, where there
// are any, the drops by name and of each realm the rules about peers that decided something; of
// several realms, and of Redis, one line each. Realms have numbers there, `auth` being 0.
void report_log(struct report *report, const struct box *box, const struct clock *clock, bool last);

#endif
