// What a capture is filtered by, as a program for the daemon.
#ifndef TURNPIKECTL_FILTER_H
#define TURNPIKECTL_FILTER_H

#include "ctl.h"

enum filter_kind {
	FILTER_NONE, // every frame
	FILTER_USER, // both legs of the allocations that the user has now
	FILTER_ALLOCATION, // both legs of that one, by its id
	FILTER_PEER, // an address, with or without its port
	FILTER_WORDS, // of pcap-filter(7)
};

struct filter {
	enum filter_kind by;
	const char *text;
};

// Returns EXIT_OK and the instructions, which the caller frees; or another status, with what went
// wrong said on standard error.
int filter_compile(struct ctl *ctl, const struct filter *filter, json_t **program);

#endif
