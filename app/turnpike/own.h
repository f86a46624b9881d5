// Addresses that are this box, whatever they serve, or its Redis: never a peer.
#ifndef TURNPIKE_OWN_H
#define TURNPIKE_OWN_H

#include "conf/conf.h"

struct own {
	struct ip_range *ranges;
	size_t n;
};

// The ports' addresses and those that Linux has now on any interface, and the broadcast addresses
// of their networks; and where Redis is. Returns 0; -ENOMEM; -errno. own_free() is due in any case.
int own_find(struct own *out, const struct conf *conf);
void own_free(struct own *own);

#endif
