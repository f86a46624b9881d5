#include "log.h"

#include "units.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES 2048

struct line {
	char text[LINE_BYTES];
	size_t n;
};

static enum log_level max_level = LOG_INFO;

void log_set_level(enum log_level level)
{
	max_level = level;
}

bool log_enabled(enum log_level level)
{
	return level <= max_level;
}

// What doesn't fit is cut; one byte stays for the newline.
static void __attribute__((format(printf, 2, 0)))
append_args(struct line *line, const char *format, va_list args)
{
	const size_t room = LINE_BYTES - 1 - line->n;
	const int n = vsnprintf(line->text + line->n, room, format, args);

	if (n > 0)
		line->n += (size_t)n < room ? (size_t)n : room - 1;
}

static void __attribute__((format(printf, 2, 3))) append(struct line *line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append_args(line, format, args);
	va_end(args);
}

static void append_stamp(struct line *line)
{
	struct timespec now;
	struct tm utc;
	char text[32];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
	append(line, "%s.%03dZ ", text, (int)((uint64_t)now.tv_nsec / NS_IN_MS));
}

// The journal stamps lines itself and reads the level from a prefix, see sd-daemon(3).
static void append_head(struct line *line, enum log_level level)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};
	static const int syslog_levels[] = {3, 4, 6, 7};

	if (getenv("JOURNAL_STREAM") != NULL)
		append(line, "<%d>", syslog_levels[level]);
	else
		append_stamp(line);
	append(line, "%s ", names[level]);
}

// True where the site may print in this second; `n_held_back` is what it has to own up to then.
static bool site_admit(struct log_site *site, uint32_t *n_held_back)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	if (site->second != now.tv_sec) {
		site->second = now.tv_sec;
		site->n_lines = 0;
	}
	if (site->n_lines >= LOG_SITE_BURST) {
		site->n_held_back++;
		return false;
	}
	site->n_lines++;
	*n_held_back = site->n_held_back;
	site->n_held_back = 0;
	return true;
}

// Whatever was passed in, an event stays one line.
static void flatten(struct line *line)
{
	for (size_t i = 0; i < line->n; i++) {
		const unsigned char c = (unsigned char)line->text[i];

		if (c < ' ' || c == 0x7f)
			line->text[i] = '?';
	}
}

void log_write(
	struct log_site *site, enum log_level level, const char *event, const char *format, ...)
{
	struct line line = {.n = 0};
	uint32_t n_held_back;
	va_list args;

	if (!site_admit(site, &n_held_back))
		return;
	append_head(&line, level);
	append(&line, "%s ", event);
	if (n_held_back > 0)
		append(&line, "held_back=%" PRIu32 " ", n_held_back);
	va_start(args, format);
	append_args(&line, format, args);
	va_end(args);
	flatten(&line);
	line.text[line.n++] = '\n';
	// A log that can't be written has nowhere to complain.
	if (write(STDERR_FILENO, line.text, line.n) < 0)
		return;
}

const char *log_escape(char *out, size_t out_bytes, const void *bytes, size_t n)
{
	const unsigned char *in = bytes;
	char *at = out;

	for (size_t i = 0; i < n; i++) {
		const bool plain = in[i] > ' ' && in[i] < 0x7f && strchr("\"'\\", in[i]) == NULL;
		const size_t width = plain ? 1 : 4;

		if ((size_t)(at - out) + width >= out_bytes)
			break;
		if (plain)
			*at = (char)in[i];
		else
			snprintf(at, width + 1, "\\x%02x", (unsigned int)in[i]);
		at += width;
	}
	if (out_bytes > 0)
		*at = '\0';
	return out;
}
