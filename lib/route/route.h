// Where an address is sent: the kernel's routes and neighbours, followed by netlink (libmnl).
//
// The kernel decides; nothing of routing, ARP or neighbour discovery is written here. A destination
// is resolved once (RTM_GETROUTE) into a hop, that is a port, a neighbour's MAC and the family of
// the packets that are handed to it, for that stands in their Ethernet header. The same neighbour
// is the same hop, or one for each family where IPv4 goes by an IPv6 gateway (RFC 5549). Hops live
// until route_close(), or until they are forgotten where room is short; their index is small and
// stable, so a worker keeps an array of them and a gateway's new MAC is one change. Control core
// only.
//
// Order of calls: route_open(); route_find() for each destination; whenever route_fd() is readable,
// route_follow(), and route_ask_again() each second; then route_next_change() until it returns
// false, and, where route_take_moved() is true, route_find() again for each live destination.
//
// Which addresses the kernel has on the ports is followed, too: route_take_addresses(); and that it
// has others, on any interface: route_n_readdressed().
#ifndef ROUTE_H
#define ROUTE_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define ROUTE_HOPS_MAX 4096
#define ROUTE_PINS_MAX 65536
#define ROUTE_ERROR_BYTES 256
#define ROUTE_ADDRESSES_MAX 1024

enum hop_state {
	HOP_UNREACHABLE, // no route, or one that leaves by none of our ports: packets are dropped
	HOP_UNRESOLVED, // MAC not known yet: packets take the kernel's way, which asks for it
	HOP_RESOLVED,
};

struct hop {
	uint8_t state; // enum hop_state
	uint8_t port_idx;
	uint8_t family; // enum family of the packets
	uint8_t mac[6]; // of the neighbour
};

// Hop 0 is always HOP_UNREACHABLE.
#define HOP_IDX_UNREACHABLE 0

struct route;

struct route_port {
	int ifindex; // of the port's mirror
	uint8_t port_idx;
};

// Returns 0; -errno with one line in `error`.
int route_open(struct route **out, const struct route_port *ports, size_t n_ports,
	char error[static ROUTE_ERROR_BYTES]);
void route_close(struct route *route); // NULL is fine

// The same without a kernel: every destination is unreachable until route_pin(). For simulation and
// benches. Returns 0, -ENOMEM.
int route_open_offline(struct route **out);
// Fix a destination's hop by hand, whatever the source; kernel events do not touch it. It counts as
// moved. Returns 0; -ENOSPC past ROUTE_PINS_MAX destinations or ROUTE_HOPS_MAX hops.
int route_pin(struct route *route, const struct ip_addr *destination, uint8_t port_idx,
	const uint8_t mac[6]);

// The hop towards `destination` for packets from `source`, one of the box's own addresses
// (FAMILY_NONE: whichever); from an IPv4 address that it does not have there is no way. A new
// neighbour is asked for and kept alive in the kernel (NTF_MANAGED, else NTF_USE). Answers repeat
// from a cache that route changes clear. Always gives an index; HOP_IDX_UNREACHABLE where there is
// no way or no room.
uint16_t route_find(
	struct route *route, const struct ip_addr *destination, const struct ip_addr *source);

// Hops stay until there is little room: who may name peers on the link would take all of it else.
// Then route_mark() begins anew with who uses which; the caller asks by route_find() for all that
// he still sends, and route_forget() ends, a share at a time, the hops that nobody has asked for
// since: they are HOP_UNREACHABLE, and their indices may come back as other hops. True: there is
// more to do. Where there was no room meanwhile, routes count as moved.
bool route_is_short(const struct route *route);
void route_mark(struct route *route);
bool route_forget(struct route *route);

uint16_t route_n_hops(const struct route *route); // past all indices; hop 0 is one of them
const struct hop *route_hop(const struct route *route, uint16_t hop_idx);

struct route_stats {
	uint32_t n_hops[HOP_RESOLVED + 1]; // by enum hop_state, but for hop 0
};

void route_stats_get(const struct route *route, struct route_stats *out);

// One that the kernel answers for on a port.
struct route_address {
	struct ip_addr ip;
	uint8_t port_idx;
};

// All of them, where they may have changed since the last time, and once at the beginning; else
// false. Past ROUTE_ADDRESSES_MAX the rest is missing. Offline there are none.
bool route_take_addresses(
	struct route *route, struct route_address out[static ROUTE_ADDRESSES_MAX], size_t *n);

// How often addresses, on any interface, may have changed: lost events count. From 1 on; offline 0.
uint64_t route_n_readdressed(const struct route *route);

int route_fd(const struct route *route); // -1 offline
// Read what the kernel has told since, a bounded share; never blocks. After lost events (ENOBUFS)
// it asks for every hop anew and counts as moved.
void route_follow(struct route *route);
// Where the kernel gave no verdict on a question since (without memory, say), it is asked for every
// hop anew and routes count as moved. No more often than once a second, for that may last.
void route_ask_again(struct route *route);
// The next hop that is new, or whose state or MAC changed, since it was last returned here.
bool route_next_change(struct route *route, uint16_t *hop_idx);
// True once after routes, rules or addresses changed: destinations may have moved to other hops.
bool route_take_moved(struct route *route);

#endif
