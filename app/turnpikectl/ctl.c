#include "ctl.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_S 10 // a daemon that says nothing for so long stands still

int ctl_usage(const char *verb, const char *format, ...)
{
	va_list arguments;

	fputs("turnpikectl: ", stderr);
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fprintf(stderr, "; see turnpikectl %s --help\n", verb);
	return EXIT_USAGE;
}

int ctl_bad_option(const char *verb)
{
	fprintf(stderr, "turnpikectl: see turnpikectl %s --help\n", verb);
	return EXIT_USAGE;
}

bool ctl_take_number(long *out, const char *text, long max)
{
	char *end;

	errno = 0;
	*out = strtol(text, &end, 10);
	return end != text && *end == 0 && errno == 0 && *out > 0 && *out <= max;
}

static int connect_daemon(struct ctl *ctl)
{
	const struct timeval patience = {.tv_sec = ANSWER_S};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int error;

	if (ctl->fd >= 0)
		return EXIT_OK;
	if (strlen(ctl->socket_path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "turnpikectl: %s: longer than a socket's path can be\n",
			ctl->socket_path);
		return EXIT_USAGE;
	}
	strcpy(address.sun_path, ctl->socket_path);
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	// Where too many wait to be let in already, connect() waits, too.
	if (ctl->fd >= 0)
		setsockopt(ctl->fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (ctl->fd >= 0 && connect(ctl->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		ctl->in = fdopen(ctl->fd, "r");
	if (ctl->in)
		return EXIT_OK;
	error = errno;
	fprintf(stderr, "turnpikectl: %s: %s%s\n", ctl->socket_path, strerror(error),
		error == ENOENT || error == ECONNREFUSED
			? "; is turnpike running, with this admin.socket?"
			: "");
	ctl_close(ctl);
	return error == EACCES ? EXIT_PERMISSION : EXIT_UNAVAILABLE;
}

// The kernel takes the connection of a daemon that stands still, and its answer never comes.
static int await_answer(const struct ctl *ctl)
{
	struct pollfd answer = {.fd = ctl->fd, .events = POLLIN};

	if (poll(&answer, 1, ANSWER_S * 1000) != 0)
		return EXIT_OK;
	fprintf(stderr,
		"turnpikectl: no answer within %d s: the daemon's control core stands still\n",
		ANSWER_S);
	return EXIT_UNAVAILABLE;
}

// Takes over `request`, and waits for its answer to begin. Where it cannot be sent the daemon has
// said why, or has gone: the answer tells.
static int send_request(struct ctl *ctl, json_t *request)
{
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	const size_t n = text ? strlen(text) : 0;
	int status = text ? connect_daemon(ctl) : EXIT_RESOURCE;

	json_decref(request);
	if (!text) {
		fputs("turnpikectl: no memory for a request\n", stderr);
	} else if (status == EXIT_OK) {
		text[n] = '\n';
		(void)!send(ctl->fd, text, n + 1, MSG_NOSIGNAL);
		status = await_answer(ctl);
	}
	free(text);
	return status;
}

// How the line that ends an answer, or begins a stream, lets it end: NULL where none came.
static int take_end(const json_t *line, const char *good)
{
	const char *error = json_string_value(json_object_get(line, "error"));

	if (json_object_get(line, good))
		return EXIT_OK;
	fprintf(stderr, "turnpikectl: %s\n", error ? error : "the daemon has gone");
	return error ? (int)json_integer_value(json_object_get(line, "status")) : EXIT_UNAVAILABLE;
}

// A line of data as the daemon writes it is the value between these.
static const char data_head[] = "{\"data\":";
static const char data_tail[] = "}\n";
#define HEAD_BYTES (sizeof(data_head) - 1)
#define TAIL_BYTES (sizeof(data_tail) - 1)

static bool is_data(const char *line, size_t n)
{
	return n > HEAD_BYTES + TAIL_BYTES && memcmp(line, data_head, HEAD_BYTES) == 0 &&
		memcmp(line + n - TAIL_BYTES, data_tail, TAIL_BYTES) == 0;
}

// Each value of the answer goes to `on_value` as text. Takes over `request`.
static int converse(struct ctl *ctl, json_t *request,
	void (*on_value)(const char *text, size_t n, void *context), void *context)
{
	int status = send_request(ctl, request);
	char *line = NULL;
	json_t *last = NULL;
	size_t n_room = 0;
	ssize_t n;

	if (status != EXIT_OK)
		return status;
	while ((n = getline(&line, &n_room, ctl->in)) > 0 && is_data(line, (size_t)n))
		on_value(line + HEAD_BYTES, (size_t)n - HEAD_BYTES - TAIL_BYTES, context);
	if (n > 0)
		last = json_loadb(line, (size_t)n, 0, NULL);
	free(line);
	status = take_end(last, "done");
	json_decref(last);
	return status;
}

static void keep(const char *text, size_t n, void *context)
{
	json_array_append_new(context, json_loadb(text, n, JSON_DECODE_ANY, NULL));
}

json_t *ctl_ask(struct ctl *ctl, json_t *request, int *status)
{
	json_t *all = json_array();

	*status = converse(ctl, request, keep, all);
	if (*status == EXIT_OK)
		return all;
	json_decref(all);
	return NULL;
}

static void print_line(const char *text, size_t n, void *context)
{
	(void)context;
	fwrite(text, 1, n, stdout);
	putchar('\n');
}

static void print_text(const char *text, size_t n, void *context)
{
	void (**print)(const json_t *value) = context;
	json_t *value = json_loadb(text, n, JSON_DECODE_ANY, NULL);

	(*print)(value);
	json_decref(value);
}

int ctl_print(struct ctl *ctl, json_t *request, void (*print)(const json_t *value))
{
	return converse(ctl, request, ctl->json ? print_line : print_text, &print);
}

// The line that says what comes, byte by byte: what is behind it stays in the socket.
static json_t *read_first_line(struct ctl *ctl)
{
	char line[1024];
	size_t n = 0;

	while (n < sizeof(line) && read(ctl->fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	return json_loadb(line, n, 0, NULL);
}

int ctl_ask_stream(struct ctl *ctl, json_t *request)
{
	int status = send_request(ctl, request);
	json_t *line;

	if (status != EXIT_OK)
		return status;
	line = read_first_line(ctl);
	status = take_end(line, "stream");
	json_decref(line);
	return status;
}

ssize_t ctl_read(struct ctl *ctl, void *bytes, size_t n)
{
	return read(ctl->fd, bytes, n);
}

bool ctl_rest(const struct ctl *ctl)
{
	struct pollfd end = {.fd = ctl->fd, .events = POLLIN};

	return poll(&end, 1, 1000) == 0;
}

void ctl_close(struct ctl *ctl)
{
	if (ctl->in)
		fclose(ctl->in);
	else if (ctl->fd >= 0)
		close(ctl->fd);
	ctl->in = NULL;
	ctl->fd = -1;
}
