// One end of a vhost and virtio_user wire: a worker of turnpike, or the generator that loads it.
//
//     build/bench/wire relay SOCKET ALLOCATIONS            vhost, on CPU 1; says "ready"
//     build/bench/wire load SOCKET ALLOCATIONS SECONDS [KIND]    virtio_user, on CPU 0
//
// KIND: both (ChannelData and what its peers send), send, data, binding.
//
// The worker runs as it does in turnpike, but nobody controls it: its entries are there from the
// beginning.
#include "wire.h"

#include <rte_eal.h>
#include <stdio.h>
#include <stdlib.h>

#define N_MBUFS 16383

volatile sig_atomic_t wire_stopped;

static void on_stop(int number)
{
	(void)number;
	wire_stopped = 1;
}

void wire_relay(struct rig *rig, uint32_t n_allocations)
{
	static struct subject subject;
	const struct worker_stats *stats;

	subject_open(&subject, rig, n_allocations, true);
	printf("ready\n");
	fflush(stdout);
	while (!wire_stopped)
		worker_poll(subject.worker);
	stats = &worker_public(subject.worker)->stats;
	printf("relay rx=%lu tx=%lu dropped=%lu\n", stats->n_rx, stats->n_tx,
		worker_stats_drops(stats));
	subject_close(&subject);
}

static void start_eal(bool relay)
{
	char *arguments[] = {"wire", "--in-memory", "--single-file-segments", "--no-pci",
		"--no-telemetry", "--log-level=*:error", "--lcores", relay ? "0@1" : "0@0"};

	if (rte_eal_init(N_ELEMENTS(arguments), arguments) < 0)
		rig_fail("DPDK does not start; the wire needs hugepages");
	// After the EAL, which has handlers of its own.
	signal(SIGTERM, on_stop);
	signal(SIGINT, on_stop);
}

int main(int argc, char **argv)
{
	const bool relay = argc == 4 && strcmp(argv[1], "relay") == 0;
	const bool load = (argc == 5 || argc == 6) && strcmp(argv[1], "load") == 0;
	const enum frame_kind kind = argc == 6 ? flows_kind_find(argv[5]) : FRAME_BOTH;
	static struct rig rig;

	if ((!relay && !load) || kind > FRAME_BINDING)
		rig_fail("usage: wire relay SOCKET ALLOCATIONS |"
			 " load SOCKET ALLOCATIONS SECONDS [both | send | data | binding]");
	start_eal(relay);
	rig_open(&rig, relay ? PORT_VHOST : PORT_VIRTIO_USER, argv[2], N_MBUFS);
	if (relay)
		wire_relay(&rig, (uint32_t)strtoul(argv[3], NULL, 10));
	else
		wire_load(&rig, kind, (uint32_t)strtoul(argv[3], NULL, 10),
			(unsigned)strtoul(argv[4], NULL, 10));
	rig_close(&rig);
	rte_eal_cleanup();
	return 0;
}
