#include "turn/aead.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct aead {
	EVP_CIPHER_CTX *seal;
	EVP_CIPHER_CTX *open;
};

// OpenSSL fails here only for want of memory; what is not encrypted must never leave.
static void must(int ok)
{
	if (!ok)
		abort();
}

int aead_create(struct aead **out, const uint8_t *key, size_t key_bytes)
{
	const EVP_CIPHER *cipher = key_bytes == 16 ? EVP_aes_128_gcm()
		: key_bytes == 32                  ? EVP_aes_256_gcm()
						   : NULL;
	struct aead *aead;

	if (!cipher)
		return -EINVAL;
	aead = calloc(1, sizeof(*aead));
	if (!aead)
		return -ENOMEM;
	aead->seal = EVP_CIPHER_CTX_new();
	aead->open = EVP_CIPHER_CTX_new();
	if (!aead->seal || !aead->open ||
		!EVP_EncryptInit_ex(aead->seal, cipher, NULL, key, NULL) ||
		!EVP_DecryptInit_ex(aead->open, cipher, NULL, key, NULL)) {
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
	EVP_CIPHER_CTX_free(aead->seal);
	EVP_CIPHER_CTX_free(aead->open);
	free(aead);
}

void aead_seal(struct aead *aead, const uint8_t nonce[static AEAD_NONCE_BYTES],
	const uint8_t *plain, size_t n_bytes, uint8_t *out)
{
	int n;

	must(EVP_EncryptInit_ex(aead->seal, NULL, NULL, NULL, nonce));
	must(EVP_EncryptUpdate(aead->seal, out, &n, plain, (int)n_bytes));
	must(EVP_EncryptFinal_ex(aead->seal, out + n, &n));
	must(EVP_CIPHER_CTX_ctrl(aead->seal, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, out + n_bytes));
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
	must(EVP_DecryptInit_ex(aead->open, NULL, NULL, NULL, nonce));
	must(EVP_CIPHER_CTX_ctrl(aead->open, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag));
	must(EVP_DecryptUpdate(aead->open, NULL, &n, (const uint8_t *)text, (int)text_bytes));
	must(EVP_DecryptUpdate(aead->open, out, &n, cipher, (int)plain_bytes));
	return EVP_DecryptFinal_ex(aead->open, out + n, &n) > 0;
}
