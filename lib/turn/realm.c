#include "turn/realm.h"

#include "turn/nonce.h"
#include "turn/state.h"

#include <errno.h>
#include <stdlib.h>

#define REALM_BYTES_MAX 763 // RFC 8489 §14.9

// Whoever is asked for a key must have it.
static bool offers_what_users_have(const struct turn_realm_config *config)
{
	if (config->asks_userhash && (config->n_rest_secrets > 0 || config->uses_source))
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

static void drop_secret(struct secret *secret)
{
	if (secret->bytes)
		explicit_bzero(secret->bytes, secret->n_bytes);
	free(secret->bytes);
}

static int add_secrets(struct realm *realm, const struct turn_rest_secret *list, size_t n)
{
	const size_t n_before = realm->n_rest_secrets;
	struct secret *grown =
		reallocarray(realm->rest_secrets, n_before + n + 1, sizeof(*realm->rest_secrets));

	if (!grown)
		return -ENOMEM;
	realm->rest_secrets = grown;
	for (size_t i = 0; i < n; i++) {
		struct secret *secret = &grown[n_before + i];

		secret->sha256 = list[i].sha256;
		secret->bytes = strdup(list[i].text);
		if (!secret->bytes) {
			while (i > 0)
				drop_secret(&grown[n_before + --i]);
			return -ENOMEM;
		}
		secret->n_bytes = strlen(secret->bytes);
	}
	realm->n_rest_secrets += n;
	return 0;
}

static int copy_lists(struct realm *realm, const struct turn_realm_config *config)
{
	realm->name = strdup(config->name);
	if (!realm->name)
		return -ENOMEM;
	realm->name_bytes = strlen(realm->name);
	realm->n_own_secrets = config->n_rest_secrets;
	return add_secrets(realm, config->rest_secrets, config->n_rest_secrets);
}

// New secrets come before the old ones go, so that a failure changes nothing.
static int replace_secrets(struct realm *realm, const struct turn_rest_secret *list, size_t n)
{
	const size_t n_old = realm->n_rest_secrets - realm->n_own_secrets;
	int rc = add_secrets(realm, list, n);
	struct secret *old;

	if (rc)
		return rc;
	old = &realm->rest_secrets[realm->n_own_secrets];
	for (size_t i = 0; i < n_old; i++)
		drop_secret(&old[i]);
	memmove(old, old + n_old, n * sizeof(*old));
	realm->n_rest_secrets -= n_old;
	return 0;
}

int realm_update(struct realm *realm, const struct turn_realm_update *update)
{
	int rc = peers_update(&realm->peers, update);

	rc = rc ? rc : replace_secrets(realm, update->rest_secrets, update->n_rest_secrets);
	if (rc)
		return rc;
	realm->source_limits =
		(struct limits){update->n_allocations_max, update->n_allocations_per_user};
	return 0;
}

struct limits realm_limits(const struct realm *realm)
{
	const struct limits *own = &realm->own_limits, *source = &realm->source_limits;

	return (struct limits){
		.in_all = source->in_all ? source->in_all : own->in_all,
		.per_user = source->per_user ? source->per_user : own->per_user,
	};
}

int realm_init(struct realm *realm, const struct turn_realm_config *config, struct stun_mac *mac,
	const uint8_t nonce_secret[static 32])
{
	uint8_t derived[STUN_SHA256_BYTES];

	realm->uses_source = config->uses_source;
	realm->own_limits =
		(struct limits){config->n_allocations_max, config->n_allocations_per_user};
	make_offer(realm, config);
	stun_hmac_sha256(mac, derived, nonce_secret, 32, config->name, strlen(config->name));
	memcpy(realm->nonce_key, derived, sizeof(realm->nonce_key));
	return copy_lists(realm, config);
}

void realm_destroy(struct realm *realm)
{
	if (!realm)
		return;
	for (size_t i = 0; i < realm->n_rest_secrets; i++)
		drop_secret(&realm->rest_secrets[i]);
	free(realm->rest_secrets);
	peers_fini(&realm->peers);
	free(realm->name);
	explicit_bzero(realm, sizeof(*realm));
	free(realm);
}

static int carry_secrets(struct realm *realm, const struct realm *old)
{
	const size_t n = old->n_rest_secrets - old->n_own_secrets;
	struct turn_rest_secret *list = calloc(n + 1, sizeof(*list));
	int rc;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const struct secret *secret = &old->rest_secrets[old->n_own_secrets + i];

		list[i] = (struct turn_rest_secret){secret->bytes, secret->sha256};
	}
	rc = add_secrets(realm, list, n);
	free(list);
	return rc;
}

static int carry_source(struct realm *realm, const struct realm *old)
{
	const int rc = carry_secrets(realm, old);

	realm->source_idx = old->source_idx;
	realm->source_limits = old->source_limits;
	return rc ? rc : peers_carry_source(&realm->peers, &old->peers);
}

int realm_carry(struct realm *realm, const struct realm *old)
{
	const int rc = realm->uses_source ? carry_source(realm, old) : 0;

	return rc ? rc : peers_carry_counts(&realm->peers, &old->peers);
}

void realm_adopt(struct realm *realm, struct realm *next)
{
	const struct realm old = *realm;

	*realm = *next;
	*next = old;
	next->n_identities = realm->n_identities;
	memcpy(realm->nonce_key, old.nonce_key, sizeof(realm->nonce_key));
	realm->gone = false;
	realm->offer_changed = old.offer_changed || realm->features != old.features;
	realm->n_identities = old.n_identities;
	realm->n_allocations = old.n_allocations;
	realm->n_widowed = old.n_widowed;
	realm->n_created = old.n_created;
	realm->n_unauthenticated = old.n_unauthenticated;
	realm->n_quota_reached = old.n_quota_reached;
}
