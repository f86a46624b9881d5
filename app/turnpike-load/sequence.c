#include "sequence.h"

enum sequence_verdict sequence_see(struct sequence *sequence, uint32_t number)
{
	const int32_t ahead = (int32_t)(number - sequence->next);
	const uint32_t behind = sequence->next - 1 - number;

	if (ahead >= 0) {
		// A shift by the whole width is undefined.
		sequence->seen = ahead + 1 < SEQUENCE_WINDOW ? sequence->seen << (ahead + 1) : 0;
		sequence->seen |= 1;
		sequence->next = number + 1;
		return SEQUENCE_IN_ORDER;
	}
	if (behind >= SEQUENCE_WINDOW || (sequence->seen >> behind & 1))
		return SEQUENCE_DUPLICATE;
	sequence->seen |= 1ULL << behind;
	return SEQUENCE_REORDERED;
}
