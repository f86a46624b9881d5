#include "csum.h"

uint16_t csum_sum_at(const uint8_t *bytes, size_t n, size_t offset)
{
	const uint16_t sum = csum_fold(csum_sum(bytes, n));

	return offset & 1 ? __builtin_bswap16(sum) : sum;
}
