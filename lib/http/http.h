// A small HTTP/1 server for operators: GET and HEAD, one request a connection, on libevent's evhttp
// in the caller's event loop.
//
// Whoever reaches its port may try to keep it busy, so everything has a bound: connections at once,
// the bytes of a request, and the time from a connection's first byte to its last. What it serves
// is the caller's: http_config.answer fills in each answer at once, never later. One thread calls
// all of it.
//
// Order of calls: http_open(); http_close() before the event base is freed.
#ifndef HTTP_H
#define HTTP_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct evbuffer;
struct event_base;

#define HTTP_CONNECTIONS_MAX 32 // at once; one more ends the oldest
#define HTTP_LISTEN_MAX 8
#define HTTP_REQUEST_BYTES_MAX 4096 // of its line and headers; it has no body
#define HTTP_LIFETIME_MS 10000 // of a connection, if the config says nothing
#define HTTP_ERROR_BYTES 256

struct http_request {
	const char *path; // from "/" up to "?", as it was sent; never NULL
	const char *host; // the header, or ""
};

// Zero but for `body` when it is handed out.
struct http_answer {
	int status; // 200, 404, 503
	const char *type; // Content-Type
	const char *policy; // Content-Security-Policy; NULL: nothing may be loaded or run
	struct evbuffer *body; // to be filled; left unsent for HEAD
};

struct http_config {
	const struct endpoint *listen;
	size_t n_listen; // 1..HTTP_LISTEN_MAX
	void (*answer)(
		void *context, const struct http_request *request, struct http_answer *answer);
	void *context; // outlives it
	unsigned lifetime_ms; // then a connection is closed, answered or not; 0: HTTP_LIFETIME_MS
};

struct http;

// Listen and serve from now on; all of the config is copied. The process ignores SIGPIPE from then
// on. Returns 0; -errno of an address that cannot be listened on, `error` then names it; -ENOMEM.
int http_open(struct http **out, struct event_base *base, const struct http_config *config,
	char error[static HTTP_ERROR_BYTES]);
// Close all connections. NULL is fine.
void http_close(struct http *http);

#endif
