// What must hold between values of the configuration.
#ifndef CONF_RULES_H
#define CONF_RULES_H

#include "source.h"

// Returns 0, or -EINVAL with the error line written.
int rules_check(const struct conf *conf, struct source *source);

#endif
