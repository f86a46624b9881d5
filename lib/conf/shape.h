// The file against the schema: kinds, keys, numbers, words and lengths.
#ifndef CONF_SHAPE_H
#define CONF_SHAPE_H

#include "source.h"

// Returns 0, or -EINVAL with the error line written.
int shape_check(struct source *source);

#endif
