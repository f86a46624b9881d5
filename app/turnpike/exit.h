// Exit statuses, after sysexits.h.
#ifndef TURNPIKE_EXIT_H
#define TURNPIKE_EXIT_H

enum exit_status {
	EXIT_OK = 0,
	EXIT_USAGE = 64,
	EXIT_DEVICE = 69, // absent, taken, or it lacks something
	EXIT_FAULT = 70, // ours
	EXIT_RESOURCE = 71, // memory, hugepages, descriptors
	EXIT_PERMISSION = 77,
	EXIT_CONFIG = 78,
};

// From a negative errno of a device or a system call.
enum exit_status exit_status_of(int error);

#endif
