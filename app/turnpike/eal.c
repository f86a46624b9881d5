#include "eal.h"

#include "exit.h"

#include <dirent.h>
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARGUMENTS_MAX 64
#define ARGUMENT_BYTES 1024
#define MIB (1024UL * 1024)

struct arguments {
	char text[ARGUMENTS_MAX][ARGUMENT_BYTES];
	char *list[ARGUMENTS_MAX + 1];
	int n;
	bool overflowed; // by number or length; they are of no use then
};

__attribute__((format(printf, 2, 3))) static void add(struct arguments *a, const char *format, ...)
{
	va_list values;

	a->overflowed |= a->n == ARGUMENTS_MAX;
	if (a->overflowed)
		return;
	va_start(values, format);
	a->overflowed = vsnprintf(a->text[a->n], ARGUMENT_BYTES, format, values) >= ARGUMENT_BYTES;
	va_end(values);
	a->list[a->n] = a->text[a->n];
	a->n++;
}

static unsigned long read_number(const char *path)
{
	FILE *file = fopen(path, "re");
	unsigned long value = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%lu", &value) != 1)
		value = 0;
	fclose(file);
	return value;
}

// Free hugepages of all sizes, in bytes.
static size_t free_hugepage_bytes(void)
{
	static const char root[] = "/sys/kernel/mm/hugepages";
	DIR *directory = opendir(root);
	struct dirent *entry;
	size_t n_bytes = 0;

	while (directory && (entry = readdir(directory))) {
		char path[512];
		unsigned long kib;

		if (sscanf(entry->d_name, "hugepages-%lukB", &kib) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", root, entry->d_name);
		n_bytes += read_number(path) * kib * 1024;
	}
	if (directory)
		closedir(directory);
	return n_bytes;
}

// What may be taken without taking it from others; all there can be where the kernel does not say.
static size_t available_bytes(void)
{
	FILE *file = fopen("/proc/meminfo", "re");
	size_t n_kib = SIZE_MAX / 1024;
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "MemAvailable: %zu", &n_kib) == 1)
			break;
	if (file)
		fclose(file);
	return n_kib * 1024;
}

static int choose_memory(struct arguments *a, const struct conf *conf, const struct needs *needs,
	bool *huge, char error[static EAL_ERROR_BYTES])
{
	const size_t free_bytes = free_hugepage_bytes();
	const size_t there_bytes = available_bytes();
	// Tables take what hugepages there are.
	const size_t ordinary_bytes = needs->ordinary_bytes +
		(needs->table_bytes > free_bytes ? needs->table_bytes - free_bytes : 0);

	*huge = conf->hugepages != CONF_HUGEPAGES_OFF && free_bytes >= needs->huge_bytes;
	if (conf->hugepages == CONF_HUGEPAGES_REQUIRE && !*huge) {
		snprintf(error, EAL_ERROR_BYTES,
			"memory.hugepages is \"require\", but %zu MiB are free and %zu MiB are "
			"needed; "
			"set vm.nr_hugepages=%zu (2 MiB each) or more, or memory.hugepages: auto",
			free_bytes / MIB, needs->huge_bytes / MIB + 1,
			needs->huge_bytes / MIB / 2 + 1);
		return EXIT_RESOURCE;
	}
	// Else the kernel would look for programs to kill.
	if (!*huge && ordinary_bytes > there_bytes) {
		snprintf(error, EAL_ERROR_BYTES,
			"%zu MiB of memory are needed, and %zu MiB are available; lower "
			"memory.mbufs, limits.allocations or workers.count",
			ordinary_bytes / MIB + 1, there_bytes / MIB);
		return EXIT_RESOURCE;
	}
	if (*huge) {
		add(a, "--in-memory");
		add(a, "--single-file-segments");
	} else {
		add(a, "--no-huge");
		add(a, "--no-shconf");
		add(a, "-m");
		add(a, "%zu", needs->ordinary_bytes / MIB + 1);
	}
	return 0;
}

// lcore 0 is control, 1.. are the workers. Without a choice of the user control takes the first CPU
// that we may run on, and the workers those behind it, or all in turn where they are too few.
static void choose_cpus(struct arguments *a, const struct conf *conf)
{
	char text[ARGUMENT_BYTES];
	int cpus[CPU_SETSIZE];
	int n_cpus = 0;
	int n_text;
	int first;
	cpu_set_t allowed;

	CPU_ZERO(&allowed);
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0)
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &allowed))
				cpus[n_cpus++] = cpu;
	if (n_cpus == 0)
		cpus[n_cpus++] = 0;
	first = n_cpus > conf->n_workers ? 1 : n_cpus - 1;
	n_text = snprintf(
		text, sizeof(text), "0@%d", conf->control_cpu >= 0 ? conf->control_cpu : cpus[0]);
	for (int i = 0; i < conf->n_workers; i++) {
		const int cpu =
			conf->worker_cpus ? conf->worker_cpus[i] : cpus[(first + i) % n_cpus];

		n_text += snprintf(text + n_text, sizeof(text) - (size_t)n_text, ",%d@%d",
			EAL_WORKER_LCORE_FIRST + i, cpu);
	}
	add(a, "--lcores");
	add(a, "%s", text);
}

// DPDK would answer with a page of its own options.
static int check_cpu(const char *key, int cpu, char error[static EAL_ERROR_BYTES])
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%d", cpu);
	if (access(path, F_OK) == 0)
		return EXIT_OK;
	snprintf(error, EAL_ERROR_BYTES, "%s: this machine has no CPU %d", key, cpu);
	return EXIT_RESOURCE;
}

static int check_cpus(const struct conf *conf, char error[static EAL_ERROR_BYTES])
{
	int status = EXIT_OK;

	if (conf->control_cpu >= 0)
		status = check_cpu("workers.control-cpu", conf->control_cpu, error);
	for (int i = 0; status == EXIT_OK && conf->worker_cpus && i < conf->n_workers; i++)
		status = check_cpu("workers.cpus", conf->worker_cpus[i], error);
	return status;
}

// Only the devices of our ports are touched. Without any on the PCI bus all memory may go by
// virtual addresses, which af_xdp needs for a packet pool in one piece.
static void choose_devices(struct arguments *a, const struct conf *conf)
{
	bool pci = false;

	for (size_t i = 0; i < conf->n_ports; i++) {
		if (conf->ports[i].kind != CONF_PCI)
			continue;
		pci = true;
		add(a, "-a");
		add(a, "%s", conf->ports[i].target);
	}
	if (!pci) {
		add(a, "--no-pci");
		add(a, "--iova-mode=va");
	}
}

// DPDK's own words go to our log, at debug level, a line an event; the last complaint explains a
// failed start.
static char last_words[256];

static ssize_t take_words(void *cookie, const char *words, size_t n)
{
	size_t n_line = n;
	char escaped[sizeof(last_words)];

	(void)cookie;
	while (n_line && (words[n_line - 1] == '\n' || words[n_line - 1] == ' '))
		n_line--;
	if (n_line == 0)
		return (ssize_t)n;
	snprintf(last_words, sizeof(last_words), "%.*s", (int)n_line, words);
	log_event(LOG_DEBUG, "dpdk", "text=\"%s\"",
		log_escape(escaped, sizeof(escaped), words, n_line));
	return (ssize_t)n;
}

static void redirect_words(void)
{
	const cookie_io_functions_t functions = {.write = take_words};
	FILE *stream = fopencookie(NULL, "w", functions);

	if (!stream)
		return;
	setvbuf(stream, NULL, _IOLBF, 0);
	rte_openlog_stream(stream);
}

static int init(struct arguments *a, char error[static EAL_ERROR_BYTES])
{
	if (a->overflowed) {
		snprintf(error, EAL_ERROR_BYTES,
			"too much behind --: %d arguments of %d bytes at most, with turnpike's own",
			ARGUMENTS_MAX, ARGUMENT_BYTES - 1);
		return EXIT_USAGE;
	}
	redirect_words();
	if (rte_eal_init(a->n, a->list) >= 0)
		return EXIT_OK;
	snprintf(error, EAL_ERROR_BYTES, "DPDK does not start: %s (%s)", rte_strerror(rte_errno),
		last_words);
	return EXIT_RESOURCE;
}

int eal_start(struct eal *out, const struct conf *conf, const struct needs *needs,
	char *const *extra, int n_extra, char error[static EAL_ERROR_BYTES])
{
	struct arguments *a = calloc(1, sizeof(*a));
	int status;

	*out = (struct eal){0};
	if (!a) {
		snprintf(error, EAL_ERROR_BYTES, "no memory for DPDK's arguments");
		return EXIT_RESOURCE;
	}
	add(a, "turnpike");
	status = check_cpus(conf, error);
	choose_cpus(a, conf);
	if (status == EXIT_OK)
		status = choose_memory(a, conf, needs, &out->huge, error);
	add(a, "--no-telemetry");
	choose_devices(a, conf);
	add(a, "--log-level=*:%s", log_enabled(LOG_DEBUG) ? "info" : "error");
	for (int i = 0; i < n_extra; i++)
		add(a, "%s", extra[i]);
	status = status ? status : init(a, error);
	out->started = status == EXIT_OK;
	free(a);
	return status;
}

void eal_stop(struct eal *eal)
{
	if (eal->started)
		rte_eal_cleanup();
	eal->started = false;
}
