// What the verbs of turnpikectl share: the daemon's answers and how they are shown.
#ifndef TURNPIKECTL_CTL_H
#define TURNPIKECTL_CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

// After sysexits.h, as the daemon's.
enum exit_status {
	EXIT_OK = 0,
	EXIT_USAGE = 64,
	EXIT_UNAVAILABLE = 69, // no daemon answers
	EXIT_FAULT = 70,
	EXIT_RESOURCE = 71,
	EXIT_OUTPUT = 74, // what is written to is full or gone
	EXIT_PERMISSION = 77,
	EXIT_CONFIG = 78,
};

struct ctl {
	const char *socket_path;
	const char *config_path;
	bool json; // lines of JSON instead of text for people
	int fd; // -1: not connected yet
	FILE *in;
};

struct verb {
	const char *name;
	const char *arguments; // "on|off|status [--answer CODE]", for the usage
	const char *text; // what it does, one sentence
	const char *help; // its options, whole lines; NULL: none
	// The arguments begin at argv[1]. Returns an exit status.
	int (*run)(struct ctl *ctl, int argc, char **argv);
};

int verb_status(struct ctl *ctl, int argc, char **argv);
int verb_show(struct ctl *ctl, int argc, char **argv);
int verb_capture(struct ctl *ctl, int argc, char **argv);
int verb_kick(struct ctl *ctl, int argc, char **argv);
int verb_top(struct ctl *ctl, int argc, char **argv);
int verb_drain(struct ctl *ctl, int argc, char **argv);
int verb_reload(struct ctl *ctl, int argc, char **argv);
int verb_trace(struct ctl *ctl, int argc, char **argv);
int verb_log(struct ctl *ctl, int argc, char **argv);
int verb_credential(struct ctl *ctl, int argc, char **argv);
int verb_doctor(struct ctl *ctl, int argc, char **argv);
int verb_key(struct ctl *ctl, int argc, char **argv);

// A line on standard error that sends to the help of the verb. Returns EXIT_USAGE.
int ctl_usage(const char *verb, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The same where getopt has said what is wrong.
int ctl_bad_option(const char *verb);

// An argument that is a whole number of 1..max.
bool ctl_take_number(long *out, const char *text, long max);

// Ask the daemon. Each takes over `request`, and returns or gives the status of the answer; what
// went wrong has been said on standard error. All values of the answer, in an array that the caller
// frees; NULL on failure:
json_t *ctl_ask(struct ctl *ctl, json_t *request, int *status);
// Print each of them when it comes: with --json as the line that it is, else by `print`.
int ctl_print(struct ctl *ctl, json_t *request, void (*print)(const json_t *value));
// For an answer in bytes: on EXIT_OK they follow.
int ctl_ask_stream(struct ctl *ctl, json_t *request);
// Some of them; 0 at the end, -1 where a signal or an error came.
ssize_t ctl_read(struct ctl *ctl, void *bytes, size_t n);
// A second, or until the daemon has gone: false then.
bool ctl_rest(const struct ctl *ctl);
void ctl_close(struct ctl *ctl);

#endif
