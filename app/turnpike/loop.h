// The control thread: one event loop, shared by the control core and all doors to the operator.
// What is done for an event is a bounded slice, so that requests of clients never wait long.
//
// run() makes it; everything that is opened in its loop is given this struct and lives in it.
#ifndef TURNPIKE_LOOP_H
#define TURNPIKE_LOOP_H

#include "box.h"
#include "capturing.h"
#include "clock.h"
#include "drain.h"
#include "health.h"
#include "own_follow.h"
#include "report.h"
#include "service.h"

#include <stdatomic.h>
#include <time.h>

struct admin;
struct event;
struct event_base;
struct web;

struct worker_thread {
	struct worker *worker;
	atomic_bool *stop;
	bool adaptive;
	bool stands; // at the end: it has not come back
};

struct loop {
	struct box *box;
	struct event_base *base;
	struct event *events[2 * CONF_PORTS_MAX + 8];
	size_t n_events;
	struct event *reporting; // one of them: the statistics
	time_t reporting_s; // how often
	enum log_level file_level; // of the log, as the file has it
	bool reload_due; // asked for by a signal
	struct own_follower own_follower;
	atomic_bool stop;
	struct worker_thread threads[CONF_WORKERS_MAX];
	struct report report;
	struct service service;
	struct web *web; // NULL: nothing is served
	struct clock clock; // looked at when health is judged
	struct health health; // judged anew every HEALTH_MS
	struct drain drain;
	struct capturing capturing;
	struct admin *admin; // NULL: none is configured
	uint64_t started_ms;
};

struct turn_time loop_time(void);
uint64_t loop_now_ms(void); // monotonic
// In all threads' good time.
void loop_stop(struct loop *loop);

#endif
