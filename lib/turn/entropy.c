#include "turn/entropy.h"

void entropy_init(struct entropy *entropy, uint64_t seed)
{
	entropy->seeded = seed != 0;
	entropy->random.state = seed;
	entropy->n_left = 0;
}

uint64_t entropy_next(struct entropy *entropy)
{
	uint64_t value;

	if (entropy->seeded)
		return random_next(&entropy->random);
	if (entropy->n_left < sizeof(value)) {
		random_secret(entropy->buffer, sizeof(entropy->buffer));
		entropy->n_left = sizeof(entropy->buffer);
	}
	entropy->n_left -= sizeof(value);
	memcpy(&value, entropy->buffer + entropy->n_left, sizeof(value));
	return value;
}

uint32_t entropy_below(struct entropy *entropy, uint32_t bound)
{
	// 64 random bits for at most 32 wanted: the bias is below one in four billion.
	return (uint32_t)(((unsigned __int128)entropy_next(entropy) * bound) >> 64);
}

void entropy_fill(struct entropy *entropy, void *out, size_t n_bytes)
{
	uint8_t *p = out;

	while (n_bytes > 0) {
		const uint64_t value = entropy_next(entropy);
		const size_t n = n_bytes < sizeof(value) ? n_bytes : sizeof(value);

		memcpy(p, &value, n);
		p += n;
		n_bytes -= n;
	}
}
