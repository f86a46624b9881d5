// Third-party authorization (RFC 7635): a token says, sealed with a key that its issuer shares with
// us, which key signs the requests of who holds it, and how long. Nothing is asked of the issuer.
#ifndef TURN_TOKEN_H
#define TURN_TOKEN_H

#include "turn/turn.h"

#include "stun/stun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aead;

struct token_key {
	char *kid;
	struct aead *aead;
};

struct tokens {
	char *server_name;
	struct token_key *keys;
	size_t n_keys; // 0: no tokens are taken
};

struct token {
	struct turn_keys keys; // its mac_key
	uint32_t left_s; // at least 1
};

// Zeroed `tokens`. Returns 0; -EINVAL for a key of another length or a name that cannot be;
// -ENOMEM. tokens_fini() is due in any case.
int tokens_init(struct tokens *tokens, const struct turn_tokens *config);
void tokens_fini(struct tokens *tokens);
// False where it is no token of that kid for us, or not of this time.
bool token_open(const struct tokens *tokens, const struct stun_attr *kid,
	const struct stun_attr *attr, int64_t wall_s, struct token *out);

#endif
