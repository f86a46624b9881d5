// turnpike as a service of systemd: ready, reloading, stopping, what it does at the moment, and a
// watchdog that is fed only while every worker and the control core poll.
//
// Order of calls: service_open(); service_ready() once; then, around each reload,
// service_reloading() and service_ready(); service_tick() every second; service_stopping(), after
// which nothing is told; service_close() before the loop's base goes.
#ifndef TURNPIKE_SERVICE_H
#define TURNPIKE_SERVICE_H

#include "conf/conf.h"
#include "notify.h"

#include <stdint.h>

#define SERVICE_STATUS_BYTES 512

struct event;
struct loop;

struct service {
	struct notify notify;
	struct loop *loop;
	struct event *feed; // NULL: no watchdog
	uint64_t n_polls[CONF_WORKERS_MAX]; // when it was last looked at
	uint64_t control_ticks; // then
	char status[SERVICE_STATUS_BYTES]; // that was told last
	bool owes_ready; // the manager had no room for it
};

// With a timer in the loop where the manager wants a watchdog. Returns 0; -ENOMEM; -EINVAL for a
// NOTIFY_SOCKET that cannot be; another -errno.
int service_open(struct service *service, struct loop *loop);
void service_close(struct service *service); // also where service_open() has failed, or twice

void service_ready(struct service *service);
void service_reloading(struct service *service);
// The last word: the manager waits for no watchdog from then on.
void service_stopping(struct service *service);
// Tell what `systemctl status` shows, where that has changed; and what found no room before.
void service_tick(struct service *service);

#endif
