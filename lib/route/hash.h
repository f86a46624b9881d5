// A keyed hash of addresses: remote hosts choose them, so the seed must be secret.
#ifndef ROUTE_HASH_H
#define ROUTE_HASH_H

#include "base/base.h"

#include <stdint.h>

static inline uint64_t hash_ip(uint64_t seed, const struct ip_addr *ip)
{
	uint64_t halves[2];
	unsigned __int128 product;

	memcpy(halves, ip->bytes, sizeof(halves));
	product = (unsigned __int128)(halves[0] ^ seed) *
		(halves[1] ^ (0x9e3779b97f4a7c15ULL + ip->family));
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

#endif
