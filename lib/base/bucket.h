// Token buckets of one word, for any clock.
//
// A bucket knows only when it will be full again. Time is in ticks of the caller's choice. Inside,
// a tick has 1,024 parts, to tell rates above one a tick apart. Times wrap: a bucket that seems to
// lie outside its depth was last used long ago, and is full.
#ifndef BASE_BUCKET_H
#define BASE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

#define BUCKET_TICK_PARTS 1024ULL

struct bucket {
	uint64_t full_at; // zeroed: full
};

// How fast a bucket fills and how much it holds; `depth` 0 is no limit.
struct bucket_rate {
	uint64_t token; // parts of a tick in which one comes back
	uint64_t depth; // parts of a tick in which an empty one fills
};

// `per_s` tokens a second and `burst_ms` of them at once, one at least. `per_s` 0: no limit. A rate
// above 1,024 tokens a tick counts as that.
static inline struct bucket_rate bucket_rate_of(
	uint64_t per_s, uint32_t burst_ms, uint64_t ticks_per_s)
{
	struct bucket_rate rate = {0, 0};

	if (per_s == 0)
		return rate;
	rate.token = ticks_per_s * BUCKET_TICK_PARTS / per_s;
	rate.token = rate.token ? rate.token : 1;
	rate.depth = ticks_per_s * BUCKET_TICK_PARTS / 1000 * burst_ms;
	rate.depth = rate.depth > rate.token ? rate.depth : rate.token;
	return rate;
}

// Parts of a tick until it is full.
static inline uint64_t bucket_owed(
	const struct bucket *bucket, const struct bucket_rate *rate, uint64_t now_ticks)
{
	const uint64_t owed = bucket->full_at - now_ticks * BUCKET_TICK_PARTS;

	// One that was never used lies inside its depth shortly before time wraps.
	return owed > rate->depth || bucket->full_at == 0 ? 0 : owed;
}

// Take tokens, or none where there are too few. The rate must have a limit.
static inline bool bucket_take(struct bucket *bucket, const struct bucket_rate *rate,
	uint64_t now_ticks, uint64_t n_tokens)
{
	const uint64_t owed = bucket_owed(bucket, rate, now_ticks) + n_tokens * rate->token;

	if (owed > rate->depth)
		return false;
	bucket->full_at = now_ticks * BUCKET_TICK_PARTS + owed;
	return true;
}

#endif
