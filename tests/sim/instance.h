// The instance under test, configured with what the model is told.
#ifndef SIM_INSTANCE_H
#define SIM_INSTANCE_H

#include "model.h"

struct turn *instance_create(const struct model_rules *rules, uint64_t seed); // aborts on failure
// These rules in the place of what it has; with another secret for nonces.
void instance_reload(struct turn *turn, const struct model_rules *rules, uint64_t seed);

#endif
