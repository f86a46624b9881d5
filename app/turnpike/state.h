// What the pages ask for, as JSON.
#ifndef TURNPIKE_STATE_H
#define TURNPIKE_STATE_H

#include "conf/conf.h"
#include "readings.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

// Why it is not well: the bad ones of `signs`, a bit each, with their reasons, and "drain" where it
// is being emptied. Empty: it is well. The caller's.
json_t *reasons_json(const struct health *health, unsigned signs, bool draining);

// The box at a glance: counters, from which the page makes rates. The caller's; NULL without
// memory.
json_t *state_json(const struct readings *readings);

// Each realm with its `stun` and `turn` URIs (RFC 7064, RFC 7065), and, where it has a REST secret
// and `hands_out`, with a `username` and `credential` that are good for CHECK_LIFETIME_S from
// `wall_s` on.
json_t *check_json(const struct conf *conf, bool hands_out, int64_t wall_s);

#define CHECK_LIFETIME_S 600

#endif
