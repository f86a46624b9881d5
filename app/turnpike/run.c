#include "run.h"

#include "ending.h"
#include "exit.h"
#include "idle.h"
#include "loop.h"
#include "reload.h"
#include "verbs.h"
#include "vitals.h"
#include "web.h"

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_pause.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define TICK_MS 100
#define HEALTH_MS 500 // between two judgements
#define POLLS_PER_EVENTS 16 // busy rounds of the control core between two looks at its descriptors
#define TIMER_SLACK_NS 1000

static void rest(struct idle *idle, uint64_t ticks_per_us)
{
	const struct timespec pause = {.tv_nsec = idle_sleep_ns(idle, rte_rdtsc(), ticks_per_us)};

	if (pause.tv_nsec)
		nanosleep(&pause, NULL);
	else
		rte_pause();
}

static int worker_main(void *argument)
{
	const uint64_t ticks_per_us = rte_get_tsc_hz() / US_IN_S;
	struct worker_thread *thread = argument;
	struct idle idle = {0};

	prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS);
	while (!atomic_load_explicit(thread->stop, memory_order_relaxed)) {
		if (worker_poll(thread->worker))
			idle_end(&idle);
		else if (thread->adaptive)
			rest(&idle, ticks_per_us);
	}
	return 0;
}

struct turn_time loop_time(void)
{
	struct timespec monotonic;
	struct timespec wall;

	clock_gettime(CLOCK_MONOTONIC, &monotonic);
	clock_gettime(CLOCK_REALTIME_COARSE, &wall);
	return (struct turn_time){
		.now_ms = (uint64_t)monotonic.tv_sec * MS_IN_S +
			(uint64_t)monotonic.tv_nsec / NS_IN_MS,
		.wall_s = wall.tv_sec,
	};
}

uint64_t loop_now_ms(void)
{
	return loop_time().now_ms;
}

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stop, true);
}

// The workers end or have ended: events still come while records are written.
static bool is_stopping(struct loop *loop)
{
	return atomic_load(&loop->stop);
}

static void on_signal(evutil_socket_t signal_number, short what, void *argument)
{
	struct loop *loop = argument;

	(void)what;
	log_event(LOG_INFO, "stopping", "signal=%d", (int)signal_number);
	loop_stop(loop);
}

static void reload_by_signal(struct loop *loop)
{
	struct reload_result result;

	if (is_stopping(loop))
		return;
	service_reloading(&loop->service);
	reload(loop, &result);
	loop->reload_due = result.status == RELOAD_BUSY;
	reload_result_free(&result);
	service_ready(&loop->service);
}

static void on_hangup(evutil_socket_t signal_number, short what, void *argument)
{
	(void)signal_number;
	(void)what;
	reload_by_signal(argument);
}

static void on_tick(evutil_socket_t fd, short what, void *argument)
{
	struct loop *loop = argument;

	(void)fd;
	(void)what;
	own_follow(loop);
	reload_settle(loop);
	capturing_settle(&loop->capturing, loop->box);
	if (loop->reload_due)
		reload_by_signal(loop);
}

// The descriptor of one that somebody has deleted is ready for ever.
static void lose_mirror(struct loop *loop, struct mirror *mirror, int rc)
{
	log_event(LOG_ERROR, "mirror.lost", "name=%s reason=\"%s\"", mirror->name, strerror(-rc));
	event_del(event_base_get_running_event(loop->base));
	mirror_close(mirror);
}

static void on_mirror(evutil_socket_t fd, short what, void *argument)
{
	struct loop *loop = argument;
	struct mirror *mirrors = loop->box->mirrors;
	uint8_t i = 0;
	int rc;

	(void)what;
	while (mirrors[i].fd != fd)
		i++;
	rc = control_mirror_read(loop->box->control, i);
	if (rc)
		lose_mirror(loop, &mirrors[i], rc);
}

static void on_route(evutil_socket_t fd, short what, void *argument)
{
	struct loop *loop = argument;

	(void)fd;
	(void)what;
	control_route_follow(loop->box->control);
	own_follow(loop);
}

static void on_users(void *argument)
{
	struct loop *loop = argument;

	control_users_answered(loop->box->control);
}

// Redis goes on reading the settings of a realm that a reload has taken away.
static int on_realm(void *argument, size_t realm_idx, const struct turn_realm_update *update)
{
	struct loop *loop = argument;
	const int rc = turn_realm_update(loop->box->turn, realm_idx, update);

	if (rc == -ENOENT)
		return 0;
	log_event(rc ? LOG_ERROR : LOG_INFO, "realm.update",
		"realm=\"%s\" rest_secrets=%zu allow=%zu deny=%zu allocations=%u "
		"allocations_per_user=%u",
		turn_source_realm(loop->box->turn, realm_idx), update->n_rest_secrets,
		update->n_allow, update->n_deny, update->n_allocations_max,
		update->n_allocations_per_user);
	return rc;
}

static void on_report(evutil_socket_t fd, short what, void *argument)
{
	struct loop *loop = argument;

	(void)fd;
	(void)what;
	report_log(&loop->report, loop->box, &loop->clock, false);
}

static void look_at_clock(struct loop *loop, const struct turn_time *now)
{
	struct clock_news news;

	clock_look(&loop->clock, now->now_ms, now->wall_s, &news);
	report_clock(&news);
}

// And whether a drain is over.
static void on_health(evutil_socket_t fd, short what, void *argument)
{
	struct loop *loop = argument;
	const struct turn_time now = loop_time();
	struct vitals vitals;

	(void)fd;
	(void)what;
	if (is_stopping(loop))
		return;
	look_at_clock(loop, &now);
	vitals_take(&vitals, loop->box, now.now_ms);
	report_health(&loop->health, health_judge(&loop->health, &vitals));
	if (drain_is_over(&loop->drain, vitals.n_allocations, vitals.now_ms)) {
		log_event(LOG_INFO, "stopping", "drained=%u left=%u", loop->drain.n_at_start,
			vitals.n_allocations);
		loop_stop(loop);
	}
}

static void on_second(evutil_socket_t fd, short what, void *argument)
{
	struct loop *loop = argument;

	(void)fd;
	(void)what;
	log_tick();
	service_tick(&loop->service);
	records_tick(loop->box->records);
	route_ask_again(loop->box->route);
}

// The loop itself does the work; an event only ends its sleep.
static void on_wake(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	(void)argument;
}

static int add_event(
	struct loop *loop, int fd, short what, event_callback_fn callback, unsigned every_ms)
{
	const struct timeval interval = {every_ms / 1000, (every_ms % 1000) * 1000L};
	struct event *event = event_new(loop->base, fd, (short)(what | EV_PERSIST), callback, loop);

	if (!event)
		return -ENOMEM;
	loop->events[loop->n_events++] = event;
	return event_add(event, every_ms ? &interval : NULL);
}

static void set_reporting(struct loop *loop)
{
	const struct timeval interval = {loop->box->conf->stats_interval_s, 0};

	if (loop->reporting_s == interval.tv_sec)
		return;
	loop->reporting_s = interval.tv_sec;
	event_del(loop->reporting);
	if (interval.tv_sec)
		event_add(loop->reporting, &interval);
}

void run_adjust(struct loop *loop)
{
	struct log_config log = loop->box->conf->log;

	// What an operator has set stands until the file has another.
	if (log.level == loop->file_level)
		log.level = log_level();
	loop->file_level = loop->box->conf->log.level;
	log_open(&log);
	records_adjust(loop->box->records, loop->box->conf);
	set_reporting(loop);
}

static int start_redis(struct loop *loop)
{
	const struct redis_callbacks to = {on_users, on_realm, loop};

	return loop->box->redis ? redis_start(loop->box->redis, loop->base, &to) : 0;
}

static int open_events(struct loop *loop)
{
	struct box *box = loop->box;
	int rc = add_event(loop, SIGTERM, EV_SIGNAL, on_signal, 0);

	rc = rc ? rc : add_event(loop, SIGINT, EV_SIGNAL, on_signal, 0);
	rc = rc ? rc : add_event(loop, box->doorbell.fd, EV_READ, on_wake, 0);
	rc = rc ? rc : add_event(loop, route_fd(box->route), EV_READ, on_route, 0);
	rc = rc ? rc : add_event(loop, SIGHUP, EV_SIGNAL, on_hangup, 0);
	rc = rc ? rc : add_event(loop, -1, 0, on_tick, TICK_MS);
	rc = rc ? rc : add_event(loop, -1, 0, on_health, HEALTH_MS);
	rc = rc ? rc : add_event(loop, -1, 0, on_second, 1000);
	for (size_t i = 0; i < box->n_mirrors && !rc; i++)
		rc = add_event(loop, box->mirrors[i].fd, EV_READ, on_mirror, 0);
	if (!rc) {
		rc = add_event(loop, -1, 0, on_report, 0);
		loop->reporting = loop->events[loop->n_events - 1];
		set_reporting(loop);
	}
	return rc ? rc : start_redis(loop);
}

static void close_events(struct loop *loop)
{
	service_close(&loop->service);
	while (loop->n_events)
		event_free(loop->events[--loop->n_events]);
	if (loop->base)
		event_base_free(loop->base);
}

// Sleep until something happens, unless a worker sent something meanwhile.
static void control_rest(struct loop *loop)
{
	struct box *box = loop->box;

	doorbell_announce(&box->doorbell);
	if (!control_waiting(box->control))
		event_base_loop(loop->base, EVLOOP_ONCE);
	doorbell_awake(&box->doorbell);
}

// What happens at descriptors is looked at once in a while, and once only: libevent alone would
// stay for as long as one of them is ready, which a bell that was rung late is until the next
// sleep.
static void control_main(struct loop *loop)
{
	const bool adaptive = loop->box->conf->poll == CONF_POLL_ADAPTIVE;
	const struct turn_time begin = loop_time();
	unsigned n_rounds = 0;

	look_at_clock(loop, &begin); // what steps from now on is seen
	while (!is_stopping(loop)) {
		const struct turn_time now = loop_time();
		const unsigned n = control_poll(loop->box->control, &now);

		if (n == 0 && adaptive)
			control_rest(loop);
		else if (n == 0 || ++n_rounds % POLLS_PER_EVENTS == 0)
			event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	}
}

static int launch_workers(struct loop *loop)
{
	const struct box *box = loop->box;

	for (size_t i = 0; i < box->n_workers; i++) {
		struct worker_thread *thread = &loop->threads[i];

		thread->worker = box->workers[i].worker;
		thread->stop = &loop->stop;
		thread->adaptive = box->conf->poll == CONF_POLL_ADAPTIVE;
		if (rte_eal_remote_launch(
			    worker_main, thread, EAL_WORKER_LCORE_FIRST + (unsigned)i))
			return -EBUSY;
	}
	return 0;
}

static int drop_privileges(struct box *box)
{
	int rc;

	guard_seal(&box->guard);
	rc = privileges_drop(&box->privileges);
	if (rc)
		log_event(LOG_ERROR, "privileges.kept", "user=\"%s\" reason=\"%s\"",
			box->conf->user, strerror(-rc));
	return rc;
}

// As the account that they belong to, and that makes their file anew.
static int start_records(struct box *box)
{
	const int rc = records_start(box->records);

	if (rc)
		log_event(LOG_ERROR, "start.failed",
			"reason=\"records.file %s cannot be opened: %s\"", box->conf->records.file,
			strerror(-rc));
	return rc;
}

static enum exit_status fail(const char *what, int rc)
{
	log_event(LOG_ERROR, "start.failed", "reason=\"%s: %s\"", what, strerror(-rc));
	return EXIT_RESOURCE;
}

// Left alone, libevent writes to standard error, in no form of ours, and waits for its reader.
static void on_libevent(int severity, const char *text)
{
	const enum log_level level = severity == EVENT_LOG_ERR ? LOG_ERROR
		: severity == EVENT_LOG_WARN                   ? LOG_WARNING
							       : LOG_DEBUG;
	char escaped[256];

	log_event(level, "libevent", "text=\"%s\"",
		log_escape(escaped, sizeof(escaped), text, strlen(text)));
}

// What does not call fail() has told of it itself.
static int start(struct loop *loop)
{
	int rc;

	event_set_log_callback(on_libevent);
	loop->base = event_base_new();
	if (!loop->base)
		return fail("event loop", -ENOMEM);
	rc = service_open(&loop->service, loop);
	if (rc)
		return fail("NOTIFY_SOCKET", rc);
	rc = open_events(loop);
	if (rc)
		return fail("event loop", rc);
	rc = web_open(&loop->web, loop);
	if (rc)
		return EXIT_RESOURCE;
	rc = verbs_open(loop);
	if (rc)
		return rc;
	rc = drop_privileges(loop->box);
	rc = rc ? rc : start_records(loop->box);
	if (rc)
		return exit_status_of(rc);
	rc = launch_workers(loop);
	return rc ? fail("worker threads", rc) : EXIT_OK;
}

// Nobody is answered any more: what the doors ask for would be done by workers that have ended.
static void close_doors(struct loop *loop)
{
	web_close(loop->web);
	loop->web = NULL;
	admin_close(loop->admin);
	loop->admin = NULL;
}

int run(struct box *box)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	bool all_ended;
	int status;

	if (!loop)
		return fail("event loop", -ENOMEM);
	loop->box = box;
	loop->file_level = box->conf->log.level;
	loop->service.notify.fd = -1;
	loop->started_ms = loop_now_ms();
	status = start(loop);
	if (status == EXIT_OK) {
		report_ready(box);
		service_ready(&loop->service);
		control_main(loop);
		service_stopping(&loop->service);
	}
	loop_stop(loop);
	all_ended = ending_join(loop);
	close_doors(loop);
	if (status == EXIT_OK) {
		ending_record(loop);
		report_log(&loop->report, box, &loop->clock, true);
	}
	if (!all_ended)
		ending_leave(box);
	redis_close(box->redis); // its events are in the loop
	box->redis = NULL;
	capturing_close(&loop->capturing);
	close_events(loop);
	log_flush(); // sites are in the loop, too
	free(loop);
	return status;
}
