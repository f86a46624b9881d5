// What every packet of media carries at its beginning, so that its receiver knows all about it.
//
//   | 4 magic of this run | 4 call | 4 sequence | 1 direction | 1 trial | 2 zero | 8 due, ns |
#ifndef STAMP_H
#define STAMP_H

#include "base/base.h"

#define STAMP_BYTES 24

struct stamp {
	uint32_t magic;
	uint32_t call;
	uint32_t sequence;
	uint8_t direction;
	uint8_t trial;
	int64_t due_ns;
};

static inline void stamp_store(uint8_t *bytes, const struct stamp *stamp)
{
	store_be32(bytes, stamp->magic);
	store_be32(bytes + 4, stamp->call);
	store_be32(bytes + 8, stamp->sequence);
	bytes[12] = stamp->direction;
	bytes[13] = stamp->trial;
	store_be16(bytes + 14, 0);
	store_be32(bytes + 16, (uint32_t)((uint64_t)stamp->due_ns >> 32));
	store_be32(bytes + 20, (uint32_t)stamp->due_ns);
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
