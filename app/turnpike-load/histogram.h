// A log-linear histogram of nanoseconds: 128 buckets an octave, so a value read from it is at most
// 0.8 % too high, and never above the largest one recorded.
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 7
#define HISTOGRAM_VALUE_BITS 41 // 36 minutes; what is longer counts as that
#define HISTOGRAM_BUCKETS ((HISTOGRAM_VALUE_BITS - HISTOGRAM_SUB_BITS + 1) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t n;
	int64_t max_ns;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

// A negative value counts as zero.
void histogram_record(struct histogram *histogram, int64_t value_ns);
void histogram_add(struct histogram *sum, const struct histogram *histogram);
// The value that a `share` (0..1) of all recorded ones does not exceed; 0 of an empty histogram.
int64_t histogram_quantile(const struct histogram *histogram, double share);

#endif
