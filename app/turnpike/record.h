// The record of an allocation that has ended, as one line of JSON.
#ifndef TURNPIKE_RECORD_H
#define TURNPIKE_RECORD_H

#include "control/control.h"
#include "turn/turn.h"

#include <stdint.h>

#define RECORD_TIME_BYTES 32

// What is known when it ends; what it has carried comes later.
struct record {
	struct turn_allocation_view view; // `realm` and `user` point to what follows
	enum turn_reason reason;
	uint64_t lived_ms;
	int64_t ended_unix_ms;
	char *realm;
	uint8_t *user;
};

// A copy of the event's, which is one of an end. NULL without memory.
struct record *record_make(const struct turn_event *event, int64_t now_unix_ms);
void record_free(struct record *record); // NULL is fine
// The line, without a newline, to be freed; NULL without memory. The user's name is as the log has
// it (log_user()).
char *record_write(const struct record *record, const struct control_tally *tally);
// As "2026-11-26T14:00:00.123Z". Returns `out`.
const char *record_time(char out[static RECORD_TIME_BYTES], int64_t unix_ms);

#endif
