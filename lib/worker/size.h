// How large a worker's tables are. Private to lib/worker.
#ifndef WORKER_SIZE_H
#define WORKER_SIZE_H

#include "worker.h"

// One entry where none is asked for: a look-up need not ask whether there is a table.
static inline uint32_t size_flows6(const struct worker_config *config)
{
	return config->n_flows6 ? config->n_flows6 : 1;
}

#endif
