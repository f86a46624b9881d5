#include "needs.h"

#include <rte_mbuf.h>
#include <rte_mempool.h>

// Owner, a handful of permissions (one for each address of the peers' candidates), two entries a
// channel.
#define FLOWS_PER_ALLOCATION 8
#define FLOWS_MIN 4096

#define PORT_MBUFS 4608 // of one queue: both rings, and what a PMD keeps
#define CACHED_MBUFS 1024 // of one worker
#define CONTROL_MBUFS 4096
#define MBUF_ROOM_STEP 128
#define ORDINARY_PAGE_BYTES ((size_t)4 << 10)
#define EAL_BYTES ((size_t)32 << 20) // what it keeps whatever the configuration
#define QUEUE_BYTES ((size_t)1 << 20) // of a PMD, for one to receive and one to send

static uint32_t n_mbufs(const struct conf *conf)
{
	const uint32_t a_worker = (uint32_t)conf->n_ports * PORT_MBUFS + NEEDS_PUNT_RING +
		NEEDS_OTHERS_RING + CACHED_MBUFS;

	return conf->n_mbufs ? conf->n_mbufs : conf->n_workers * a_worker + CONTROL_MBUFS;
}

static uint16_t mbuf_room(const struct conf *conf)
{
	size_t room = RTE_MBUF_DEFAULT_DATAROOM;

	for (size_t i = 0; i < conf->n_ports; i++)
		if (conf->ports[i].mtu_bytes + 64UL > room)
			room = round_up(conf->ports[i].mtu_bytes + 64UL, MBUF_ROOM_STEP);
	return (uint16_t)(room + RTE_PKTMBUF_HEADROOM);
}

// A pool leaves the end of a page free where no whole buffer fits, spreads buffers over the
// memory's channels by an odd number of lines, and keeps a list of them.
static size_t pool_bytes(size_t n, size_t room_bytes, size_t page_bytes)
{
	const size_t n_lines = (sizeof(struct rte_mempool_objhdr) + sizeof(struct rte_mbuf) +
				       room_bytes + CACHE_LINE_BYTES - 1) /
			CACHE_LINE_BYTES |
		1;
	const size_t n_bytes = n_lines * CACHE_LINE_BYTES;
	const size_t n_in_page = page_bytes / n_bytes;
	const size_t n_list_bytes = next_power_of_two(n + 1) * sizeof(void *);

	if (n_in_page == 0)
		return n * round_up(n_bytes, page_bytes) + n_list_bytes;
	return (n + n_in_page - 1) / n_in_page * page_bytes + n_list_bytes;
}

static size_t eal_bytes(const struct needs *needs, const struct conf *conf, size_t page_bytes)
{
	return pool_bytes(needs->n_mbufs, needs->mbuf_room, page_bytes) +
		pool_bytes(needs->n_jumbos, WORKER_JUMBO_ROOM, page_bytes) +
		conf->n_workers * conf->n_ports * QUEUE_BYTES + EAL_BYTES;
}

static bool has_ipv6(const struct conf *conf)
{
	for (size_t i = 0; i < conf->n_listen; i++)
		if (conf->listen[i].ip.family == FAMILY_IPV6)
			return true;
	for (size_t i = 0; i < conf->n_relay; i++)
		if (conf->relay[i].ip.family == FAMILY_IPV6)
			return true;
	return false;
}

static struct worker_rate rate_of(const struct conf_rate *rate)
{
	return (struct worker_rate){rate->kbit_per_s * 1000ULL / 8, rate->packets_per_s};
}

struct worker_config needs_worker(const struct conf *conf)
{
	const uint32_t n_flows = FLOWS_MIN + FLOWS_PER_ALLOCATION * conf->n_allocations_max;

	return (struct worker_config){
		.n_flows = n_flows,
		.n_flows6 = has_ipv6(conf) ? n_flows : 0,
		.rates =
			{
				.allocation = rate_of(&conf->rates.allocation),
				.user = rate_of(&conf->rates.user),
				.all = rate_of(&conf->rates.all),
				.burst_ms = conf->rates.burst_ms,
				.n_allocations = conf->n_allocations_max,
			},
		.n_workers = conf->n_workers,
	};
}

void needs_find(struct needs *out, const struct conf *conf)
{
	const struct worker_config worker = needs_worker(conf);

	*out = (struct needs){
		.n_mbufs = n_mbufs(conf),
		.mbuf_room = mbuf_room(conf),
		.n_jumbos = conf->n_workers * (WORKER_REASSEMBLY_SLOTS + WORKER_BURST_MAX),
		.table_bytes = conf->n_workers * worker_huge_bytes(&worker),
	};
	out->huge_bytes = eal_bytes(out, conf, PAGES_HUGE_BYTES);
	out->ordinary_bytes = eal_bytes(out, conf, ORDINARY_PAGE_BYTES);
}
