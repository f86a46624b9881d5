#include "credential.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

int credential_make(struct credential *out, const char *secret, bool sha256, const char *user,
	int64_t expires_s)
{
	unsigned char mac[EVP_MAX_MD_SIZE];
	unsigned n_bytes;

	snprintf(out->name, sizeof(out->name), "%" PRId64 ":%.40s", expires_s, user);
	if (!HMAC(sha256 ? EVP_sha256() : EVP_sha1(), secret, (int)strlen(secret),
		    (const unsigned char *)out->name, strlen(out->name), mac, &n_bytes))
		return -EIO;
	EVP_EncodeBlock((unsigned char *)out->password, mac, (int)n_bytes);
	return 0;
}
