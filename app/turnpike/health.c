#include "health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *health_sign_name(enum health_sign sign)
{
	static const char *const names[HEALTH_SIGNS] = {
		[HEALTH_WORKERS] = "workers",
		[HEALTH_CONTROL] = "control",
		[HEALTH_PORTS] = "ports",
		[HEALTH_RELAY_PORTS] = "relay_ports",
		[HEALTH_BUFFERS] = "buffers",
		[HEALTH_REDIS] = "redis",
	};

	return names[sign];
}

// The first reason of a sign stands.
static void __attribute__((format(printf, 3, 4)))
blame(struct health *health, enum health_sign sign, const char *format, ...)
{
	va_list args;

	if (!health_is_good(health, sign))
		return;
	va_start(args, format);
	vsnprintf(health->reasons[sign], HEALTH_REASON_BYTES, format, args);
	va_end(args);
}

static unsigned bad_signs(const struct health *health)
{
	unsigned bits = 0;

	for (int sign = 0; sign < HEALTH_SIGNS; sign++)
		bits |= (unsigned)!health_is_good(health, (enum health_sign)sign) << sign;
	return bits;
}

static bool are_few(uint32_t n_free, uint32_t n, unsigned percent)
{
	return (uint64_t)n_free * 100 < (uint64_t)n * percent;
}

// True where it has stood for too long.
static bool has_stalled(struct health_pulse *pulse, uint64_t now, bool has_begun, uint64_t step_ms)
{
	if (!has_begun || pulse->seen != now)
		pulse->stood_ms = 0;
	else
		pulse->stood_ms += step_ms;
	pulse->seen = now;
	return pulse->stood_ms >= HEALTH_STALL_MS;
}

// That somebody judges does not show that the control core polls: its events run without it.
static void judge_cores(struct health *health, const struct vitals *vitals)
{
	const uint64_t unseen_ms = vitals->now_ms - health->judged_ms;
	const uint64_t step_ms = unseen_ms < HEALTH_LOOK_MS ? unseen_ms : HEALTH_LOOK_MS;

	for (size_t i = 0; i < vitals->n_workers; i++)
		if (has_stalled(
			    &health->workers[i], vitals->n_polls[i], health->has_begun, step_ms))
			blame(health, HEALTH_WORKERS,
				"worker %zu has not polled for %" PRIu64 " ms", i,
				health->workers[i].stood_ms);
	if (has_stalled(&health->control, vitals->control_ticks, health->has_begun, step_ms))
		blame(health, HEALTH_CONTROL, "the control core has not polled for %" PRIu64 " ms",
			health->control.stood_ms);
	health->judged_ms = vitals->now_ms;
	health->has_begun = true;
}

unsigned health_judge(struct health *health, const struct vitals *vitals)
{
	const unsigned before = bad_signs(health);

	memset(health->reasons, 0, sizeof(health->reasons));
	judge_cores(health, vitals);
	for (size_t i = 0; i < vitals->n_ports; i++) {
		if (vitals->mirror_gone[i])
			blame(health, HEALTH_PORTS, "the mirror of port %s is gone",
				vitals->port_names[i]);
		if (!vitals->port_up[i])
			blame(health, HEALTH_PORTS, "port %s is down", vitals->port_names[i]);
	}
	if (are_few(vitals->n_relay_ports_free, vitals->n_relay_ports, HEALTH_RELAY_PORTS_PERCENT))
		blame(health, HEALTH_RELAY_PORTS, "%" PRIu32 " of %" PRIu32 " relay ports are free",
			vitals->n_relay_ports_free, vitals->n_relay_ports);
	if (are_few(vitals->n_buffers_free, vitals->n_buffers, HEALTH_BUFFERS_PERCENT))
		blame(health, HEALTH_BUFFERS, "%" PRIu32 " of %" PRIu32 " packet buffers are free",
			vitals->n_buffers_free, vitals->n_buffers);
	if (vitals->needs_redis && !vitals->redis_up && vitals->n_redis_cached == 0)
		blame(health, HEALTH_REDIS, "Redis cannot be reached and no user is cached");
	return before ^ bad_signs(health);
}
