#include "dpdk.h"

#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <stdio.h>

#define PORT_MIB 128 // of each port: its packet pool, and what the driver wants
#define ARGUMENTS_MAX 16

// lcore 0 is this thread; it may use every CPU that the process may.
static void choose_cpus(char *text, size_t n_text, int64_t cpu)
{
	size_t n = (size_t)snprintf(text, n_text, "0@(");
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	sched_getaffinity(0, sizeof(allowed), &allowed);
	for (int i = 0; i < CPU_SETSIZE && n < n_text; i++)
		if (cpu < 0 ? CPU_ISSET((size_t)i, &allowed) : i == cpu)
			n += (size_t)snprintf(text + n, n_text - n, "%d,", i);
	text[n - 1] = ')';
}

// A NIC wants hugepages; the other kinds do without.
static int start_eal(const struct dpdk_config *config)
{
	const bool pci = config->n_pci > 0;
	char lcores[4096];
	char mib[16];
	char *argv[ARGUMENTS_MAX] = {"turnpike-load", "--lcores", lcores, "--no-telemetry",
		"--log-level=*:error", "--log-level=pmd.net.virtio.init:critical",
		pci ? "--in-memory" : "--no-huge", pci ? "--single-file-segments" : "--no-shconf",
		"-m", mib};
	int argc = 10;

	choose_cpus(lcores, sizeof(lcores), config->cpu);
	snprintf(mib, sizeof(mib), "%zu", PORT_MIB * config->n_ports);
	if (!pci) {
		argv[argc++] = "--no-pci";
		argv[argc++] = "--iova-mode=va";
	}
	for (size_t i = 0; i < config->n_pci; i++) {
		argv[argc++] = "-a";
		argv[argc++] = (char *)config->pci[i];
	}
	return rte_eal_init(argc, argv) < 0 ? -ENOMEM : 0;
}

int dpdk_start(
	struct dpdk *out, const struct dpdk_config *config, char error[static WIRE_ERROR_BYTES])
{
	int err;

	*out = (struct dpdk){0};
	err = guard_start(&out->guard, "turnpike-load");
	if (err) {
		snprintf(error, WIRE_ERROR_BYTES, "no process for the guard: %s", strerror(-err));
		return err;
	}
	err = start_eal(config);
	if (err)
		snprintf(error, WIRE_ERROR_BYTES, "DPDK does not start: %s",
			rte_strerror(rte_errno));
	out->eal_up = !err;
	return err;
}

void dpdk_stop(struct dpdk *dpdk)
{
	if (dpdk->eal_up)
		rte_eal_cleanup();
	guard_stop(&dpdk->guard);
	*dpdk = (struct dpdk){0};
}
