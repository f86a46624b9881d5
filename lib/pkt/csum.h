// Internet checksums by difference (RFC 1071, RFC 1624), on words as they lie in memory.
//
// One's complement sums do not care about byte order as long as all words are loaded the same way,
// so nothing here swaps. A `sum` is 32 bits wide and may carry up to 65,536 words before
// csum_fold(). Adding ~word takes `word` away.
#ifndef PKT_CSUM_H
#define PKT_CSUM_H

#include "base/base.h"

// A sum of 32 bits folded into its upper half; the lower is noise.
static inline uint32_t csum_fold_high(uint32_t sum)
{
	return sum + (sum << 16 | sum >> 16);
}

// Halves are added to each other in a circle, so that a carry comes in again at the other end. Only
// zero becomes zero.
static inline uint16_t csum_fold(uint64_t sum)
{
	sum += sum << 32 | sum >> 32;
	return (uint16_t)(csum_fold_high((uint32_t)(sum >> 32)) >> 16);
}

static inline uint16_t csum_negate(uint16_t word)
{
	return (uint16_t)~word;
}

// The sum of `n` bytes, below 2^34; an odd last byte counts as followed by zero. Inline, for nearly
// all sums are of headers, a few words long.
static inline uint64_t csum_sum(const uint8_t *bytes, size_t n)
{
	const uint8_t *end = bytes + (n & ~(size_t)7);
	uint64_t sum = 0;

	for (; bytes < end; bytes += 8) {
		const uint64_t words = load_u64(bytes);

		sum += words;
		sum += sum < words; // the carry comes in again at the other end
	}
	sum = (sum & 0xffffffff) + (sum >> 32);
	if (n & 4) {
		sum += load_u32(bytes);
		bytes += 4;
	}
	if (n & 2) {
		sum += load_u16(bytes);
		bytes += 2;
	}
	return n & 1 ? sum + bytes[0] : sum;
}

// The same for bytes that begin at `offset` of the checksummed data: an odd offset swaps their
// weight.
uint16_t csum_sum_at(const uint8_t *bytes, size_t n, size_t offset);

// The checksum field after the covered data changed by `delta` (a folded or unfolded sum). RFC 1624
// eqn. 3.
static inline uint16_t csum_update(uint16_t field, uint64_t delta)
{
	return (uint16_t)~csum_fold((uint64_t)csum_negate(field) + delta);
}

// The same for UDP, where a computed zero is sent as all ones; a field of zero (no checksum) stays
// zero.
static inline uint16_t csum_update_udp(uint16_t field, uint64_t delta)
{
	uint16_t updated;

	if (field == 0)
		return 0;
	updated = csum_update(field, delta);
	return updated ? updated : 0xffff;
}

#endif
