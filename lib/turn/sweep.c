// Peers that a new configuration denies: what stands for them ends, a bounded share at a time.
#include "turn/peer.h"
#include "turn/state.h"

#define JUDGED_MAX 256 // permissions and channels in one share

static bool is_channel_good(const struct turn *turn, const struct realm *realm, uint32_t idx)
{
	const struct channel *channel = channel_at(turn, idx);
	const struct allocation *allocation = allocation_at(turn, channel->allocation_idx);

	return peer_stays_allowed(turn, realm, &channel->peer,
		relayed_find(turn, allocation, channel->peer.ip.family));
}

// False where there was no room for all.
static bool sweep_channels(struct turn *turn, const struct realm *realm,
	const struct allocation *allocation, struct turn_effects *effects)
{
	uint32_t next;

	for (uint32_t idx = allocation->channel_idx; idx; idx = next) {
		next = channel_at(turn, idx)->next;
		if (is_channel_good(turn, realm, idx))
			continue;
		if (channel_count_entries(turn, idx) > effects_room(effects))
			return false;
		channel_end(turn, idx, effects);
	}
	return true;
}

static bool sweep_permissions(struct turn *turn, const struct realm *realm,
	const struct allocation *allocation, struct turn_effects *effects)
{
	uint32_t next;

	for (uint32_t idx = allocation->permission_idx; idx; idx = next) {
		next = permission_at(turn, idx)->next;
		if (peer_ip_stays_allowed(turn, realm, &permission_at(turn, idx)->ip))
			continue;
		if (permission_count_entries(turn, idx) > effects_room(effects))
			return false;
		permission_end(turn, idx, effects);
	}
	return true;
}

// What the configuration allows a realm that has gone stays so: it ends with its allocations.
bool turn_sweep(struct turn *turn, uint32_t *cursor, struct turn_effects *effects)
{
	uint32_t n_judged = 0;

	for (; *cursor < turn->allocations.n_touched; (*cursor)++) {
		const struct allocation *allocation = allocation_at(turn, *cursor + 1);
		const struct realm *realm;

		if (n_judged++ >= JUDGED_MAX)
			return true;
		if (allocation->client.ip.family == FAMILY_NONE)
			continue;
		realm = allocation->identity->realm;
		n_judged += allocation->n_permissions + allocation->n_channels;
		if (!sweep_channels(turn, realm, allocation, effects) ||
			!sweep_permissions(turn, realm, allocation, effects))
			return true;
	}
	return false;
}
