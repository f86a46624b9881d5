// Every path that makes and frees a struct stun_mac, to be run under LeakSanitizer: Criterion's
// children end without its check.
#include "stun/stun.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>

#define ROUNDS 100
#define ALLOCATIONS_MAX 1000

// OpenSSL's next allocations that still succeed; negative for no bound.
static int n_left = -1;

static bool may_allocate(void)
{
	if (n_left > 0)
		n_left--;
	return n_left != 0;
}

static void *allocate(size_t n_bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return may_allocate() ? malloc(n_bytes) : NULL;
}

static void *reallocate(void *old, size_t n_bytes, const char *file, int line)
{
	(void)file;
	(void)line;
	return may_allocate() ? realloc(old, n_bytes) : NULL;
}

static void release(void *old, const char *file, int line)
{
	(void)file;
	(void)line;
	free(old);
}

// True where a message written with `mac` verifies with it.
static bool round_trip(struct stun_mac *mac)
{
	struct stun_writer w;
	struct stun_view view;
	struct stun_key key;
	uint8_t out[STUN_SHA256_BYTES];
	uint8_t buf[128];

	stun_key_md5(mac, &key, "user", 4, "realm", 5, "pass", 4);
	stun_key_sha256(mac, &key, "user", 4, "realm", 5, "pass", 4);
	stun_hmac_sha1(mac, out, key.bytes, key.n_bytes, "nonce", 5);
	stun_hmac_sha256(mac, out, key.bytes, key.n_bytes, "nonce", 5);
	stun_siphash(mac, out, key.bytes, "nonce", 5);
	stun_writer_init(&w, buf, sizeof(buf), STUN_REQUEST, STUN_ALLOCATE, out);
	stun_put_integrity(&w, mac, &key);
	stun_put_integrity_sha256(&w, mac, &key);
	return stun_parse(&view, buf, stun_writer_end(&w)) == 0 &&
		stun_integrity_check(mac, &view, &key) &&
		stun_integrity_sha256_check(mac, &view, &key);
}

static bool create_and_destroy(void)
{
	struct stun_mac *mac;
	bool ok;

	if (stun_mac_create(&mac) != 0)
		return false;
	ok = round_trip(mac);
	stun_mac_destroy(mac);
	return ok;
}

// Let each allocation of a create be the one that fails, until it succeeds with so many.
static bool create_without_memory(void)
{
	for (int n = 1; n < ALLOCATIONS_MAX; n++) {
		struct stun_mac *mac;
		int err;

		n_left = n;
		err = stun_mac_create(&mac);
		n_left = -1;
		if (err == 0) {
			stun_mac_destroy(mac);
			return n > 1;
		}
		if (err != -ENOMEM && err != -ENOTSUP)
			return false;
	}
	return false;
}

int main(void)
{
	if (!CRYPTO_set_mem_functions(allocate, reallocate, release))
		return 1;
	for (int i = 0; i < ROUNDS; i++) {
		if (!create_and_destroy())
			return 1;
	}
	if (!create_without_memory() || !create_and_destroy())
		return 1;
	stun_mac_destroy(NULL);
	return 0;
}
