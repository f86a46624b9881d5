// The pages, each a file of HTML beside this one that embed.py makes part of the program.
#ifndef TURNPIKE_PAGES_H
#define TURNPIKE_PAGES_H

#include <stddef.h>

struct page {
	const unsigned char *bytes;
	size_t n_bytes;
	const char *policy; // Content-Security-Policy: what stands in it, and this server
};

extern const struct page page_state;
extern const struct page page_check;

#endif
