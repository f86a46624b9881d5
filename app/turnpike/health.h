// Whether the box does its work, judged from its vital signs alone: no clock, no device, no lock.
//
// Order: vitals_take() (vitals.h), then health_judge(), twice a second or so; what it says then
// stands for all who ask. Control core only.
#ifndef TURNPIKE_HEALTH_H
#define TURNPIKE_HEALTH_H

#include "conf/conf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEALTH_STALL_MS 3000 // every core polls within it, however busy the machine
#define HEALTH_LOOK_MS 1000 // what one judgement may add to how long one has stood still
#define HEALTH_RELAY_PORTS_PERCENT 2 // of all, that are free at least
#define HEALTH_BUFFERS_PERCENT 2 // of all, that are free at least
#define HEALTH_REASON_BYTES 96

struct vitals {
	uint64_t now_ms; // monotonic
	uint64_t n_polls[CONF_WORKERS_MAX]; // of each worker since the start
	size_t n_workers;
	uint64_t control_ticks; // of the control core's last poll
	const char *port_names[CONF_PORTS_MAX];
	bool port_up[CONF_PORTS_MAX];
	bool mirror_gone[CONF_PORTS_MAX];
	size_t n_ports;
	uint32_t n_relay_ports_free;
	uint32_t n_relay_ports;
	uint32_t n_buffers_free; // and in no thread's own cache
	uint32_t n_buffers;
	uint32_t n_allocations;
	bool needs_redis; // somebody can only be known from there
	bool redis_up;
	uint32_t n_redis_cached;
};

enum health_sign {
	HEALTH_WORKERS,
	HEALTH_CONTROL,
	HEALTH_PORTS,
	HEALTH_RELAY_PORTS,
	HEALTH_BUFFERS,
	HEALTH_REDIS,
	HEALTH_SIGNS,
};

#define HEALTH_ALL ((1U << HEALTH_SIGNS) - 1) // a bit each

// "workers", "control", "ports", "relay_ports", "buffers", "redis".
const char *health_sign_name(enum health_sign sign);

// What moves with every poll of a core.
struct health_pulse {
	uint64_t seen; // at the last judgement
	uint64_t stood_ms; // 0: it has moved since
};

// What was seen of the cores, and what all of it means. Zero before the first judgement.
struct health {
	struct health_pulse workers[CONF_WORKERS_MAX];
	struct health_pulse control;
	uint64_t judged_ms;
	bool has_begun;
	char reasons[HEALTH_SIGNS][HEALTH_REASON_BYTES]; // why a sign is bad; empty: it is good
};

static inline bool health_is_good(const struct health *health, enum health_sign sign)
{
	return health->reasons[sign][0] == 0;
}

// Judge, with regard to how long each core was seen standing still. Time in which nobody looked
// counts for HEALTH_LOOK_MS at most: when the whole process was stopped, nobody is blamed.
//
// Returns the signs that were good and are bad now, or the other way, a bit each.
unsigned health_judge(struct health *health, const struct vitals *vitals);

#endif
