#include "own_follow.h"

#include "loop.h"

#include <string.h>

#define REST_FACTOR 20 // of the time that a look took
#define REST_MAX_MS 1000 // so long may a client reach what is ours; and after a look that failed

// Returns 0; -ENOMEM; -errno where the kernel does not tell.
static int look(struct box *box)
{
	struct own_change change;
	struct own now;
	int rc = own_find(&now, box->conf);

	if (rc)
		return rc;
	change = own_compare(&box->own, &now);
	if (change.n_new || change.n_gone)
		rc = turn_set_never(box->turn, now.ranges, now.n);
	if (rc || (change.n_new == 0 && change.n_gone == 0)) {
		own_free(&now);
		return rc;
	}
	own_free(&box->own);
	box->own = now;
	if (change.n_new)
		control_judge_peers(box->control);
	log_event(LOG_INFO, "own.changed", "addresses=%zu new=%zu gone=%zu", now.n, change.n_new,
		change.n_gone);
	return 0;
}

void own_follow(struct loop *loop)
{
	struct own_follower *follower = &loop->own_follower;
	// What changes during the look is seen by the next one.
	const uint64_t n_readdressed = route_n_readdressed(loop->box->route);
	const uint64_t begin_ms = loop_now_ms();
	uint64_t end_ms, rest_ms;
	int rc;

	if (follower->n_seen == n_readdressed || begin_ms < follower->next_ms)
		return;
	rc = look(loop->box);
	end_ms = loop_now_ms();
	rest_ms = REST_FACTOR * (end_ms - begin_ms + 1);
	follower->next_ms = end_ms + (rc || rest_ms > REST_MAX_MS ? REST_MAX_MS : rest_ms);
	if (rc)
		log_event(LOG_ERROR, "own.unknown", "reason=\"%s\"", strerror(-rc));
	else
		follower->n_seen = n_readdressed;
}
