// DPDK itself, under one or two ports of frames.
#ifndef DPDK_H
#define DPDK_H

#include "drivers/drivers.h"
#include "wire.h"

#define DPDK_PORTS_MAX 2

struct dpdk_config {
	size_t n_ports; // to come: 1 or 2
	const char *pci[DPDK_PORTS_MAX]; // n_pci of them are devices with these addresses
	size_t n_pci;
	int64_t cpu; // -1: where this process may run
};

struct dpdk {
	struct guard guard;
	bool eal_up;
};

// Once a process. Returns 0 or -errno; `error` says what, in one line.
int dpdk_start(
	struct dpdk *out, const struct dpdk_config *config, char error[static WIRE_ERROR_BYTES]);
// After the ports are closed. Harmless on a zeroed struct.
void dpdk_stop(struct dpdk *dpdk);

#endif
