#include "csum.h"

uint64_t csum_sum(const uint8_t *bytes, size_t n)
{
	uint64_t sum = 0;

	while (n >= 4) {
		sum += load_u32(bytes);
		bytes += 4;
		n -= 4;
	}
	if (n >= 2) {
		sum += load_u16(bytes);
		bytes += 2;
		n -= 2;
	}
	if (n) {
		const uint8_t last[2] = {bytes[0], 0};

		sum += load_u16(last);
	}
	return sum;
}

uint16_t csum_sum_at(const uint8_t *bytes, size_t n, size_t offset)
{
	const uint16_t sum = csum_fold(csum_sum(bytes, n));

	return offset & 1 ? __builtin_bswap16(sum) : sum;
}
