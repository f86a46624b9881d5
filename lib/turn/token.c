#include "turn/token.h"

#include "turn/aead.h"

#include <errno.h>
#include <stdlib.h>

#define SKEW_S 5 // RFC 7635 §7: Delta
#define MAC_KEY_BYTES_MIN 20 // §6.2: 160 bits MUST be supported
#define TAIL_BYTES 12 // timestamp and lifetime
#define PLAIN_BYTES_MAX (2 + TURN_MAC_KEY_BYTES_MAX + TAIL_BYTES)
#define SERVER_NAME_BYTES_MAX 255
#define KID_BYTES_MAX 127

int tokens_init(struct tokens *tokens, const struct turn_tokens *config)
{
	const size_t name_bytes = config->server_name ? strlen(config->server_name) : 0;

	if (config->n_keys == 0)
		return 0;
	if (name_bytes == 0 || name_bytes > SERVER_NAME_BYTES_MAX)
		return -EINVAL;
	tokens->server_name = strdup(config->server_name);
	tokens->keys = calloc(config->n_keys, sizeof(*tokens->keys));
	if (!tokens->server_name || !tokens->keys)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_keys; i++) {
		const struct turn_token_key *from = &config->keys[i];
		struct token_key *to = &tokens->keys[tokens->n_keys++];
		int rc;

		if (strlen(from->kid) == 0 || strlen(from->kid) > KID_BYTES_MAX)
			return -EINVAL;
		to->kid = strdup(from->kid);
		rc = to->kid ? aead_create(&to->aead, from->key, from->key_bytes) : -ENOMEM;
		if (rc)
			return rc;
	}
	return 0;
}

void tokens_fini(struct tokens *tokens)
{
	for (size_t i = 0; i < tokens->n_keys; i++) {
		aead_destroy(tokens->keys[i].aead);
		free(tokens->keys[i].kid);
	}
	free(tokens->keys);
	free(tokens->server_name);
	*tokens = (struct tokens){0};
}

static struct aead *find_key(const struct tokens *tokens, const struct stun_attr *kid)
{
	for (size_t i = 0; i < tokens->n_keys; i++) {
		const struct token_key *key = &tokens->keys[i];

		if (strlen(key->kid) == kid->n_bytes &&
			memcmp(key->kid, kid->value, kid->n_bytes) == 0)
			return key->aead;
	}
	return NULL;
}

// RFC 7635 §7: lifetime + Delta > abs(RDnew - TS). Of the timestamp's fractions nothing counts.
static bool is_of_this_time(const uint8_t *tail, int64_t wall_s, uint32_t *left_s)
{
	const int64_t made_s = (int64_t)load_be16(tail) << 32 | load_be32(tail + 2);
	const int64_t lifetime_s = load_be32(tail + 8);
	int64_t left = lifetime_s + SKEW_S - llabs(wall_s - made_s);

	left = left < lifetime_s ? left : lifetime_s; // §9: nothing is granted for longer
	if (left <= 0)
		return false;
	*left_s = (uint32_t)left;
	return true;
}

// §6.2: nonce length and nonce; sealed: key length, mac_key, timestamp, lifetime.
bool token_open(const struct tokens *tokens, const struct stun_attr *kid,
	const struct stun_attr *attr, int64_t wall_s, struct token *out)
{
	const size_t head_bytes = 2 + AEAD_NONCE_BYTES;
	uint8_t plain[PLAIN_BYTES_MAX];
	struct aead *aead = find_key(tokens, kid);
	size_t plain_bytes;
	size_t key_bytes;

	if (!aead || attr->n_bytes < head_bytes + AEAD_TAG_BYTES + 2 + TAIL_BYTES ||
		attr->n_bytes > head_bytes + AEAD_TAG_BYTES + PLAIN_BYTES_MAX ||
		load_be16(attr->value) != AEAD_NONCE_BYTES)
		return false;
	plain_bytes = attr->n_bytes - head_bytes - AEAD_TAG_BYTES;
	if (!aead_open(aead, attr->value + 2, tokens->server_name, strlen(tokens->server_name),
		    attr->value + head_bytes, attr->n_bytes - head_bytes, plain))
		return false;
	key_bytes = load_be16(plain);
	if (key_bytes < MAC_KEY_BYTES_MIN || key_bytes > TURN_MAC_KEY_BYTES_MAX ||
		plain_bytes != 2 + key_bytes + TAIL_BYTES ||
		!is_of_this_time(plain + 2 + key_bytes, wall_s, &out->left_s))
		return false;
	out->keys = (struct turn_keys){.mac_key_bytes = (uint8_t)key_bytes};
	memcpy(out->keys.mac_key, plain + 2, key_bytes);
	explicit_bzero(plain, sizeof(plain));
	return true;
}
