// One end of a wire: a worker of turnpike, or the generator that loads it.
//
//     build/bench/wire relay PORT TARGET ALLOCATIONS                    on CPU 1; says "ready"
//     build/bench/wire load PORT TARGET ALLOCATIONS SECONDS [KIND]      on CPU 0
//
// PORT and TARGET: vhost or virtio_user and a socket, af_packet or af_xdp and an interface.
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
		"--iova-mode=va", "--no-telemetry", "--log-level=*:error", "--lcores",
		relay ? "0@1" : "0@0"};

	if (rte_eal_init(N_ELEMENTS(arguments), arguments) < 0)
		rig_fail("DPDK does not start; the wire needs hugepages");
	// After the EAL, which has handlers of its own.
	signal(SIGTERM, on_stop);
	signal(SIGINT, on_stop);
}

static enum port_kind port_kind_of(const char *name)
{
	static const char *const names[] = {
		[PORT_AF_PACKET] = "af_packet",
		[PORT_AF_XDP] = "af_xdp",
		[PORT_VIRTIO_USER] = "virtio_user",
		[PORT_VHOST] = "vhost",
	};

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		if (strcmp(names[i], name) == 0)
			return (enum port_kind)i;
	rig_fail("no such kind of port");
}

int main(int argc, char **argv)
{
	const bool relay = argc == 5 && strcmp(argv[1], "relay") == 0;
	const bool load = (argc == 6 || argc == 7) && strcmp(argv[1], "load") == 0;
	const enum frame_kind kind = argc == 7 ? flows_kind_find(argv[6]) : FRAME_BOTH;
	static struct rig rig;

	if ((!relay && !load) || kind > FRAME_BINDING)
		rig_fail("usage: wire relay PORT TARGET ALLOCATIONS |"
			 " load PORT TARGET ALLOCATIONS SECONDS [both | send | data | binding]");
	start_eal(relay);
	rig_open(&rig, port_kind_of(argv[2]), argv[3], N_MBUFS);
	if (relay)
		wire_relay(&rig, (uint32_t)strtoul(argv[4], NULL, 10));
	else
		wire_load(&rig, kind, (uint32_t)strtoul(argv[4], NULL, 10),
			(unsigned)strtoul(argv[5], NULL, 10));
	rig_close(&rig);
	rte_eal_cleanup();
	return 0;
}
