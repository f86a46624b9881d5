// Cycles a packet through the whole worker_poll() on the memory port, allocations in random order.
//
//     build/bench/path [-o] [-w] [-r ROUNDS] [-b BURSTS] [-B PACKETS] [-k KIND]
//         [ALLOCATIONS ...]
//
// Every round measures every table and every kind of packet once, so that figures of one round may
// be compared: `ALLOCATIONS KIND MEDIAN P99 PAGES`, the cycles of a burst divided by its packets;
// `round` ends it. Frames are written outside the measured part and are as warm as a NIC leaves
// them, in the cache; the table is as cold as it comes.
//
//     -o  ordinary pages; else 2 MiB pages where some are free
//     -w  wait for a line on standard input before each round; its end ends the rounds
//     -B  packets in a burst; else 32
//     -k  only this kind of packet
#include "rig.h"

#include <getopt.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>

#define SUBJECTS_MAX 8
#define BURSTS_MAX 65536
#define WARM_UP_PACKETS_MIN 2048
#define WARM_UP_PACKETS_MAX 1000000
#define BURST_MIN 16
#define N_MBUFS (2 * RIG_FRAMES - 1)

struct options {
	bool ordinary;
	bool wait;
	unsigned n_rounds;
	unsigned n_bursts;
	uint16_t n_burst;
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
	const unsigned n_expected = kind == FRAME_NONE ? 0 : s->n_burst;

	for (unsigned n_done = 0; n_done < n;) {
		rig_receive(rig, kind, s->n_allocations);
		for (unsigned i = 0; i < RIG_FRAMES / s->n_burst; i++) {
			const uint64_t begin = rte_rdtsc_precise();
			const unsigned n_handled = worker_poll(s->worker);

			cycles[n_done++] = rte_rdtsc_precise() - begin;
			if (n_handled != n_expected)
				rig_fail("a burst was not what was prepared");
		}
		rig_take(rig, kind);
	}
}

// Others ran before and left the caches cold: the first kind of a round warms them up with as many
// packets as a large table needs, until the caches hold what they hold under a load that lasts.
static void warm_up(struct rig *rig, struct subject *s, enum frame_kind kind, bool first)
{
	static uint64_t cycles[WARM_UP_PACKETS_MAX / BURST_MIN + RIG_FRAMES];
	const uint32_t n_packets = first ? s->n_allocations : WARM_UP_PACKETS_MIN;

	run_bursts(rig, s, kind, cycles,
		(n_packets < WARM_UP_PACKETS_MAX ? n_packets : WARM_UP_PACKETS_MAX) / s->n_burst);
}

static void measure(
	struct rig *rig, struct subject *s, enum frame_kind kind, const struct options *options)
{
	static uint64_t cycles[BURSTS_MAX];
	const unsigned n = options->n_bursts;
	const bool huge = worker_flows(s->worker)->entry_pages.huge;

	run_bursts(rig, s, kind, cycles, n);
	qsort(cycles, n, sizeof(cycles[0]), compare);
	printf("%u %s %.1f %.1f %s\n", s->n_allocations, flows_kind_names[kind],
		(double)cycles[n / 2] / s->n_burst, (double)cycles[n * 99UL / 100] / s->n_burst,
		huge ? "huge" : "ordinary");
}

static void run_subject(struct rig *rig, struct subject *s, const struct options *options)
{
	bool first = true;

	for (int kind = 0; kind < FRAME_KINDS; kind++) {
		if (options->kind >= 0 && options->kind != kind)
			continue;
		warm_up(rig, s, (enum frame_kind)kind, first);
		measure(rig, s, (enum frame_kind)kind, options);
		first = false;
	}
}

static void run_round(struct rig *rig, struct subject *subjects, const struct options *options)
{
	for (size_t i = 0; i < options->n_subjects; i++)
		run_subject(rig, &subjects[i], options);
	printf("round\n");
	fflush(stdout);
}

static void run(const struct options *options)
{
	static struct subject subjects[SUBJECTS_MAX];
	struct rig rig;

	rig_open(&rig, PORT_MEMORY, NULL, N_MBUFS);
	for (size_t i = 0; i < options->n_subjects; i++) {
		subjects[i].n_burst = options->n_burst;
		subject_open(&subjects[i], &rig, options->n_allocations[i], !options->ordinary);
	}
	printf("ready\n");
	fflush(stdout);
	for (unsigned i = 0; i < options->n_rounds && rig_may_begin(options->wait); i++)
		run_round(&rig, subjects, options);
	for (size_t i = 0; i < options->n_subjects; i++)
		subject_close(&subjects[i]);
	rig_close(&rig);
}

static int kind_of(const char *name)
{
	const enum frame_kind kind = flows_kind_find(name);

	if (kind == FRAME_KINDS)
		rig_fail("no such kind of frame");
	return (int)kind;
}

static void read_options(struct options *options, int argc, char **argv)
{
	int letter;

	while ((letter = getopt(argc, argv, "owr:b:B:k:")) != -1) {
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
		case 'B':
			options->n_burst = (uint16_t)strtoul(optarg, NULL, 10);
			break;
		case 'k':
			options->kind = kind_of(optarg);
			break;
		default:
			exit(64);
		}
	}
	if (options->n_burst < BURST_MIN || options->n_burst > WORKER_BURST_MAX ||
		RIG_FRAMES % options->n_burst)
		rig_fail("a burst of 16, 32 or 64 packets");
	// Whole batches, so that a round leaves nothing behind.
	options->n_bursts = (unsigned)round_up(options->n_bursts, RIG_FRAMES / options->n_burst);
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
	struct options options = {
		.n_rounds = 5, .n_bursts = 1024, .n_burst = WORKER_BURST, .kind = -1};

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
