#include "turn/base64.h"

#include <string.h>

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(char *out, const uint8_t *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i += 3) {
		const size_t n_left = n_bytes - i;
		const uint32_t word = (uint32_t)bytes[i] << 16 |
			(n_left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
			(n_left > 2 ? bytes[i + 2] : 0);

		*out++ = alphabet[word >> 18];
		*out++ = alphabet[word >> 12 & 63];
		*out++ = n_left > 1 ? alphabet[word >> 6 & 63] : '=';
		*out++ = n_left > 2 ? alphabet[word & 63] : '=';
	}
}

bool base64_decode(uint8_t *out, const char *chars, size_t n_chars)
{
	for (size_t i = 0; i < n_chars; i += 4) {
		uint32_t word = 0;

		for (size_t j = 0; j < 4; j++) {
			const char *found = memchr(alphabet, chars[i + j], 64);

			if (!found)
				return false;
			word = word << 6 | (uint32_t)(found - alphabet);
		}
		*out++ = (uint8_t)(word >> 16);
		*out++ = (uint8_t)(word >> 8);
		*out++ = (uint8_t)word;
	}
	return true;
}
