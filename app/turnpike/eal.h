// Starting DPDK's environment from our configuration; its arguments never face the user.
#ifndef TURNPIKE_EAL_H
#define TURNPIKE_EAL_H

#include "conf/conf.h"
#include "needs/needs.h"

#include <stdbool.h>
#include <stddef.h>

#define EAL_ERROR_BYTES 512
#define EAL_WORKER_LCORE_FIRST 1 // lcore 0 is the control core

struct eal {
	bool started;
	bool huge; // hugepages are in use
};

// In hugepages where `needs` fits the free ones. `extra` is appended as it is.
//
// Returns 0 or an exit status with one line in `error`.
int eal_start(struct eal *out, const struct conf *conf, const struct needs *needs,
	char *const *extra, int n_extra, char error[static EAL_ERROR_BYTES]);
void eal_stop(struct eal *eal); // harmless where it did not start

#endif
