#include "line.h"

#include "bytes.h"
#include "units.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 15 // of a number: what any reader of JSON keeps exactly
#define STAMP_BYTES 64

struct text {
	char *bytes;
	size_t n;
	size_t capacity;
	bool full; // what did not fit is left out, and all behind it
};

const char *log_level_name(enum log_level level)
{
	static const char *const names[] = {"error", "warning", "info", "debug"};

	return names[level];
}

static void put_byte(struct text *text, char byte)
{
	if (text->n < text->capacity)
		text->bytes[text->n++] = byte;
	else
		text->full = true;
}

// Whatever was passed in, an event stays one line, and is ASCII.
static void put_bytes(struct text *text, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put_byte(text, bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '?');
}

static void put(struct text *text, const char *string)
{
	put_bytes(text, string, strlen(string));
}

static void format_stamp(char out[static STAMP_BYTES], const struct timespec *at)
{
	char seconds[STAMP_BYTES / 2];
	struct tm utc;

	gmtime_r(&at->tv_sec, &utc);
	strftime(seconds, sizeof(seconds), "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(out, STAMP_BYTES, "%s.%03dZ", seconds, (int)((uint64_t)at->tv_nsec / NS_IN_MS));
}

// See sd-daemon(3).
static void put_journal_level(struct text *text, enum log_level level)
{
	static const char *const prefixes[] = {"<3>", "<4>", "<6>", "<7>"};

	put(text, prefixes[level]);
}

static void put_text(struct text *text, const struct line *line, bool with_stamp)
{
	char stamp[STAMP_BYTES];

	if (with_stamp) {
		format_stamp(stamp, &line->at);
		put(text, stamp);
		put(text, " ");
	}
	put(text, log_level_name(line->level));
	put(text, " ");
	put(text, line->event);
	if (line->fields[0])
		put(text, " ");
	put(text, line->fields);
}

static void put_string(struct text *text, const char *bytes, size_t n)
{
	put_byte(text, '"');
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '"' || bytes[i] == '\\')
			put_byte(text, '\\');
		put_bytes(text, bytes + i, 1);
	}
	put_byte(text, '"');
}

// -?(0|[1-9][0-9]*), as JSON has it.
static bool is_number(const char *bytes, size_t n)
{
	size_t i = n > 0 && bytes[0] == '-';

	if (i == n || n - i > DIGITS_MAX || (bytes[i] == '0' && n - i > 1))
		return false;
	for (; i < n; i++) {
		if (bytes[i] < '0' || bytes[i] > '9')
			return false;
	}
	return true;
}

static void put_member(
	struct text *text, const char *name, size_t name_bytes, const char *value, size_t n)
{
	const bool quoted = n >= 2 && value[0] == '"' && value[n - 1] == '"';

	put_byte(text, ',');
	put_string(text, name, name_bytes);
	put_byte(text, ':');
	if (quoted)
		put_string(text, value + 1, n - 2);
	else if (is_number(value, n))
		put_bytes(text, value, n);
	else
		put_string(text, value, n);
}

// Where the value ends: at a blank; where it began with a quote, at one behind a quote.
static size_t value_bytes(const char *value)
{
	size_t n = 0;

	if (value[0] != '"')
		return strcspn(value, " ");
	for (n = 1; value[n]; n++) {
		if (value[n] == '"' && (value[n + 1] == ' ' || value[n + 1] == 0))
			return n + 1;
	}
	return n;
}

// A member that does not fit is left out as a whole, with those behind it: two bytes stay for the
// end of the object.
static void put_members(struct text *text, const char *fields)
{
	const char *at = fields;

	while (*(at += strspn(at, " "))) {
		const size_t name_bytes = strcspn(at, " =");
		const size_t n_before = text->n;
		size_t n;

		if (name_bytes && at[name_bytes] == '=') {
			n = value_bytes(at + name_bytes + 1);
			put_member(text, at, name_bytes, at + name_bytes + 1, n);
			at += name_bytes + 1 + n;
		} else {
			n = strlen(at);
			put_byte(text, ',');
			put_string(text, "text", 4);
			put_byte(text, ':');
			put_string(text, at, n);
			at += n;
		}
		if (text->full) {
			text->n = n_before;
			return;
		}
	}
}

static void put_json(struct text *text, const struct line *line)
{
	char stamp[STAMP_BYTES];

	format_stamp(stamp, &line->at);
	put(text, "{\"time\":\"");
	put(text, stamp);
	put(text, "\",\"level\":\"");
	put(text, log_level_name(line->level));
	put(text, "\",\"event\":");
	put_string(text, line->event, strlen(line->event));
	put_members(text, line->fields);
	text->capacity++;
	text->full = false;
	put_byte(text, '}');
}

size_t line_write(char out[static LINE_BYTES], enum log_format format, bool for_journal,
	const struct line *line)
{
	struct text text = {.bytes = out, .capacity = LINE_BYTES - 2};

	if (for_journal)
		put_journal_level(&text, line->level);
	if (format == LOG_JSON)
		put_json(&text, line);
	else
		put_text(&text, line, format != LOG_JOURNAL);
	out[text.n++] = '\n';
	return text.n;
}
