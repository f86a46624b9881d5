#include "random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_secret(void *out, size_t n_bytes)
{
	uint8_t *at = out;

	while (n_bytes > 0) {
		const ssize_t n = getrandom(at, n_bytes, 0);

		if (n < 0 && errno != EINTR)
			abort();
		if (n > 0) {
			at += n;
			n_bytes -= (size_t)n;
		}
	}
}
