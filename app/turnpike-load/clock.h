// The clock of everything that is due or took a while.
#ifndef CLOCK_H
#define CLOCK_H

#include "base/base.h"

#include <stdint.h>
#include <time.h>

static inline int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * (int64_t)NS_IN_S + now.tv_nsec;
}

#endif
