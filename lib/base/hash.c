#include "hash.h"

#include <string.h>

struct sip {
	uint64_t v[4];
};

static inline uint64_t rotate(uint64_t x, unsigned n_bits)
{
	return (x << n_bits) | (x >> (64 - n_bits));
}

static inline void sip_round(struct sip *s)
{
	s->v[0] += s->v[1];
	s->v[1] = rotate(s->v[1], 13) ^ s->v[0];
	s->v[0] = rotate(s->v[0], 32);
	s->v[2] += s->v[3];
	s->v[3] = rotate(s->v[3], 16) ^ s->v[2];
	s->v[0] += s->v[3];
	s->v[3] = rotate(s->v[3], 21) ^ s->v[0];
	s->v[2] += s->v[1];
	s->v[1] = rotate(s->v[1], 17) ^ s->v[2];
	s->v[2] = rotate(s->v[2], 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	sip_round(s);
	s->v[0] ^= word;
}

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t n_bytes)
{
	const uint8_t *p = data;
	const uint8_t *end = p + (n_bytes & ~(size_t)7);
	struct sip s = {{
		key->words[0] ^ 0x736f6d6570736575ULL,
		key->words[1] ^ 0x646f72616e646f6dULL,
		key->words[0] ^ 0x6c7967656e657261ULL,
		key->words[1] ^ 0x7465646279746573ULL,
	}};
	uint64_t word;

	for (; p < end; p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		sip_word(&s, word);
	}
	word = 0;
	memcpy(&word, p, n_bytes & 7);
	sip_word(&s, word | (uint64_t)n_bytes << 56);
	s.v[2] ^= 0xff;
	for (int i = 0; i < 3; i++)
		sip_round(&s);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
