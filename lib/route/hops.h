// The hops, found by neighbour, and which of them changed.
#ifndef ROUTE_HOPS_H
#define ROUTE_HOPS_H

#include "route.h"

// Who a packet of `family` is handed to. A pinned hop has no address, so it is known by its port
// and MAC instead: a negative ifindex, and the MAC as bytes of FAMILY_NONE.
struct next_hop {
	int ifindex;
	struct ip_addr ip;
	uint8_t family;
};

#define HOPS_SLOTS (2 * ROUTE_HOPS_MAX)

struct hops {
	uint64_t seed;
	uint16_t n_hops; // that there ever were; hop 0 is one of them
	uint16_t n_free; // of them
	uint16_t free[ROUTE_HOPS_MAX];
	uint16_t n_changed;
	uint16_t first_changed;
	uint16_t changed[ROUTE_HOPS_MAX]; // a ring of hop indices, each in it at most once
	bool is_changed[ROUTE_HOPS_MAX];
	uint16_t slots[HOPS_SLOTS]; // hash of next hops; 0 is free
	struct next_hop next_hops[ROUTE_HOPS_MAX];
	struct hop hops[ROUTE_HOPS_MAX];
	bool is_asked[ROUTE_HOPS_MAX]; // since marks were taken away
	bool is_kept[ROUTE_HOPS_MAX]; // by the kernel, for us
};

void hops_init(struct hops *hops); // of zeroed memory

// HOP_IDX_UNREACHABLE where there is none.
uint16_t hops_find(const struct hops *hops, const struct next_hop *next_hop);
// A new hop, HOP_UNRESOLVED; HOP_IDX_UNREACHABLE where there is no room. Must not be in the table
// yet.
uint16_t hops_add(struct hops *hops, const struct next_hop *next_hop, uint8_t port_idx);
// `mac` is read for HOP_RESOLVED only.
void hops_set(struct hops *hops, uint16_t hop_idx, enum hop_state state, const uint8_t mac[6]);
// Nobody uses it any more; its index may be another's.
void hops_remove(struct hops *hops, uint16_t hop_idx);
bool hops_next_change(struct hops *hops, uint16_t *hop_idx);

#endif
