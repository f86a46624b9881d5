// The way out of the box: a port and a ready Ethernet header, whose type makes it one for packets
// of one family. Entries hold an index, so that a gateway's new MAC is one change for a worker, not
// one for each flow.
#ifndef FLOW_HOP_H
#define FLOW_HOP_H

#include "base/base.h"

#include <assert.h>
#include <stdint.h>

#define FLOW_HOPS_MAX 4112 // the next hops of lib/route, then two loop hops for each port
#define FLOW_HOP_LOOP_FIRST 4096
#define FLOW_HOP_HEADER_BYTES 18

enum flow_hop_kind {
	FLOW_HOP_NONE, // no route: the packet is dropped
	FLOW_HOP_WIRE, // sent on the port behind this header
	FLOW_HOP_KERNEL, // no MAC yet: the packet goes by the kernel, which asks for it
	FLOW_HOP_LOOP, // to a relayed address of ours: it comes in again without leaving the box
};

struct flow_hop {
	uint8_t kind; // enum flow_hop_kind
	uint8_t port_idx;
	uint16_t mtu_bytes; // IP bytes
	uint8_t header_bytes; // 14, or 18 with an 802.1Q tag
	uint8_t header[FLOW_HOP_HEADER_BYTES];
	uint8_t spare[9];
};
static_assert(sizeof(struct flow_hop) == 32, "two on a line, none on two");

#endif
