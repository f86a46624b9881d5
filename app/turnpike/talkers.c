#include "talkers.h"

#include <errno.h>
#include <stdlib.h>

int talkers_init(struct talkers *talkers, uint32_t n_allocations)
{
	*talkers = (struct talkers){
		.counts = calloc(n_allocations, sizeof(*talkers->counts)),
		.n_counts = n_allocations,
	};
	return talkers->counts ? 0 : -ENOMEM;
}

void talkers_fini(struct talkers *talkers)
{
	free(talkers->counts);
	*talkers = (struct talkers){0};
}

static uint32_t n_there(const struct worker_samples *samples)
{
	const uint64_t n = atomic_load_explicit(&samples->n, memory_order_acquire);

	return n < WORKER_SAMPLES ? (uint32_t)n : WORKER_SAMPLES;
}

// The worker goes on writing: what is read is then newer, and no less a sample.
static uint32_t *count_of(
	const struct talkers *talkers, const struct worker_samples *samples, uint32_t i)
{
	const uint32_t allocation_idx =
		atomic_load_explicit(&samples->allocation_idx[i], memory_order_relaxed);

	return allocation_idx < talkers->n_counts ? &talkers->counts[allocation_idx] : NULL;
}

void talkers_count(struct talkers *talkers, const struct worker_samples *samples)
{
	const uint32_t n = n_there(samples);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t *count = count_of(talkers, samples, i);

		if (count)
			++*count;
	}
}

static struct talker *least_of(struct talkers *talkers)
{
	struct talker *least = talkers->best;

	for (size_t i = 1; i < talkers->n; i++)
		if (talkers->best[i].n_samples < least->n_samples)
			least = &talkers->best[i];
	return least;
}

static void consider(struct talkers *talkers, const struct talker *talker)
{
	struct talker *least;

	if (talkers->n < TALKERS_MAX) {
		talkers->best[talkers->n++] = *talker;
		return;
	}
	least = least_of(talkers);
	if (talker->n_samples > least->n_samples)
		*least = *talker;
}

void talkers_judge(struct talkers *talkers, const struct worker_samples *samples)
{
	const uint32_t n = n_there(samples);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t *count = count_of(talkers, samples, i);

		if (!count || *count == 0)
			continue;
		consider(talkers, &(struct talker){(uint32_t)(count - talkers->counts), *count});
		*count = 0;
	}
}
