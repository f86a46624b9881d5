#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SWEEP_MS 250
#define BACKLOG 64
#define NO_POLICY "default-src 'none'; frame-ancestors 'none'"

// evhttp tells nobody when it closes a connection, so a reference is held to each one's buffers:
// they have no callbacks any more once evhttp has let go of them.
struct connection {
	struct bufferevent *buffers; // NULL: the slot is free
	uint64_t end_ms;
};

struct http {
	struct event_base *base;
	struct evhttp *server;
	struct event *sweep; // pending while anything is open
	struct evconnlistener *listeners[HTTP_LISTEN_MAX]; // `server` owns them
	size_t n_listeners;
	unsigned lifetime_ms;
	bool deaf; // they are not listened to now
	unsigned n_pushed_out; // connections since the last sweep
	void (*answer)(void *context, const struct http_request *request, struct http_answer *);
	void *context;
	struct connection connections[HTTP_CONNECTIONS_MAX];
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * MS_IN_S + (uint64_t)now.tv_nsec / NS_IN_MS;
}

static bool is_over(struct bufferevent *buffers)
{
	bufferevent_event_cb on_event;

	bufferevent_getcb(buffers, NULL, NULL, &on_event, NULL);
	return on_event == NULL;
}

// Forget what is over, end what is too old. Returns how many are left.
static unsigned sweep(struct http *http)
{
	const uint64_t now = now_ms();
	unsigned n = 0;

	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct connection *connection = &http->connections[i];

		if (!connection->buffers)
			continue;
		if (is_over(connection->buffers)) {
			bufferevent_decref(connection->buffers);
			connection->buffers = NULL;
			continue;
		}
		n++;
		if (now >= connection->end_ms) // evhttp sees its end and closes it
			shutdown(bufferevent_getfd(connection->buffers), SHUT_RDWR);
	}
	return n;
}

static void listen_while(struct http *http, bool has_room)
{
	if (http->deaf != has_room)
		return;
	http->deaf = !has_room;
	for (size_t i = 0; i < http->n_listeners; i++) {
		if (has_room)
			evconnlistener_enable(http->listeners[i]);
		else
			evconnlistener_disable(http->listeners[i]);
	}
}

static void sweep_soon(struct http *http)
{
	const struct timeval pause = {0, SWEEP_MS * 1000L};

	if (!event_pending(http->sweep, EV_TIMEOUT, NULL))
		event_add(http->sweep, &pause);
}

static void on_sweep(evutil_socket_t fd, short what, void *argument)
{
	struct http *http = argument;
	const unsigned n = sweep(http);

	(void)fd;
	(void)what;
	http->n_pushed_out = 0;
	listen_while(http, true);
	if (n > 0)
		sweep_soon(http);
}

// A free slot, or that of the oldest, which ends: who opens all there are and says nothing must not
// keep out who asks and is answered at once.
static struct connection *take_slot(struct http *http)
{
	struct connection *oldest = &http->connections[0];

	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		struct connection *connection = &http->connections[i];

		if (!connection->buffers)
			return connection;
		if (connection->end_ms < oldest->end_ms)
			oldest = connection;
	}
	shutdown(bufferevent_getfd(oldest->buffers), SHUT_RDWR);
	bufferevent_decref(oldest->buffers);
	http->n_pushed_out++;
	return oldest;
}

// A connection was accepted. Those that were pushed out are closed in the next round of the loop:
// until then no more are accepted than fit.
static struct bufferevent *on_connection(struct event_base *base, void *argument)
{
	struct http *http = argument;
	struct bufferevent *buffers = bufferevent_socket_new(base, -1, 0);

	sweep(http);
	if (buffers) {
		bufferevent_incref(buffers);
		*take_slot(http) = (struct connection){buffers, now_ms() + http->lifetime_ms};
	}
	sweep_soon(http);
	if (http->n_pushed_out == HTTP_CONNECTIONS_MAX) {
		listen_while(http, false);
		event_active(http->sweep, EV_TIMEOUT, 0);
	}
	return buffers;
}

// Without descriptors the listener would be ready over and over.
static void on_accept_error(struct evconnlistener *listener, void *argument)
{
	struct http *http = argument;

	(void)listener;
	log_event(LOG_WARNING, "http.accept", "reason=\"%s\"", strerror(errno));
	listen_while(http, false);
	sweep_soon(http);
}

static void add_headers(struct evhttp_request *request, const struct http_answer *answer)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	char length[24];

	snprintf(length, sizeof(length), "%zu", evbuffer_get_length(answer->body));
	evhttp_add_header(headers, "Content-Length", length);
	evhttp_add_header(headers, "Content-Type", answer->type);
	evhttp_add_header(
		headers, "Content-Security-Policy", answer->policy ? answer->policy : NO_POLICY);
	evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
	evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
	evhttp_add_header(headers, "Cache-Control", "no-store");
	evhttp_add_header(headers, "Connection", "close");
}

static void on_request(struct evhttp_request *request, void *argument)
{
	struct http *http = argument;
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(request);
	const char *path = uri ? evhttp_uri_get_path(uri) : NULL;
	const char *host = evhttp_find_header(evhttp_request_get_input_headers(request), "Host");
	const struct http_request asked = {path ? path : "", host ? host : ""};
	struct http_answer answer = {.body = evbuffer_new()};

	if (!answer.body)
		return evhttp_send_error(request, HTTP_INTERNAL, NULL);
	http->answer(http->context, &asked, &answer);
	add_headers(request, &answer);
	evhttp_send_reply(request, answer.status, NULL,
		evhttp_request_get_command(request) == EVHTTP_REQ_HEAD ? NULL : answer.body);
	evbuffer_free(answer.body);
}

static socklen_t to_sockaddr(struct sockaddr_storage *out, const struct endpoint *from)
{
	struct sockaddr_in *in4 = (struct sockaddr_in *)out;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)out;

	memset(out, 0, sizeof(*out));
	if (from->ip.family == FAMILY_IPV4) {
		in4->sin_family = AF_INET;
		in4->sin_port = htons(from->port);
		memcpy(&in4->sin_addr, from->ip.bytes, IPV4_BYTES);
		return sizeof(*in4);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(from->port);
	memcpy(&in6->sin6_addr, from->ip.bytes, IPV6_BYTES);
	return sizeof(*in6);
}

static int add_listener(
	struct http *http, const struct endpoint *at, char error[static HTTP_ERROR_BYTES])
{
	const unsigned flags = LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE;
	struct sockaddr_storage address;
	const socklen_t n_bytes = to_sockaddr(&address, at);
	struct evconnlistener *listener = evconnlistener_new_bind(
		http->base, NULL, NULL, flags, BACKLOG, (struct sockaddr *)&address, (int)n_bytes);
	const int reason = errno;
	char text[ADDR_TEXT_BYTES];

	if (!listener) {
		snprintf(error, HTTP_ERROR_BYTES, "HTTP cannot listen on %s: %s",
			endpoint_format(at, text), strerror(reason));
		return reason ? -reason : -EIO;
	}
	if (!evhttp_bind_listener(http->server, listener)) {
		evconnlistener_free(listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(listener, on_accept_error);
	http->listeners[http->n_listeners++] = listener;
	return 0;
}

int http_open(struct http **out, struct event_base *base, const struct http_config *config,
	char error[static HTTP_ERROR_BYTES])
{
	struct http *http = calloc(1, sizeof(*http));
	int rc = 0;

	*out = NULL;
	snprintf(error, HTTP_ERROR_BYTES, "no memory for HTTP");
	if (!http)
		return -ENOMEM;
	signal(SIGPIPE, SIG_IGN);
	http->base = base;
	http->answer = config->answer;
	http->context = config->context;
	http->lifetime_ms = config->lifetime_ms ? config->lifetime_ms : HTTP_LIFETIME_MS;
	http->server = evhttp_new(base);
	http->sweep = evtimer_new(base, on_sweep, http);
	if (!http->server || !http->sweep) {
		http_close(http);
		return -ENOMEM;
	}
	evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(http->server, HTTP_REQUEST_BYTES_MAX);
	evhttp_set_max_body_size(http->server, 0);
	evhttp_set_bevcb(http->server, on_connection, http);
	evhttp_set_gencb(http->server, on_request, http);
	for (size_t i = 0; i < config->n_listen && !rc; i++)
		rc = add_listener(http, &config->listen[i], error);
	if (rc) {
		http_close(http);
		return rc;
	}
	*out = http;
	return 0;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	if (http->server)
		evhttp_free(http->server);
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		if (http->connections[i].buffers)
			bufferevent_decref(http->connections[i].buffers);
	if (http->sweep)
		event_free(http->sweep);
	free(http);
}
