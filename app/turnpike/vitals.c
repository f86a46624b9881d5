#include "vitals.h"

#include <rte_mempool.h>

// What lies in threads' own caches is free only for them.
static uint32_t count_common(const struct rte_mempool *pool)
{
	const uint32_t n_free = rte_mempool_avail_count(pool);
	uint32_t n_cached = 0;

	for (unsigned i = 0; pool->cache_size && i < RTE_MAX_LCORE; i++)
		n_cached += pool->local_cache[i].len;
	return n_free > n_cached ? n_free - n_cached : 0;
}

// True where a realm has no users or secrets but those in Redis.
static bool needs_redis(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_realms; i++) {
		const struct conf_realm *realm = &conf->realms[i];

		if (realm->uses_redis &&
			realm->n_users + realm->n_rest_secrets + realm->n_rest_secrets_sha256 == 0)
			return true;
	}
	return false;
}

void vitals_take(struct vitals *out, const struct box *box, uint64_t now_ms)
{
	struct turn_stats turn;
	struct redis_stats redis = {0};

	turn_stats_get(box->turn, &turn);
	if (box->redis)
		redis_stats_get(box->redis, &redis);
	*out = (struct vitals){
		.now_ms = now_ms,
		.n_workers = box->n_workers,
		.control_ticks = atomic_load_explicit(&box->heartbeat.ticks, memory_order_relaxed),
		.n_ports = box->n_ports,
		.n_allocations = turn.n_allocations,
		.n_relay_ports_free = turn.n_ports_free,
		.n_relay_ports = turn.n_ports_free + turn.n_ports_used + turn.n_ports_reserved +
			turn.n_ports_cooling,
		.n_buffers_free = count_common(box->pool),
		.n_buffers = box->pool->size,
		.needs_redis = box->redis && needs_redis(box->conf),
		.redis_up = redis.is_up,
		.n_redis_cached = redis.n_cached,
	};
	for (size_t i = 0; i < box->n_workers; i++)
		out->n_polls[i] = __atomic_load_n(
			&worker_public(box->workers[i].worker)->stats.n_polls, __ATOMIC_RELAXED);
	for (size_t i = 0; i < box->n_ports; i++) {
		out->port_names[i] = box->conf->ports[i].name;
		out->port_up[i] = port_link_up(&box->ports[i]);
		out->mirror_gone[i] = box->mirrors[i].fd < 0;
	}
}
