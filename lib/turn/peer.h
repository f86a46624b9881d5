// Which addresses may be a peer: the one place that decides, for every method.
#ifndef TURN_PEER_H
#define TURN_PEER_H

#include "base/base.h"

#include <stdbool.h>

struct realm;
struct turn;

// May `relayed`, of that realm, talk to this transport address?
bool peer_is_allowed(const struct turn *turn, const struct realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed);
// May a relayed address of that realm talk to some port of this address?
bool peer_ip_is_allowed(
	const struct turn *turn, const struct realm *realm, const struct ip_addr *ip);
// Teredo or 6to4: may not even ask for an allocation (RFC 8656 §21.4).
bool peer_ip_is_tunnel(const struct ip_addr *ip);

#endif
