// What the box is seen to do at one moment, as values: what /metrics and the page are made of.
#ifndef TURNPIKE_READINGS_H
#define TURNPIKE_READINGS_H

#include "clock.h"
#include "conf/conf.h"
#include "health.h"
#include "quality/quality.h"
#include "redis/redis.h"
#include "route/route.h"
#include "stats/stats.h"
#include "turn/turn.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct reading_port {
	const char *name;
	const char *device;
	bool up;
	uint64_t n_rx;
	uint64_t n_tx;
	uint64_t n_rx_bytes;
	uint64_t n_tx_bytes;
	uint64_t n_rx_missed; // no worker took them in time
	uint64_t n_rx_errors;
	uint64_t n_rx_no_buffer;
	uint64_t n_tx_errors;
};

struct reading_pool {
	const char *name;
	uint32_t n_buffers;
	uint32_t n_free;
};

#define READING_POOLS 2

struct readings {
	const char *version;
	const char *dpdk_version;
	double started_s; // Unix time
	double now_s; // Unix time
	double cpu_s; // of the process
	uint64_t resident_bytes;
	double last_took_s; // to gather and write the metrics before these

	uint64_t ticks_per_s; // of the CPU's counter
	size_t n_workers;
	struct worker_stats workers[CONF_WORKERS_MAX];
	struct worker_stats sum; // of all
	size_t n_ports;
	struct reading_port ports[CONF_PORTS_MAX];
	struct reading_pool pools[READING_POOLS];
	struct control_stats control;
	bool observes;
	struct quality_spreads quality; // where it does, of calls that have ended
	struct route_stats route;
	uint32_t n_allocations_max;
	struct turn_stats turn;
	size_t n_realms;
	struct turn_realm_stats realms[TURN_REALMS_MAX];
	bool has_redis;
	struct redis_stats redis; // where there is one
	bool has_records;
	uint64_t n_records_written;
	uint64_t n_records_lost;
	uint64_t n_records_waiting;
	bool draining;
	const struct health *health;
	const struct clock *clock;
	struct log_stats log;
};

#endif
