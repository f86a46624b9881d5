#include "ctl.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

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

static int connect_daemon(struct ctl *ctl)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (ctl->fd >= 0)
		return EXIT_OK;
	if (strlen(ctl->socket_path) >= sizeof(address.sun_path)) {
		fprintf(stderr, "turnpikectl: %s: longer than a socket's path can be\n",
			ctl->socket_path);
		return EXIT_USAGE;
	}
	strcpy(address.sun_path, ctl->socket_path);
	ctl->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (ctl->fd >= 0 && connect(ctl->fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		ctl->in = fdopen(ctl->fd, "r");
	if (ctl->in)
		return EXIT_OK;
	fprintf(stderr, "turnpikectl: %s: %s%s\n", ctl->socket_path, strerror(errno),
		errno == ENOENT || errno == ECONNREFUSED
			? "; is turnpike running, with this admin.socket?"
			: "");
	ctl_close(ctl);
	return errno == EACCES ? EXIT_PERMISSION : EXIT_UNAVAILABLE;
}

static bool send_line(struct ctl *ctl, const json_t *request)
{
	char *text = json_dumps(request, JSON_COMPACT);
	const size_t n = text ? strlen(text) : 0;
	bool sent = false;

	if (text) {
		text[n] = '\n';
		sent = send(ctl->fd, text, n + 1, MSG_NOSIGNAL) == (ssize_t)(n + 1);
	}
	free(text);
	return sent;
}

// Returns true where the answer goes on.
static bool take_line(const json_t *line, void (*on_data)(const json_t *data, void *context),
	void *context, int *status)
{
	const json_t *data = json_object_get(line, "data");
	const char *error = json_string_value(json_object_get(line, "error"));

	if (data) {
		on_data(data, context);
		return true;
	}
	*status = EXIT_OK;
	if (error) {
		fprintf(stderr, "turnpikectl: %s\n", error);
		*status = (int)json_integer_value(json_object_get(line, "status"));
	}
	return false;
}

int ctl_ask(struct ctl *ctl, json_t *request, void (*on_data)(const json_t *data, void *context),
	void *context)
{
	int status = connect_daemon(ctl);
	bool goes_on = status == EXIT_OK;
	json_error_t error;

	if (goes_on && !send_line(ctl, request))
		goes_on = false, status = EXIT_UNAVAILABLE;
	json_decref(request);
	while (goes_on) {
		json_t *line = json_loadf(ctl->in, JSON_DISABLE_EOF_CHECK, &error);

		if (!line) {
			fputs("turnpikectl: the daemon has gone\n", stderr);
			status = EXIT_UNAVAILABLE;
			break;
		}
		goes_on = take_line(line, on_data, context, &status);
		json_decref(line);
	}
	return status;
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
	int status = connect_daemon(ctl);
	json_t *line = NULL;
	const char *error;

	if (status == EXIT_OK && send_line(ctl, request))
		line = read_first_line(ctl);
	json_decref(request);
	error = json_string_value(json_object_get(line, "error"));
	if (error) {
		fprintf(stderr, "turnpikectl: %s\n", error);
		status = (int)json_integer_value(json_object_get(line, "status"));
	} else if (status == EXIT_OK && !json_object_get(line, "stream")) {
		fputs("turnpikectl: the daemon has gone\n", stderr);
		status = EXIT_UNAVAILABLE;
	}
	json_decref(line);
	return status;
}

ssize_t ctl_read(struct ctl *ctl, void *bytes, size_t n)
{
	return read(ctl->fd, bytes, n);
}

static void keep(const json_t *data, void *context)
{
	json_array_append(context, (json_t *)data);
}

json_t *ctl_ask_all(struct ctl *ctl, json_t *request, int *status)
{
	json_t *all = json_array();

	*status = ctl_ask(ctl, request, keep, all);
	if (*status == EXIT_OK)
		return all;
	json_decref(all);
	return NULL;
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
