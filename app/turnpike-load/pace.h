// An open-loop schedule: when the k-th event of a process is due, whatever became of those before.
#ifndef PACE_H
#define PACE_H

#include "base/base.h"

#include <math.h>
#include <stdbool.h>

struct pace {
	int64_t start_ns;
	uint64_t rate; // events a second, at least 1
	uint64_t n_done;
	uint64_t n_events; // in all
	bool poisson; // random gaps of the same mean
	struct random random;
	double offset_ns; // poisson only: of the next event
};

static inline bool pace_over(const struct pace *pace)
{
	return pace->n_done == pace->n_events;
}

// When the next event is due. Computed from the start each time: no error adds up.
static inline int64_t pace_due(const struct pace *pace)
{
	if (pace_over(pace))
		return INT64_MAX;
	if (pace->poisson)
		return pace->start_ns + (int64_t)pace->offset_ns;
	return pace->start_ns + (int64_t)((unsigned __int128)pace->n_done * NS_IN_S / pace->rate);
}

static inline void pace_advance(struct pace *pace)
{
	pace->n_done++;
	if (pace->poisson) {
		const double share =
			((double)(random_next(&pace->random) >> 11) + 1) / 9007199254740992.0;

		pace->offset_ns -= log(share) * (double)NS_IN_S / (double)pace->rate;
	}
}

#endif
