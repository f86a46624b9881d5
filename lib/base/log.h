// The log of the control core: one line an event, `key=value`, on standard error.
//
//     log_event(LOG_INFO, "allocation.created", "client=%s relayed=%s", ...);
//
// Workers never log; they count. Hostile bytes (user names, realms) go through log_escape() first.
// Each call site prints at most LOG_SITE_BURST lines a second and then says how many it held back.
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

#define LOG_SITE_BURST 20

struct log_site {
	int64_t second; // the second `n_lines` counts in
	uint32_t n_lines;
	uint32_t n_held_back;
};

// Lines above `level` are left out. Set once at start and on reload.
void log_set_level(enum log_level level);
bool log_enabled(enum log_level level);

#define log_event(level, event, ...)                                      \
	do {                                                              \
		static struct log_site log_site_;                         \
		if (log_enabled(level))                                   \
			log_write(&log_site_, level, event, __VA_ARGS__); \
	} while (0)

void log_write(struct log_site *site, enum log_level level, const char *event, const char *format,
	...) __attribute__((format(printf, 4, 5)));

// Write `n` bytes as printable text: quotes, blanks, control and non-ASCII bytes become \xNN.
// Always terminated, cut where `out_bytes` ends; returns `out`.
const char *log_escape(char *out, size_t out_bytes, const void *bytes, size_t n);

#endif
