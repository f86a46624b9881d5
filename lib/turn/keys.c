// From passwords to keys (RFC 8489 §9.2.2, §18.5.1).
#include "turn/base64.h"
#include "turn/state.h"

void turn_keys_make(struct turn_keys *out, struct stun_mac *mac, const void *name,
	size_t name_bytes, const char *realm, const char *password, size_t password_bytes)
{
	struct stun_key key;

	*out = (struct turn_keys){.has_sha256 = true};
	stun_key_md5(mac, &key, name, name_bytes, realm, strlen(realm), password, password_bytes);
	memcpy(out->md5, key.bytes, sizeof(out->md5));
	stun_key_sha256(
		mac, &key, name, name_bytes, realm, strlen(realm), password, password_bytes);
	memcpy(out->sha256, key.bytes, sizeof(out->sha256));
	explicit_bzero(&key, sizeof(key));
}

// password = base64(HMAC(secret, user name))
void keys_of_rest(const struct call *call, struct turn_keys *out, const struct secret *secret)
{
	const struct principal *who = &call->principal;
	struct stun_mac *mac = call->turn->mac;
	const size_t n_hash = secret->sha256 ? STUN_SHA256_BYTES : STUN_SHA1_BYTES;
	uint8_t hash[STUN_SHA256_BYTES];
	char password[BASE64_BYTES(STUN_SHA256_BYTES)];

	if (secret->sha256)
		stun_hmac_sha256(
			mac, hash, secret->bytes, secret->n_bytes, who->name, who->n_bytes);
	else
		stun_hmac_sha1(mac, hash, secret->bytes, secret->n_bytes, who->name, who->n_bytes);
	base64_encode(password, hash, n_hash);
	turn_keys_make(out, mac, who->name, who->n_bytes, call->realm->name, password,
		BASE64_BYTES(n_hash));
	explicit_bzero(password, sizeof(password));
}
