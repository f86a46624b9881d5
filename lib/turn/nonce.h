// Nonces without state: the time and a hash over time and the client's transport address, keyed for
// the realm.
#ifndef TURN_NONCE_H
#define TURN_NONCE_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

#define NONCE_BYTES 37 // 13 of nonce cookie, 24 of base64 of 6 bytes of time and 12 of hash

struct stun_attr;
struct realm;
struct turn;

// STUN Security Features, of the first byte: bit 0 is the leftmost (RFC 8489 §18.1).
#define NONCE_PASSWORD_ALGORITHMS 0x80
#define NONCE_USERNAME_ANONYMITY 0x40

void nonce_make(struct turn *turn, const struct realm *realm, char out[static NONCE_BYTES],
	const struct endpoint *client, uint64_t now_ms);
// Whether it begins with a nonce cookie that says so, whoever made it.
bool nonce_says_algorithms(const struct stun_attr *attr);
// True where we made it for that client of that realm within the nonce lifetime, and not after
// `now_ms`.
bool nonce_is_valid(struct turn *turn, const struct realm *realm, const struct endpoint *client,
	uint64_t now_ms, const struct stun_attr *attr);

#endif
