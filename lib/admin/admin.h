// The operator's door: a unix socket where requests and answers are lines of JSON.
//
//     -> {"verb": "status"}
//     <- {"data": {...}}                    any number of them
//     <- {"done": true}                     or {"error": "TEXT", "status": N}
//
// A client sends one request after the other; what it sends too early waits, and a line that is
// too long is its last. Instead of lines an answer may be a stream: {"stream": "KIND"}, then bytes
// until the connection ends. Who may open the socket may ask anything: its owner and its group.
//
// It only carries. A verb writes its answer in steps, each a bounded piece of work; the next one
// comes when what was said has left, so that a slow reader costs no memory and a long answer no
// time. Those of a stream come also while bytes wait, and give no more than it has room for. All of
// it runs in the caller's event loop, in one thread.
//
// Order of calls: admin_open(); admin_close() before the loop goes. SIGPIPE must be ignored.
#ifndef ADMIN_H
#define ADMIN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADMIN_CLIENTS_MAX 32 // more are told so and closed, four a second
#define ADMIN_REQUEST_BYTES_MAX 65536
#define ADMIN_ERROR_BYTES 256
#define ADMIN_ARGUMENTS_MAX 4 // of a verb

struct event_base;
struct admin;

// One request and its answer.
struct admin_call;

// A member of a request beside "verb". Each may be left out.
struct admin_argument {
	const char *key; // NULL: no more
	json_type type; // JSON_TRUE: true or false
};

struct admin_verb {
	const char *name;
	// Say the next piece: at least one admin_ call below must be made. It is called first when
	// the request has come.
	void (*step)(struct admin_call *call, void *context);
	// Free what admin_set_state() was given: the answer has ended, or its reader has gone. NULL
	// where there is none.
	void (*end)(struct admin_call *call, void *context);
	// What it takes; a request with anything else is refused.
	struct admin_argument arguments[ADMIN_ARGUMENTS_MAX];
};

struct admin_config {
	// Of the socket; a dead one there is replaced. Its directory is made where it is missing,
	// and taken away again at the end.
	const char *path;
	const char *group; // may use it beside the owner; NULL: nobody
	const struct admin_verb *verbs; // outlive the door
	size_t n_verbs;
	void *context; // for the verbs
};

// Returns 0, or with one line in `error`: -EADDRINUSE where somebody else serves the socket;
// -EINVAL for a group that is not there; -ENOMEM; -errno.
int admin_open(struct admin **out, struct event_base *base, const struct admin_config *config,
	char error[static ADMIN_ERROR_BYTES]);
void admin_close(struct admin *admin); // ends all answers; NULL is fine

// The request's members, each of the type that the verb wants; lives as long as the call.
const json_t *admin_arguments(const struct admin_call *call);
// What the verb keeps between its steps: NULL at first, and a number.
void *admin_state(const struct admin_call *call);
void admin_set_state(struct admin_call *call, void *state);
uint64_t *admin_cursor(struct admin_call *call); // 0 at first

// One line of data, taken over; NULL, which jansson gives without memory, ends the answer.
void admin_say(struct admin_call *call, json_t *data);
void admin_done(struct admin_call *call);
// The answer ends with one line for people and an exit status for the tool (app/turnpikectl).
void admin_fail(struct admin_call *call, int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
// The next step comes in `ms`, and of lines not before they have left.
void admin_wait(struct admin_call *call, unsigned ms);

// From here on the answer is bytes of that kind, and ends with admin_done(), which closes.
void admin_begin_stream(struct admin_call *call, const char *kind);
// Bytes that may still be given before the reader takes some.
size_t admin_stream_room(const struct admin_call *call);
void admin_stream(struct admin_call *call, const void *bytes, size_t n);

#endif
