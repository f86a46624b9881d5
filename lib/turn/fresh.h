// How fast clients may turn to new peer addresses: whoever scans or sprays networks is fast at it.
#ifndef TURN_FRESH_H
#define TURN_FRESH_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct call;

// Both zero: no limit.
struct fresh_rates {
	struct bucket_rate user;
	struct bucket_rate all;
};

struct fresh_rates fresh_rates_of(uint32_t user_per_s, uint32_t all_per_s);
// `n` addresses that the allocation of the call had no permission for. False where that is too
// fast; nothing is counted then.
bool fresh_take(struct call *call, uint32_t n);

#endif
