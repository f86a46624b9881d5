// The addresses of this box while it runs: those that Linux has, whenever it got them, are never a
// peer, and what stands for one that is new ends.
#ifndef TURNPIKE_OWN_FOLLOW_H
#define TURNPIKE_OWN_FOLLOW_H

#include <stdint.h>

struct loop;

struct own_follower {
	uint64_t n_seen; // route_n_readdressed() at the last look
	uint64_t next_ms; // not before
};

// When the kernel has told something, and now and then: it looks only where something may have
// changed, and so seldom that it takes a small share of the control core's time.
void own_follow(struct loop *loop);

#endif
