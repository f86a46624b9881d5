// doctor's look at memory and CPUs.
#include "finding.h"

#include "needs/needs.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define MIB (1UL << 20)
#define MEMLOCK_MIN_BYTES (64UL << 20)

static long count_pages(const struct doctor *doctor, long page_mib, const char *what)
{
	long sum = -1;

	for (int node = 0; node < NODES_MAX; node++) {
		const long n = node_pages(doctor, node, page_mib, what);

		if (n >= 0)
			sum = (sum < 0 ? 0 : sum) + n;
	}
	if (sum >= 0)
		return sum;
	return finding_read_number(doctor, "/sys/kernel/mm/hugepages/hugepages-%ldkB/%s_hugepages",
		page_mib << 10, what);
}

static unsigned long count_mib(const struct doctor *doctor, long page_mib, const char *what)
{
	const long n = count_pages(doctor, page_mib, what);

	return n > 0 ? (unsigned long)(n * page_mib) : 0;
}

// Without room for all buffers none of them is in hugepages; tables are as far as there are any of
// 2 MiB, for they use no others.
void check_hugepages(struct doctor *doctor)
{
	const bool required = doctor->conf->hugepages == CONF_HUGEPAGES_REQUIRE;
	const unsigned long n_small_mib = count_mib(doctor, SMALL_PAGE_MIB, "nr");
	const unsigned long n_large_mib = count_mib(doctor, LARGE_PAGE_MIB, "nr");
	const unsigned long n_mib = n_small_mib + n_large_mib;
	unsigned long n_buffers_mib;
	unsigned long n_mib_wanted;
	struct needs needs;
	char advice[128];

	if (doctor->conf->hugepages == CONF_HUGEPAGES_OFF) {
		finding_add(doctor, SEVERITY_OK, "hugepages", NULL, "not used (memory.hugepages)");
		return;
	}
	needs_find(&needs, doctor->conf);
	n_buffers_mib = needs.huge_bytes / MIB + 1;
	n_mib_wanted = n_buffers_mib + needs.table_bytes / MIB;
	if (n_small_mib + (n_large_mib < n_buffers_mib ? n_large_mib : n_buffers_mib) >=
		n_mib_wanted) {
		finding_add(doctor, SEVERITY_OK, "hugepages", NULL,
			"%lu MiB are reserved, %lu of them free; %lu MiB are wanted", n_mib,
			count_mib(doctor, SMALL_PAGE_MIB, "free") +
				count_mib(doctor, LARGE_PAGE_MIB, "free"),
			n_mib_wanted);
		return;
	}
	snprintf(advice, sizeof(advice),
		"turnpike-setup hugepages %luM, or sysctl vm.nr_hugepages=%lu until the next boot",
		n_mib_wanted, n_mib_wanted / 2 + 1);
	finding_add(doctor, required && n_mib < n_buffers_mib ? SEVERITY_ERROR : SEVERITY_WARNING,
		"hugepages", advice,
		"%lu MiB are reserved, %lu MiB are wanted: %lu for buffers, %lu for tables, in "
		"pages of 2 MiB",
		n_mib, n_mib_wanted, n_buffers_mib, n_mib_wanted - n_buffers_mib);
}

// What the daemon may lock. False where that cannot be told, or it does not run.
static bool read_memlock(const struct doctor *doctor, rlim_t *n_bytes)
{
	char path[256], line[256], soft[32];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "%s/proc/%lld/limits", doctor->root, doctor->daemon_pid);
	file = doctor->daemon_pid ? fopen(path, "re") : NULL;
	if (!file)
		return false;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Max locked memory %31s", soft) == 1;
	fclose(file);
	if (found)
		*n_bytes = strcmp(soft, "unlimited") ? strtoull(soft, NULL, 10) : RLIM_INFINITY;
	return found;
}

// Where nobody knows the ports, one may.
static bool wants_memlock(const struct conf *conf)
{
	bool wants = !conf;

	for (size_t i = 0; conf && i < conf->n_ports; i++)
		wants |= conf->ports[i].kind == CONF_PCI || conf->ports[i].kind == CONF_AF_XDP;
	return wants;
}

void check_memlock(struct doctor *doctor)
{
	const char *who = "by the daemon";
	struct rlimit limit;

	if (!read_memlock(doctor, &limit.rlim_cur)) {
		getrlimit(RLIMIT_MEMLOCK, &limit);
		who = "here";
	}
	if (!wants_memlock(doctor->conf))
		finding_add(doctor, SEVERITY_OK, "memlock", NULL,
			"no port is of pci or af_xdp, which lock memory");
	else if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < MEMLOCK_MIN_BYTES)
		finding_add(doctor, SEVERITY_WARNING, "memlock",
			"ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit",
			"%llu KiB may be locked %s; vfio and AF_XDP want more",
			(unsigned long long)limit.rlim_cur / 1024, who);
	else
		finding_add(doctor, SEVERITY_OK, "memlock", NULL, "memory may be locked %s", who);
}

// "2-5,8": the CPUs that are in it.
static void read_list(bool in[CPUS_MAX], const char *text)
{
	while (*text) {
		char *end;
		long first = strtol(text, &end, 10);
		long last = first;

		if (end == text)
			return;
		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		for (long cpu = first; cpu >= 0 && cpu <= last && cpu < CPUS_MAX; cpu++)
			in[cpu] = true;
		text = *end == ',' ? end + 1 : end;
	}
}

static void check_governor(struct doctor *doctor, unsigned cpu)
{
	char governor[64];
	char advice[128];

	if (!finding_read(doctor, governor, sizeof(governor),
		    "/sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", cpu) ||
		strcmp(governor, "performance") == 0)
		return;
	snprintf(advice, sizeof(advice),
		"echo performance > /sys/devices/system/cpu/cpu%u/cpufreq/scaling_governor", cpu);
	finding_add(doctor, SEVERITY_WARNING, "cpu", advice,
		"CPU %u changes its clock (governor %s)", cpu, governor);
}

static void check_worker_cpu(struct doctor *doctor, const bool online[CPUS_MAX],
	const bool isolated[CPUS_MAX], unsigned cpu)
{
	if (!online[cpu]) {
		finding_add(doctor, SEVERITY_ERROR, "cpu", "change workers.cpus",
			"CPU %u of workers.cpus is not there", cpu);
		return;
	}
	if (doctor->conf->poll == CONF_POLL_BUSY && !isolated[cpu])
		finding_add(doctor, SEVERITY_WARNING, "cpu",
			"add isolcpus= and nohz_full= with the workers' CPUs to the kernel's "
			"command line",
			"CPU %u of a busy worker is shared with other programs", cpu);
	check_governor(doctor, cpu);
}

// True where a worker before it, or the control core, has its CPU too.
static bool is_shared(struct doctor *doctor, size_t worker_idx)
{
	const struct conf *conf = doctor->conf;
	const int cpu = conf->worker_cpus[worker_idx];
	const char *who = conf->control_cpu == cpu ? "the control core" : NULL;

	for (size_t i = 0; i < worker_idx; i++)
		if (conf->worker_cpus[i] == cpu)
			who = "another worker";
	if (who)
		finding_add(doctor, SEVERITY_WARNING, "cpu", "change workers.cpus",
			"worker %zu shares CPU %d with %s", worker_idx, cpu, who);
	return who;
}

void check_cpus(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	static bool online[CPUS_MAX];
	static bool isolated[CPUS_MAX];
	const size_t n_before = json_array_size(doctor->findings);
	char text[4096]; // what sysfs gives at most
	unsigned n_online = 0;

	if (finding_read(doctor, text, sizeof(text), "/sys/devices/system/cpu/online"))
		read_list(online, text);
	if (finding_read(doctor, text, sizeof(text), "/sys/devices/system/cpu/isolated"))
		read_list(isolated, text);
	for (size_t i = 0; i < CPUS_MAX; i++)
		n_online += online[i];
	if (conf->n_workers + 1U > n_online)
		finding_add(doctor, SEVERITY_WARNING, "cpu", "lower workers.count",
			"%u workers and the control core share %u CPUs", conf->n_workers, n_online);
	if (conf->control_cpu >= 0 && !online[conf->control_cpu])
		finding_add(doctor, SEVERITY_ERROR, "cpu", "change workers.control-cpu",
			"CPU %d of workers.control-cpu is not there", conf->control_cpu);
	for (size_t i = 0; conf->worker_cpus && i < conf->n_workers; i++)
		if (!is_shared(doctor, i))
			check_worker_cpu(doctor, online, isolated, conf->worker_cpus[i]);
	if (json_array_size(doctor->findings) == n_before)
		finding_add(doctor, SEVERITY_OK, "cpu", NULL, "%u CPUs for %u workers and control",
			n_online, conf->n_workers);
}
