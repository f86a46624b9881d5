// What every packet of media carries at its beginning, so that its receiver knows all about it and
// a far echo knows it as ours.
//
//   | 4 magic of this run | 4 call | 4 sequence | 1 direction | 1 trial | 2 seal | 8 due, ns |
#ifndef STAMP_H
#define STAMP_H

#include "wire.h"

#define STAMP_BYTES 24
#define STAMP_ECHOED N_DIRECTIONS // a direction of its own: up, and given back by a far echo

struct stamp {
	uint32_t magic;
	uint32_t call;
	uint32_t sequence;
	uint8_t direction;
	uint8_t trial;
	int64_t due_ns;
};

// A hash of all the rest: other people's packets do not pass for ours by chance.
static inline uint16_t stamp_seal(const uint8_t *bytes)
{
	static const uint8_t places[] = {0, 4, 8, 16, 20};
	uint64_t hash = (uint64_t)bytes[12] << 8 | bytes[13];

	for (size_t i = 0; i < sizeof(places); i++) {
		hash = (hash ^ load_be32(bytes + places[i])) * 0x9e3779b97f4a7c15;
		hash ^= hash >> 29;
	}
	return (uint16_t)(hash >> 48);
}

static inline bool stamp_is_sealed(const uint8_t *bytes, size_t n)
{
	return n >= STAMP_BYTES && load_be16(bytes + 14) == stamp_seal(bytes);
}

static inline void stamp_store(uint8_t *bytes, const struct stamp *stamp)
{
	store_be32(bytes, stamp->magic);
	store_be32(bytes + 4, stamp->call);
	store_be32(bytes + 8, stamp->sequence);
	bytes[12] = stamp->direction;
	bytes[13] = stamp->trial;
	store_be32(bytes + 16, (uint32_t)((uint64_t)stamp->due_ns >> 32));
	store_be32(bytes + 20, (uint32_t)stamp->due_ns);
	store_be16(bytes + 14, stamp_seal(bytes));
}

static inline struct stamp stamp_load(const uint8_t *bytes)
{
	return (struct stamp){
		.magic = load_be32(bytes),
		.call = load_be32(bytes + 4),
		.sequence = load_be32(bytes + 8),
		.direction = bytes[12],
		.trial = bytes[13],
		.due_ns = (int64_t)((uint64_t)load_be32(bytes + 16) << 32 | load_be32(bytes + 20)),
	};
}

#endif
