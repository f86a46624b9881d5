#include "turn/mobility.h"
#include "turn/peer.h"
#include "turn/state.h"

static uint32_t find_number(
	const struct turn *turn, const struct allocation *allocation, uint16_t number)
{
	uint32_t idx = allocation->channel_idx;

	while (idx && channel_at(turn, idx)->number != number)
		idx = channel_at(turn, idx)->next;
	return idx;
}

static uint32_t find_peer(
	const struct turn *turn, const struct allocation *allocation, const struct endpoint *peer)
{
	uint32_t idx = allocation->channel_idx;

	while (idx && !endpoint_equal(&channel_at(turn, idx)->peer, peer))
		idx = channel_at(turn, idx)->next;
	return idx;
}

size_t channel_count_entries(const struct turn *turn, uint32_t idx)
{
	const struct channel *channel = channel_at(turn, idx);

	return 1U + channel->down + (mobility_pending(turn, channel->allocation_idx) != NULL);
}

void channel_open_down(struct turn *turn, uint32_t allocation_idx, const struct ip_addr *ip,
	struct turn_effects *effects)
{
	struct channel *channel;

	for (uint32_t i = allocation_at(turn, allocation_idx)->channel_idx; i; i = channel->next) {
		channel = channel_at(turn, i);
		if (channel->down || !ip_equal(&channel->peer.ip, ip))
			continue;
		channel->down = true;
		effects_add_channel(effects, TURN_CHANNEL_DOWN_ADD, turn, channel);
	}
}

void channel_shut_down(struct turn *turn, uint32_t allocation_idx, const struct ip_addr *ip,
	struct turn_effects *effects)
{
	struct channel *channel;

	for (uint32_t i = allocation_at(turn, allocation_idx)->channel_idx; i; i = channel->next) {
		channel = channel_at(turn, i);
		if (!ip_equal(&channel->peer.ip, ip))
			continue;
		channel->down = false;
		effects_add_channel(effects, TURN_CHANNEL_DOWN_REMOVE, turn, channel);
	}
}

void channel_end(struct turn *turn, uint32_t idx, struct turn_effects *effects)
{
	const struct channel *channel = channel_at(turn, idx);
	struct allocation *allocation = allocation_at(turn, channel->allocation_idx);
	uint32_t *link = &allocation->channel_idx;

	if (channel->down)
		effects_add_channel(effects, TURN_CHANNEL_DOWN_REMOVE, turn, channel);
	effects_add_channel(effects, TURN_CHANNEL_UP_REMOVE, turn, channel);
	while (*link != idx)
		link = &channel_at(turn, *link)->next;
	*link = channel->next;
	allocation->n_channels--;
	wheel_remove(&turn->wheel, timer_id(TIMER_CHANNEL, idx));
	pool_give(&turn->channels, idx);
}

static uint32_t create(
	struct turn *turn, uint32_t allocation_idx, uint16_t number, const struct endpoint *peer)
{
	struct allocation *allocation = allocation_at(turn, allocation_idx);
	const uint32_t idx = pool_take(&turn->channels);
	struct channel *channel = channel_at(turn, idx);

	channel->allocation_idx = allocation_idx;
	channel->number = number;
	channel->peer = *peer;
	channel->next = allocation->channel_idx;
	allocation->channel_idx = idx;
	allocation->n_channels++;
	return idx;
}

// Make or refresh it and its permission; there is room for all of it.
static void bind_channel(
	struct call *call, uint32_t idx, uint16_t number, const struct endpoint *peer)
{
	const uint64_t expires_ms = call->time->now_ms + TURN_CHANNEL_LIFETIME_S * MS_IN_S;
	struct turn *turn = call->turn;

	if (idx) {
		wheel_remove(&turn->wheel, timer_id(TIMER_CHANNEL, idx));
	} else {
		idx = create(turn, call->allocation_idx, number, peer);
		effects_add_channel(
			call->effects, TURN_CHANNEL_UP_ADD, turn, channel_at(turn, idx));
	}
	wheel_add(&turn->wheel, timer_id(TIMER_CHANNEL, idx), expires_ms);
	permission_install(call, &peer->ip);
	channel_open_down(turn, call->allocation_idx, &peer->ip, call->effects);
}

static enum stun_code read_wish(const struct call *call, uint16_t *number, struct endpoint *peer)
{
	const struct stun_view *view = call->request->view;
	const struct stun_attr *number_attr = stun_find(view, STUN_ATTR_CHANNEL_NUMBER);
	const struct stun_attr *peer_attr = stun_find(view, STUN_ATTR_XOR_PEER_ADDRESS);

	if (!number_attr || stun_get_channel(number_attr, number) || *number < STUN_CHANNEL_MIN ||
		*number > call->turn->options.channel_max)
		return STUN_BAD_REQUEST;
	// Port 0 is no transport address, and means "any" in permissions.
	if (!peer_attr || stun_get_xor_address(peer_attr, view->transaction_id, peer) ||
		peer->port == 0)
		return STUN_BAD_REQUEST;
	peer->ip = ports_inside(&call->turn->ports, &peer->ip);
	return STUN_CODE_NONE;
}

// Room for what would be new; what is there stays, even above a limit that came later.
static bool has_room(struct call *call, bool new_channel, bool new_permission)
{
	const struct allocation *allocation = call->allocation;
	struct turn *turn = call->turn;

	if ((new_channel && allocation->n_channels >= turn->options.n_channels_max) ||
		(new_permission && allocation->n_permissions >= turn->options.n_permissions_max))
		return false;
	if (!new_channel && !new_permission)
		return true;
	return effects_fit(call->effects) && pool_reserve(&turn->channels, new_channel) == 0 &&
		pool_reserve(&turn->permissions, new_permission) == 0 &&
		fresh_take(call, new_permission);
}

// RFC 8656 §12.2.
enum stun_code channel_handle(struct call *call)
{
	const struct allocation *allocation = call->allocation;
	struct turn *turn = call->turn;
	const struct endpoint *relayed;
	struct endpoint peer;
	uint16_t number;
	uint32_t idx;
	enum stun_code code;

	code = read_wish(call, &number, &peer);
	if (code)
		return code;
	idx = find_number(turn, allocation, number);
	if (idx != find_peer(turn, allocation, &peer))
		return STUN_BAD_REQUEST; // one of them is bound to something else
	relayed = relayed_find(turn, allocation, peer.ip.family);
	if (!relayed)
		return STUN_PEER_ADDRESS_FAMILY_MISMATCH;
	if (!peer_is_allowed(turn, call->realm, &peer, relayed))
		return STUN_FORBIDDEN;
	if (!has_room(call, !idx, !permission_find(turn, call->allocation_idx, &peer.ip)))
		return STUN_INSUFFICIENT_CAPACITY;
	bind_channel(call, idx, number, &peer);
	return STUN_CODE_NONE;
}
