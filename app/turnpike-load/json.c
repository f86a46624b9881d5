// The result as JSON: times in microseconds, everything else in counts. With a far echo "up" is the
// round trip.
#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>

static const char *const requests[N_REQUESTS] = {
	[REQUEST_ALLOCATE] = "allocate",
	[REQUEST_BIND] = "bind",
	[REQUEST_REFRESH] = "refresh",
	[REQUEST_RELEASE] = "release",
};

static const char *const quantile_keys[N_QUANTILES] = {
	[QUANTILE_50] = "p50_us",
	[QUANTILE_99] = "p99_us",
	[QUANTILE_999] = "p999_us",
};

static void set_count(json_t *object, const char *key, uint64_t value)
{
	json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void set_us(json_t *object, const char *key, int64_t ns)
{
	json_object_set_new(object, key, json_real(us_of(ns)));
}

static json_t *latency_json(const struct histogram *histogram)
{
	json_t *object = json_object();

	set_count(object, "n", histogram->n);
	for (int i = 0; i < N_QUANTILES; i++)
		set_us(object, quantile_keys[i], histogram_quantile(histogram, quantile_shares[i]));
	set_us(object, "max_us", histogram->max_ns);
	return object;
}

static json_t *direction_json(const struct report *report, enum direction direction)
{
	const struct direction_result *r = &report->outcome->trial.directions[direction];
	json_t *object = json_object();

	set_count(object, "offered", r->n_offered);
	set_count(object, "sent", r->n_sent);
	set_count(object, "delivered", r->n_delivered);
	set_count(object, "lost", verdict_lost(report->outcome, direction));
	set_count(object, "duplicated", r->n_duplicated);
	set_count(object, "reordered", r->n_reordered);
	set_count(object, "misdelivered", r->n_misdelivered);
	set_count(object, "not_sent", r->n_dropped);
	set_count(object, "not_received", report->outcome->n_unreceived[direction]);
	json_object_set_new(object, "latency", latency_json(&r->latency));
	return object;
}

static json_t *control_json(const struct control_result *r)
{
	json_t *object = json_object();
	json_t *codes = json_object();

	set_count(object, "sent", r->n_sent);
	set_count(object, "ok", r->n_ok);
	set_count(object, "repeated", r->n_repeated);
	set_count(object, "timeouts", r->n_timeouts);
	set_count(object, "unusable", r->n_refused);
	for (int i = 0; i < ERROR_CODES; i++) {
		char code[8];

		snprintf(code, sizeof(code), "%d", 300 + i);
		if (r->n_by_code[i])
			set_count(codes, code, r->n_by_code[i]);
	}
	json_object_set_new(object, "codes", codes);
	json_object_set_new(object, "latency", latency_json(&r->latency));
	return object;
}

static json_t *settings_json(const struct report *report)
{
	const struct options *options = report->options;
	char text[ADDR_TEXT_BYTES];
	json_t *object = json_object();

	json_object_set_new(object, "mode", json_string(options->mode_name));
	json_object_set_new(object, "server", json_string(endpoint_format(&options->server, text)));
	json_object_set_new(object, "profile", json_string(options->profile_name));
	json_object_set_new(object, "via", json_string(options->indications ? "send" : "channel"));
	json_object_set_new(object, "far_echo", json_boolean(options->n_echoes > 0));
	set_count(object, "calls", options->n_calls);
	set_count(object, "duration_s", options->duration_s);
	set_count(object, "rate", options->rate);
	return object;
}

static json_t *generator_json(const struct report *report)
{
	const struct engine_totals *totals = engine_totals(report->engine);
	json_t *object = json_object();

	json_object_set_new(object, "media_lag", latency_json(&report->outcome->trial.lag));
	json_object_set_new(object, "calls_lag", latency_json(&totals->lag));
	set_count(object, "control_not_sent", totals->n_control_dropped);
	set_count(object, "no_free_client", totals->n_no_call);
	set_count(object, "stray", totals->n_stray);
	return object;
}

static json_t *sample_json(const struct sample *sample, enum track track)
{
	json_t *object = json_object();

	set_count(object, "sent", sample->n_sent[track]);
	set_count(object, "delivered", sample->n_delivered[track]);
	for (int i = 0; i < N_QUANTILES; i++)
		set_us(object, quantile_keys[i], sample->latency_ns[track][i]);
	return object;
}

// What a plot over time shows.
static json_t *series_json(const struct series *series)
{
	json_t *list = json_array();

	for (size_t i = 0; i < series->n; i++) {
		const struct sample *sample = &series->samples[i];
		json_t *object = json_object();

		json_object_set_new(
			object, "s", json_real((double)sample->width_ns / (double)NS_IN_S));
		set_count(object, "calls_up", sample->n_up);
		json_object_set_new(object, "up", sample_json(sample, TRACK_UP));
		json_object_set_new(object, "down", sample_json(sample, TRACK_DOWN));
		json_object_set_new(object, "control", sample_json(sample, TRACK_CONTROL));
		json_array_append_new(list, object);
	}
	return list;
}

static json_t *report_object(const struct report *report)
{
	const struct engine_totals *totals = engine_totals(report->engine);
	json_t *object = json_object();
	json_t *control = json_object();

	for (int i = 0; i < N_REQUESTS; i++)
		json_object_set_new(control, requests[i],
			control_json(engine_control(report->engine, (enum request)i)));
	json_object_set_new(object, "settings", settings_json(report));
	json_object_set_new(object, "valid", json_boolean(report->outcome->verdict.valid));
	json_object_set_new(object, "reasons", json_string(report->outcome->verdict.reasons));
	json_object_set_new(object, "stopped", json_boolean(report->stopped));
	json_object_set_new(object, "up", direction_json(report, UP));
	json_object_set_new(object, "down", direction_json(report, DOWN));
	json_object_set_new(object, "control", control);
	json_object_set_new(object, "generator", generator_json(report));
	set_count(object, "calls_begun", totals->n_begun);
	set_count(object, "calls_failed", totals->n_failed);
	set_count(object, "calls_released", totals->n_released);
	set_count(object, "calls_replaced", totals->n_replaced);
	json_object_set_new(object, "calls_s", json_real(report->calls_s));
	if (report->series)
		json_object_set_new(object, "series", series_json(report->series));
	if (report->search) {
		set_count(object, "highest_rate", report->search->passed);
		json_object_set_new(
			object, "generator_limited", json_boolean(report->generator_limited));
	}
	return object;
}

static int write_object(json_t *object, const char *path)
{
	const int failed = json_dump_file(object, path, JSON_INDENT(2));

	json_decref(object);
	return failed ? -errno : 0;
}

int report_json(const struct report *report, const char *path)
{
	return write_object(report_object(report), path);
}

int report_echo_json(const struct echo *echo, uint64_t n_unreceived, const struct verdict *verdict,
	const char *path)
{
	json_t *object = json_object();

	json_object_set_new(object, "valid", json_boolean(verdict->valid));
	json_object_set_new(object, "reasons", json_string(verdict->reasons));
	set_count(object, "received", echo->n_received);
	set_count(object, "returned", echo->n_returned);
	set_count(object, "not_of_relay", echo->n_strangers);
	set_count(object, "not_ours", echo->n_foreign);
	set_count(object, "not_sent", echo->n_dropped);
	set_count(object, "not_received", n_unreceived);
	return write_object(object, path);
}
