#include "web.h"

#include "gauge.h"
#include "http/http.h"
#include "loop.h"
#include "metrics.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// However often it is asked, the control core spends its time on metrics no oftener.
#define METRICS_EVERY_MS 200

#define TEXT_TYPE "text/plain; charset=utf-8"
#define JSON_TYPE "application/json"

struct web {
	struct loop *loop;
	struct http *http;
	struct readings readings;
	struct exposition metrics;
	uint64_t metrics_ns; // when they were made; 0: never
};

struct place {
	const char *path;
	void (*answer)(struct web *web, struct http_answer *answer);
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
}

static void make_metrics(struct web *web)
{
	const struct box *box = web->loop->box;
	const uint64_t begun_ns = now_ns();

	if (web->metrics_ns && begun_ns - web->metrics_ns < METRICS_EVERY_MS * NS_IN_MS)
		return;
	gauge_read(&web->readings, box);
	exposition_begin(&web->metrics);
	metrics_write(&web->metrics, &web->readings);
	if (box->conf->http.coturn_names)
		metrics_write_coturn(&web->metrics, &web->readings);
	web->metrics_ns = now_ns();
	web->readings.last_took_s = (double)(web->metrics_ns - begun_ns) / (double)NS_IN_S;
}

static void answer_metrics(struct web *web, struct http_answer *answer)
{
	const char *text;
	size_t n_bytes;

	make_metrics(web);
	text = exposition_text(&web->metrics, &n_bytes);
	answer->status = text ? 200 : 503;
	answer->type = EXPOSITION_TYPE;
	if (text)
		evbuffer_add(answer->body, text, n_bytes);
}

// `{"healthy": false, "reasons": {"workers": "worker 0 ..."}}`. Reasons are made of names and
// numbers: they need no escapes.
static void answer_health(
	struct web *web, struct http_answer *answer, const char *word, unsigned signs)
{
	const struct health *health = &web->loop->health;
	bool good = true;

	for (int sign = 0; sign < HEALTH_SIGNS; sign++)
		good &= !(signs >> sign & 1) || health_is_good(health, (enum health_sign)sign);
	answer->status = good ? 200 : 503;
	answer->type = JSON_TYPE;
	evbuffer_add_printf(
		answer->body, "{\"%s\": %s, \"reasons\": {", word, good ? "true" : "false");
	for (int sign = 0, n = 0; sign < HEALTH_SIGNS; sign++)
		if ((signs >> sign & 1) && !health_is_good(health, (enum health_sign)sign))
			evbuffer_add_printf(answer->body, "%s\"%s\": \"%s\"", n++ ? ", " : "",
				health_sign_name((enum health_sign)sign), health->reasons[sign]);
	evbuffer_add_printf(answer->body, "}}\n");
}

// Whether the process works. A control core that stands still does not answer at all.
static void answer_healthz(struct web *web, struct http_answer *answer)
{
	answer_health(web, answer, "healthy", 1U << HEALTH_WORKERS);
}

// Whether clients should be sent here.
static void answer_readyz(struct web *web, struct http_answer *answer)
{
	answer_health(web, answer, "ready", (1U << HEALTH_SIGNS) - 1);
}

static void answer_root(struct web *web, struct http_answer *answer)
{
	(void)web;
	answer->status = 200;
	answer->type = TEXT_TYPE;
	evbuffer_add_printf(answer->body, "turnpike: /metrics /healthz /readyz\n");
}

static void answer(void *context, const struct http_request *request, struct http_answer *answer)
{
	static const struct place places[] = {
		{"/", answer_root},
		{"/metrics", answer_metrics},
		{"/healthz", answer_healthz},
		{"/readyz", answer_readyz},
	};

	for (size_t i = 0; i < N_ELEMENTS(places); i++)
		if (strcmp(request->path, places[i].path) == 0)
			return places[i].answer(context, answer);
	answer->status = 404;
	answer->type = TEXT_TYPE;
	evbuffer_add_printf(answer->body, "there is nothing here\n");
}

static double wall_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / (double)NS_IN_S;
}

int web_open(struct web **out, struct loop *loop)
{
	const struct conf_http *conf = &loop->box->conf->http;
	const struct http_config config = {
		.listen = conf->listen,
		.n_listen = conf->n_listen,
		.answer = answer,
		.context = calloc(1, sizeof(struct web)),
	};
	struct web *web = config.context;
	char error[HTTP_ERROR_BYTES];
	int rc;

	*out = NULL;
	if (conf->n_listen == 0 || !web) {
		free(web);
		return conf->n_listen ? -ENOMEM : 0;
	}
	web->loop = loop;
	web->readings.version = TURNPIKE_VERSION;
	web->readings.started_s = wall_s();
	web->readings.health = &loop->health;
	rc = http_open(&web->http, loop->base, &config, error);
	if (rc) {
		log_event(LOG_ERROR, "http.failed", "reason=\"%s\"", error);
		web_close(web);
		return rc;
	}
	*out = web;
	return 0;
}

void web_close(struct web *web)
{
	if (!web)
		return;
	http_close(web->http);
	exposition_fini(&web->metrics);
	free(web);
}
