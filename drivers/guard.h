// The guard: a small process that outlives a crash of the daemon for a moment.
//
// Opening a port changes Linux interfaces (promiscuous, arp off, an XDP program, ...) and
// port_close() gives that back. Where the daemon dies without closing, by a signal or kill -9, the
// guard does so once the process is gone with all its files, and only then lets go of the ownership
// of the devices.
#ifndef DRIVERS_GUARD_H
#define DRIVERS_GUARD_H

#include <sys/types.h>

struct guard {
	int fd; // the daemon's end of a socket pair: its end of file is the news of the death
	pid_t pid;
};

// Fork the guard, in a session of its own and deaf to the signals of a terminal. Call it before
// rte_eal_init() and before the first thread; `process_name` (15 bytes) is what ps shows.
//
// Returns 0; -errno where there are no descriptors or processes left.
int guard_start(struct guard *out, const char *process_name);
// All ports are open: the guard is told of nothing more to undo. It may write to files as root, and
// whoever takes over the daemon later must not have it write what he likes.
void guard_seal(struct guard *guard);
// Say goodbye, after the last port_close(): the guard ends and is reaped, nothing is undone.
// Harmless on a zeroed struct.
void guard_stop(struct guard *guard);

#endif
