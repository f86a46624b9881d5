// User names that are good for a while, as a REST secret of a realm makes them
// (draft-uberti-behave-turn-rest).
#ifndef TURNPIKE_CREDENTIAL_H
#define TURNPIKE_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#define CREDENTIAL_NAME_BYTES 64
#define CREDENTIAL_PASSWORD_BYTES 48 // base64 of 32 bytes

struct credential {
	char name[CREDENTIAL_NAME_BYTES]; // "EXPIRY:user"
	char password[CREDENTIAL_PASSWORD_BYTES]; // base64(HMAC(secret, name))
};

// `expires_s` is Unix time; `user` has at most 40 bytes; with `sha256` it is for one of
// rest-secrets-sha256. Returns 0; -EIO where OpenSSL fails.
int credential_make(struct credential *out, const char *secret, bool sha256, const char *user,
	int64_t expires_s);

#endif
