#include "users.h"

#include "base/base.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#define PASS_NONCE_BYTES 12
#define PASS_TAG_BYTES 16

const char *const users_secrets[2] = {"north", "south"};
const struct issuer users_issuers[USERS_ISSUERS] = {
	{"first kid", "an issuer's key of thirty-two B", 32},
	{"second kid", "one of sixteen B", 16}};

// RFC 8489 §9.2.2, §18.5.1: the digest of name ":" realm ":" password.
static struct stun_key make_key(const struct user *user, const char *password, const EVP_MD *digest)
{
	struct stun_key key = {0};
	char text[256];
	unsigned n;

	snprintf(text, sizeof(text), "%s:%s:%s", user->name, realm_name(user->realm), password);
	EVP_Digest(text, strlen(text), key.bytes, &n, digest, NULL);
	key.n_bytes = (uint8_t)n;
	return key;
}

static void set_keys(struct user *user, const char *password)
{
	user->md5 = make_key(user, password, EVP_md5());
	user->sha256 = make_key(user, password, EVP_sha256());
}

struct user user_configured(uint8_t realm, unsigned i)
{
	static const char *const names[USERS_CONFIGURED] = {
		"alice", "bob", "a", "thirty-one bytes of a user name"};
	struct user user = {.realm = realm, .number = (uint8_t)i, .exists = true};

	strcpy(user.name, names[i]);
	strcpy(user.account, names[i]);
	set_keys(&user, names[USERS_CONFIGURED - 1 - i]);
	return user;
}

struct user user_rest(uint8_t realm, const char *account, int64_t expires_s, const char *secret)
{
	const bool sha256 = secret == users_secrets[1];
	struct user user = {.realm = realm, .exists = true, .expires_s = expires_s};
	uint8_t hash[EVP_MAX_MD_SIZE];
	uint8_t password[128];
	unsigned n;

	snprintf(user.name, sizeof(user.name), "%ld:%s", (long)expires_s, account);
	snprintf(user.account, sizeof(user.account), "%s", account);
	HMAC(sha256 ? EVP_sha256() : EVP_sha1(), secret, (int)strlen(secret),
		(const uint8_t *)user.name, strlen(user.name), hash, &n);
	EVP_EncodeBlock(password, hash, (int)n);
	set_keys(&user, (const char *)password);
	return user;
}

// RFC 7635 §6.2: nonce length and nonce; sealed: key length, mac_key, timestamp, lifetime.
static void seal(struct user *user, const struct issuer *issuer)
{
	const EVP_CIPHER *cipher = issuer->key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	struct pass *pass = &user->pass;
	const size_t plain_bytes = 2u + user->mac.n_bytes + 12;
	uint8_t *const nonce = pass->bytes + 2;
	uint8_t *const sealed = nonce + PASS_NONCE_BYTES;
	uint8_t plain[PASS_BYTES_MAX] = {0};
	uint8_t *const tail = plain + 2 + user->mac.n_bytes;
	int n;

	store_be16(plain, user->mac.n_bytes);
	memcpy(plain + 2, user->mac.bytes, user->mac.n_bytes);
	store_be16(tail, (uint16_t)(pass->made_s >> 32));
	store_be32(tail + 2, (uint32_t)pass->made_s);
	store_be32(tail + 8, pass->lifetime_s);
	store_be16(pass->bytes, PASS_NONCE_BYTES);
	memcpy(nonce, user->mac.bytes, PASS_NONCE_BYTES);
	EVP_EncryptInit_ex(ctx, cipher, NULL, issuer->key, nonce);
	EVP_EncryptUpdate(
		ctx, NULL, &n, (const uint8_t *)USERS_SERVER_NAME, (int)strlen(USERS_SERVER_NAME));
	EVP_EncryptUpdate(ctx, sealed, &n, plain, (int)plain_bytes);
	EVP_EncryptFinal_ex(ctx, sealed + n, &n);
	EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, PASS_TAG_BYTES, sealed + plain_bytes);
	EVP_CIPHER_CTX_free(ctx);
	pass->n = 2 + PASS_NONCE_BYTES + plain_bytes + PASS_TAG_BYTES;
}

struct user user_bearer(unsigned issuer, uint64_t number, int64_t made_s, uint32_t lifetime_s)
{
	struct user user = {
		.mac.n_bytes = (uint8_t)(20 + number % 29),
		.pass = {.made_s = made_s, .lifetime_s = lifetime_s, .genuine = true},
	};

	strcpy(user.name, users_issuers[issuer].kid);
	snprintf(user.account, sizeof(user.account), "bearer of %lu", (unsigned long)number);
	for (size_t i = 0; i < user.mac.n_bytes; i++)
		user.mac.bytes[i] = (uint8_t)(number >> i % 8 * 8);
	seal(&user, &users_issuers[issuer]);
	return user;
}
