// What /metrics says: names and labels as in Prometheus's practices, a bounded number of each, and
// never a user's name.
//
// Labels: `worker` by number, `port`, `pool` and `realm` as configured, and words that are known
// here. Series: up to 320, and 50 for each worker, 10 for each port, 22 for each realm.
#ifndef TURNPIKE_METRICS_H
#define TURNPIKE_METRICS_H

#include "exposition.h"
#include "readings.h"

void metrics_write(struct exposition *out, const struct readings *readings);
// Its second half: requests, allocations, realms, routes, Redis.
void metrics_write_control(struct exposition *out, const struct readings *readings);
// The same under coturn's names, as far as coturn has them. Its counters of traffic are of ended
// allocations and count TURN messages; these are live and count application data.
void metrics_write_coturn(struct exposition *out, const struct readings *readings);

#endif
