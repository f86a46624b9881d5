// Making and ending an instance: everything of the configuration is copied.
#include "turn/nonce.h"
#include "turn/state.h"

#include <errno.h>
#include <stdlib.h>

#define REALM_BYTES_MAX 763 // RFC 8489 §14.9

// Whoever is asked for a key must have it.
static bool offers_what_users_have(const struct turn_config *config)
{
	if (config->asks_userhash && config->n_rest_secrets > 0)
		return false;
	for (size_t i = 0; i < config->n_users; i++)
		if (config->offers_sha256 && !config->users[i].keys.has_sha256)
			return false;
	return true;
}

static bool is_possible(const struct turn_config *config)
{
	const size_t realm_bytes = config->realm ? strlen(config->realm) : 0;
	const size_t software_bytes = config->software ? strlen(config->software) : 0;

	return realm_bytes > 0 && realm_bytes <= REALM_BYTES_MAX &&
		software_bytes <= STUN_SOFTWARE_BYTES_MAX && config->nonce_lifetime_s > 0 &&
		config->lifetime_s > 0 && config->lifetime_s <= config->lifetime_max_s &&
		config->n_allocations_max > 0 && offers_what_users_have(config);
}

// RFC 8489 §14.11: in the order that we prefer.
static void make_offer(struct turn *turn, const struct turn_config *config)
{
	if (config->offers_sha256) {
		turn->offer_bytes = OFFER_BYTES_MAX;
		store_be16(turn->offer, STUN_PASSWORD_SHA256);
		store_be16(turn->offer + 4, STUN_PASSWORD_MD5);
		turn->features |= NONCE_PASSWORD_ALGORITHMS;
	}
	if (config->asks_userhash)
		turn->features |= NONCE_USERNAME_ANONYMITY;
}

// Our listeners are never handed out as relayed addresses.
static bool services_clash(const struct turn *turn)
{
	for (size_t i = 0; i < turn->n_services; i++) {
		if (ports_contain(&turn->ports, &turn->services[i]))
			return true;
	}
	return false;
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

static int copy_secrets(struct turn *turn, const struct turn_config *config)
{
	turn->rest_secrets = calloc(config->n_rest_secrets + 1, sizeof(*turn->rest_secrets));
	if (!turn->rest_secrets)
		return -ENOMEM;
	for (size_t i = 0; i < config->n_rest_secrets; i++) {
		struct secret *secret = &turn->rest_secrets[i];

		secret->sha256 = config->rest_secrets[i].sha256;
		secret->bytes = strdup(config->rest_secrets[i].text);
		if (!secret->bytes)
			return -ENOMEM;
		secret->n_bytes = strlen(secret->bytes);
		turn->n_rest_secrets++;
	}
	return 0;
}

static int copy_lists(struct turn *turn, const struct turn_config *config)
{
	const struct turn_peer_policy *peers = &config->peers;

	turn->realm = strdup(config->realm);
	if (!turn->realm ||
		!copy(&turn->services, config->services, config->n_services,
			sizeof(*config->services)) ||
		!copy(&turn->peers.allow, peers->allow, peers->n_allow, sizeof(*peers->allow)) ||
		!copy(&turn->peers.deny, peers->deny, peers->n_deny, sizeof(*peers->deny)))
		return -ENOMEM;
	turn->realm_bytes = strlen(turn->realm);
	turn->n_services = config->n_services;
	turn->peers.n_allow = peers->n_allow;
	turn->peers.n_deny = peers->n_deny;
	turn->peers.allow_private = peers->allow_private;
	return copy_secrets(turn, config);
}

static void copy_numbers(struct turn *turn, const struct turn_config *config)
{
	memcpy(turn->nonce_secret, config->nonce_secret, sizeof(turn->nonce_secret));
	turn->nonce_lifetime_ms = config->nonce_lifetime_s * MS_IN_S;
	turn->lifetime_s = config->lifetime_s;
	turn->lifetime_max_s = config->lifetime_max_s;
	turn->n_allocations_max = config->n_allocations_max;
	turn->n_allocations_per_user = config->n_allocations_per_user;
	memcpy(turn->alternates, config->alternates, sizeof(turn->alternates));
	turn->discovery = config->discovery;
	if (config->software)
		memcpy(turn->software, config->software, strlen(config->software) + 1);
	turn->channel_max = config->rfc5766_channels ? STUN_CHANNEL_MAX_RFC5766 : STUN_CHANNEL_MAX;
}

static void init_secrets(struct turn *turn, uint64_t seed)
{
	entropy_init(&turn->entropy, seed);
	entropy_fill(&turn->entropy, &turn->hash_key, sizeof(turn->hash_key));
	entropy_fill(&turn->entropy, &turn->users.hash_key, sizeof(turn->users.hash_key));
	entropy_fill(&turn->entropy, &turn->dummy_keys, sizeof(turn->dummy_keys));
	turn->dummy_keys.has_sha256 = false;
}

// Tables are sized for the worst but only touched as they fill.
static int init_tables(struct turn *turn)
{
	pool_init(&turn->allocations, sizeof(struct allocation));
	pool_init(&turn->seconds, sizeof(struct second));
	pool_init(&turn->permissions, sizeof(struct permission));
	pool_init(&turn->channels, sizeof(struct channel));
	pool_init(&turn->reservations, sizeof(struct reservation));
	turn->wheel.pools[TIMER_ALLOCATION] = &turn->allocations;
	turn->wheel.pools[TIMER_SECOND] = &turn->seconds;
	turn->wheel.pools[TIMER_PERMISSION] = &turn->permissions;
	turn->wheel.pools[TIMER_CHANNEL] = &turn->channels;
	turn->wheel.pools[TIMER_RESERVATION] = &turn->reservations;
	turn->n_buckets = next_power_of_two(turn->n_allocations_max);
	turn->buckets = calloc(turn->n_buckets, sizeof(*turn->buckets));
	return turn->buckets ? 0 : -ENOMEM;
}

static int init(struct turn *turn, const struct turn_config *config)
{
	int rc;

	copy_numbers(turn, config);
	make_offer(turn, config);
	init_secrets(turn, config->random_seed);
	rc = stun_mac_create(&turn->mac);
	if (!rc)
		rc = init_tables(turn);
	if (!rc)
		rc = copy_lists(turn, config);
	if (!rc)
		rc = ports_init(&turn->ports, config->relays, config->n_relays);
	if (!rc && services_clash(turn))
		rc = -EINVAL;
	if (!rc)
		rc = users_init(
			&turn->users, config->users, config->n_users, config->n_allocations_max);
	if (!rc)
		rc = users_hash(&turn->users, turn->mac, turn->realm);
	return rc;
}

int turn_create(struct turn **out, const struct turn_config *config)
{
	struct turn *turn;
	int rc;

	if (!is_possible(config))
		return -EINVAL;
	turn = calloc(1, sizeof(*turn));
	if (!turn)
		return -ENOMEM;
	rc = init(turn, config);
	if (rc) {
		turn_destroy(turn);
		return rc;
	}
	*out = turn;
	return 0;
}

void turn_destroy(struct turn *turn)
{
	if (!turn)
		return;
	for (size_t i = 0; i < turn->n_rest_secrets; i++) {
		explicit_bzero(turn->rest_secrets[i].bytes, turn->rest_secrets[i].n_bytes);
		free(turn->rest_secrets[i].bytes);
	}
	free(turn->rest_secrets);
	users_fini(&turn->users);
	ports_fini(&turn->ports);
	pool_fini(&turn->allocations);
	pool_fini(&turn->seconds);
	pool_fini(&turn->permissions);
	pool_fini(&turn->channels);
	pool_fini(&turn->reservations);
	free(turn->buckets);
	free((void *)turn->peers.allow);
	free((void *)turn->peers.deny);
	free(turn->services);
	free(turn->realm);
	stun_mac_destroy(turn->mac);
	explicit_bzero(turn, sizeof(*turn));
	free(turn);
}
