// The log of the control core: one line an event on standard error, as text, JSON or for the
// journal.
//
//     log_event(LOG_INFO, "allocation.created", "client=%s relayed=%s", ...);
//
// What follows the event's name are `key=value` pairs. A value stands in double quotes where it may
// hold blanks or be taken for a number; what strangers chose goes through log_escape() first, and
// names of users only ever through log_user(). README.md lists the events, and tests/lint
// holds the list to what stands in the sources.
//
// Workers never log; they count. Each call site prints at most LOG_SITE_BURST lines a second;
// log_tick() says how many it held back. Writing never waits for whoever reads the log: what finds
// no room is lost and counted.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
};

enum log_format {
	LOG_AUTO, // for the journal where standard error leads there, else text
	LOG_TEXT,
	LOG_JSON,
	LOG_JOURNAL, // text that begins with the level as <N>, without a stamp
};

// How names of users are written.
enum log_users {
	LOG_USERS_PLAIN,
	LOG_USERS_HASHED, // the same user has the same 16 hex digits, until the process ends
	LOG_USERS_OFF, // as "-"
};

struct log_config {
	enum log_level level;
	enum log_format format;
	enum log_users users;
};

// Begin, or go on differently to where it leads already. Before it, the log is as LOG_INFO,
// LOG_AUTO, LOG_USERS_PLAIN.
void log_open(const struct log_config *config);
// Standard error is another one now, or its descriptors were closed (after a fork).
void log_reopen(void);

// Lines above `level` are left out.
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);
enum log_level log_level(void);
const char *log_level_name(enum log_level level); // "error", "warning", "info", "debug"
// False for any other word.
bool log_level_parse(enum log_level *out, const char *name);

#define LOG_SITE_BURST 20

// Zeroed at first. It must live as long as lines of it may be held back: until the next log_tick()
// a second later, or log_flush().
struct log_site {
	struct log_site *next; // of those that hold lines back
	int64_t second; // the one `n_lines` counts in
	uint32_t n_lines;
	uint32_t n_held_back;
	enum log_level level;
	const char *event;
};

#define log_event(level, event, ...)                                      \
	do {                                                              \
		static struct log_site log_site_;                         \
		if (log_enabled(level))                                   \
			log_write(&log_site_, level, event, __VA_ARGS__); \
	} while (0)

// `event` must be a literal, or live as long as `site`.
void log_write(struct log_site *site, enum log_level level, const char *event, const char *format,
	...) __attribute__((format(printf, 4, 5)));

// The two halves of log_write(), where making the fields costs something: may this site write now?
// Where not, that is counted. Then the line itself.
bool log_admit(struct log_site *site, enum log_level level, const char *event);
void log_put(enum log_level level, const char *event, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

// Once a second: `log.held_back` for each site that held lines back in a second that is over, and
// `log.lost` where lines were lost.
void log_tick(void);
// The same at once; no site is remembered then.
void log_flush(void);

struct log_stats {
	uint64_t n_lines; // written
	uint64_t n_held_back; // by their call sites
	uint64_t n_lost; // that standard error did not take
};

void log_stats_get(struct log_stats *out);

// Write `n` bytes as printable text: quotes, blanks, control and non-ASCII bytes become \xNN.
// Always terminated, cut where `out_bytes` ends; returns `out`.
const char *log_escape(char *out, size_t out_bytes, const void *bytes, size_t n);

#define LOG_USER_BYTES 512

// The name of a user of `realm` as the configuration wants it: escaped, hashed or "-". Returns
// `out`. To stand in quotes: a name may be a number.
const char *log_user(
	char out[static LOG_USER_BYTES], const char *realm, const void *name, size_t n_bytes);

#endif
