// MESSAGE-INTEGRITY, MESSAGE-INTEGRITY-SHA256 and the keys for them, by OpenSSL.
#include "stun.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

// A context and the key it was last given: to give it again costs half of a short HMAC, and an
// answer takes the key of its request.
struct hmac {
	EVP_MAC_CTX *ctx;
	bool keyed;
	size_t key_bytes;
	uint8_t key[STUN_KEY_BYTES_MAX]; // longer ones are given each time
};

struct stun_mac {
	struct hmac hmac_sha1;
	struct hmac hmac_sha256;
	EVP_MAC_CTX *siphash;
	EVP_MD *md5;
	EVP_MD *sha256;
	EVP_MD_CTX *digest;
};

// OpenSSL fails here only for want of memory; a key or a MAC left unset must never count as one.
static void must(int ok)
{
	if (!ok)
		abort();
}

static int create_ctx(EVP_MAC_CTX **out, const char *name, OSSL_PARAM param)
{
	const OSSL_PARAM params[] = {param, OSSL_PARAM_construct_end()};
	EVP_MAC *fetched = EVP_MAC_fetch(NULL, name, NULL);

	if (!fetched)
		return -ENOTSUP;
	*out = EVP_MAC_CTX_new(fetched);
	EVP_MAC_free(fetched);
	if (!*out)
		return -ENOMEM;
	return EVP_MAC_CTX_set_params(*out, params) ? 0 : -ENOTSUP;
}

static int create_hmac(struct hmac *out, const char *digest)
{
	return create_ctx(&out->ctx, "HMAC",
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)digest, 0));
}

static int create_siphash(EVP_MAC_CTX **out)
{
	size_t n_bytes = STUN_SIPHASH_BYTES;

	return create_ctx(
		out, "SIPHASH", OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &n_bytes));
}

static int create_digests(struct stun_mac *mac)
{
	mac->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	mac->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!mac->md5 || !mac->sha256)
		return -ENOTSUP;
	mac->digest = EVP_MD_CTX_new();
	return mac->digest ? 0 : -ENOMEM;
}

int stun_mac_create(struct stun_mac **out)
{
	struct stun_mac *mac = calloc(1, sizeof(*mac));
	int err;

	if (!mac)
		return -ENOMEM;
	err = create_hmac(&mac->hmac_sha1, "SHA1");
	if (!err)
		err = create_hmac(&mac->hmac_sha256, "SHA256");
	if (!err)
		err = create_siphash(&mac->siphash);
	if (!err)
		err = create_digests(mac);
	if (err) {
		stun_mac_destroy(mac);
		return err;
	}
	*out = mac;
	return 0;
}

void stun_mac_destroy(struct stun_mac *mac)
{
	if (!mac)
		return;
	EVP_MAC_CTX_free(mac->hmac_sha1.ctx);
	EVP_MAC_CTX_free(mac->hmac_sha256.ctx);
	EVP_MAC_CTX_free(mac->siphash);
	EVP_MD_free(mac->md5);
	EVP_MD_free(mac->sha256);
	EVP_MD_CTX_free(mac->digest);
	OPENSSL_cleanse(mac, sizeof(*mac));
	free(mac);
}

struct bytes {
	const void *at;
	size_t n;
};

// Of the fields with colons between them.
static void digest_fields(
	EVP_MD_CTX *ctx, const EVP_MD *md, uint8_t *out, const struct bytes *fields, size_t n)
{
	must(EVP_DigestInit_ex2(ctx, md, NULL));
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			must(EVP_DigestUpdate(ctx, ":", 1));
		must(EVP_DigestUpdate(ctx, fields[i].at, fields[i].n));
	}
	must(EVP_DigestFinal_ex(ctx, out, NULL));
}

void stun_key_md5(struct stun_mac *mac, struct stun_key *out, const void *username,
	size_t username_bytes, const void *realm, size_t realm_bytes, const void *password,
	size_t password_bytes)
{
	const struct bytes fields[3] = {
		{username, username_bytes},
		{realm, realm_bytes},
		{password, password_bytes},
	};

	digest_fields(mac->digest, mac->md5, out->bytes, fields, N_ELEMENTS(fields));
	out->n_bytes = STUN_MD5_BYTES;
}

void stun_key_sha256(struct stun_mac *mac, struct stun_key *out, const void *username,
	size_t username_bytes, const void *realm, size_t realm_bytes, const void *password,
	size_t password_bytes)
{
	const struct bytes fields[3] = {
		{username, username_bytes},
		{realm, realm_bytes},
		{password, password_bytes},
	};

	digest_fields(mac->digest, mac->sha256, out->bytes, fields, N_ELEMENTS(fields));
	out->n_bytes = STUN_SHA256_BYTES;
}

void stun_userhash(struct stun_mac *mac, uint8_t out[static STUN_SHA256_BYTES],
	const void *username, size_t username_bytes, const void *realm, size_t realm_bytes)
{
	const struct bytes fields[] = {{username, username_bytes}, {realm, realm_bytes}};

	digest_fields(mac->digest, mac->sha256, out, fields, N_ELEMENTS(fields));
}

static bool has_key(const struct hmac *hmac, const void *key, size_t key_bytes)
{
	return hmac->keyed && hmac->key_bytes == key_bytes &&
		CRYPTO_memcmp(hmac->key, key, key_bytes) == 0;
}

static void begin(struct hmac *hmac, const void *key, size_t key_bytes)
{
	// To OpenSSL a key of NULL means the one before.
	if (!key)
		key = "";
	if (has_key(hmac, key, key_bytes)) {
		must(EVP_MAC_init(hmac->ctx, NULL, 0, NULL));
		return;
	}
	must(EVP_MAC_init(hmac->ctx, key, key_bytes, NULL));
	hmac->keyed = key_bytes <= sizeof(hmac->key);
	if (!hmac->keyed)
		return;
	hmac->key_bytes = key_bytes;
	memcpy(hmac->key, key, key_bytes);
}

static void add(struct hmac *hmac, const void *data, size_t n)
{
	must(EVP_MAC_update(hmac->ctx, data, n));
}

static void end(struct hmac *hmac, uint8_t *out, size_t out_bytes)
{
	must(EVP_MAC_final(hmac->ctx, out, NULL, out_bytes));
}

void stun_hmac_sha1(struct stun_mac *mac, uint8_t *out, const void *key, size_t key_bytes,
	const void *data, size_t n)
{
	begin(&mac->hmac_sha1, key, key_bytes);
	add(&mac->hmac_sha1, data, n);
	end(&mac->hmac_sha1, out, STUN_SHA1_BYTES);
}

void stun_hmac_sha256(struct stun_mac *mac, uint8_t *out, const void *key, size_t key_bytes,
	const void *data, size_t n)
{
	begin(&mac->hmac_sha256, key, key_bytes);
	add(&mac->hmac_sha256, data, n);
	end(&mac->hmac_sha256, out, STUN_SHA256_BYTES);
}

void stun_siphash(struct stun_mac *mac, uint8_t out[static STUN_SIPHASH_BYTES],
	const uint8_t key[static STUN_SIPHASH_BYTES], const void *data, size_t n)
{
	size_t n_out; // wanted by this MAC

	must(EVP_MAC_init(mac->siphash, key, STUN_SIPHASH_BYTES, NULL));
	must(EVP_MAC_update(mac->siphash, data, n));
	must(EVP_MAC_final(mac->siphash, out, &n_out, STUN_SIPHASH_BYTES));
}

// Is the value of the attribute at `offset` the HMAC of what stands before it?
//
// RFC 8489 §14.5, §14.6: the header's length is taken as if the message ended with this attribute.
// The message is not ours to change, so a copy of the header goes in first.
static bool check(struct hmac *hmac, const struct stun_view *view, const struct stun_key *key,
	size_t offset, size_t mac_bytes)
{
	const size_t end_offset = offset + STUN_ATTR_HEADER_BYTES + mac_bytes;
	uint8_t header[STUN_HEADER_BYTES];
	uint8_t expected[STUN_SHA256_BYTES];

	memcpy(header, view->buf, sizeof(header));
	store_be16(header + 2, (uint16_t)(end_offset - STUN_HEADER_BYTES));
	begin(hmac, key->bytes, key->n_bytes);
	add(hmac, header, sizeof(header));
	add(hmac, view->buf + STUN_HEADER_BYTES, offset - STUN_HEADER_BYTES);
	end(hmac, expected, mac_bytes);
	return CRYPTO_memcmp(expected, view->buf + offset + STUN_ATTR_HEADER_BYTES, mac_bytes) == 0;
}

bool stun_integrity_check(
	struct stun_mac *mac, const struct stun_view *view, const struct stun_key *key)
{
	if (view->integrity_offset == 0)
		return false;
	return check(&mac->hmac_sha1, view, key, view->integrity_offset, STUN_SHA1_BYTES);
}

bool stun_integrity_sha256_check(
	struct stun_mac *mac, const struct stun_view *view, const struct stun_key *key)
{
	if (view->integrity_sha256_offset == 0 || view->integrity_sha256_bytes != STUN_SHA256_BYTES)
		return false;
	return check(
		&mac->hmac_sha256, view, key, view->integrity_sha256_offset, STUN_SHA256_BYTES);
}

static const uint8_t dummy[STUN_SHA256_BYTES];

void stun_put_integrity(struct stun_writer *w, struct stun_mac *mac, const struct stun_key *key)
{
	const size_t offset = w->n_bytes;

	stun_put_bytes(w, STUN_ATTR_MESSAGE_INTEGRITY, dummy, STUN_SHA1_BYTES);
	if (!w->overflow)
		stun_hmac_sha1(mac, w->buf + offset + STUN_ATTR_HEADER_BYTES, key->bytes,
			key->n_bytes, w->buf, offset);
}

void stun_put_integrity_sha256(
	struct stun_writer *w, struct stun_mac *mac, const struct stun_key *key)
{
	const size_t offset = w->n_bytes;

	stun_put_bytes(w, STUN_ATTR_MESSAGE_INTEGRITY_SHA256, dummy, STUN_SHA256_BYTES);
	if (!w->overflow)
		stun_hmac_sha256(mac, w->buf + offset + STUN_ATTR_HEADER_BYTES, key->bytes,
			key->n_bytes, w->buf, offset);
}
