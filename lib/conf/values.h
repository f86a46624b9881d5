// From what libcyaml loaded to the configuration: each value parsed and judged by itself.
#ifndef CONF_VALUES_H
#define CONF_VALUES_H

#include "schema.h"

// Fill `conf`, which must be zeroed; what it points to is its own even on failure. Takes over
// strings of `raw`. Returns 0; -EINVAL with the error line written; -ENOMEM.
int values_take(struct conf *conf, struct raw *raw, struct source *source);

// One element of `ports`, the `nth` from 1. For values_take().
int values_take_port(
	struct conf_port *port, struct raw_port *raw, struct source *source, size_t nth);

// `peers`, which stands in `in`. For values_take().
int values_take_peers(struct conf_peers *peers, const struct raw_peers *raw, struct source *source,
	const struct place *in);

// The mapping `redis`. For values_take().
int values_take_redis(struct conf *conf, struct raw *raw, struct source *source);

// The mapping `http`. For values_take().
int values_take_http(struct conf *conf, struct raw *raw, struct source *source);

// The mapping `records`. For values_take().
int values_take_records(struct conf *conf, struct raw *raw, struct source *source);
// The mapping `admin`. For values_take().
int values_take_admin(struct conf *conf, struct raw *raw, struct source *source);

// The text, which is then no longer there.
char *values_steal(char **text);
// The number, or its default.
uint32_t values_number(const uint32_t *number, const char *key);
// Room for `n` zeroed items, also where that is none; NULL without memory.
void *values_make_array(size_t n, size_t item_bytes);

#endif
