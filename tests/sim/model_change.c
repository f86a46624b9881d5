// What operators do to a server that runs: they end allocations, and change the configuration.
#include "model_parts.h"

#include "users.h"

#include <string.h>

void model_count_asked(
	struct model *model, const struct request *request, const struct model_asked *asked)
{
	for (unsigned i = 0; i < asked->n; i++)
		model->n_hits[model_realm_of(model, &request->service)][asked->rules[i]]++;
}

// A removal for each entry that stands, and each port cools.
size_t model_count_effects(const struct model *model, unsigned tuple)
{
	const struct model_allocation *a = &model->allocations[tuple];
	const bool moves = a->mobility.pending >= 0;
	size_t n = a->n_permissions;

	for (uint8_t i = 0; i < MODEL_FAMILIES; i++)
		if (a->relayed[i].lives)
			n += moves ? 3 : 2;
	for (unsigned i = 0; i < a->n_channels; i++)
		n += 1U + (model_find_permission(a, &a->channels[i].peer.ip) != NULL) + moves;
	return n;
}

void model_kick(struct model *model, unsigned tuple)
{
	model_end(model, &model->allocations[tuple]);
}

unsigned model_kick_user(struct model *model, int realm, const char *name)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++) {
		struct model_allocation *a = &model->allocations[i];
		const struct user *owner = &a->owner;

		if (!model_lives(a) || (realm >= 0 && owner->realm != realm))
			continue;
		if (strcmp(owner->name, name) != 0 &&
			(owner->mac.n_bytes || strcmp(owner->account, name) != 0))
			continue;
		model_end(model, a);
		n++;
	}
	return n;
}

static void change_users(struct model *model, uint8_t realm, unsigned gone)
{
	for (unsigned i = 0; i < USERS_CONFIGURED; i++) {
		const struct user user = user_configured(realm, i);

		if (gone >> i & 1)
			model_drop_account(model, realm, &user);
		else
			model_keep_account(model, realm, &user);
	}
}

static bool is_taken(const struct model *model, size_t relay)
{
	for (size_t i = 0; i < MODEL_PORTS_MAX; i++)
		if (model->ports[relay][i] != MODEL_PORT_FREE)
			return true;
	return false;
}

void model_trim(struct model *model)
{
	for (size_t i = 0; i < model->rules.n_relays; i++)
		model->known[i] = !(model->rules.closed_relays >> i & 1) || is_taken(model, i);
}

bool model_uses_source(const struct model_realm *realm)
{
	return !realm->asks_userhash && !realm->left_source;
}

// A rule that is not there any more has not counted anything.
static void forget_hits(struct model *model, uint8_t realm, const struct model_realm *old)
{
	const struct model_realm *new = &model->rules.realms[realm];
	uint64_t *n_hits = model->n_hits[realm];

	if (memcmp(&old->allow[0], &new->allow[0], sizeof(new->allow[0])) != 0)
		n_hits[MODEL_ALLOW] = 0;
	if (memcmp(&old->deny[0], &new->deny[0], sizeof(new->deny[0])) != 0)
		n_hits[MODEL_DENY] = 0;
	if (memcmp(&old->allow[1], &new->allow[1], sizeof(new->allow[1])) != 0)
		n_hits[MODEL_SOURCE_ALLOW] = 0;
	if (memcmp(&old->deny[1], &new->deny[1], sizeof(new->deny[1])) != 0)
		n_hits[MODEL_SOURCE_DENY] = 0;
	if (memcmp(&old->dry_run, &new->dry_run, sizeof(new->dry_run)) != 0)
		n_hits[MODEL_DRY_RUN] = 0;
	if (new->allow_private)
		n_hits[MODEL_PRIVATE] = 0;
}

static void say(struct model_realm *realm, const struct turn_realm_update *update)
{
	realm->source_allocations_max = update->n_allocations_max;
	realm->source_allocations_per_user = update->n_allocations_per_user;
	realm->allow[1] = update->n_allow ? *update->allow : (struct ip_range){0};
	realm->deny[1] = update->n_deny ? *update->deny : (struct ip_range){0};
}

void model_update(struct model *model, uint8_t realm, const struct turn_realm_update *update)
{
	const struct model_realm old = model->rules.realms[realm];

	say(&model->rules.realms[realm], update);
	forget_hits(model, realm, &old);
}

void model_reload(struct model *model, const struct model_rules *rules)
{
	const struct model_rules old = model->rules;

	model->rules = *rules;
	for (uint8_t i = 0; i < REALMS_MAX; i++) {
		struct model_realm *realm = &model->rules.realms[i];

		if (!model_uses_source(realm))
			say(realm, &(struct turn_realm_update){0});
		change_users(model, i, realm->gone_users);
		forget_hits(model, i, &old.realms[i]);
		realm->offer_changed |= realm->offers_sha256 != old.realms[i].offers_sha256;
	}
	model_trim(model); // what is closed and free does not even get there
}

static void sweep(struct model *model, struct model_allocation *a)
{
	const struct model_realm *realm = &model->rules.realms[a->owner.realm];

	for (unsigned i = a->n_channels; i-- > 0;) {
		const struct endpoint *peer = &a->channels[i].peer;
		const struct endpoint *relayed = &model_relayed(a, peer->ip.family)->address;

		if (!model_rule_allows(model_rule_of_peer(model, realm, peer, relayed)))
			a->channels[i] = a->channels[--a->n_channels];
	}
	for (unsigned i = a->n_permissions; i-- > 0;)
		if (!model_rule_allows(model_rule_of_ip(model, realm, &a->permissions[i].ip)))
			a->permissions[i] = a->permissions[--a->n_permissions];
}

void model_sweep(struct model *model)
{
	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++)
		if (model_lives(&model->allocations[i]))
			sweep(model, &model->allocations[i]);
}
