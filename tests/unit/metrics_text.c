// The metrics of the largest box there can be: what their text looks like, and how much it is.
#include "../../app/turnpike/metrics.h"

#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct exposition out;
static struct readings readings;
static struct health health;
static struct clock watch;
static char realm_names[TURN_REALMS_MAX][128];
static char *text;

static void make_largest(void)
{
	static const struct reading_port port = {.name = "uplink-0", .device = "net_af_packet0"};

	readings = (struct readings){
		.version = "1",
		.dpdk_version = "DPDK \"22\"",
		.ticks_per_s = 1000,
		.n_workers = CONF_WORKERS_MAX,
		.n_ports = CONF_PORTS_MAX,
		.pools = {{"frames", 10, 9}, {"jumbos", 5, 5}},
		.n_realms = TURN_REALMS_MAX,
		.has_redis = true,
		.observes = true,
		.has_records = true,
		.n_records_lost = 3,
		.health = &health,
		.clock = &watch,
	};
	memset(readings.workers, 0xff, sizeof(readings.workers));
	for (size_t i = 0; i < CONF_PORTS_MAX; i++)
		readings.ports[i] = port;
	for (size_t i = 0; i < TURN_REALMS_MAX; i++) {
		memset(realm_names[i], '"', sizeof(realm_names[i]) - 1);
		readings.realms[i].name = realm_names[i];
	}
}

static void write_text(void)
{
	size_t n;
	const char *bytes;

	exposition_begin(&out);
	metrics_write(&out, &readings);
	metrics_write_coturn(&out, &readings);
	bytes = exposition_text(&out, &n);
	cr_assert_not_null(bytes);
	text = strndup(bytes, n);
}

static void finish(void)
{
	free(text);
	exposition_fini(&out);
}

TestSuite(metrics, .init = make_largest, .fini = finish);

static const char *value_of(const char *series)
{
	static char value[64];
	char line[512];
	const char *at;

	snprintf(line, sizeof(line), "\n%s ", series);
	at = strstr(text, line);
	cr_assert_not_null(at, "%s", series);
	sscanf(at + strlen(line), "%63s", value);
	return value;
}

Test(metrics, every_sample_follows_the_head_of_its_family)
{
	char family[128] = "";
	unsigned n_families = 0;

	write_text();
	for (char *save, *line = strtok_r(text, "\n", &save); line;
		line = strtok_r(NULL, "\n", &save)) {
		char head[160];

		if (sscanf(line, "# HELP %127s", family) == 1) {
			n_families++;
			snprintf(head, sizeof(head), "# HELP %s ", family);
			cr_expect_null(strstr(save, head), "%s is there twice", family);
			cr_expect(isupper(line[strlen(head)]) || isdigit(line[strlen(head)]), "%s",
				line);
			continue;
		}
		snprintf(head, sizeof(head), "# TYPE %s ", family);
		if (line[0] == '#')
			cr_expect(strncmp(line, head, strlen(head)) == 0, "%s", line);
		else
			cr_expect(strncmp(line, family, strlen(family)) == 0, "%s", line);
	}
	cr_expect_gt(n_families, 70);
}

Test(metrics, the_largest_box_stays_below_a_megabyte)
{
	size_t n_series = 0;

	write_text();
	for (const char *at = text; *at; at++)
		n_series += at[0] == '\n' && at[1] != '#' && at[1] != '\0';
	cr_expect_leq(
		n_series, 320 + 50 * CONF_WORKERS_MAX + 10 * CONF_PORTS_MAX + 22 * TURN_REALMS_MAX);
	cr_expect_lt(strlen(text), 1 << 20);
}

Test(metrics, a_realm_cannot_end_its_label)
{
	char name[] = "a\"b\\c\nd";

	readings.realms[0].name = name;
	readings.realms[0].n_allocations = 7;
	write_text();
	cr_expect_str_eq(value_of("turnpike_realm_allocations{realm=\"a\\\"b\\\\c\\nd\"}"), "7");
}

Test(metrics, rules_about_peers_are_summed_by_kind)
{
	readings.realms[1].name = "second";
	readings.realms[1].n_peer_hits[TURN_PEER_DENY] = 7;
	readings.realms[1].n_peer_hits[TURN_PEER_DRY_RUN] = 5;
	write_text();
	cr_expect_str_eq(value_of("turnpike_peer_rule_hits_total{realm=\"second\",rule=\"deny\","
				  "action=\"refuse\"}"),
		"7");
	cr_expect_str_eq(value_of("turnpike_peer_rule_hits_total{realm=\"second\","
				  "rule=\"dry_run\",action=\"allow\"}"),
		"5");
}

Test(metrics, a_label_is_cut_at_a_whole_character)
{
	char label[EXPOSITION_LABEL_BYTES];
	char value[2 * EXPOSITION_LABEL_BYTES];

	for (size_t i = 0; i < sizeof(value); i++)
		value[i] = (i % 3 == 0) ? '\xe2' : '\x82';
	value[sizeof(value) - 1] = '\0';
	exposition_label(label, "l", value);
	cr_assert_lt(strlen(label), EXPOSITION_LABEL_BYTES);
	cr_expect_eq((strlen(label) - strlen("l=\"\"")) % 3, 0);
	cr_expect_eq(label[strlen(label) - 1], '"');
}

Test(metrics, counters_keep_all_their_digits)
{
	readings.workers[3].n_rx = UINT64_MAX;
	readings.workers[3].n_tx = 0;
	readings.workers[3].n_busy_ticks = 2500;
	write_text();
	cr_expect_str_eq(
		value_of("turnpike_worker_rx_packets_total{worker=\"3\"}"), "18446744073709551615");
	cr_expect_str_eq(value_of("turnpike_worker_tx_packets_total{worker=\"3\"}"), "0");
	cr_expect_str_eq(value_of("turnpike_worker_busy_seconds_total{worker=\"3\"}"), "2.5");
}

Test(metrics, buckets_add_up)
{
	struct latency *relay = &readings.workers[0].relay;

	*relay = (struct latency){0};
	latency_record(relay, 100);
	latency_record(relay, 1000);
	latency_record(relay, 1000);
	latency_record(relay, 40000000);
	write_text();
	cr_expect_str_eq(
		value_of("turnpike_relay_latency_seconds_bucket{worker=\"0\",le=\"2.56e-07\"}"),
		"1");
	cr_expect_str_eq(
		value_of("turnpike_relay_latency_seconds_bucket{worker=\"0\",le=\"1.024e-06\"}"),
		"3");
	cr_expect_null(strstr(text, "worker=\"0\",le=\"0.033"), "past the longest");
	cr_expect_str_eq(
		value_of("turnpike_relay_latency_seconds_bucket{worker=\"0\",le=\"+Inf\"}"), "4");
	cr_expect_str_eq(value_of("turnpike_relay_latency_seconds_count{worker=\"0\"}"), "4");
	cr_expect_str_eq(value_of("turnpike_relay_latency_seconds_sum{worker=\"0\"}"), "0.0400021");
}

Test(metrics, quality_is_spread_over_buckets)
{
	readings.quality.of[QUALITY_LOSS][QUALITY_DOWN] =
		(struct quality_spread){.n = {5, [4] = 3, [QUALITY_ENDS] = 2}, .sum = 1.25};
	readings.control.n_observed = 4;
	readings.sum.n_seen_lost = 6;
	write_text();
	cr_expect_str_eq(value_of("turnpike_observed_allocations"), "4");
	cr_expect_str_eq(value_of("turnpike_observed_unseen_packets_total"), "6");
	cr_expect_str_eq(
		value_of("turnpike_media_loss_ratio_bucket{direction=\"down\",le=\"0\"}"), "5");
	cr_expect_str_eq(
		value_of("turnpike_media_loss_ratio_bucket{direction=\"down\",le=\"0.005\"}"), "5");
	cr_expect_str_eq(
		value_of("turnpike_media_loss_ratio_bucket{direction=\"down\",le=\"0.01\"}"), "8");
	cr_expect_str_eq(
		value_of("turnpike_media_loss_ratio_bucket{direction=\"down\",le=\"+Inf\"}"), "10");
	cr_expect_str_eq(value_of("turnpike_media_loss_ratio_count{direction=\"down\"}"), "10");
	cr_expect_str_eq(value_of("turnpike_media_loss_ratio_sum{direction=\"down\"}"), "1.25");
	cr_expect_str_eq(value_of("turnpike_media_loss_ratio_count{direction=\"up\"}"), "0");
	value_of("turnpike_media_reordered_ratio_count{direction=\"up\"}");
	value_of("turnpike_media_jitter_seconds_bucket{direction=\"up\",le=\"0.001\"}");
	value_of("turnpike_media_round_trip_seconds_bucket{direction=\"down\",le=\"1\"}");
}

Test(metrics, of_a_box_that_observes_nothing_have_no_quality)
{
	readings.observes = false;
	write_text();
	cr_expect_null(strstr(text, "turnpike_media_"));
}

Test(metrics, troubles_are_counted)
{
	watch.n_steps = 2;
	watch.n_stalls = 3;
	readings.log = (struct log_stats){.n_lines = 5, .n_held_back = 6, .n_lost = 4};
	write_text();
	cr_expect_str_eq(value_of("turnpike_clock_steps_total"), "2");
	cr_expect_str_eq(value_of("turnpike_control_stalls_total"), "3");
	cr_expect_str_eq(value_of("turnpike_log_lost_lines_total"), "4");
	cr_expect_str_eq(value_of("turnpike_log_lines_total"), "5");
	cr_expect_str_eq(value_of("turnpike_log_held_back_lines_total"), "6");
}

Test(metrics, every_drop_and_sign_is_there)
{
	char series[128];

	snprintf(health.reasons[HEALTH_PORTS], HEALTH_REASON_BYTES, "down");
	write_text();
	for (int drop = 1; drop < N_DROPS; drop++) {
		snprintf(series, sizeof(series), "turnpike_drops_total{reason=\"%s\"}",
			drop_name((enum drop)drop));
		value_of(series);
	}
	cr_expect_str_eq(value_of("turnpike_health{sign=\"ports\"}"), "0");
	cr_expect_str_eq(value_of("turnpike_health{sign=\"workers\"}"), "1");
	cr_expect_str_eq(value_of("turnpike_records_lost_total"), "3");
}
