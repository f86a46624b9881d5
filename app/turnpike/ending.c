#include "ending.h"

#include "exit.h"
#include "loop.h"

#include <event2/event.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <time.h>
#include <unistd.h>

#define JOIN_MS 5000 // for the workers to come back at the end
#define STOP_MS 5000 // for the records of what lives at the end, at most
#define STOP_PACE_MS 4000 // of them, for ends to come no faster than Redis takes their records

static void join_worker(struct loop *loop, size_t i, uint64_t until_ms)
{
	const struct timespec pause = {.tv_nsec = NS_IN_MS};
	const unsigned lcore = EAL_WORKER_LCORE_FIRST + (unsigned)i;

	while (rte_eal_get_lcore_state(lcore) != WAIT && loop_now_ms() < until_ms)
		nanosleep(&pause, NULL);
	if (rte_eal_get_lcore_state(lcore) == WAIT) {
		rte_eal_wait_lcore(lcore);
		return;
	}
	log_event(LOG_ERROR, "worker.stands", "worker=%zu", i);
	loop->threads[i].stands = true;
	control_leave_out(loop->box->control, i);
}

bool ending_join(struct loop *loop)
{
	const uint64_t until_ms = loop_now_ms() + JOIN_MS;
	bool all = true;

	for (size_t i = 0; i < loop->box->n_workers; i++) {
		join_worker(loop, i, until_ms);
		all &= !loop->threads[i].stands;
	}
	return all;
}

// What stands in Redis's outbox goes, as far as Redis takes it by then.
static void empty_outbox(struct loop *loop, uint64_t until_ms)
{
	struct redis_stats stats;

	if (!loop->box->redis)
		return;
	for (;;) {
		redis_stats_get(loop->box->redis, &stats);
		if (!stats.is_up || stats.n_untold == 0 || loop_time().now_ms >= until_ms)
			return;
		event_base_loop(loop->base, EVLOOP_ONCE);
	}
}

// A share of ends is some 1,300 commands at most: with half of Redis's outbox there is room for one
// where all ports of the shares before have cooled, and so nothing is to be told of those any more.
static bool redis_keeps_up(const struct box *box)
{
	struct redis_stats stats;

	if (!box->redis)
		return true;
	redis_stats_get(box->redis, &stats);
	return !stats.is_up ||
		(stats.n_untold < REDIS_OUTBOX_MAX / 2 && control_n_cooling(box->control) == 0);
}

// The workers' threads have ended: their part is done here.
void ending_record(struct loop *loop)
{
	struct turn_kick all = {.reason = TURN_STOPPED};
	const struct box *box = loop->box;
	struct turn_time now = loop_time();
	const uint64_t until_ms = now.now_ms + STOP_MS;
	const uint64_t pace_until_ms = now.now_ms + STOP_PACE_MS;
	bool more = true;

	if (!box->records)
		return;
	if (!loop->drain.on)
		turn_drain(box->turn, STUN_INSUFFICIENT_CAPACITY); // who comes now would be missed
	while ((more || control_n_cooling(box->control) > 0) && now.now_ms < until_ms) {
		if (more && (redis_keeps_up(box) || now.now_ms >= pace_until_ms))
			more = control_user_end(box->control, &now, &all);
		control_poll(box->control, &now);
		for (size_t i = 0; i < box->n_workers; i++)
			if (!loop->threads[i].stands)
				worker_poll(box->workers[i].worker);
		event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
		now = loop_time();
	}
	empty_outbox(loop, until_ms);
}

_Noreturn void ending_leave(const struct box *box)
{
	redis_close(box->redis);
	records_close(box->records);
	log_flush();
	_exit(EXIT_FAULT);
}
