// The busiest allocations, by what workers sample: however many there are, each worker's samples
// cost the same, and who is missed is no large part of the traffic.
//
// Order of calls: talkers_init(); talkers_count() with the samples of each worker; talkers_judge()
// with each of them again; `best` in no order; talkers_fini(). Each call is of bounded cost.
#ifndef TURNPIKE_TALKERS_H
#define TURNPIKE_TALKERS_H

#include "worker/worker.h"

#define TALKERS_MAX 32

struct talker {
	uint32_t allocation_idx;
	uint32_t n_samples;
};

struct talkers {
	uint32_t *counts; // of each allocation_idx; 0 of those that have been judged
	uint32_t n_counts;
	size_t n;
	struct talker best[TALKERS_MAX];
};

// `n_allocations` is more than the largest allocation_idx; from there on none is seen. Returns 0;
// -ENOMEM.
int talkers_init(struct talkers *talkers, uint32_t n_allocations);
void talkers_fini(struct talkers *talkers); // one of zeros is fine
void talkers_count(struct talkers *talkers, const struct worker_samples *samples);
void talkers_judge(struct talkers *talkers, const struct worker_samples *samples);

#endif
