#include "turn/aead.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct aead {
	EVP_CIPHER_CTX *ctx;
};

// OpenSSL fails here only for want of memory.
static void must(int ok)
{
	if (!ok)
		abort();
}

int aead_create(struct aead **out, const uint8_t *key, size_t key_bytes)
{
	const EVP_CIPHER *cipher = key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm();
	struct aead *aead;

	if (key_bytes != 16 && key_bytes != 32)
		return -EINVAL;
	aead = calloc(1, sizeof(*aead));
	if (!aead)
		return -ENOMEM;
	aead->ctx = EVP_CIPHER_CTX_new();
	if (!aead->ctx || !EVP_DecryptInit_ex(aead->ctx, cipher, NULL, key, NULL)) {
		aead_destroy(aead);
		return -ENOMEM;
	}
	*out = aead;
	return 0;
}

void aead_destroy(struct aead *aead)
{
	if (!aead)
		return;
	EVP_CIPHER_CTX_free(aead->ctx);
	free(aead);
}

bool aead_open(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_BYTES], const char *text,
	size_t text_bytes, const uint8_t *cipher, size_t n_bytes, uint8_t *out)
{
	const size_t plain_bytes = n_bytes - AEAD_TAG_BYTES;
	uint8_t tag[AEAD_TAG_BYTES];
	int n;

	if (n_bytes < AEAD_TAG_BYTES)
		return false;
	memcpy(tag, cipher + plain_bytes, sizeof(tag));
	must(EVP_DecryptInit_ex(aead->ctx, NULL, NULL, NULL, nonce));
	must(EVP_CIPHER_CTX_ctrl(aead->ctx, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag));
	must(EVP_DecryptUpdate(aead->ctx, NULL, &n, (const uint8_t *)text, (int)text_bytes));
	must(EVP_DecryptUpdate(aead->ctx, out, &n, cipher, (int)plain_bytes));
	return EVP_DecryptFinal_ex(aead->ctx, out + n, &n) > 0;
}
