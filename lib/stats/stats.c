#include "stats.h"

#include <assert.h>

static const char *const drop_names[N_DROPS] = {
	[DROP_NONE] = "none",
#define DROP(name, counter, text) [DROP_##name] = counter,
#include "drops.def"
#undef DROP
};

static const char *const drop_texts[N_DROPS] = {
	[DROP_NONE] = "not dropped",
#define DROP(name, counter, text) [DROP_##name] = text,
#include "drops.def"
#undef DROP
};

static const char *const relay_path_names[N_RELAY_PATHS] = {
	[RELAY_UP_CHANNEL] = "up_channel",
	[RELAY_UP_SEND] = "up_send",
	[RELAY_DOWN_CHANNEL] = "down_channel",
	[RELAY_DOWN_DATA] = "down_data",
};

static const char *const urgency_names[] = {
	[URGENCY_OTHER] = "shed_other",
	[URGENCY_ALLOCATE] = "shed_allocate",
	[URGENCY_PERMISSION] = "shed_permission",
	[URGENCY_REFRESH] = "shed_refresh",
};

static const struct stats_counter counters[] = {
#define COUNTER(member, name, text) {name, text, offsetof(struct worker_stats, member)},
#include "counters.def"
#undef COUNTER
};

bool stats_counter_get(size_t idx, struct stats_counter *out)
{
	if (idx >= N_ELEMENTS(counters))
		return false;
	*out = counters[idx];
	return true;
}

const char *urgency_name(enum urgency urgency)
{
	return urgency_names[urgency];
}

const char *drop_name(enum drop drop)
{
	return drop_names[drop];
}

const char *drop_text(enum drop drop)
{
	return drop_texts[drop];
}

const char *relay_path_name(enum relay_path path)
{
	return relay_path_names[path];
}

// The struct is nothing but 64-bit counters, and each is written by one core only.
void worker_stats_add(struct worker_stats *sum, const struct worker_stats *part)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)part;

	static_assert(sizeof(*sum) % sizeof(uint64_t) == 0, "counters only");
	for (size_t i = 0; i < sizeof(*sum) / sizeof(uint64_t); i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

uint64_t worker_stats_drops(const struct worker_stats *stats)
{
	uint64_t sum = 0;

	for (int i = 1; i < N_DROPS; i++)
		sum += stats->n_drops[i];
	return sum;
}
