// Cycles a packet through the whole worker_poll() on the memory port, allocations in random order.
//
//     build/bench/path [-o] [-w] [-r ROUNDS] [-b BURSTS] [-k KIND] [ALLOCATIONS ...]
//
// Every round measures every table and every kind of packet once, so that figures of one round may
// be compared: `ALLOCATIONS KIND MEDIAN P99 PAGES`, the cycles of a burst divided by its packets;
// `round` ends it. Frames are written outside the measured part and are as warm as a NIC leaves
// them, in the cache; the table is as cold as it comes.
//
//     -o  ordinary pages; else 2 MiB pages where some are free
//     -w  wait for a line on standard input before each round; its end ends the rounds
//     -k  only this kind of packet
#include "rig.h"

#include <getopt.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>

#define SUBJECTS_MAX 8
#define BURSTS_MAX 65536
#define WARM_UP_BURSTS 64
#define N_MBUFS (2 * RIG_FRAMES - 1)

static const char *const kind_names[] = {
	[FRAME_BOTH] = "both",
	[FRAME_UP] = "up",
	[FRAME_DOWN] = "down",
	[FRAME_SEND] = "send",
	[FRAME_DATA] = "data",
	[FRAME_BINDING] = "binding",
	[FRAME_EXPIRED] = "expired",
	[FRAME_NOT_STUN] = "not-stun",
	[FRAME_OTHER_MAC] = "other-mac",
	[FRAME_NONE] = "none",
};

struct options {
	bool ordinary;
	bool wait;
	unsigned n_rounds;
	unsigned n_bursts;
	int kind; // enum frame_kind, or -1 for all
	size_t n_subjects;
	uint32_t n_allocations[SUBJECTS_MAX];
};

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a;
	const uint64_t y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

// Cycles of `n` bursts, one by one.
static void run_bursts(
	struct rig *rig, struct subject *s, enum frame_kind kind, uint64_t *cycles, unsigned n)
{
	const unsigned n_expected = kind == FRAME_NONE ? 0 : WORKER_BURST_MAX;

	for (unsigned n_done = 0; n_done < n;) {
		rig_receive(rig, kind, s->n_allocations);
		for (unsigned i = 0; i < RIG_FRAMES / WORKER_BURST_MAX; i++) {
			const uint64_t begin = rte_rdtsc_precise();
			const unsigned n_handled = worker_poll(s->worker);

			cycles[n_done++] = rte_rdtsc_precise() - begin;
			if (n_handled != n_expected)
				rig_fail("a burst was not what was prepared");
		}
		rig_take(rig, kind);
	}
}

static void measure(
	struct rig *rig, struct subject *s, enum frame_kind kind, const struct options *options)
{
	static uint64_t cycles[BURSTS_MAX];
	const unsigned n = options->n_bursts;
	const bool huge = worker_flows(s->worker)->entry_pages.huge;

	run_bursts(rig, s, kind, cycles, WARM_UP_BURSTS);
	run_bursts(rig, s, kind, cycles, n);
	qsort(cycles, n, sizeof(cycles[0]), compare);
	printf("%u %s %.1f %.1f %s\n", s->n_allocations, kind_names[kind],
		(double)cycles[n / 2] / WORKER_BURST_MAX,
		(double)cycles[n * 99UL / 100] / WORKER_BURST_MAX, huge ? "huge" : "ordinary");
}

static void run_round(struct rig *rig, struct subject *subjects, const struct options *options)
{
	for (size_t i = 0; i < options->n_subjects; i++)
		for (int kind = 0; kind < (int)N_ELEMENTS(kind_names); kind++)
			if (options->kind < 0 || options->kind == kind)
				measure(rig, &subjects[i], (enum frame_kind)kind, options);
	printf("round\n");
	fflush(stdout);
}

static bool may_begin(const struct options *options)
{
	char line[16];

	return !options->wait || fgets(line, sizeof(line), stdin);
}

static void run(const struct options *options)
{
	static struct subject subjects[SUBJECTS_MAX];
	struct rig rig;

	rig_open(&rig, PORT_MEMORY, NULL, N_MBUFS);
	for (size_t i = 0; i < options->n_subjects; i++)
		subject_open(&subjects[i], &rig, options->n_allocations[i], !options->ordinary);
	printf("ready\n");
	fflush(stdout);
	for (unsigned i = 0; i < options->n_rounds && may_begin(options); i++)
		run_round(&rig, subjects, options);
	for (size_t i = 0; i < options->n_subjects; i++)
		subject_close(&subjects[i]);
	rig_close(&rig);
}

static int kind_of(const char *name)
{
	for (size_t i = 0; i < N_ELEMENTS(kind_names); i++)
		if (strcmp(kind_names[i], name) == 0)
			return (int)i;
	rig_fail("there is no such kind of packet");
}

static void read_options(struct options *options, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "owr:b:k:")) != -1) {
		switch (letter) {
		case 'o':
			options->ordinary = true;
			break;
		case 'w':
			options->wait = true;
			break;
		case 'r':
			options->n_rounds = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			options->n_bursts = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			options->kind = kind_of(optarg);
			break;
		default:
			exit(64);
		}
	}
	// Whole batches, so that a round leaves nothing behind.
	options->n_bursts = (unsigned)round_up(options->n_bursts, RIG_FRAMES / WORKER_BURST_MAX);
	if (options->n_bursts == 0 || options->n_bursts > BURSTS_MAX)
		rig_fail("between 1 and 65536 bursts");
	for (; optind < argc && options->n_subjects < SUBJECTS_MAX; optind++)
		options->n_allocations[options->n_subjects++] =
			(uint32_t)strtoul(argv[optind], NULL, 10);
}

// DPDK's memory holds the packet buffers and, in the variant on rte_hash, that table.
static void start_eal(const struct options *options)
{
	uint64_t n_mib = 128;
	char mib[16];
	char *in_memory[] = {"path", "--in-memory", "--no-pci", "--no-telemetry",
		"--log-level=*:error", "--lcores", "0@1"};
	char *no_huge[] = {"path", "--no-huge", "--no-shconf", "-m", mib, "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", "0@1"};

	for (size_t i = 0; i < options->n_subjects; i++)
		n_mib += options->n_allocations[i] / 1024;
	snprintf(mib, sizeof(mib), "%lu", n_mib);
	if ((options->ordinary ? rte_eal_init(N_ELEMENTS(no_huge), no_huge)
			       : rte_eal_init(N_ELEMENTS(in_memory), in_memory)) < 0)
		rig_fail("DPDK does not start; -o needs no hugepages");
}

int main(int argc, char **argv)
{
	struct options options = {.n_rounds = 5, .n_bursts = 1024, .kind = -1};

	read_options(&options, argc, argv);
	if (options.n_subjects == 0) {
		options.n_subjects = 2;
		options.n_allocations[0] = 1000;
		options.n_allocations[1] = 100000;
	}
	start_eal(&options);
	run(&options);
	rte_eal_cleanup();
	return 0;
}
