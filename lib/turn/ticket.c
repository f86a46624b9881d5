#include "turn/ticket.h"

#include "base/base.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#define BLOCK_BYTES 16

struct ticketer {
	EVP_CIPHER_CTX *encipher;
	EVP_CIPHER_CTX *decipher;
};

// OpenSSL fails here only for want of memory; what is not enciphered must never leave.
static void must(int ok)
{
	if (!ok)
		abort();
}

int ticketer_create(struct ticketer **out, const uint8_t key[static TICKET_KEY_BYTES])
{
	struct ticketer *ticketer = calloc(1, sizeof(*ticketer));

	if (!ticketer)
		return -ENOMEM;
	ticketer->encipher = EVP_CIPHER_CTX_new();
	ticketer->decipher = EVP_CIPHER_CTX_new();
	if (!ticketer->encipher || !ticketer->decipher ||
		!EVP_EncryptInit_ex(ticketer->encipher, EVP_aes_256_ecb(), NULL, key, NULL) ||
		!EVP_DecryptInit_ex(ticketer->decipher, EVP_aes_256_ecb(), NULL, key, NULL)) {
		ticketer_destroy(ticketer);
		return -ENOMEM;
	}
	EVP_CIPHER_CTX_set_padding(ticketer->encipher, 0);
	EVP_CIPHER_CTX_set_padding(ticketer->decipher, 0);
	*out = ticketer;
	return 0;
}

void ticketer_destroy(struct ticketer *ticketer)
{
	if (!ticketer)
		return;
	EVP_CIPHER_CTX_free(ticketer->encipher);
	EVP_CIPHER_CTX_free(ticketer->decipher);
	free(ticketer);
}

void ticket_write(struct ticketer *ticketer, uint64_t number, char out[static TICKET_TEXT_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t block[BLOCK_BYTES] = {0};
	uint8_t sealed[BLOCK_BYTES];
	int n;

	store_u64(block, number);
	must(EVP_EncryptUpdate(ticketer->encipher, sealed, &n, block, sizeof(block)));
	for (size_t i = 0; i < sizeof(sealed); i++) {
		out[2 * i] = digits[sealed[i] >> 4];
		out[2 * i + 1] = digits[sealed[i] & 15];
	}
}

// -1 where it is none; only those that ticket_write() writes.
static int digit_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool ticket_read(
	struct ticketer *ticketer, const uint8_t text[static TICKET_TEXT_BYTES], uint64_t *number)
{
	uint8_t sealed[BLOCK_BYTES];
	uint8_t block[BLOCK_BYTES];
	int n;

	for (size_t i = 0; i < sizeof(sealed); i++) {
		const int high = digit_value(text[2 * i]);
		const int low = digit_value(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		sealed[i] = (uint8_t)(high << 4 | low);
	}
	must(EVP_DecryptUpdate(ticketer->decipher, block, &n, sealed, sizeof(sealed)));
	*number = load_u64(block);
	return load_u64(block + 8) == 0;
}
