#include "turn/realm.h"

#include "turn/nonce.h"
#include "turn/state.h"

#include <errno.h>
#include <stdlib.h>

#define REALM_BYTES_MAX 763 // RFC 8489 §14.9

// Whoever is asked for a key must have it.
static bool offers_what_users_have(const struct turn_realm_config *config)
{
	if (config->asks_userhash && config->n_rest_secrets > 0)
		return false;
	for (size_t i = 0; i < config->n_users; i++)
		if (config->offers_sha256 && !config->users[i].keys.has_sha256)
			return false;
	return true;
}

bool realm_is_possible(const struct turn_realm_config *config)
{
	const size_t n_bytes = config->name ? strlen(config->name) : 0;

	return n_bytes > 0 && n_bytes <= REALM_BYTES_MAX && offers_what_users_have(config);
}

// RFC 8489 §14.11: in the order that we prefer.
static void make_offer(struct realm *realm, const struct turn_realm_config *config)
{
	if (config->offers_sha256) {
		realm->offer_bytes = OFFER_BYTES_MAX;
		store_be16(realm->offer, STUN_PASSWORD_SHA256);
		store_be16(realm->offer + 4, STUN_PASSWORD_MD5);
		realm->features |= NONCE_PASSWORD_ALGORITHMS;
	}
	if (config->asks_userhash)
		realm->features |= NONCE_USERNAME_ANONYMITY;
}

static int copy_secrets(struct realm *realm, const struct turn_realm_config *config)
{
	realm->rest_secrets = calloc(config->n_rest_secrets + 1, sizeof(*realm->rest_secrets));
	if (!realm->rest_secrets)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rest_secrets; i++) {
		struct secret *secret = &realm->rest_secrets[i];

		secret->sha256 = config->rest_secrets[i].sha256;
		secret->bytes = strdup(config->rest_secrets[i].text);
		if (!secret->bytes)
			return -ENOMEM;
		secret->n_bytes = strlen(secret->bytes);
		realm->n_rest_secrets++;
	}
	return 0;
}

// A copy of an array that may be empty. False without memory.
static bool copy(void *out, const void *items, size_t n, size_t item_bytes)
{
	void *copied = NULL;

	if (n > 0) {
		copied = reallocarray(NULL, n, item_bytes);
		if (!copied)
			return false;
		memcpy(copied, items, n * item_bytes);
	}
	memcpy(out, &copied, sizeof(copied));
	return true;
}

static int copy_lists(struct realm *realm, const struct turn_realm_config *config)
{
	realm->name = strdup(config->name);
	if (!realm->name ||
		!copy(&realm->services, config->services, config->n_services,
			sizeof(*config->services)))
		return -ENOMEM;
	realm->name_bytes = strlen(realm->name);
	realm->n_services = config->n_services;
	return copy_secrets(realm, config);
}

int realm_init(struct realm *realm, const struct turn_realm_config *config, struct stun_mac *mac,
	const uint8_t nonce_secret[static 32])
{
	realm->n_allocations_max = config->n_allocations_max;
	realm->n_allocations_per_user = config->n_allocations_per_user;
	make_offer(realm, config);
	stun_hmac_sha256(
		mac, realm->nonce_secret, nonce_secret, 32, config->name, strlen(config->name));
	return copy_lists(realm, config);
}

void realm_fini(struct realm *realm)
{
	for (size_t i = 0; i < realm->n_rest_secrets; i++) {
		explicit_bzero(realm->rest_secrets[i].bytes, realm->rest_secrets[i].n_bytes);
		free(realm->rest_secrets[i].bytes);
	}
	free(realm->rest_secrets);
	peers_fini(&realm->peers);
	free(realm->services);
	free(realm->name);
	explicit_bzero(realm, sizeof(*realm));
}

struct realm *realm_of(const struct turn *turn, const struct endpoint *service)
{
	for (size_t i = 1; i < turn->n_realms; i++)
		for (size_t k = 0; k < turn->realms[i].n_services; k++)
			if (endpoint_equal(&turn->realms[i].services[k], service))
				return &turn->realms[i];
	return &turn->realms[0];
}
