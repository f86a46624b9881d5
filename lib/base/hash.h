// SipHash-1-3: what strangers can choose (addresses, user names) is spread by a secret of this
// instance.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint64_t words[2];
};

uint64_t hash_bytes(const struct hash_key *key, const void *data, size_t n_bytes);

#endif
