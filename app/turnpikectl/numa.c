// doctor's look at what is far from what: NICs, the workers' CPUs, their memory.
#include "finding.h"

#include <stdlib.h>
#include <string.h>

#define NODES "/sys/devices/system/node/node"
#define FAR_BYTES 48

// -1 where the kernel tells none.
static int node_of_cpu(const struct doctor *doctor, unsigned cpu)
{
	for (int node = 0; node < NODES_MAX; node++)
		if (finding_exists(doctor, "/sys/devices/system/cpu/cpu%u/node%d", cpu, node))
			return node;
	return -1;
}

// By the firmware's table, in which a node is 10 from itself; -1 where there is none.
static long distance(const struct doctor *doctor, long from, long to)
{
	char text[4096];
	char *at = text;

	if (!finding_read(doctor, text, sizeof(text), NODES "%ld/distance", from))
		return -1;
	for (long node = 0; node < to; node++)
		strtol(at, &at, 10);
	return strtol(at, NULL, 10);
}

// " at a distance of 21", or "" where that is not told.
static const char *far_text(char out[static FAR_BYTES], long n)
{
	out[0] = 0;
	if (n > 0)
		snprintf(out, FAR_BYTES, ", at a distance of %ld", n);
	return out;
}

// Where the kernel tells no nodes, a device's number of one says nothing.
void check_nic_node(struct doctor *doctor, const struct conf_port *port, const char *device_path)
{
	const struct conf *conf = doctor->conf;
	const long node = finding_read_number(doctor, "%s/numa_node", device_path);

	if (node < 0 || !finding_exists(doctor, NODES "%ld", node))
		return;
	for (size_t i = 0; conf->worker_cpus && i < conf->n_workers; i++) {
		const unsigned cpu = conf->worker_cpus[i];
		const int cpu_node = node_of_cpu(doctor, cpu);
		char far[FAR_BYTES];

		if (cpu_node == node)
			continue;
		finding_add(doctor, SEVERITY_WARNING, "numa",
			"choose workers.cpus on the NIC's node",
			"CPU %u is far from the NIC of port %s (node %ld)%s", cpu, port->name, node,
			far_text(far, distance(doctor, node, cpu_node)));
	}
}

long node_pages(const struct doctor *doctor, int node, long page_mib, const char *what)
{
	return finding_read_number(doctor, NODES "%d/hugepages/hugepages-%ldkB/%s_hugepages", node,
		page_mib << 10, what);
}

// Workers' tables are on their own nodes, in pages of 2 MiB.
void check_node_memory(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	long n_most = 0;

	for (int node = 0; node < NODES_MAX; node++) {
		const long n = node_pages(doctor, node, SMALL_PAGE_MIB, "nr");

		n_most = n > n_most ? n : n_most;
	}
	for (size_t i = 0; conf->worker_cpus && n_most && i < conf->n_workers; i++) {
		const int node = node_of_cpu(doctor, conf->worker_cpus[i]);
		char advice[128];

		if (node < 0 || node_pages(doctor, node, SMALL_PAGE_MIB, "nr") > 0)
			continue;
		snprintf(advice, sizeof(advice),
			"echo %ld > " NODES "%d/hugepages/hugepages-2048kB/nr_hugepages", n_most,
			node);
		finding_add(doctor, SEVERITY_WARNING, "numa", advice,
			"the node of CPU %u (%d) has no hugepages of 2 MiB: tables of its worker "
			"are on another, or in ordinary pages",
			conf->worker_cpus[i], node);
	}
}
