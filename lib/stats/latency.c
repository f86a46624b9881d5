#include "stats.h"

#define LEAST_BITS 8

void latency_record(struct latency *latency, uint64_t ns)
{
	// One less, so that a bucket holds its end.
	const uint64_t value = ns > LATENCY_LEAST_NS ? ns - 1 : 0;
	unsigned bucket = 0;

	_Static_assert(LATENCY_LEAST_NS == 1 << LEAST_BITS, "its highest bit");
	if (value) {
		const unsigned top_bit = 63U - (unsigned)__builtin_clzll(value);

		bucket = 1 + 2 * (top_bit - LEAST_BITS) + (value >> (top_bit - 1) & 1);
	}
	latency->n[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]++;
	latency->sum_ns += ns;
}

uint64_t latency_bucket_end_ns(unsigned bucket)
{
	const uint64_t least = LATENCY_LEAST_NS;

	if (bucket >= LATENCY_BUCKETS - 1)
		return UINT64_MAX;
	if (bucket % 2 == 0)
		return least << bucket / 2;
	return (least + least / 2) << bucket / 2;
}
