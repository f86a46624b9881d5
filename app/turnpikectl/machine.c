// doctor's look at memory and CPUs.
#include "finding.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define NODES_MAX 16
#define HUGEPAGE_KB 2048
// What buffers, queues and the EAL take, roughly; tables that find no more use ordinary pages.
#define PAGES_BASE 48
#define PAGES_PER_QUEUE 24
#define MEMLOCK_MIN_BYTES (64UL << 20)

static long count_pages(const struct doctor *doctor, const char *what)
{
	long sum = -1;

	for (int node = 0; node < NODES_MAX; node++) {
		const long n = finding_read_number(doctor,
			"/sys/devices/system/node/node%d/hugepages/hugepages-%dkB/%s_hugepages",
			node, HUGEPAGE_KB, what);

		if (n >= 0)
			sum = (sum < 0 ? 0 : sum) + n;
	}
	if (sum >= 0)
		return sum;
	return finding_read_number(
		doctor, "/sys/kernel/mm/hugepages/hugepages-%dkB/%s_hugepages", HUGEPAGE_KB, what);
}

void check_hugepages(struct doctor *doctor)
{
	const long n_needed = PAGES_BASE +
		PAGES_PER_QUEUE * (long)(doctor->conf->n_workers * doctor->conf->n_ports);
	const long n_all = count_pages(doctor, "nr");
	const bool required = doctor->conf->hugepages == CONF_HUGEPAGES_REQUIRE;
	char advice[128];

	if (doctor->conf->hugepages == CONF_HUGEPAGES_OFF) {
		finding_add(doctor, SEVERITY_OK, "hugepages", NULL, "not used (memory.hugepages)");
		return;
	}
	snprintf(advice, sizeof(advice),
		"sysctl vm.nr_hugepages=%ld; to keep it: turnpike-setup --help", n_needed);
	if (n_all < n_needed)
		finding_add(doctor, required ? SEVERITY_ERROR : SEVERITY_WARNING, "hugepages",
			advice, "%ld of 2 MiB are reserved, %ld are wanted for %u workers",
			n_all < 0 ? 0 : n_all, n_needed, doctor->conf->n_workers);
	else
		finding_add(doctor, SEVERITY_OK, "hugepages", NULL,
			"%ld of 2 MiB are reserved, %ld of them free", n_all,
			count_pages(doctor, "free"));
}

void check_memlock(struct doctor *doctor)
{
	struct rlimit limit;

	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < MEMLOCK_MIN_BYTES)
		finding_add(doctor, SEVERITY_WARNING, "memlock",
			"ulimit -l unlimited, or LimitMEMLOCK=infinity in the unit",
			"%llu KiB may be locked here; vfio and AF_XDP want more",
			(unsigned long long)limit.rlim_cur / 1024);
	else
		finding_add(doctor, SEVERITY_OK, "memlock", NULL, "memory may be locked");
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

void check_cpus(struct doctor *doctor)
{
	const struct conf *conf = doctor->conf;
	static bool online[CPUS_MAX];
	static bool isolated[CPUS_MAX];
	const size_t n_before = json_array_size(doctor->findings);
	char text[256];
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
	for (size_t i = 0; conf->worker_cpus && i < conf->n_workers; i++)
		check_worker_cpu(doctor, online, isolated, conf->worker_cpus[i]);
	if (json_array_size(doctor->findings) == n_before)
		finding_add(doctor, SEVERITY_OK, "cpu", NULL, "%u CPUs for %u workers and control",
			n_online, conf->n_workers);
}
