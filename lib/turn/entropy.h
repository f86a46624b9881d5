// Random numbers, from the kernel a few hundred bytes at a time, or from a seed in tests.
#ifndef TURN_ENTROPY_H
#define TURN_ENTROPY_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entropy {
	bool seeded;
	struct random random; // only where seeded
	uint8_t buffer[512];
	size_t n_left;
};

void entropy_init(struct entropy *entropy, uint64_t seed); // 0: the kernel's
uint64_t entropy_next(struct entropy *entropy);
uint32_t entropy_below(
	struct entropy *entropy, uint32_t bound); // uniform in [0, bound), bound >= 1
void entropy_fill(struct entropy *entropy, void *out, size_t n_bytes);

#endif
