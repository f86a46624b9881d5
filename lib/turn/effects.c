#include "turn/mobility.h"
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
	effect->allocation_id = allocation->id;
	effect->user_idx = allocation->identity->account->idx;
	effect->service = allocation->service;
	effect->client = allocation->client;
	effect->relayed = *relayed_find(turn, allocation, family);
	return effect;
}

static void set_leg(struct turn_effect *effect, const struct leg *leg)
{
	effect->service = leg->service;
	effect->client = leg->client;
	effect->moving = leg->moving;
}

// What a client may send from its established 5-tuple it may send from its pending one.
static void repeat_for_pending(
	struct turn_effects *effects, const struct turn *turn, uint32_t allocation_idx)
{
	const struct mobility *m = mobility_pending(turn, allocation_idx);

	if (!m)
		return;
	assert(effects->n < effects->capacity);
	effects->items[effects->n] = effects->items[effects->n - 1];
	set_leg(&effects->items[effects->n++], &(struct leg){m->service, m->client, true});
}

void effects_add_allocation(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, uint32_t allocation_idx, uint8_t family)
{
	struct turn_effect *effect = add(effects, kind, turn, allocation_idx, family);

	if (kind == TURN_PORT_COOLING)
		effect->last = allocation_at(turn, allocation_idx)->second_idx == 0;
	else
		repeat_for_pending(effects, turn, allocation_idx);
}

void effects_add_permission(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, const struct permission *permission)
{
	struct turn_effect *effect =
		add(effects, kind, turn, permission->allocation_idx, permission->ip.family);

	effect->peer.ip = permission->ip;
}

static struct turn_effect *add_channel(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, const struct channel *channel)
{
	struct turn_effect *effect =
		add(effects, kind, turn, channel->allocation_idx, channel->peer.ip.family);

	effect->channel = channel->number;
	effect->peer = channel->peer;
	return effect;
}

void effects_add_channel(struct turn_effects *effects, enum turn_effect_kind kind,
	const struct turn *turn, const struct channel *channel)
{
	add_channel(effects, kind, turn, channel);
	if (kind == TURN_CHANNEL_UP_ADD || kind == TURN_CHANNEL_UP_REMOVE)
		repeat_for_pending(effects, turn, channel->allocation_idx);
}

void effects_add_entries(
	struct turn_effects *effects, const struct turn *turn, uint32_t allocation_idx)
{
	const struct allocation *allocation = allocation_at(turn, allocation_idx);

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (relayed_find(turn, allocation, family))
			effects_add_allocation(
				effects, TURN_ALLOCATION_ADD, turn, allocation_idx, family);
	}
	for (uint32_t i = allocation->permission_idx; i; i = permission_at(turn, i)->next)
		effects_add_permission(effects, TURN_PERMISSION_ADD, turn, permission_at(turn, i));
	for (uint32_t i = allocation->channel_idx; i; i = channel_at(turn, i)->next) {
		const struct channel *channel = channel_at(turn, i);

		effects_add_channel(effects, TURN_CHANNEL_UP_ADD, turn, channel);
		if (channel->down)
			effects_add_channel(effects, TURN_CHANNEL_DOWN_ADD, turn, channel);
	}
}

void effects_add_leg(struct turn_effects *effects, enum turn_effect_kind owner,
	enum turn_effect_kind channel, const struct turn *turn, uint32_t allocation_idx,
	const struct leg *leg)
{
	const struct allocation *allocation = allocation_at(turn, allocation_idx);

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (relayed_find(turn, allocation, family))
			set_leg(add(effects, owner, turn, allocation_idx, family), leg);
	}
	for (uint32_t i = allocation->channel_idx; i; i = channel_at(turn, i)->next)
		set_leg(add_channel(effects, channel, turn, channel_at(turn, i)), leg);
}
