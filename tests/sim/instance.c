#include "instance.h"

#include "turn_rig.h"
#include "users.h"

#include <criterion/criterion.h>

// What a configuration points at.
struct lists {
	struct turn_user users[REALMS_MAX][USERS_CONFIGURED];
	struct user names[REALMS_MAX][USERS_CONFIGURED];
	struct turn_token_key keys[USERS_ISSUERS];
	struct relay_range relays[MODEL_RELAYS_MAX];
	struct turn_realm_config second;
};

static struct turn_realm_config realm_config(
	struct lists *lists, const struct model_rules *all, uint8_t i)
{
	static const struct turn_rest_secret secrets[2] = {
		{.text = "north"}, {.text = "south", .sha256 = true}};
	const struct model_realm *rules = &all->realms[i];

	size_t n_users = 0;

	for (unsigned k = 0; k < USERS_CONFIGURED; k++) {
		struct turn_user *user = &lists->users[i][n_users];
		const struct user *who = &lists->names[i][k];

		if (rules->gone_users >> k & 1)
			continue;
		n_users++;
		lists->names[i][k] = user_configured(i, k);
		*user = (struct turn_user){.name = who->name, .keys.has_sha256 = true};
		memcpy(user->keys.md5, who->md5.bytes, STUN_MD5_BYTES);
		memcpy(user->keys.sha256, who->sha256.bytes, STUN_SHA256_BYTES);
	}
	return (struct turn_realm_config){
		.name = realm_name(i),
		.services = &all->services[i],
		.n_services = i,
		.users = lists->users[i],
		.n_users = n_users,
		.rest_secrets = secrets,
		.n_rest_secrets = rules->has_secrets ? 2 : 0,
		.offers_sha256 = rules->offers_sha256,
		.asks_userhash = rules->asks_userhash,
		.uses_source = model_uses_source(rules),
		.n_allocations_max = rules->n_allocations_max,
		.n_allocations_per_user = rules->n_allocations_per_user,
		.peers = {.allow_private = rules->allow_private,
			.allow = rules->allow,
			.n_allow = rules->allow[0].first.family != FAMILY_NONE,
			.deny = rules->deny,
			.n_deny = rules->deny[0].first.family != FAMILY_NONE,
			.dry_run = &rules->dry_run,
			.n_dry_run = rules->dry_run.first.family != FAMILY_NONE},
	};
}

static struct turn_tokens tokens_config(struct lists *lists, size_t n_keys)
{
	for (unsigned i = 0; i < USERS_ISSUERS; i++) {
		const struct issuer *issuer = &users_issuers[i];

		lists->keys[i] =
			(struct turn_token_key){.kid = issuer->kid, .key_bytes = issuer->key_bytes};
		memcpy(lists->keys[i].key, issuer->key, issuer->key_bytes);
	}
	return (struct turn_tokens){USERS_SERVER_NAME, lists->keys, n_keys};
}

static size_t open_relays(struct lists *lists, const struct model_rules *rules)
{
	size_t n = 0;

	for (size_t i = 0; i < rules->n_relays; i++)
		if (!(rules->closed_relays >> i & 1))
			lists->relays[n++] = rules->relays[i];
	return n;
}

// What it points at is good until the next one.
static struct turn_config config_of(const struct model_rules *rules, uint64_t seed)
{
	static struct lists lists;

	lists.second = realm_config(&lists, rules, 1);
	return (struct turn_config){
		.realm = realm_config(&lists, rules, 0),
		.more_realms = &lists.second,
		.n_more_realms = rules->n_realms > 1,
		.nonce_lifetime_s = rules->nonce_lifetime_s,
		.lifetime_s = rules->lifetime_s,
		.lifetime_max_s = rules->lifetime_max_s,
		.n_allocations_max = rules->n_allocations_max,
		.n_permissions_max = rules->n_permissions_max,
		.n_channels_max = rules->n_channels_max,
		.new_peers_per_user_s = rules->new_peers_per_user_s,
		.new_peers_s = rules->new_peers_s,
		.relays = lists.relays,
		.n_relays = open_relays(&lists, rules),
		.services = rules->services,
		.n_services = N_ELEMENTS(rules->services),
		.source = {.find = rig_find_nobody},
		.alternates = {rules->alternate},
		.allows_mobility = rules->allows_mobility,
		.tokens = tokens_config(&lists, rules->takes_tokens ? USERS_ISSUERS : 0),
		.rfc5766_channels = rules->rfc5766_channels,
		.nonce_secret = {(uint8_t)seed},
		.random_seed = seed | 1,
	};
}

struct turn *instance_create(const struct model_rules *rules, uint64_t seed)
{
	const struct turn_config config = config_of(rules, seed);
	struct turn *turn;

	cr_assert_eq(turn_create(&turn, &config), 0);
	return turn;
}

void instance_reload(struct turn *turn, const struct model_rules *rules, uint64_t seed)
{
	const struct turn_config config = config_of(rules, seed);
	struct turn *next;

	cr_assert_eq(turn_prepare(&next, turn, &config), 0);
	turn_adopt(turn, next);
}
