// Two sources of randomness: the kernel's for secrets and ports, a seeded one for what only must
// not repeat.
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

// xoshiro-class generator (splitmix64): fast, one per owner, never for secrets.
struct random {
	uint64_t state;
};

static inline uint64_t random_next(struct random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15ULL;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

// Uniform in [0, bound) for bound >= 1.
static inline uint32_t random_below(struct random *r, uint32_t bound)
{
	return (uint32_t)(((random_next(r) >> 32) * bound) >> 32);
}

// Fill with bytes of the kernel's generator; aborts where there is none.
void random_secret(void *out, size_t n_bytes);

#endif
