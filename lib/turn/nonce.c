#include "turn/nonce.h"

#include "turn/base64.h"
#include "turn/state.h"

#define NONCE_COOKIE "obMatJos2" // RFC 8489 §9.2; four characters of features follow
#define NONCE_MARK_BYTES 9
#define NONCE_COOKIE_BYTES 13
#define NONCE_FEATURES_BYTES 3
#define NONCE_TIME_BYTES 6
#define NONCE_HASH_BYTES 12

static void put_time(uint8_t out[static NONCE_TIME_BYTES], uint64_t ms)
{
	store_be16(out, (uint16_t)(ms >> 32));
	store_be32(out + 2, (uint32_t)ms);
}

void nonce_make(struct turn *turn, const struct realm *realm, char out[static NONCE_BYTES],
	const struct endpoint *client, uint64_t now_ms)
{
	uint8_t value[NONCE_TIME_BYTES + NONCE_HASH_BYTES];
	uint8_t hash[STUN_SIPHASH_BYTES];
	uint8_t data[NONCE_TIME_BYTES + 1 + IPV6_BYTES + 2];
	const uint8_t features[NONCE_FEATURES_BYTES] = {realm->features};

	put_time(value, now_ms);
	put_time(data, now_ms);
	data[NONCE_TIME_BYTES] = client->ip.family;
	memcpy(data + NONCE_TIME_BYTES + 1, client->ip.bytes, IPV6_BYTES);
	store_be16(data + NONCE_TIME_BYTES + 1 + IPV6_BYTES, client->port);
	stun_siphash(turn->mac, hash, realm->nonce_key, data, sizeof(data));
	memcpy(value + NONCE_TIME_BYTES, hash, NONCE_HASH_BYTES);
	memcpy(out, NONCE_COOKIE, NONCE_MARK_BYTES);
	base64_encode(out + NONCE_MARK_BYTES, features, sizeof(features));
	base64_encode(out + NONCE_COOKIE_BYTES, value, sizeof(value));
}

bool nonce_says_algorithms(const struct stun_attr *attr)
{
	const char *text = (const char *)attr->value;
	uint8_t features[NONCE_FEATURES_BYTES];

	return attr->n_bytes >= NONCE_COOKIE_BYTES &&
		memcmp(text, NONCE_COOKIE, NONCE_MARK_BYTES) == 0 &&
		base64_decode(
			features, text + NONCE_MARK_BYTES, NONCE_COOKIE_BYTES - NONCE_MARK_BYTES) &&
		features[0] & NONCE_PASSWORD_ALGORITHMS;
}

bool nonce_is_valid(struct turn *turn, const struct realm *realm, const struct endpoint *client,
	uint64_t now_ms, const struct stun_attr *attr)
{
	const char *text = (const char *)attr->value;
	uint8_t made[NONCE_TIME_BYTES];
	char expected[NONCE_BYTES];
	uint64_t made_ms;
	uint8_t differs = 0;

	if (attr->n_bytes != NONCE_BYTES || !base64_decode(made, text + NONCE_COOKIE_BYTES, 8))
		return false;
	made_ms = (uint64_t)load_be16(made) << 32 | load_be32(made + 2);
	// The features too: who takes them away from a challenge makes the nonce another one.
	nonce_make(turn, realm, expected, client, made_ms);
	for (size_t i = 0; i < NONCE_BYTES; i++)
		differs |= (uint8_t)(expected[i] ^ text[i]);
	return !differs && made_ms <= now_ms && now_ms - made_ms < turn->options.nonce_lifetime_ms;
}
