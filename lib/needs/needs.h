// How much memory a configuration needs: before the daemon opens anything, and for turnpikectl,
// whose doctor asks as well and knows no DPDK. Pure.
#ifndef NEEDS_H
#define NEEDS_H

#include "conf/conf.h"
#include "worker/worker.h"

#include <stddef.h>
#include <stdint.h>

// Messages to the control core that may wait, of one worker; each may hold a buffer.
#define NEEDS_PUNT_RING 2048
#define NEEDS_OTHERS_RING 1024

struct needs {
	uint32_t n_mbufs;
	uint16_t mbuf_room; // bytes of each, with its headroom
	uint32_t n_jumbos; // of WORKER_JUMBO_ROOM, for datagrams that come in fragments
	// Both, and what the EAL keeps for itself: all of it hugepages, or all of it ordinary ones.
	size_t huge_bytes;
	size_t ordinary_bytes;
	size_t table_bytes; // of all workers: 2 MiB pages as far as there are any left
};

void needs_find(struct needs *out, const struct conf *conf);
// Those members that decide how large a worker is; the rest is zero.
struct worker_config needs_worker(const struct conf *conf);

#endif
