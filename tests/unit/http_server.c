// The server against clients of this file that send what they like, in the same event loop.
#include "http/http.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIFETIME_MS 300

static struct event_base *base;
static struct http *http;
static struct endpoint at;
static unsigned n_asked;
static char asked_path[256];
static size_t body_bytes = 5;
static char said[64 * 1024];

static void answer(void *context, const struct http_request *request, struct http_answer *out)
{
	cr_assert_eq(context, &n_asked);
	n_asked++;
	snprintf(asked_path, sizeof(asked_path), "%s", request->path);
	out->status = strcmp(request->path, "/sick") == 0 ? 503 : 200;
	out->type = "text/plain";
	for (size_t i = 0; i < body_bytes; i += 5)
		evbuffer_add(out->body, "hello", 5);
}

static void open_server(void)
{
	struct http_config config = {
		.listen = &at,
		.n_listen = 1,
		.answer = answer,
		.context = &n_asked,
		.lifetime_ms = LIFETIME_MS,
	};
	char error[HTTP_ERROR_BYTES];
	int rc = -1;

	base = event_base_new();
	for (uint16_t port = (uint16_t)(20000 + getpid() % 10000); rc; port++) {
		char text[32];

		snprintf(text, sizeof(text), "127.0.0.1:%u", port);
		cr_assert_eq(endpoint_parse(&at, text), 0);
		rc = http_open(&http, base, &config, error);
		cr_assert(rc == 0 || rc == -EADDRINUSE, "%s", error);
	}
}

static void close_server(void)
{
	http_close(http);
	event_base_free(base);
}

TestSuite(http, .init = open_server, .fini = close_server);

static int dial(void)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(at.port)};
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	memcpy(&to.sin_addr, at.ip.bytes, IPV4_BYTES);
	cr_assert(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

static void turn(unsigned ms)
{
	for (unsigned i = 0; i < ms; i++) {
		event_base_loop(base, EVLOOP_NONBLOCK);
		usleep(1000);
	}
}

// What comes until the server closes, or until `ms` have passed. True where it closed.
static bool hear(int fd, unsigned ms)
{
	size_t n = 0;

	for (unsigned i = 0; i < ms; i++) {
		const ssize_t n_read =
			recv(fd, said + n, sizeof(said) - 1 - n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n_read == 0 || (n_read < 0 && errno != EAGAIN))
			return true;
		n += n_read > 0 ? (size_t)n_read : 0;
		said[n] = '\0';
		turn(1);
	}
	return false;
}

static void say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

// One request, and all that comes of it.
static void ask(const char *text)
{
	const int fd = dial();

	said[0] = '\0';
	say(fd, text);
	cr_expect(hear(fd, 5 * LIFETIME_MS), "%.40s: still open", text);
	close(fd);
}

static unsigned n_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

Test(http, get_is_answered_and_the_connection_closed)
{
	ask("GET /metrics?x=1 HTTP/1.1\r\nHost: h\r\n\r\n");
	cr_expect_eq(n_asked, 1);
	cr_expect_str_eq(asked_path, "/metrics");
	cr_expect(strncmp(said, "HTTP/1.1 200 ", 13) == 0, "%s", said);
	cr_expect_not_null(strstr(said, "\r\nContent-Length: 5\r\n"));
	cr_expect_not_null(strstr(said, "\r\nContent-Type: text/plain\r\n"));
	cr_expect_not_null(strstr(said, "\r\nContent-Security-Policy: default-src 'none'; "));
	cr_expect_not_null(strstr(said, "\r\nX-Content-Type-Options: nosniff\r\n"));
	cr_expect_not_null(strstr(said, "\r\nConnection: close\r\n"));
	cr_expect_not_null(strstr(said, "\r\n\r\nhello"));
}

Test(http, head_tells_the_length_and_sends_nothing)
{
	ask("HEAD /sick HTTP/1.0\r\n\r\n");
	cr_expect_eq(n_asked, 1);
	cr_expect(strncmp(said, "HTTP/1.0 503 ", 13) == 0, "%s", said);
	cr_expect_not_null(strstr(said, "\r\nContent-Length: 5\r\n"));
	cr_expect_str_eq(strstr(said, "\r\n\r\n"), "\r\n\r\n");
}

Test(http, other_methods_are_refused_unasked)
{
	static const char *const methods[] = {
		"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "get", "BREW", ""};
	char text[128];

	for (size_t i = 0; i < N_ELEMENTS(methods); i++) {
		snprintf(text, sizeof(text), "%s / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
			methods[i]);
		ask(text);
		cr_expect(said[0] == '\0' || strncmp(said, "HTTP/1.1 501 ", 13) == 0 ||
				strncmp(said, "HTTP/1.1 400 ", 13) == 0,
			"%s: %s", methods[i], said);
	}
	cr_expect_eq(n_asked, 0);
}

Test(http, a_request_past_its_bytes_is_refused_unasked)
{
	static char text[4 * HTTP_REQUEST_BYTES_MAX];

	snprintf(
		text, sizeof(text), "GET / HTTP/1.1\r\nA: %0*d\r\n\r\n", HTTP_REQUEST_BYTES_MAX, 0);
	ask(text);
	snprintf(text, sizeof(text), "GET /%0*d HTTP/1.1\r\n\r\n", HTTP_REQUEST_BYTES_MAX, 0);
	ask(text);
	ask("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\nx");
	ask("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\nx");
	cr_expect_eq(n_asked, 0);
}

Test(http, what_is_no_request_is_survived_and_leaves_nothing_open)
{
	static const char *const texts[] = {
		"\r\n\r\n",
		"GET\r\n\r\n",
		"GET /\r\n\r\n",
		"GET / HTTP/9999999999.1\r\n\r\n",
		"GET / HTTP/1.1\r\nno colon\r\n\r\n",
		"GET / HTTP/1.1\r\n folded\r\n\r\n",
		"GET http://[::1 HTTP/1.1\r\n\r\n",
		"GET //// HTTP/1.1\r\nHost: \r\nHost: x\r\n\r\n",
		"GET /%00%ff%zz HTTP/1.1\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
		"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	};
	const unsigned n_before = n_descriptors();
	struct random random = {.state = 7};
	uint8_t bytes[2048];

	for (size_t i = 0; i < N_ELEMENTS(texts); i++)
		ask(texts[i]);
	for (unsigned round = 0; round < 200; round++) {
		const int fd = dial();

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)random_next(&random);
		if (round % 2)
			memcpy(bytes, "GET / HTTP/1.1\r\n", 16);
		cr_assert(send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL) > 0);
		turn(1);
		close(fd);
	}
	turn(2 * LIFETIME_MS);
	cr_expect_eq(n_descriptors(), n_before);
	n_asked = 0;
	ask("GET / HTTP/1.1\r\n\r\n");
	cr_expect_eq(n_asked, 1);
}

Test(http, a_second_request_behind_the_first_is_not_read)
{
	ask("GET /1 HTTP/1.1\r\n\r\nGET /2 HTTP/1.1\r\n\r\n");
	cr_expect_eq(n_asked, 1);
	cr_expect_str_eq(asked_path, "/1");
}

Test(http, who_sends_slowly_is_closed_in_time)
{
	const int fd = dial();
	bool closed = false;

	say(fd, "GET / HTTP/1.1\r\n");
	for (unsigned i = 0; i < 5 * LIFETIME_MS / 20 && !closed; i++) {
		closed = hear(fd, 20);
		if (!closed)
			send(fd, "a", 1, MSG_NOSIGNAL);
	}
	cr_expect(closed);
	cr_expect_eq(n_asked, 0);
	close(fd);
}

Test(http, who_does_not_read_is_closed_in_time)
{
	const unsigned n_before = n_descriptors();
	const int fd = dial();

	body_bytes = 32 << 20;
	say(fd, "GET / HTTP/1.1\r\n\r\n");
	turn(5 * LIFETIME_MS);
	cr_expect_eq(n_asked, 1);
	cr_expect_eq(n_descriptors(), n_before + 1, "the server's end is still open");
	close(fd);
}

Test(http, one_more_than_fit_takes_the_place_of_the_oldest)
{
	int fds[HTTP_CONNECTIONS_MAX];

	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++) {
		fds[i] = dial();
		turn(2);
	}
	ask("GET /late HTTP/1.1\r\n\r\n");
	cr_expect_str_eq(asked_path, "/late");
	cr_expect(hear(fds[0], 5));
	cr_expect_not(hear(fds[1], 5));
	for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
		close(fds[i]);
}

Test(http, who_opens_hundreds_keeps_nobody_out_and_holds_no_more_than_fit)
{
	const unsigned n_before = n_descriptors();
	int fds[10 * HTTP_CONNECTIONS_MAX];

	for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
		fds[i] = dial();
		turn(i % 40 == 0 ? 1 : 0);
	}
	turn(20);
	cr_expect_leq(n_descriptors(), n_before + N_ELEMENTS(fds) + HTTP_CONNECTIONS_MAX);
	ask("GET /late HTTP/1.1\r\n\r\n");
	cr_expect_eq(n_asked, 1);
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		close(fds[i]);
}

// However many come in one round of the loop.
Test(http, who_is_pushed_out_is_closed_before_many_more_come)
{
	const unsigned n_before = n_descriptors();
	int fds[HTTP_CONNECTIONS_MAX + 60];

	for (size_t i = 0; i < N_ELEMENTS(fds); i++) {
		fds[i] = dial();
		turn(i < HTTP_CONNECTIONS_MAX ? 1 : 0);
	}
	event_base_loop(base, EVLOOP_ONCE | EVLOOP_NONBLOCK);
	cr_expect_leq(n_descriptors(), n_before + N_ELEMENTS(fds) + 2 * HTTP_CONNECTIONS_MAX);
	turn(20);
	cr_expect_leq(n_descriptors(), n_before + N_ELEMENTS(fds) + HTTP_CONNECTIONS_MAX);
	for (size_t i = 0; i < N_ELEMENTS(fds); i++)
		close(fds[i]);
}

Test(http, an_address_that_is_taken_is_named)
{
	const struct http_config config = {.listen = &at, .n_listen = 1, .answer = answer};
	struct http *second;
	char error[HTTP_ERROR_BYTES];
	char text[ADDR_TEXT_BYTES];

	cr_expect_eq(http_open(&second, base, &config, error), -EADDRINUSE);
	cr_expect_null(second);
	cr_expect_not_null(strstr(error, endpoint_format(&at, text)), "%s", error);
}
