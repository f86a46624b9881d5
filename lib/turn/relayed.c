// The relayed addresses of an allocation: one, or one of each family (RFC 8656 §7.2). A peer's
// permissions and channels belong to the one of its family.
#include "turn/mobility.h"
#include "turn/state.h"

const struct endpoint *relayed_find(
	const struct turn *turn, const struct allocation *allocation, uint8_t family)
{
	const struct second *second;

	if (allocation->relayed.ip.family == family)
		return &allocation->relayed;
	if (allocation->second_idx == 0)
		return NULL;
	second = second_at(turn, allocation->second_idx);
	return second->relayed.ip.family == family ? &second->relayed : NULL;
}

void relayed_add(struct turn *turn, uint32_t idx, const struct endpoint *relayed)
{
	const uint32_t second_idx = pool_take(&turn->seconds);
	struct second *second = second_at(turn, second_idx);

	second->allocation_idx = idx;
	second->relayed = *relayed;
	allocation_at(turn, idx)->second_idx = second_idx;
}

uint32_t relayed_timer(const struct turn *turn, uint32_t idx, uint8_t family)
{
	const struct allocation *allocation = allocation_at(turn, idx);

	return allocation->relayed.ip.family == family
		? timer_id(TIMER_ALLOCATION, idx)
		: timer_id(TIMER_SECOND, allocation->second_idx);
}

size_t relayed_count_entries(const struct turn *turn, uint32_t idx, uint8_t family)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	size_t n = mobility_pending(turn, idx) ? 2 : 1; // for Send indications

	for (uint32_t i = allocation->permission_idx; i; i = permission_at(turn, i)->next)
		n += permission_at(turn, i)->ip.family == family;
	for (uint32_t i = allocation->channel_idx; i; i = channel_at(turn, i)->next) {
		if (channel_at(turn, i)->peer.ip.family == family)
			n += channel_count_entries(turn, i);
	}
	return n;
}

size_t allocation_count_entries(const struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	size_t n = 0;

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (relayed_find(turn, allocation, family))
			n += relayed_count_entries(turn, idx, family);
	}
	return n;
}

size_t allocation_count_removals(const struct turn *turn, uint32_t idx)
{
	const size_t n_ports = allocation_at(turn, idx)->second_idx ? 2 : 1;

	return allocation_count_entries(turn, idx) + n_ports;
}

// Permissions first: a peer with a channel must not come through as Data indications in between.
static void end_peers(struct turn *turn, uint32_t idx, uint8_t family, struct turn_effects *effects)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	uint32_t next;

	for (uint32_t i = allocation->permission_idx; i; i = next) {
		next = permission_at(turn, i)->next;
		if (permission_at(turn, i)->ip.family == family)
			permission_end(turn, i, effects);
	}
	for (uint32_t i = allocation->channel_idx; i; i = next) {
		next = channel_at(turn, i)->next;
		if (channel_at(turn, i)->peer.ip.family == family)
			channel_end(turn, i, effects);
	}
}

static void free_allocation(struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);

	if (allocation->reservation_idx)
		reservation_widow(turn, allocation->reservation_idx);
	wheel_remove(&turn->wheel, timer_id(TIMER_ALLOCATION, idx));
	clients_remove(turn, idx);
	ids_remove(turn, idx);
	mobility_end(turn, idx);
	accounts_remove_allocation(&turn->users.accounts, allocation->identity->account);
	allocation->identity->realm->n_allocations--;
	users_drop(&turn->users, allocation->identity);
	pool_give(&turn->allocations, idx);
}

// What is left of two stands first.
static void keep_other(struct turn *turn, uint32_t idx, uint8_t ended_family)
{
	struct allocation *allocation = allocation_at(turn, idx);
	const uint32_t second_idx = allocation->second_idx;
	const struct second *second = second_at(turn, second_idx);

	wheel_remove(&turn->wheel, timer_id(TIMER_SECOND, second_idx));
	if (allocation->relayed.ip.family == ended_family) {
		allocation->relayed = second->relayed;
		wheel_remove(&turn->wheel, timer_id(TIMER_ALLOCATION, idx));
		wheel_add(&turn->wheel, timer_id(TIMER_ALLOCATION, idx), second->timer.expires_ms);
	}
	allocation->second_idx = 0;
	pool_give(&turn->seconds, second_idx);
}

static void end(struct turn *turn, uint32_t idx, uint8_t family, struct turn_effects *effects)
{
	const struct allocation *allocation = allocation_at(turn, idx);

	end_peers(turn, idx, family, effects);
	effects_add_allocation(effects, TURN_ALLOCATION_REMOVE, turn, idx, family);
	effects_add_allocation(effects, TURN_PORT_COOLING, turn, idx, family);
	ports_cool(&turn->ports, relayed_find(turn, allocation, family));
	if (allocation->second_idx)
		keep_other(turn, idx, family);
	else
		free_allocation(turn, idx);
}

void relayed_end(struct turn *turn, uint32_t idx, uint8_t family, enum turn_reason reason,
	struct turn_effects *effects)
{
	if (allocation_at(turn, idx)->second_idx == 0)
		watch(turn, idx, TURN_ENDED, reason);
	end(turn, idx, family, effects);
}

void allocation_end(
	struct turn *turn, uint32_t idx, enum turn_reason reason, struct turn_effects *effects)
{
	const struct allocation *allocation = allocation_at(turn, idx);

	watch(turn, idx, TURN_ENDED, reason);
	if (allocation->second_idx)
		end(turn, idx, second_at(turn, allocation->second_idx)->relayed.ip.family, effects);
	end(turn, idx, allocation->relayed.ip.family, effects);
}
