// The people of the simulated world: who is configured, REST users, and bearers of tokens.
#ifndef SIM_USERS_H
#define SIM_USERS_H

#include "request.h"

#define USERS_CONFIGURED 4 // of each realm
#define USERS_SERVER_NAME "turn.sim" // for whom tokens are sealed
#define USERS_ISSUERS 2

extern const char *const users_secrets[2]; // of REST users: the second signs with SHA-256

// Who shares a key with us.
struct issuer {
	const char *kid;
	uint8_t key[32];
	size_t key_bytes;
};
extern const struct issuer users_issuers[USERS_ISSUERS];

struct user user_configured(uint8_t realm, unsigned i);
// draft-uberti-behave-turn-rest: "expires_s:account", whose password the secret signs.
struct user user_rest(uint8_t realm, const char *account, int64_t expires_s, const char *secret);
// The bearer of a token of that issuer. `number` makes its key another than those of others.
struct user user_bearer(unsigned issuer, uint64_t number, int64_t made_s, uint32_t lifetime_s);

#endif
