// The entries that workers hold, as the effects tell, beside those that the model wants: compared
// after each step as sums over their hashes, 5-tuple by 5-tuple.
#ifndef SIM_ENTRIES_H
#define SIM_ENTRIES_H

#include "model.h"

#define ENTRIES_COOLING_MAX 4096

struct entries {
	uint64_t sums[MODEL_TUPLES_MAX];
	int64_t counts[MODEL_TUPLES_MAX];
	int64_t counts_of[MODEL_TUPLES_MAX][MODEL_FAMILIES]; // by that of the relayed address
	uint32_t idx[MODEL_TUPLES_MAX]; // the instance's name for the allocation there
	struct endpoint cooling[ENTRIES_COOLING_MAX];
	size_t n_cooling;
};

// The number of a 5-tuple; MODEL_TUPLES_MAX where nobody has it.
unsigned entries_tuple(
	const struct model *model, const struct endpoint *service, const struct endpoint *client);
// NULL, or what is wrong with one of them. A port that cools is told to the model.
const char *entries_apply(
	struct entries *entries, struct model *model, const struct turn_effects *effects);
// NULL, or that the 5-tuple's entries are not those that the model wants.
const char *entries_check(const struct entries *entries, const struct model *model, unsigned tuple);
const char *entries_check_all(const struct entries *entries, const struct model *model);
// turn_walk() tells what stands.
const char *entries_check_walk(
	const struct entries *entries, const struct model *model, struct turn *turn);

#endif
