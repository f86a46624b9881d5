// The entries that workers hold, as the effects tell, beside those that the model wants: compared
// after each step as sums over their hashes, 5-tuple by 5-tuple.
#ifndef SIM_ENTRIES_H
#define SIM_ENTRIES_H

#include "model.h"

#define ENTRIES_MAX 65536 // a power of two, and at least twice what ever stands
#define ENTRIES_COOLING_MAX 4096

// As a worker finds it: by what a packet shows. Hashes of it stand for what it is.
struct entry {
	uint64_t key; // 0: free
	uint64_t value;
	uint16_t tuple; // whose client it leads from or to
	bool moving;
};

struct entries {
	struct entry table[ENTRIES_MAX];
	size_t n;
	uint64_t sums[MODEL_TUPLES_MAX];
	int64_t counts[MODEL_TUPLES_MAX];
	int64_t counts_of[MODEL_RELAYS_MAX * MODEL_PORTS_MAX]; // by relayed address
	// The instance's names for the allocation there, and for its user.
	uint32_t idx[MODEL_TUPLES_MAX];
	uint32_t user_idx[MODEL_TUPLES_MAX];
	uint64_t ids[MODEL_TUPLES_MAX];
	struct endpoint cooling[ENTRIES_COOLING_MAX];
	size_t n_cooling;
};

// NULL, or what is wrong with one of them. A port that cools is told to the model.
const char *entries_apply(
	struct entries *entries, struct model *model, const struct turn_effects *effects);
// NULL, or that the 5-tuple's entries are not those that the model wants.
const char *entries_check(const struct entries *entries, const struct model *model, unsigned tuple);
const char *entries_check_all(const struct entries *entries, const struct model *model);
// Two allocations have one user index exactly where they count for one account.
const char *entries_check_users(const struct entries *entries, const struct model *model);
// turn_walk() tells what stands.
const char *entries_check_walk(
	const struct entries *entries, const struct model *model, struct turn *turn);

#endif
