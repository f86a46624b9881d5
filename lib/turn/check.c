// turn_check(): what must be true between any two calls.
#include "turn/mobility.h"
#include "turn/state.h"

static const char *check_permissions(const struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	size_t n = 0;

	for (uint32_t i = allocation->permission_idx; i; i = permission_at(turn, i)->next) {
		const struct permission *permission = permission_at(turn, i);

		if (++n > TURN_PERMISSIONS_MAX || permission->allocation_idx != idx)
			return "a permission is not its allocation's";
		if (permission_find(turn, idx, &permission->ip) != i)
			return "a permission is there twice";
		if (!relayed_find(turn, allocation, permission->ip.family))
			return "a permission has outlived its relayed address";
	}
	return n == allocation->n_permissions ? NULL : "permissions are miscounted";
}

static bool clash(const struct channel *a, const struct channel *b)
{
	return a->number == b->number || endpoint_equal(&a->peer, &b->peer);
}

static const char *check_channels(const struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	size_t n = 0;

	for (uint32_t i = allocation->channel_idx; i; i = channel_at(turn, i)->next) {
		const struct channel *channel = channel_at(turn, i);

		if (++n > TURN_CHANNELS_MAX || channel->allocation_idx != idx)
			return "a channel is not its allocation's";
		if (!relayed_find(turn, allocation, channel->peer.ip.family))
			return "a channel has outlived its relayed address";
		if (channel->down != (permission_find(turn, idx, &channel->peer.ip) != 0))
			return "a channel and its permission disagree";
		for (uint32_t j = channel->next; j; j = channel_at(turn, j)->next) {
			if (clash(channel, channel_at(turn, j)))
				return "a channel is there twice";
		}
	}
	return n == allocation->n_channels ? NULL : "channels are miscounted";
}

static const char *check_second(const struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	const struct second *second;

	if (allocation->second_idx == 0)
		return NULL;
	second = second_at(turn, allocation->second_idx);
	if (second->allocation_idx != idx || ports_owner(&turn->ports, &second->relayed) != idx ||
		second->relayed.ip.family == allocation->relayed.ip.family)
		return "a second relayed address is not its allocation's";
	return NULL;
}

static const char *check_allocation(const struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	const char *wrong;

	if (clients_find(turn, &allocation->service, &allocation->client) != idx)
		return "an allocation is not found by its 5-tuple";
	if (ids_find(turn, allocation->id) != idx)
		return "an allocation is not found by its id";
	if (!services_find(&turn->services, &allocation->service))
		return "an allocation is of no listener";
	if (ports_owner(&turn->ports, &allocation->relayed) != idx)
		return "a relayed address is not its allocation's";
	wrong = check_second(turn, idx);
	wrong = wrong ? wrong : check_permissions(turn, idx);
	return wrong ? wrong : check_channels(turn, idx);
}

static const char *check_allocations(const struct turn *turn)
{
	uint32_t n = 0, n_seconds = 0, n_permissions = 0, n_channels = 0;

	for (uint32_t idx = 1; idx <= turn->allocations.n_touched; idx++) {
		const struct allocation *allocation = allocation_at(turn, idx);
		const char *wrong;

		if (allocation->client.ip.family == FAMILY_NONE)
			continue;
		wrong = check_allocation(turn, idx);
		if (wrong)
			return wrong;
		n++;
		n_seconds += allocation->second_idx != 0;
		n_permissions += allocation->n_permissions;
		n_channels += allocation->n_channels;
	}
	if (n != turn->allocations.n_used || n_seconds != turn->seconds.n_used ||
		n_permissions != turn->permissions.n_used || n_channels != turn->channels.n_used)
		return "nodes are lost";
	return NULL;
}

// What has ended is no longer there.
static const char *check_ids(const struct turn *turn)
{
	uint32_t n = 0;

	for (size_t i = 0; i < turn->n_buckets; i++)
		for (uint32_t idx = turn->ids[i]; idx && n <= turn->allocations.n_used; n++)
			idx = allocation_at(turn, idx)->next_by_id;
	return n == turn->allocations.n_used ? NULL : "ids and allocations differ in number";
}

static uint32_t count_allocations(const struct turn *turn, const struct realm *realm)
{
	uint32_t n = 0;

	for (uint32_t idx = 1; idx <= turn->allocations.n_touched; idx++) {
		const struct allocation *allocation = allocation_at(turn, idx);

		n += allocation->client.ip.family != FAMILY_NONE &&
			allocation->identity->realm == realm;
	}
	return n;
}

static uint32_t count_widowed(const struct turn *turn, const struct realm *realm)
{
	uint32_t n = 0;

	for (uint32_t idx = 1; idx <= turn->reservations.n_touched; idx++) {
		const struct reservation *reservation = reservation_at(turn, idx);

		n += reservation->identity && reservation->identity->realm == realm &&
			reservation->allocation_idx == 0;
	}
	return n;
}

static const char *check_realm(const struct turn *turn, const struct realm *realm, uint32_t *n)
{
	if (users_count_allocations(&turn->users, realm) != realm->n_allocations)
		return "accounts and their realm differ in allocations";
	if (count_allocations(turn, realm) != realm->n_allocations)
		return "a realm miscounts its allocations";
	if (count_widowed(turn, realm) != realm->n_widowed ||
		users_count_widowed(&turn->users, realm) != realm->n_widowed)
		return "a realm miscounts the ports reserved by what has ended";
	if (users_count(&turn->users, realm) != realm->n_identities)
		return "a realm miscounts its identities";
	*n += realm->n_allocations;
	return NULL;
}

static const char *check_realms(const struct turn *turn)
{
	const char *wrong = NULL;
	uint32_t n = 0;

	for (size_t i = 0; i < turn->n_realms && !wrong; i++)
		wrong = check_realm(turn, turn->realms[i], &n);
	for (size_t i = 0; i < turn->n_gone_realms && !wrong; i++)
		wrong = check_realm(turn, turn->gone_realms[i], &n);
	if (wrong)
		return wrong;
	return n == turn->allocations.n_used ? NULL : "realms miscount their allocations";
}

static const char *check_services(const struct turn *turn)
{
	uint32_t n = 0;

	for (size_t i = 0; i < turn->services.n; i++)
		n += turn->services.items[i].n_clients;
	return n == turn->allocations.n_used + turn->n_moving ? NULL
							      : "listeners miscount their clients";
}

const char *turn_check(const struct turn *turn)
{
	const uint32_t n_relayed = turn->allocations.n_used + turn->seconds.n_used;
	const int64_t n_timers = (int64_t)n_relayed + turn->permissions.n_used +
		turn->channels.n_used + turn->reservations.n_used;
	const int64_t n_identities = (int64_t)turn->allocations.n_used + turn->reservations.n_used;
	const char *wrong = check_allocations(turn);

	wrong = wrong ? wrong : check_ids(turn);
	if (!wrong)
		wrong = ports_check(&turn->ports);
	if (wrong)
		return wrong;
	if (!pool_is_sound(&turn->allocations) || !pool_is_sound(&turn->seconds) ||
		!pool_is_sound(&turn->permissions) || !pool_is_sound(&turn->channels) ||
		!pool_is_sound(&turn->reservations))
		return "a pool's free list is broken";
	if (turn->ports.n_used != n_relayed || turn->ports.n_reserved != turn->reservations.n_used)
		return "ports differ in number from relayed addresses and reservations";
	wrong = mobility_check_all(turn);
	if (wrong)
		return wrong;
	if (!pool_is_sound(&turn->mobilities))
		return "the free list of mobilities is broken";
	if (!accounts_are_sound(&turn->users.accounts))
		return "accounts and their indices disagree";
	if (wheel_count(&turn->wheel) != n_timers)
		return "the wheel has lost or gained a timer";
	if (users_count_references(&turn->users) != n_identities)
		return "identities are miscounted";
	wrong = check_services(turn);
	return wrong ? wrong : check_realms(turn);
}
