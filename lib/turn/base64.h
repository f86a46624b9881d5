// Base64 (RFC 4648 §4): nonces are text, and REST passwords are base64 of an HMAC.
#ifndef TURN_BASE64_H
#define TURN_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BASE64_BYTES(n_bytes) (((n_bytes) + 2) / 3 * 4)

// Writes BASE64_BYTES(n_bytes) characters with padding, no final zero.
void base64_encode(char *out, const uint8_t *bytes, size_t n_bytes);
// `n_chars` is a multiple of 4, without padding; writes n_chars / 4 * 3 bytes. False for a foreign
// character.
bool base64_decode(uint8_t *out, const char *chars, size_t n_chars);

#endif
