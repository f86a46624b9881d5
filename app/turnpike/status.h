// What coturn tells Redis of allocations, under its keys:
//
//     turn/realm/REALM/user/NAME/allocation/ID/status          SET and PUBLISH; DEL at the end
//     .../total_traffic, .../total_traffic/peer                PUBLISH at the end
//
// Unlike coturn's, keys have a time of their own and go with it, also after a crash.
#ifndef TURNPIKE_STATUS_H
#define TURNPIKE_STATUS_H

#include "control/control.h"
#include "redis/redis.h"
#include "turn/turn.h"

#include <stdbool.h>

// Names of users are as clients write them where `plain`, else as in the log.
void status_tell_event(struct redis *redis, const struct turn_event *event, bool plain);
void status_tell_total(struct redis *redis, const struct turn_allocation_view *view,
	const struct control_traffic *sum, bool plain);

#endif
