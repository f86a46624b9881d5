// How much media may pass: of an allocation, of a user, and in all, each way by itself, in bytes of
// application data and in packets. Token buckets in arrays that entries point into; nothing is sent
// to keep them, and an index that goes to another owner finds a full bucket a burst later.
//
// Each worker holds an allocation and a user to the whole rate, for nearly always one worker sees
// all of a flow; what is for all together it has its share of. Near the end of that share users get
// no more than equal parts, so that who sends little loses nothing to who sends much.
#ifndef WORKER_RATES_H
#define WORKER_RATES_H

#include "worker.h"

struct use {
	struct bucket bytes;
	struct bucket packets;
};

struct user_use {
	struct use use;
	uint32_t epoch; // in which `n_bytes` passed
	uint64_t n_bytes;
};
static_assert(sizeof(struct user_use) == 32, "both ways on one line");

struct use_rate {
	struct bucket_rate bytes;
	struct bucket_rate packets;
};

// What passes in all, one way.
struct all_use {
	struct use use;
	uint32_t epoch;
	uint32_t n_users; // that sent in it
	uint32_t n_users_before; // in the one before
};

struct rates {
	bool limited; // anything at all
	bool limits_user;
	bool limits_all;
	uint32_t n; // allocations, and users
	struct use (*allocations)[2]; // down, up
	struct user_use (*users)[2];
	struct all_use all[2];
	struct use_rate allocation;
	struct use_rate user;
	struct use_rate of_all;
	uint64_t epoch_ticks;
	uint64_t epoch_bytes; // that may pass in all in one epoch
	struct pages pages;
};

// Of memory, for that many allocations; 0 where nothing is limited.
size_t rates_bytes(const struct worker_rates *rates);
// Returns 0; -ENOMEM.
int rates_create(struct rates *out, const struct worker_config *config, uint64_t ticks_per_ms);
void rates_destroy(struct rates *rates); // a zeroed one is fine

// May a packet of `to`, up (1) or down (0), with so much data pass? Then it is counted. Else what
// stands against it, and nothing is counted. Only where `limited`.
enum drop rates_take(struct rates *rates, const struct flow_rewrite *to, unsigned up,
	uint32_t n_bytes, uint64_t now_ticks);

#endif
