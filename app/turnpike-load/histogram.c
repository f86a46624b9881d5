#include "histogram.h"

#define SUB_BUCKETS (1 << HISTOGRAM_SUB_BITS)
#define VALUE_MAX ((1LL << HISTOGRAM_VALUE_BITS) - 1)

static uint32_t bucket_of(uint64_t value)
{
	const int top_bit = value ? 63 - __builtin_clzll(value) : 0;
	const int shift = top_bit > HISTOGRAM_SUB_BITS ? top_bit - HISTOGRAM_SUB_BITS : 0;

	return ((uint32_t)shift << HISTOGRAM_SUB_BITS) + (uint32_t)(value >> shift);
}

// The largest value that falls into a bucket.
static int64_t bucket_end(uint32_t bucket)
{
	uint32_t shift;

	if (bucket < 2 * SUB_BUCKETS)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1;
	return ((int64_t)(bucket - (shift << HISTOGRAM_SUB_BITS) + 1) << shift) - 1;
}

void histogram_record(struct histogram *histogram, int64_t value_ns)
{
	if (value_ns < 0)
		value_ns = 0;
	if (value_ns > VALUE_MAX)
		value_ns = VALUE_MAX;
	if (value_ns > histogram->max_ns)
		histogram->max_ns = value_ns;
	histogram->counts[bucket_of((uint64_t)value_ns)]++;
	histogram->n++;
}

void histogram_add(struct histogram *sum, const struct histogram *histogram)
{
	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram->n; i++)
		sum->counts[i] += histogram->counts[i];
	sum->n += histogram->n;
	if (histogram->max_ns > sum->max_ns)
		sum->max_ns = histogram->max_ns;
}

int64_t histogram_quantile(const struct histogram *histogram, double share)
{
	const double wanted = share * (double)histogram->n;
	uint64_t n_below = 0;

	for (uint32_t i = 0; i < HISTOGRAM_BUCKETS && histogram->n; i++) {
		n_below += histogram->counts[i];
		if (n_below && (double)n_below >= wanted)
			return bucket_end(i) < histogram->max_ns ? bucket_end(i)
								 : histogram->max_ns;
	}
	return histogram->max_ns;
}
