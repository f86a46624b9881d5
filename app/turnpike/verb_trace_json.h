// What trace says, as JSON: its lines, and what is not kept. Private to verb_trace.c.
#ifndef TURNPIKE_VERB_TRACE_JSON_H
#define TURNPIKE_VERB_TRACE_JSON_H

#include "box.h"

#include <jansson.h>

// One moment by both clocks and by the CPU's counter.
struct moment {
	uint64_t ns; // monotonic, as events have it
	uint64_t unix_ns;
	uint64_t ticks; // as drops have it
};

// A drop or an event.
struct trace_line {
	uint64_t at_ns;
	bool is_drop;
	uint16_t worker_idx; // that dropped
	union {
		struct trail_event event;
		struct trace_run run;
	};
};

// Ticks before the moment or after it.
uint64_t moment_ns_of(const struct moment *moment, uint64_t ticks);
json_t *moment_stamp(const struct moment *moment, uint64_t at_ns);

json_t *trace_line_json(
	const struct trace_line *line, const struct moment *moment, const struct box *box);
// Of which drops and events some are not kept, and since when all are.
json_t *trace_lost_json(const struct moment *moment, const struct box *box);

#endif
