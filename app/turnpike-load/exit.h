// Exit statuses, after sysexits.h.
#ifndef LOAD_EXIT_H
#define LOAD_EXIT_H

enum exit_status {
	EXIT_MEASURED = 0,
	EXIT_INVALID = 1, // measured, but it does not count
	EXIT_USAGE = 64,
	EXIT_UNAVAILABLE = 69, // the server, or an address of our own
	EXIT_RESOURCE = 71,
};

#endif
