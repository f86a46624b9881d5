// Opening what was sealed with AES-GCM under a key of 16 or 32 bytes (RFC 5116 AEAD_AES_128_GCM,
// AEAD_AES_256_GCM), by OpenSSL.
#ifndef TURN_AEAD_H
#define TURN_AEAD_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES 16

struct aead;

// Returns 0; -EINVAL for another length of key; -ENOMEM.
int aead_create(struct aead **out, const uint8_t *key, size_t key_bytes);
void aead_destroy(struct aead *aead); // NULL is fine

// `n_bytes` of ciphertext with its tag at the end; `out` takes n_bytes - AEAD_TAG_BYTES. `text` is
// authenticated too. False where any of it is not what was sealed; then `out` says nothing.
bool aead_open(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_BYTES], const char *text,
	size_t text_bytes, const uint8_t *cipher, size_t n_bytes, uint8_t *out);

#endif
