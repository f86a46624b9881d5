// Addresses that are this box, whatever they serve, or its Redis: never a peer.
#ifndef TURNPIKE_OWN_H
#define TURNPIKE_OWN_H

#include "conf/conf.h"

struct own {
	struct ip_range *ranges; // of one address each; sorted, none twice
	size_t n;
};

// The ports' addresses and those that Linux has now on any interface, and the broadcast addresses
// of their networks; and where Redis is. Returns 0; -ENOMEM; -errno, with nothing to free.
int own_find(struct own *out, const struct conf *conf);
void own_free(struct own *own); // a zeroed one is fine

struct own_change {
	size_t n_new;
	size_t n_gone;
};

struct own_change own_compare(const struct own *before, const struct own *now);

#endif
