#include "web.h"

#include "gauge.h"
#include "http/http.h"
#include "loop.h"
#include "metrics.h"
#include "pages/pages.h"
#include "state.h"

#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// However often it is asked, the control core looks around no oftener.
#define READ_EVERY_MS 200

#define TEXT_TYPE "text/plain; charset=utf-8"
#define JSON_TYPE "application/json"
#define HTML_TYPE "text/html; charset=utf-8"

struct web {
	struct loop *loop;
	struct http *http;
	struct readings readings;
	struct exposition metrics;
	uint64_t metrics_ns; // when they were made; 0: never
	char *state; // of /state.json; NULL: not made yet
	uint64_t state_ns; // when it was made; 0: never
};

struct place {
	const char *path;
	void (*answer)(
		struct web *web, const struct http_request *request, struct http_answer *answer);
	bool of_page; // not there where the page is off
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
}

// False where what was read last is still good.
static bool read_anew(struct web *web, uint64_t *read_ns)
{
	const uint64_t now = now_ns();

	if (*read_ns && now - *read_ns < READ_EVERY_MS * NS_IN_MS)
		return false;
	*read_ns = now;
	gauge_read(&web->readings, web->loop->box);
	web->readings.draining = web->loop->drain.on;
	return true;
}

static void make_metrics(struct web *web)
{
	if (!read_anew(web, &web->metrics_ns))
		return;
	exposition_begin(&web->metrics);
	metrics_write(&web->metrics, &web->readings);
	if (web->loop->box->conf->http.coturn_names)
		metrics_write_coturn(&web->metrics, &web->readings);
	web->readings.last_took_s = (double)(now_ns() - web->metrics_ns) / (double)NS_IN_S;
}

static void answer_metrics(
	struct web *web, const struct http_request *request, struct http_answer *answer)
{
	const char *text;
	size_t n_bytes;

	(void)request;
	make_metrics(web);
	text = exposition_text(&web->metrics, &n_bytes);
	answer->status = text ? 200 : 503;
	answer->type = EXPOSITION_TYPE;
	if (text)
		evbuffer_add(answer->body, text, n_bytes);
}

// `{"ready": false, "reasons": {...}}`; takes the reasons.
static void answer_health(struct http_answer *answer, const char *word, json_t *reasons)
{
	const bool good = json_object_size(reasons) == 0;
	json_t *json = json_pack("{s:b, s:o}", word, good, "reasons", reasons);
	char *text = json_dumps(json, 0);

	answer->status = good && text ? 200 : 503;
	answer->type = JSON_TYPE;
	if (text)
		evbuffer_add_printf(answer->body, "%s\n", text);
	free(text);
	json_decref(json);
}

// Whether the process works. A control core that does nothing at all does not answer either.
static void answer_healthz(
	struct web *web, const struct http_request *request, struct http_answer *answer)
{
	const unsigned cores = 1U << HEALTH_WORKERS | 1U << HEALTH_CONTROL;

	(void)request;
	answer_health(answer, "healthy", reasons_json(&web->loop->health, cores, false));
}

// Whether clients should be sent here.
static void answer_readyz(
	struct web *web, const struct http_request *request, struct http_answer *answer)
{
	(void)request;
	answer_health(
		answer, "ready", reasons_json(&web->loop->health, HEALTH_ALL, web->loop->drain.on));
}

static void answer_page(struct http_answer *answer, const struct page *page)
{
	answer->status = 200;
	answer->type = HTML_TYPE;
	answer->policy = page->policy;
	evbuffer_add_reference(answer->body, page->bytes, page->n_bytes, NULL, NULL);
}

static void answer_root(
	struct web *web, const struct http_request *request, struct http_answer *answer)
{
	(void)request;
	if (web->loop->box->conf->http.page)
		return answer_page(answer, &page_state);
	answer->status = 200;
	answer->type = TEXT_TYPE;
	evbuffer_add_printf(answer->body, "turnpike: /metrics /healthz /readyz\n");
}

static void answer_check(
	struct web *web, const struct http_request *request, struct http_answer *answer)
{
	(void)web;
	(void)request;
	answer_page(answer, &page_check);
}

// `text` may be NULL for want of memory.
static void answer_json(struct http_answer *answer, const char *text)
{
	answer->status = text ? 200 : 503;
	answer->type = JSON_TYPE;
	if (text)
		evbuffer_add(answer->body, text, strlen(text));
}

static char *text_of(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	json_decref(json);
	return text;
}

static void answer_state_json(
	struct web *web, const struct http_request *request, struct http_answer *answer)
{
	(void)request;
	if (read_anew(web, &web->state_ns)) {
		free(web->state);
		web->state = text_of(state_json(&web->readings));
	}
	answer_json(answer, web->state);
}

// Opened by its address, or as localhost. A name may be made to lead here by whoever owns it, and
// his page in somebody's browser would then be given what is handed out here (DNS rebinding).
static bool is_by_address(const char *host)
{
	const size_t n_localhost = strlen("localhost");
	const size_t n = strlen(host);
	struct endpoint endpoint;
	struct ip_addr ip;
	char literal[ADDR_TEXT_BYTES];

	if (strncmp(host, "localhost", n_localhost) == 0)
		return host[n_localhost] == '\0' || host[n_localhost] == ':';
	if (endpoint_parse(&endpoint, host) == 0)
		return true;
	// Port 80 goes without saying, but the brackets do not.
	if (host[0] != '[' || n < 2 || n > sizeof(literal) || host[n - 1] != ']')
		return ip_parse(&ip, host) == 0;
	snprintf(literal, sizeof(literal), "%.*s", (int)n - 2, host + 1);
	return ip_parse(&ip, literal) == 0;
}

static void answer_check_json(
	struct web *web, const struct http_request *request, struct http_answer *answer)
{
	const bool hands_out = is_by_address(request->host);
	char *text = text_of(check_json(web->loop->box->conf, hands_out, time(NULL)));

	answer_json(answer, text);
	free(text);
}

static void answer(void *context, const struct http_request *request, struct http_answer *answer)
{
	static const struct place places[] = {
		{"/", answer_root, false},
		{"/metrics", answer_metrics, false},
		{"/healthz", answer_healthz, false},
		{"/readyz", answer_readyz, false},
		{"/state.json", answer_state_json, true},
		{"/check", answer_check, true},
		{"/check.json", answer_check_json, true},
	};
	struct web *web = context;
	const bool has_page = web->loop->box->conf->http.page;

	for (size_t i = 0; i < N_ELEMENTS(places); i++)
		if (strcmp(request->path, places[i].path) == 0 && (has_page || !places[i].of_page))
			return places[i].answer(web, request, answer);
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
	web->readings.clock = &loop->clock;
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
	free(web->state);
	free(web);
}
