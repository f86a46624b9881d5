#include "rates.h"

// In parts of a tick, if the packet passes.
struct owed {
	uint64_t bytes;
	uint64_t packets;
};

static struct use_rate rate_of(
	const struct worker_rate *rate, uint32_t n_parts, uint32_t burst_ms, uint64_t ticks_per_s)
{
	const uint64_t n_bytes = (rate->bytes_per_s + n_parts - 1) / n_parts;
	const uint64_t n_packets = (rate->packets_per_s + n_parts - 1) / n_parts;

	return (struct use_rate){
		.bytes = bucket_rate_of(n_bytes, burst_ms, ticks_per_s),
		.packets = bucket_rate_of(n_packets, burst_ms, ticks_per_s),
	};
}

static bool is_rate(const struct worker_rate *rate)
{
	return rate->bytes_per_s || rate->packets_per_s;
}

size_t rates_bytes(const struct worker_rates *rates)
{
	if (!is_rate(&rates->allocation) && !is_rate(&rates->user) && !is_rate(&rates->all))
		return 0;
	return rates->n_allocations * (2 * sizeof(struct user_use) + 2 * sizeof(struct use));
}

int rates_create(struct rates *out, const struct worker_config *config, uint64_t ticks_per_ms)
{
	const struct worker_rates *rates = &config->rates;
	const uint32_t n_workers = config->n_workers ? config->n_workers : 1;
	const size_t n_bytes = rates_bytes(rates);
	int rc;

	*out = (struct rates){
		.limited = n_bytes > 0,
		.limits_user = is_rate(&rates->user),
		.limits_all = is_rate(&rates->all),
		.n = rates->n_allocations,
		.allocation =
			rate_of(&rates->allocation, 1, rates->burst_ms, ticks_per_ms * MS_IN_S),
		.user = rate_of(&rates->user, 1, rates->burst_ms, ticks_per_ms * MS_IN_S),
		.of_all = rate_of(&rates->all, n_workers, rates->burst_ms, ticks_per_ms * MS_IN_S),
		.epoch_ticks = ticks_per_ms * rates->burst_ms,
		.epoch_bytes = rates->all.bytes_per_s / n_workers * rates->burst_ms / MS_IN_S,
	};
	if (!out->limited)
		return 0;
	rc = pages_map(&out->pages, n_bytes, config->numa_node, config->try_huge);
	if (rc)
		return rc;
	out->users = out->pages.base;
	out->allocations = (void *)(out->users + rates->n_allocations);
	return 0;
}

void rates_destroy(struct rates *rates)
{
	pages_unmap(&rates->pages);
	rates->limited = false;
}

// Without a limit, rates are zero: nothing is ever owed then.
static inline bool fits(struct owed *owed, const struct use *use, const struct use_rate *rate,
	uint32_t n_bytes, uint64_t now_ticks)
{
	owed->bytes =
		bucket_owed(&use->bytes, &rate->bytes, now_ticks) + n_bytes * rate->bytes.token;
	owed->packets = bucket_owed(&use->packets, &rate->packets, now_ticks) + rate->packets.token;
	return owed->bytes <= rate->bytes.depth && owed->packets <= rate->packets.depth;
}

static inline void owe(struct use *use, const struct owed *owed, uint64_t now_ticks)
{
	use->bytes.full_at = now_ticks * BUCKET_TICK_PARTS + owed->bytes;
	use->packets.full_at = now_ticks * BUCKET_TICK_PARTS + owed->packets;
}

static void turn_epoch(
	struct rates *rates, struct all_use *all, struct user_use *user, uint64_t now)
{
	const uint32_t epoch = (uint32_t)(now / rates->epoch_ticks);

	if (all->epoch != epoch) {
		all->n_users_before = all->epoch + 1 == epoch ? all->n_users : 0;
		all->n_users = 0;
		all->epoch = epoch;
	}
	if (user->epoch != epoch) {
		user->epoch = epoch;
		user->n_bytes = 0;
		all->n_users++;
	}
}

// The first half of what is for all goes to whoever comes; the second only to those who have had
// less than an equal part.
static bool is_fair(const struct rates *rates, const struct all_use *all,
	const struct user_use *user, const struct owed *owed, uint32_t n_bytes)
{
	const struct use_rate *rate = &rates->of_all;
	const uint32_t n_users =
		all->n_users > all->n_users_before ? all->n_users : all->n_users_before;

	if (owed->bytes <= rate->bytes.depth / 2 && owed->packets <= rate->packets.depth / 2)
		return true;
	return (user->n_bytes + n_bytes) * n_users <= rates->epoch_bytes || rates->epoch_bytes == 0;
}

enum drop rates_take(struct rates *rates, const struct flow_rewrite *to, unsigned up,
	uint32_t n_bytes, uint64_t now_ticks)
{
	struct use *allocation;
	struct user_use *user;
	struct all_use *all = &rates->all[up];
	struct owed of_user = {0, 0};
	struct owed of_allocation, of_all;

	if (to->allocation_idx >= rates->n || to->user_idx >= rates->n)
		return DROP_RATE_ALL;
	allocation = &rates->allocations[to->allocation_idx][up];
	user = &rates->users[to->user_idx][up];
	if (!fits(&of_allocation, allocation, &rates->allocation, n_bytes, now_ticks))
		return DROP_RATE_ALLOCATION;
	if (rates->limits_user && !fits(&of_user, &user->use, &rates->user, n_bytes, now_ticks))
		return DROP_RATE_USER;
	if (rates->limits_all) {
		turn_epoch(rates, all, user, now_ticks);
		if (!fits(&of_all, &all->use, &rates->of_all, n_bytes, now_ticks) ||
			!is_fair(rates, all, user, &of_all, n_bytes))
			return DROP_RATE_ALL;
		owe(&all->use, &of_all, now_ticks);
		user->n_bytes += n_bytes;
	}
	if (rates->limits_user)
		owe(&user->use, &of_user, now_ticks);
	owe(allocation, &of_allocation, now_ticks);
	return DROP_NONE;
}
