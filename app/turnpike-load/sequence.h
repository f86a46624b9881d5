// Which packets of one call and direction have arrived: told by their sequence numbers.
#ifndef SEQUENCE_H
#define SEQUENCE_H

#include <stdint.h>

#define SEQUENCE_WINDOW 64

enum sequence_verdict {
	SEQUENCE_IN_ORDER,
	SEQUENCE_REORDERED, // for the first time, but behind a later one
	// Again; or so late, 64 numbers or more, that it cannot be told from one seen before.
	SEQUENCE_DUPLICATE,
};

struct sequence {
	uint32_t next; // one above the highest seen
	uint64_t seen; // bit i: `next` - 1 - i has arrived
};

enum sequence_verdict sequence_see(struct sequence *sequence, uint32_t number);

#endif
