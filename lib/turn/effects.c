#include "turn/state.h"

size_t effects_room(const struct turn_effects *effects)
{
	return effects->capacity - effects->n;
}

static struct turn_effect *add(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, uint32_t allocation_idx, uint8_t family)
{
	const struct allocation *allocation = allocation_at(turn, allocation_idx);
	struct turn_effect *effect;

	assert(effects->n < effects->capacity);
	effect = &effects->items[effects->n++];
	memset(effect, 0, sizeof(*effect));
	effect->kind = kind;
	effect->allocation_idx = allocation_idx - 1; // ours begin at 1
	effect->service = allocation->service;
	effect->client = allocation->client;
	effect->relayed = *relayed_find(turn, allocation, family);
	return effect;
}

void effects_add_allocation(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, uint32_t allocation_idx, uint8_t family)
{
	add(effects, kind, turn, allocation_idx, family);
}

void effects_add_permission(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, const struct permission *permission)
{
	struct turn_effect *effect =
		add(effects, kind, turn, permission->allocation_idx, permission->ip.family);

	effect->peer.ip = permission->ip;
}

void effects_add_channel(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, const struct channel *channel)
{
	struct turn_effect *effect =
		add(effects, kind, turn, channel->allocation_idx, channel->peer.ip.family);

	effect->channel = channel->number;
	effect->peer = channel->peer;
}
