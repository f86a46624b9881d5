// The one capture that runs, if any: what workers have, and how they give it back.
//
// Order: capturing_begin(); capturing_take() over and over; capturing_end(). After it workers may
// still hold what they were given: capturing_settle(), now and then, frees it when they have let
// go. Control thread only.
#ifndef TURNPIKE_CAPTURING_H
#define TURNPIKE_CAPTURING_H

#include "box.h"
#include "capture/capture.h"

struct capturing {
	struct capture_filter *filter; // NULL: nothing runs
	struct capture *captures[CONF_WORKERS_MAX];
	struct capture_record *record; // the last one taken
	size_t n; // captures
	size_t next; // whose turn it is
	bool ends;
	bool is_told; // the workers are, that it ends
	uint64_t seq; // of having told them
	// When it began, by both clocks.
	uint64_t begun_ticks;
	uint64_t begun_unix_ns;
};

// Takes `filter` over where it returns 0. Else -EBUSY where one runs, or has not been given back;
// -EINVAL for a snap length out of range; -ENOMEM; -EAGAIN where workers cannot be told now.
int capturing_begin(struct capturing *capturing, const struct box *box,
	struct capture_filter *filter, uint16_t snap_bytes);
// The next record and its time, good until the next call; NULL where there is none now.
const struct capture_record *capturing_take(struct capturing *capturing, uint64_t *unix_ns);
uint64_t capturing_n_lost(const struct capturing *capturing);
uint64_t capturing_now_ns(const struct capturing *capturing); // as records have it
void capturing_end(struct capturing *capturing, const struct box *box);
void capturing_settle(struct capturing *capturing, const struct box *box);
// Workers do not run any more.
void capturing_close(struct capturing *capturing);

#endif
