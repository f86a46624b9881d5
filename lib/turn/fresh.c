#include "turn/fresh.h"

#include "turn/state.h"

#define BURST_MS 1000

struct fresh_rates fresh_rates_of(uint32_t user_per_s, uint32_t all_per_s)
{
	return (struct fresh_rates){
		.user = bucket_rate_of(user_per_s, BURST_MS, MS_IN_S),
		.all = bucket_rate_of(all_per_s, BURST_MS, MS_IN_S),
	};
}

static bool has(
	const struct bucket *bucket, const struct bucket_rate *rate, uint64_t now_ms, uint32_t n)
{
	return rate->depth == 0 ||
		bucket_owed(bucket, rate, now_ms) + n * rate->token <= rate->depth;
}

bool fresh_take(struct call *call, uint32_t n)
{
	struct turn *turn = call->turn;
	const struct fresh_rates *rates = &turn->options.fresh_rates;
	struct bucket *user = &call->allocation->identity->account->fresh;
	const uint64_t now_ms = call->time->now_ms;

	if (n == 0)
		return true;
	if (!has(user, &rates->user, now_ms, n) || !has(&turn->fresh, &rates->all, now_ms, n)) {
		turn->n_too_fast++;
		return false;
	}
	if (rates->user.depth)
		bucket_take(user, &rates->user, now_ms, n);
	if (rates->all.depth)
		bucket_take(&turn->fresh, &rates->all, now_ms, n);
	return true;
}
