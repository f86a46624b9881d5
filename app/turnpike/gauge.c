#include "gauge.h"

#include <fcntl.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_version.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double seconds_of(const struct timeval *time)
{
	return (double)time->tv_sec + (double)time->tv_usec / 1e6;
}

// The second number of statm counts pages.
static uint64_t resident_bytes(void)
{
	const int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	unsigned long n_pages = 0;
	char text[128] = "";

	if (fd < 0)
		return 0;
	if (read(fd, text, sizeof(text) - 1) > 0)
		sscanf(text, "%*u %lu", &n_pages);
	close(fd);
	return (uint64_t)n_pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void read_process(struct readings *out)
{
	struct timespec now;
	struct rusage usage;

	clock_gettime(CLOCK_REALTIME, &now);
	getrusage(RUSAGE_SELF, &usage);
	out->dpdk_version = rte_version();
	out->now_s = (double)now.tv_sec + (double)now.tv_nsec / (double)NS_IN_S;
	out->cpu_s = seconds_of(&usage.ru_utime) + seconds_of(&usage.ru_stime);
	out->resident_bytes = resident_bytes();
	out->ticks_per_s = rte_get_tsc_hz();
}

static void read_workers(struct readings *out, const struct box *box)
{
	out->n_workers = box->n_workers;
	out->sum = (struct worker_stats){0};
	for (size_t i = 0; i < box->n_workers; i++) {
		out->workers[i] = (struct worker_stats){0};
		worker_stats_add(&out->workers[i], &worker_public(box->workers[i].worker)->stats);
		worker_stats_add(&out->sum, &out->workers[i]);
	}
}

void gauge_read_port(struct reading_port *out, const struct box *box, size_t i)
{
	struct rte_eth_stats stats = {0};

	rte_eth_stats_get(box->ports[i].eth_id, &stats);
	*out = (struct reading_port){
		.name = box->conf->ports[i].name,
		.device = box->ports[i].device,
		.up = port_link_up(&box->ports[i]),
		.n_rx = stats.ipackets,
		.n_tx = stats.opackets,
		.n_rx_bytes = stats.ibytes,
		.n_tx_bytes = stats.obytes,
		.n_rx_missed = stats.imissed,
		.n_rx_errors = stats.ierrors,
		.n_rx_no_buffer = stats.rx_nombuf,
		.n_tx_errors = stats.oerrors,
	};
}

static struct reading_pool read_pool(const char *name, const struct rte_mempool *pool)
{
	return (struct reading_pool){name, pool->size, rte_mempool_avail_count(pool)};
}

static void read_records(struct readings *out, const struct box *box)
{
	struct records_stats stats;

	out->has_records = box->records != NULL;
	if (!box->records)
		return;
	records_stats_get(box->records, &stats);
	out->n_records_written = stats.n_written;
	out->n_records_lost = stats.n_lost;
	out->n_records_waiting = stats.n_waiting;
}

void gauge_read(struct readings *out, const struct box *box)
{
	read_process(out);
	read_workers(out, box);
	out->n_ports = box->n_ports;
	for (size_t i = 0; i < box->n_ports; i++)
		gauge_read_port(&out->ports[i], box, i);
	out->pools[0] = read_pool("frames", box->pool);
	out->pools[1] = read_pool("jumbos", box->jumbo_pool);
	out->control = *control_stats_get(box->control);
	out->observes = box->conf->records.observe_percent > 0;
	out->quality = *control_quality(box->control);
	route_stats_get(box->route, &out->route);
	out->n_allocations_max = box->conf->n_allocations_max;
	turn_stats_get(box->turn, &out->turn);
	out->n_realms = 0;
	while (turn_realm_stats_get(box->turn, out->n_realms, &out->realms[out->n_realms]))
		if (++out->n_realms == TURN_REALMS_MAX)
			break;
	log_stats_get(&out->log);
	read_records(out, box);
	out->has_redis = box->redis != NULL;
	if (box->redis)
		redis_stats_get(box->redis, &out->redis);
}
