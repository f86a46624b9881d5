// Lines to a file, by a thread of its own: a disk that is full, slow or gone costs lines, which are
// counted, and never a moment of whoever writes them.
//
// Order: spool_create() while the process is still root, for its thread to lose what all others
// lose; spool_open() as the account that writes; spool_put(); spool_close().
#ifndef TURNPIKE_SPOOL_H
#define TURNPIKE_SPOOL_H

#include <stddef.h>
#include <stdint.h>

#define SPOOL_BYTES (4u << 20) // that wait for the disk; what comes on top is lost

struct spool;

struct spool_stats {
	uint64_t n_lines; // written
	uint64_t n_lost; // found no room, here or on the disk
	int open_error; // why what was moved away is still written to; 0: nothing was
};

// Returns 0; -ENOMEM; -EAGAIN where there is no thread to be had.
int spool_create(struct spool **out, const char *path);
// Append to the file, made where there is none. With the next line it is opened again where it was
// moved away or removed. Returns 0, or why it cannot be opened.
int spool_open(struct spool *spool);
// Where it was moved away, open it again now and let go of the old one.
void spool_reopen(struct spool *spool);
// Writes what waits, as far as the disk takes it. No line may come after; the stats are the last.
void spool_finish(struct spool *spool);
// Finishes what is not finished. NULL is fine.
void spool_close(struct spool *spool);
// One line; the newline is put behind it.
void spool_put(struct spool *spool, const char *line, size_t n_bytes);
void spool_stats_get(struct spool *spool, struct spool_stats *out);

#endif
