// Where the log goes: a terminal, pipe, socket or file that may be full, slow or gone. Writing
// never waits for a reader. Private to lib/base.
#ifndef BASE_SINK_H
#define BASE_SINK_H

#include <stdbool.h>
#include <stddef.h>

struct sink {
	int fd;
	bool is_own; // opened here, to be closed
	bool is_socket;
	bool is_torn; // the last line is there in part
};

// Write to what `fd` is. A pipe or a terminal is opened a second time, to be non-blocking here
// without being so for whoever else has it; where that cannot be, each write looks before.
void sink_open(struct sink *out, int fd);
void sink_close(struct sink *sink); // leaves the `fd` that was given open

// Write one line, at most LINE_BYTES. A disk may make it wait; nothing else does.
//
// Returns false where it is lost: no room, no reader, no disk.
bool sink_write(struct sink *sink, const char *line, size_t n_bytes);

#endif
