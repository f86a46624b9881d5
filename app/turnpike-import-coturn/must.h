// A short-lived program: where memory is missing it ends.
#ifndef IMPORT_MUST_H
#define IMPORT_MUST_H

#include "exit.h"

#include <stdio.h>
#include <stdlib.h>

static inline void *must(void *memory)
{
	if (!memory) {
		fputs("turnpike-import-coturn: out of memory\n", stderr);
		exit(EXIT_RESOURCE);
	}
	return memory;
}

#endif
