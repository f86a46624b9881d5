#include "service.h"

#include "loop.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FEEDS_PER_PERIOD 3 // one may come late

// The first worker that has not polled since the last look; n_workers: all have.
static size_t find_stalled(struct service *service)
{
	const struct box *box = service->loop->box;
	size_t stalled = box->n_workers;

	for (size_t i = box->n_workers; i-- > 0;) {
		const uint64_t n_polls = __atomic_load_n(
			&worker_public(box->workers[i].worker)->stats.n_polls, __ATOMIC_RELAXED);

		if (n_polls == service->n_polls[i])
			stalled = i;
		service->n_polls[i] = n_polls;
	}
	return stalled;
}

// Between two rounds of the event loop lies a poll of the control core: where there was none, the
// loop does not end, and takes care of timers alone.
static bool has_control_stalled(struct service *service)
{
	const uint64_t ticks =
		atomic_load_explicit(&service->loop->box->heartbeat.ticks, memory_order_relaxed);
	const bool has_stalled = ticks == service->control_ticks;

	service->control_ticks = ticks;
	return has_stalled;
}

static void on_feed(evutil_socket_t fd, short what, void *argument)
{
	struct service *service = argument;
	const bool control_stalled = has_control_stalled(service);
	const size_t stalled = find_stalled(service);

	(void)fd;
	(void)what;
	if (control_stalled)
		log_event(LOG_ERROR, "watchdog.withheld", "core=control");
	else if (stalled < service->loop->box->n_workers)
		log_event(LOG_ERROR, "watchdog.withheld", "worker=%zu", stalled);
	else
		notify_send(&service->notify, "WATCHDOG=1");
}

int service_open(struct service *service, struct loop *loop)
{
	const int rc = notify_open(&service->notify);
	struct timeval interval = {0};

	service->loop = loop;
	if (rc || service->notify.watchdog_ms == 0)
		return rc;
	interval.tv_sec = service->notify.watchdog_ms / FEEDS_PER_PERIOD / 1000;
	interval.tv_usec = service->notify.watchdog_ms / FEEDS_PER_PERIOD % 1000 * 1000L;
	service->feed = event_new(loop->base, -1, EV_PERSIST, on_feed, service);
	if (!service->feed || event_add(service->feed, &interval))
		return -ENOMEM;
	return 0;
}

void service_close(struct service *service)
{
	if (service->feed)
		event_free(service->feed);
	service->feed = NULL;
	notify_close(&service->notify);
}

void service_ready(struct service *service)
{
	service->owes_ready = !notify_send(&service->notify, "READY=1");
}

// The time is what Type=notify-reload asks for.
void service_reloading(struct service *service)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	notify_send(&service->notify, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		(uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

void service_stopping(struct service *service)
{
	notify_send(&service->notify, "STOPPING=1\nSTATUS=stopping");
	service_close(service);
}

static const char *first_reason(const struct loop *loop)
{
	const struct health *health = &loop->health;

	for (int sign = 0; sign < HEALTH_SIGNS; sign++)
		if (!health_is_good(health, (enum health_sign)sign))
			return health->reasons[sign];
	return loop->drain.on ? DRAIN_REASON : "healthy";
}

void service_tick(struct service *service)
{
	const struct box *box = service->loop->box;
	char status[SERVICE_STATUS_BYTES];
	struct turn_stats turn;

	if (service->notify.fd < 0)
		return;
	if (service->owes_ready)
		service_ready(service);
	turn_stats_get(box->turn, &turn);
	snprintf(status, sizeof(status), "%u allocations, %u relay ports free, %zu workers; %s",
		turn.n_allocations, turn.n_ports_free, box->n_workers, first_reason(service->loop));
	if (strcmp(status, service->status) && notify_send(&service->notify, "STATUS=%s", status))
		memcpy(service->status, status, sizeof(status));
}
