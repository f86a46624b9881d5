#include "report.h"

#include <inttypes.h>
#include <rte_mempool.h>
#include <stdio.h>
#include <string.h>

#define TEXT_BYTES 3072 // a line has room for 4096
#define REALM_TEXT_BYTES 128

struct text {
	char bytes[TEXT_BYTES];
	size_t n;
};

static void add(struct text *text, const char *name, uint64_t value)
{
	const int n = snprintf(text->bytes + text->n, sizeof(text->bytes) - text->n,
		"%s%s=%" PRIu64, text->n ? " " : "", name, value);

	if (n > 0 && text->n + (size_t)n < sizeof(text->bytes))
		text->n += (size_t)n;
}

void report_ready(const struct box *box)
{
	char address[ADDR_TEXT_BYTES];

	for (size_t i = 0; i < box->n_ports; i++)
		log_event(LOG_INFO, "port.open", "name=%s device=%s mirror=%s mtu=%u queues=%u",
			box->conf->ports[i].name, box->ports[i].device, box->mirrors[i].name,
			box->ports[i].mtu_bytes, box->ports[i].n_queues);
	log_event(LOG_INFO, "ready", "listen=%s workers=%zu poll=%s memory=%s",
		endpoint_format(&box->conf->listen[0], address), box->n_workers,
		box->conf->poll == CONF_POLL_BUSY ? "busy" : "adaptive",
		box->eal.huge ? "hugepages" : "ordinary_pages");
}

void report_health(const struct health *health, unsigned changed)
{
	for (int sign = 0; sign < HEALTH_SIGNS; sign++) {
		const char *name = health_sign_name((enum health_sign)sign);

		if (!(changed >> sign & 1))
			continue;
		if (health_is_good(health, (enum health_sign)sign))
			log_event(LOG_INFO, "health.good", "sign=%s", name);
		else
			log_event(LOG_WARNING, "health.bad", "sign=%s reason=\"%s\"", name,
				health->reasons[sign]);
	}
}

void report_clock(const struct clock_news *news)
{
	if (news->step_s)
		log_event(LOG_WARNING, "clock.stepped", "by_s=%" PRId64, news->step_s);
	if (news->stall_ms)
		log_event(LOG_WARNING, "control.stood", "ms=%" PRIu64, news->stall_ms);
}

static void add_turn(struct text *text, const struct turn_stats *turn)
{
	add(text, "allocations", turn->n_allocations);
	add(text, "permissions", turn->n_permissions);
	add(text, "channels", turn->n_channels);
	add(text, "allocations_created", turn->n_allocations_created);
	add(text, "peers_too_fast", turn->n_too_fast);
	add(text, "out_of_reach", turn->n_out_of_reach);
	add(text, "ports_free", turn->n_ports_free);
	add(text, "ports_used", turn->n_ports_used);
	add(text, "ports_reserved", turn->n_ports_reserved);
	add(text, "ports_cooling", turn->n_ports_cooling);
}

// All but ticks: they mean nothing without the clock's rate, and outgrow JSON's numbers in days.
static void add_workers(struct text *text, const struct worker_stats *sum)
{
	struct stats_counter counter;

	for (size_t i = 0; stats_counter_get(i, &counter); i++)
		if (counter.offset != offsetof(struct worker_stats, n_busy_ticks))
			add(text, counter.name, stats_counter_read(sum, &counter));
	for (int path = 0; path < N_RELAY_PATHS; path++)
		add(text, relay_path_name(path), sum->n_relayed[path]);
	for (int urgency = 0; urgency < URGENCIES; urgency++)
		if (sum->n_shed[urgency])
			add(text, urgency_name((enum urgency)urgency), sum->n_shed[urgency]);
	add(text, "drops", worker_stats_drops(sum));
}

static void add_control(struct text *text, const struct control_stats *control)
{
	add(text, "answers", control->n_answers);
	add(text, "answers_withheld", control->n_answers_withheld);
	add(text, "answers_lost", control->n_answers_lost);
	add(text, "silent", control->n_silent);
	add(text, "parked", control->n_parked);
	add(text, "parked_lost", control->n_parked_lost);
	add(text, "mirror_to_kernel", control->n_mirror_to_kernel);
	add(text, "mirror_to_wire", control->n_mirror_to_wire);
	add(text, "mirror_lost", control->n_mirror_lost);
	add(text, "kernel_lost", control->n_kernel_lost);
}

static void add_log(struct text *text)
{
	struct log_stats log;

	log_stats_get(&log);
	add(text, "log_lines", log.n_lines);
	add(text, "log_held_back", log.n_held_back);
	add(text, "log_lost", log.n_lost);
}

static void log_drops(const struct worker_stats *sum, bool last)
{
	struct text text = {0};

	for (int drop = 1; drop < N_DROPS; drop++)
		if (sum->n_drops[drop])
			add(&text, drop_name(drop), sum->n_drops[drop]);
	if (text.n)
		log_event(LOG_INFO, last ? "stopped.drops" : "stats.drops", "%s", text.bytes);
}

// Each realm has its own site: there may be more of them than one site may write. Where there is
// but one realm, its numbers are those of all.
static void log_realms(struct report *report, const struct box *box, bool last)
{
	struct turn_realm_stats realm;
	char text[3 * REALM_TEXT_BYTES];

	for (size_t i = 0; box->conf->n_realms > 1 && turn_realm_stats_get(box->turn, i, &realm) &&
		log_enabled(LOG_INFO);
		i++)
		log_write(&report->realm_sites[i], LOG_INFO, last ? "stopped.realm" : "stats.realm",
			"realm=\"%s\" allocations=%u allocations_created=%" PRIu64
			" unauthenticated=%" PRIu64 " quota_reached=%" PRIu64,
			log_escape(text, sizeof(text), realm.name, strlen(realm.name)),
			realm.n_allocations, realm.n_allocations_created, realm.n_unauthenticated,
			realm.n_quota_reached);
}

#define PEER_RULES_MAX 16 // in one line

// The rules about peers that decided most, with how often: "deny[203.0.113.0/24]=7". What else
// decided is summed up.
static void log_peers(struct report *report, const struct turn *turn, size_t realm_idx, bool last)
{
	struct turn_peer_rule most[PEER_RULES_MAX + 1];
	struct turn_peer_rule rule;
	struct text text = {0};
	uint64_t n_others = 0;
	char name[RANGE_TEXT_BYTES + 32];
	char range[RANGE_TEXT_BYTES];
	size_t n = 0;

	for (size_t i = 0; turn_peer_rule_get(turn, realm_idx, i, &rule); i++) {
		size_t at = n;

		if (rule.n_hits == 0)
			continue;
		for (; at > 0 && most[at - 1].n_hits < rule.n_hits; at--)
			most[at] = most[at - 1];
		most[at] = rule;
		if (n < PEER_RULES_MAX)
			n++;
		else
			n_others += most[n].n_hits;
	}
	for (size_t i = 0; i < n; i++) {
		if (most[i].range.first.family == FAMILY_NONE)
			snprintf(name, sizeof(name), "%s", most[i].name);
		else
			snprintf(name, sizeof(name), "%s[%s]", most[i].name,
				range_format(&most[i].range, range));
		add(&text, name, most[i].n_hits);
	}
	if (n_others)
		add(&text, "others", n_others);
	if (text.n)
		log_write(&report->peer_sites[realm_idx], LOG_INFO,
			last ? "stopped.peers" : "stats.peers", "realm_idx=%zu %s", realm_idx,
			text.bytes);
}

static void log_redis(const struct box *box, bool last)
{
	struct redis_stats redis;

	if (!box->redis)
		return;
	redis_stats_get(box->redis, &redis);
	log_event(LOG_INFO, last ? "stopped.redis" : "stats.redis",
		"up=%d users=%u unknown=%u waiting=%u asked=%" PRIu64 " failed=%" PRIu64
		" full=%" PRIu64 " links=%" PRIu64,
		redis.is_up, redis.n_cached, redis.n_cached_unknown, redis.n_waiting, redis.n_asked,
		redis.n_failed, redis.n_full, redis.n_links);
}

void report_take(struct report *report, const struct box *box)
{
	report->sum = (struct worker_stats){0};
	for (size_t i = 0; i < box->n_workers; i++)
		worker_stats_add(&report->sum, &worker_public(box->workers[i].worker)->stats);
	turn_stats_get(box->turn, &report->turn);
}

void report_log(struct report *report, const struct box *box, const struct clock *clock, bool last)
{
	struct turn_realm_stats realm;
	struct text text = {0};

	report_take(report, box);
	add_turn(&text, &report->turn);
	add_workers(&text, &report->sum);
	add_control(&text, control_stats_get(box->control));
	add_log(&text);
	add(&text, "clock_steps", clock->n_steps);
	add(&text, "control_stalls", clock->n_stalls);
	add(&text, "mbufs_in_use", rte_mempool_in_use_count(box->pool));
	log_event(LOG_INFO, last ? "stopped" : "stats", "%s", text.bytes);
	log_drops(&report->sum, last);
	log_realms(report, box, last);
	log_redis(box, last);
	for (size_t i = 0; turn_realm_stats_get(box->turn, i, &realm) && log_enabled(LOG_INFO); i++)
		log_peers(report, box->turn, i, last);
}
