// rtnetlink: the questions and the events, as values. One socket each, so that an answer never
// waits behind events. The kernel answers a request before send() returns; nothing here blocks.
#ifndef ROUTE_RTNL_H
#define ROUTE_RTNL_H

#include "hops.h"

#include <stdalign.h>

#define RTNL_BUFFER_BYTES 32768

struct mnl_socket;

struct rtnl {
	struct mnl_socket *requests;
	struct mnl_socket *events;
	uint32_t seq;
	// Apart, as an event may lead to questions before the next event of its datagram.
	alignas(8) uint8_t answer[RTNL_BUFFER_BYTES];
	alignas(8) uint8_t event[RTNL_BUFFER_BYTES];
};

struct neighbour {
	bool resolved; // a MAC the kernel would send to
	bool fixed; // by hand (permanent), or there is no ARP: never to be asked for
	bool managed; // the kernel keeps it alive already
	uint8_t mac[6];
};

enum rtnl_event_kind {
	RTNL_NEIGHBOUR, // of next_hop: new, changed or gone
	RTNL_PATHS, // destinations may have another next hop
	RTNL_LINK, // something small about the link next_hop.ifindex
	RTNL_ADDRESS, // an address came or is another; what that does to paths is told apart
	RTNL_ADDRESS_GONE, // and destinations may have another next hop
	RTNL_OTHER,
};

struct rtnl_event {
	enum rtnl_event_kind kind;
	struct next_hop next_hop; // its `family` says nothing
};

// Returns 0, -errno; then nothing is left open.
int rtnl_open(struct rtnl *rtnl);
void rtnl_close(struct rtnl *rtnl); // harmless on a zeroed struct
int rtnl_fd(const struct rtnl *rtnl); // of the events

// Returns 0; -ENETUNREACH, -EHOSTUNREACH, -EACCES or -EINVAL where that is the kernel's verdict;
// another -errno where it gave none.
int rtnl_get_route(struct rtnl *rtnl, struct next_hop *out, const struct ip_addr *destination,
	const struct ip_addr *source);
// Returns 0; -ENOENT, -ENODEV where there is no such neighbour; another -errno.
int rtnl_get_neighbour(struct rtnl *rtnl, struct neighbour *out, const struct next_hop *next_hop);
// Have the kernel resolve a neighbour and keep it so. Never for a fixed one: it would lose that.
// Returns 0, -errno.
int rtnl_keep_neighbour(struct rtnl *rtnl, const struct next_hop *next_hop);
// Have it forgotten: nobody of ours asks for it any more. Returns 0, -errno.
int rtnl_drop_neighbour(struct rtnl *rtnl, const struct next_hop *next_hop);

// Hand each address to `take` that the kernel answers for, of any link. Returns 0; -EINTR where
// they changed meanwhile; another -errno.
int rtnl_get_addresses(struct rtnl *rtnl,
	void (*take)(void *context, int ifindex, const struct ip_addr *ip), void *context);

// Read one datagram and hand each event in it to `apply`, which may ask questions. Returns 1; 0
// where there is none; -ENOBUFS where events were lost.
int rtnl_read_events(struct rtnl *rtnl,
	void (*apply)(void *context, const struct rtnl_event *event), void *context);
// Throw waiting events away, a bounded number. Returns true where none is left.
bool rtnl_discard_events(struct rtnl *rtnl);

#endif
