#include "app/turnpike/talkers.h"

#include <criterion/criterion.h>

#define N_ALLOCATIONS 1000

static struct talkers talkers;
static struct worker_samples workers[2];

static void open_talkers(void)
{
	cr_assert_eq(talkers_init(&talkers, N_ALLOCATIONS), 0);
	memset(workers, 0, sizeof(workers));
}

static void close_talkers(void)
{
	talkers_fini(&talkers);
}

TestSuite(talkers, .init = open_talkers, .fini = close_talkers);

static void sample(struct worker_samples *samples, uint32_t allocation_idx, unsigned n)
{
	while (n--)
		samples->allocation_idx[samples->n++ % WORKER_SAMPLES] = allocation_idx;
}

static void find(void)
{
	for (int i = 0; i < 4; i++)
		(i < 2 ? talkers_count : talkers_judge)(&talkers, &workers[i % 2]);
}

static uint32_t n_samples_of(uint32_t allocation_idx)
{
	uint32_t n = 0;

	for (size_t i = 0; i < talkers.n; i++)
		if (talkers.best[i].allocation_idx == allocation_idx)
			n += talkers.best[i].n_samples;
	return n;
}

Test(talkers, of_many_the_busiest_on_all_workers_are_found)
{
	const uint32_t n = TALKERS_MAX + 10;

	for (uint32_t k = n; k > 0; k--) {
		const uint32_t i = k % n;

		sample(&workers[0], N_ALLOCATIONS - 1 - i, i + 1);
		sample(&workers[1], N_ALLOCATIONS - 1 - i, 1);
	}
	sample(&workers[1], N_ALLOCATIONS - 1, 100); // the least on the other worker
	find();
	cr_expect_eq(talkers.n, TALKERS_MAX);
	cr_expect_eq(n_samples_of(N_ALLOCATIONS - 1), 102);
	for (uint32_t i = 1; i < n; i++)
		cr_expect_eq(n_samples_of(N_ALLOCATIONS - 1 - i), i > n - TALKERS_MAX ? i + 2 : 0,
			"%u", i);
}

Test(talkers, without_samples_there_is_nobody)
{
	find();
	cr_expect_eq(talkers.n, 0);
}

Test(talkers, what_a_worker_has_written_over_does_not_count)
{
	sample(&workers[0], 5, 100);
	sample(&workers[0], 6, WORKER_SAMPLES - 1);
	find();
	cr_expect_eq(talkers.n, 2);
	cr_expect_eq(n_samples_of(5), 1);
	cr_expect_eq(n_samples_of(6), WORKER_SAMPLES - 1);
}

Test(talkers, an_index_past_the_last_is_no_harm)
{
	sample(&workers[0], N_ALLOCATIONS, 3);
	sample(&workers[0], UINT32_MAX, 3);
	find();
	cr_expect_eq(talkers.n, 0);
}
