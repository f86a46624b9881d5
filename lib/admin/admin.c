#include "admin.h"
#include "door.h"

#include "base/base.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
#define PAUSE_MS 250 // of the listener
#define STREAM_BYTES_MAX (1U << 20) // that wait for the reader
#define STATUS_USAGE 64

struct admin_call {
	struct client *client;
	const struct admin_verb *verb; // NULL: nothing is being answered
	json_t *request;
	void *state;
	uint64_t cursor;
	bool has_said; // something
	bool ended;
	bool streams;
	bool waits; // for its timer
};

struct client {
	struct admin *admin; // NULL: free
	struct bufferevent *bev;
	struct event *timer;
	bool leaves; // nothing more is read of it, and it waits for what it asked
	struct admin_call call;
};

struct admin {
	struct evconnlistener *listener;
	struct event *pause; // pending while nobody is let in
	struct event_base *base;
	const struct admin_verb *verbs;
	size_t n_verbs;
	void *context;
	struct door door;
	struct client clients[ADMIN_CLIENTS_MAX];
};

static void say_line(struct bufferevent *bev, json_t *line)
{
	char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;

	if (text)
		evbuffer_add_printf(bufferevent_get_output(bev), "%s\n", text);
	free(text);
	json_decref(line);
}

static void call_end(struct admin_call *call)
{
	if (call->verb && call->verb->end)
		call->verb->end(call, call->client->admin->context);
	json_decref(call->request);
	*call = (struct admin_call){.client = call->client};
}

static void client_close(struct client *client)
{
	call_end(&client->call);
	event_del(client->timer);
	event_free(client->timer);
	bufferevent_free(client->bev);
	*client = (struct client){0};
}

static const struct admin_verb *find_verb(const struct admin *admin, const char *name)
{
	for (size_t i = 0; name && i < admin->n_verbs; i++)
		if (strcmp(admin->verbs[i].name, name) == 0)
			return &admin->verbs[i];
	return NULL;
}

static bool has_type(const json_t *value, json_type type)
{
	return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_STRING:
		return "a text";
	case JSON_INTEGER:
		return "a whole number";
	case JSON_ARRAY:
		return "a list";
	default:
		return "true, false";
	}
}

static const struct admin_argument *find_argument(const struct admin_verb *verb, const char *key)
{
	for (size_t i = 0; i < ADMIN_ARGUMENTS_MAX && verb->arguments[i].key; i++)
		if (strcmp(verb->arguments[i].key, key) == 0)
			return &verb->arguments[i];
	return NULL;
}

// Ends the answer where the request has what the verb does not take: who asks for a kick in one
// realm must not get one in all.
static void check_arguments(struct admin_call *call)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)call->request, key, value)
	{
		const struct admin_argument *argument = find_argument(call->verb, key);

		if (strcmp(key, "verb") == 0)
			continue;
		// What is said first ends the answer.
		if (!argument)
			admin_fail(call, STATUS_USAGE, "%s: %s has no such argument", key,
				call->verb->name);
		else if (!has_type(value, argument->type))
			admin_fail(call, STATUS_USAGE, "%s; allowed: %s", key,
				type_name(argument->type));
	}
}

// One step; a stream that has ended closes once its bytes have left.
static void step(struct client *client)
{
	struct admin_call *call = &client->call;
	bool streamed;

	call->waits = false;
	call->verb->step(call, client->admin->context);
	if (!call->ended)
		return;
	streamed = call->streams;
	call_end(call);
	if (streamed)
		bufferevent_disable(client->bev, EV_READ);
	call->streams = streamed;
}

// It is closed once all is said.
static void stop_reading(struct client *client)
{
	client->leaves = true;
	bufferevent_disable(client->bev, EV_READ);
}

// Take up the next request, if a whole one is there. Returns false where there is none. Behind a
// line that is too long nothing can be told apart any more.
static bool take_request(struct client *client)
{
	struct evbuffer *in = bufferevent_get_input(client->bev);
	struct admin_call *call = &client->call;
	json_error_t error;
	size_t n_bytes;
	char *line = evbuffer_readln(in, &n_bytes, EVBUFFER_EOL_LF);

	if (!line) {
		if (evbuffer_get_length(in) < ADMIN_REQUEST_BYTES_MAX)
			return false;
		admin_fail(call, STATUS_USAGE, "a request has %d bytes at most",
			ADMIN_REQUEST_BYTES_MAX);
		call_end(call);
		stop_reading(client);
		evbuffer_drain(in, evbuffer_get_length(in));
		return true;
	}
	call->request = json_loadb(line, n_bytes, JSON_REJECT_DUPLICATES, &error);
	free(line);
	call->verb =
		find_verb(client->admin, json_string_value(json_object_get(call->request, "verb")));
	if (!json_is_object(call->request))
		admin_fail(call, STATUS_USAGE, "a request is one JSON object on a line: %s",
			call->request ? "this is another value" : error.text);
	else if (!call->verb)
		admin_fail(call, STATUS_USAGE, "no such verb");
	else
		check_arguments(call);
	if (call->ended)
		call_end(call);
	else
		step(client);
	return true;
}

// At most one request or one step at a time: the loop has others to serve. A stream minds its room
// itself: its end may come while its reader stands still.
static void go_on(struct client *client)
{
	const bool flows = client->call.streams && client->call.verb;

	if (!flows && evbuffer_get_length(bufferevent_get_output(client->bev)) > 0)
		return;
	if (client->call.streams && !client->call.verb) {
		client_close(client);
		return;
	}
	if (client->call.waits)
		return;
	if (client->call.verb) {
		step(client);
	} else if (!take_request(client)) {
		if (client->leaves)
			client_close(client);
		return;
	}
	// What said nothing, as the first piece of a stream may, is asked again.
	if (evbuffer_get_length(bufferevent_get_output(client->bev)) == 0 && !client->call.waits)
		admin_wait(&client->call, 0);
}

// Where nothing is written and nothing more is read, as of one who has said all, libevent does not
// see him go. He may still listen: what tells is that his end is closed altogether. A call that has
// said nothing yet goes on, for what was asked of it is to be done.
static bool has_gone(const struct client *client)
{
	struct pollfd end = {.fd = bufferevent_getfd(client->bev)};

	return client->call.has_said && poll(&end, 1, 0) > 0;
}

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	struct client *client = argument;

	(void)fd;
	(void)what;
	if (has_gone(client)) {
		client_close(client);
		return;
	}
	client->call.waits = false;
	go_on(client);
}

static void on_read(struct bufferevent *bev, void *argument)
{
	struct client *client = argument;

	(void)bev;
	if (!client->call.verb)
		go_on(client);
}

static void on_written(struct bufferevent *bev, void *argument)
{
	(void)bev;
	go_on(argument);
}

static void on_end(struct bufferevent *bev, short what, void *argument)
{
	struct client *client = argument;
	const bool quiet = what == (BEV_EVENT_READING | BEV_EVENT_EOF) && !client->call.streams;

	(void)bev;
	if (!quiet || client->leaves) {
		client_close(client);
		return;
	}
	stop_reading(client);
	go_on(client);
}

static void pause_listening(struct admin *admin)
{
	const struct timeval pause = {0, PAUSE_MS * 1000L};

	evconnlistener_disable(admin->listener);
	event_add(admin->pause, &pause);
}

static void on_pause_over(evutil_socket_t fd, short what, void *argument)
{
	struct admin *admin = argument;

	(void)fd;
	(void)what;
	evconnlistener_enable(admin->listener);
}

// Without descriptors the listener would be ready over and over.
static void on_accept_error(struct evconnlistener *listener, void *argument)
{
	(void)listener;
	log_event(LOG_WARNING, "admin.accept", "reason=\"%s\"", strerror(errno));
	pause_listening(argument);
}

static void on_connection(struct evconnlistener *listener, evutil_socket_t fd,
	struct sockaddr *address, int address_bytes, void *argument)
{
	static const char full[] = "{\"error\": \"too many clients\", \"status\": 75}\n";
	struct admin *admin = argument;
	struct client *client = NULL;

	(void)listener;
	(void)address;
	(void)address_bytes;
	for (size_t i = 0; i < ADMIN_CLIENTS_MAX && !client; i++)
		if (!admin->clients[i].admin)
			client = &admin->clients[i];
	if (!client) {
		(void)!write(fd, full, sizeof(full) - 1);
		close(fd);
		pause_listening(admin); // else who comes over and over is all that is heard
		return;
	}
	client->bev = bufferevent_socket_new(admin->base, fd, BEV_OPT_CLOSE_ON_FREE);
	client->timer = event_new(admin->base, -1, 0, on_timer, client);
	if (!client->bev || !client->timer) {
		if (client->bev)
			bufferevent_free(client->bev);
		else
			close(fd);
		if (client->timer)
			event_free(client->timer);
		*client = (struct client){0};
		return;
	}
	client->admin = admin;
	client->call.client = client;
	bufferevent_setcb(client->bev, on_read, on_written, on_end, client);
	bufferevent_setwatermark(client->bev, EV_READ, 0, ADMIN_REQUEST_BYTES_MAX);
	bufferevent_enable(client->bev, EV_READ | EV_WRITE);
}

static int listen_at(struct admin *admin, int fd)
{
	admin->pause = evtimer_new(admin->base, on_pause_over, admin);
	if (!admin->pause)
		return -ENOMEM;
	admin->listener = evconnlistener_new(
		admin->base, on_connection, admin, LEV_OPT_CLOSE_ON_FREE, BACKLOG, fd);
	if (!admin->listener) {
		event_free(admin->pause);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(admin->listener, on_accept_error);
	return 0;
}

int admin_open(struct admin **out, struct event_base *base, const struct admin_config *config,
	char error[static ADMIN_ERROR_BYTES])
{
	struct admin *admin = calloc(1, sizeof(*admin));
	int fd;

	*out = NULL;
	snprintf(error, ADMIN_ERROR_BYTES, "no memory for the admin socket");
	if (!admin)
		return -ENOMEM;
	fd = door_open(&admin->door, config->path, config->group, error);
	if (fd < 0) {
		free(admin);
		return fd;
	}
	admin->base = base;
	admin->verbs = config->verbs;
	admin->n_verbs = config->n_verbs;
	admin->context = config->context;
	if (listen_at(admin, fd)) {
		close(fd);
		door_remove(&admin->door);
		free(admin);
		return -ENOMEM;
	}
	*out = admin;
	return 0;
}

void admin_close(struct admin *admin)
{
	if (!admin)
		return;
	evconnlistener_free(admin->listener);
	event_free(admin->pause);
	for (size_t i = 0; i < ADMIN_CLIENTS_MAX; i++)
		if (admin->clients[i].admin)
			client_close(&admin->clients[i]);
	door_remove(&admin->door);
	free(admin);
}

const json_t *admin_arguments(const struct admin_call *call)
{
	return call->request;
}

void *admin_state(const struct admin_call *call)
{
	return call->state;
}

void admin_set_state(struct admin_call *call, void *state)
{
	call->state = state;
}

uint64_t *admin_cursor(struct admin_call *call)
{
	return &call->cursor;
}

void admin_say(struct admin_call *call, json_t *data)
{
	json_t *line = data ? json_pack("{s:o}", "data", data) : NULL;

	call->has_said = true;
	if (line)
		say_line(call->client->bev, line);
	else
		admin_fail(call, 71, "no memory for the answer");
}

void admin_done(struct admin_call *call)
{
	if (!call->ended && !call->streams)
		say_line(call->client->bev, json_pack("{s:b}", "done", 1));
	call->ended = true;
}

// The character that a cut may have gone through: JSON takes whole ones only.
static void drop_last_character(char *text)
{
	size_t n = strlen(text);

	while (n > 0 && (text[n - 1] & 0xc0) == 0x80)
		n--;
	text[n > 0 ? n - 1 : 0] = 0;
}

void admin_fail(struct admin_call *call, int status, const char *format, ...)
{
	char text[512];
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	if (n >= (int)sizeof(text))
		drop_last_character(text);
	if (!call->ended && !call->streams)
		say_line(
			call->client->bev, json_pack("{s:s,s:i}", "error", text, "status", status));
	call->ended = true;
}

void admin_wait(struct admin_call *call, unsigned ms)
{
	const struct timeval interval = {ms / 1000, (ms % 1000) * 1000L};

	call->waits = true;
	event_add(call->client->timer, &interval);
}

void admin_begin_stream(struct admin_call *call, const char *kind)
{
	say_line(call->client->bev, json_pack("{s:s}", "stream", kind));
	call->has_said = true;
	call->streams = true;
}

size_t admin_stream_room(const struct admin_call *call)
{
	const size_t n = evbuffer_get_length(bufferevent_get_output(call->client->bev));

	return n < STREAM_BYTES_MAX ? STREAM_BYTES_MAX - n : 0;
}

void admin_stream(struct admin_call *call, const void *bytes, size_t n)
{
	evbuffer_add(bufferevent_get_output(call->client->bev), bytes, n);
}
