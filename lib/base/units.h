// Sizes, counts and small arithmetic that every module shares.
#ifndef BASE_UNITS_H
#define BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE_BYTES 64
#define N_ELEMENTS(array) (sizeof(array) / sizeof((array)[0]))
#define MS_IN_S 1000ULL
#define US_IN_S 1000000ULL
#define NS_IN_MS 1000000ULL
#define NS_IN_S 1000000000ULL

static inline size_t round_up(size_t value, size_t power_of_two)
{
	return (value + power_of_two - 1) & ~(power_of_two - 1);
}

static inline size_t next_power_of_two(size_t value)
{
	size_t power = 1;

	while (power < value)
		power <<= 1;
	return power;
}

#endif
