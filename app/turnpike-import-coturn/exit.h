// Exit statuses; those above 1 after sysexits.h.
#ifndef IMPORT_EXIT_H
#define IMPORT_EXIT_H

enum exit_status {
	EXIT_ALL = 0, // all that the file asks for is there
	EXIT_SOME = 1, // written, and can be used; what is not as it was is named
	EXIT_USAGE = 64,
	EXIT_DATA = 65, // no configuration can be made of it
	EXIT_INPUT = 66, // cannot be read
	EXIT_RESOURCE = 71,
	EXIT_OUTPUT = 73, // cannot be written, or is there already
};

#endif
