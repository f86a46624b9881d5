// Ends that an operator asks for.
#include "turn/state.h"

#include <errno.h>

#define NODES_PER_STEP 256

int turn_allocation_end(
	struct turn *turn, const struct turn_time *time, uint64_t id, struct turn_effects *effects)
{
	const uint32_t idx = ids_find(turn, id);

	if (idx == 0)
		return -ENOENT;
	if (allocation_count_removals(turn, idx) > effects_room(effects))
		return -EAGAIN;
	turn->time = *time;
	allocation_end(turn, idx, TURN_KICKED, effects);
	return 0;
}

static bool is_meant(const struct allocation *allocation, const struct turn_kick *kick)
{
	const struct identity *identity = allocation->identity;
	const struct account *account;

	if (allocation->client.ip.family == FAMILY_NONE)
		return false;
	if (kick->realm && strcmp(identity->realm->name, kick->realm) != 0)
		return false;
	if (!kick->name)
		return true;
	account = identity->account;
	return identity_is(identity, kick->name, kick->n_bytes) ||
		(!identity->keys.mac_key_bytes && account->n_bytes == kick->n_bytes &&
			memcmp(account->name, kick->name, kick->n_bytes) == 0);
}

bool turn_user_end(struct turn *turn, const struct turn_time *time, struct turn_kick *kick,
	struct turn_effects *effects)
{
	turn->time = *time;
	for (unsigned i = 0; i < NODES_PER_STEP; i++, kick->cursor++) {
		const uint32_t idx = kick->cursor + 1;

		if (idx > turn->allocations.n_touched)
			return false;
		if (!is_meant(allocation_at(turn, idx), kick))
			continue;
		if (allocation_count_removals(turn, idx) > effects_room(effects))
			return true;
		allocation_end(turn, idx, kick->reason ? kick->reason : TURN_KICKED, effects);
		kick->n_ended++;
	}
	return true;
}
