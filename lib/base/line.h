// One event as one line of the log: as text, or as an object of JSON. Private to lib/base.
#ifndef BASE_LINE_H
#define BASE_LINE_H

#include "log.h"

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define LINE_BYTES 4096 // what a pipe takes as a whole or not at all (PIPE_BUF)

struct line {
	enum log_level level;
	const char *event;
	struct timespec at; // CLOCK_REALTIME
	const char *fields; // `key=value` pairs with blanks between them, as log.h has it; "": none
};

// Write `line` in `format` (LOG_AUTO is as LOG_TEXT), `<N>` before it where `for_journal`. It ends
// with the only newline, and without a zero byte; fields that do not fit are left out, a text's
// last one is cut.
//
//     text     2026-11-26T14:00:00.123Z info allocation.created client=192.0.2.1:5000
//     journal  <6>info allocation.created client=192.0.2.1:5000
//     json     {"time":"2026-...Z","level":"info","event":"...","client":"192.0.2.1:5000"}
//
// In JSON a bare decimal is a number and everything else a string; what is no pair becomes "text".
//
// Returns the bytes written.
size_t line_write(char out[static LINE_BYTES], enum log_format format, bool for_journal,
	const struct line *line);

#endif
