// What others may see of allocations: one at a time for operators, each event for the watcher.
#include "turn/mobility.h"
#include "turn/state.h"

#define NODES_PER_STEP 256 // that a walk looks at before it comes back with nothing

static void add_relayed(struct turn_allocation_view *out, const struct turn *turn, size_t i,
	const struct endpoint *relayed, const struct timer *timer)
{
	out->relayed[i] = *relayed;
	out->outside[i] = ports_outside(&turn->ports, relayed);
	out->expires_ms[i] = timer->expires_ms;
}

static void add_mobility(struct turn_allocation_view *out, const struct turn *turn,
	const struct allocation *allocation)
{
	const struct mobility *m = pool_at(&turn->mobilities, allocation->mobility_idx);

	out->may_move = true;
	out->n_moves = m->n_moves;
	out->pending_service = m->service;
	out->pending_client = m->client;
}

static void view(const struct turn *turn, uint32_t idx, struct turn_allocation_view *out)
{
	const struct allocation *allocation = allocation_at(turn, idx);

	*out = (struct turn_allocation_view){
		.id = allocation->id,
		.allocation_idx = idx - 1, // as in effects
		.realm = allocation->identity->realm->name,
		.user = allocation->identity->name,
		.user_bytes = allocation->identity->n_bytes,
		.service = allocation->service,
		.client = allocation->client,
		.created_ms = allocation->created_ms,
		.lifetime_s = allocation->lifetime_s,
		.n_permissions = allocation->n_permissions,
		.n_channels = allocation->n_channels,
	};
	add_relayed(out, turn, 0, &allocation->relayed, &allocation->timer);
	if (allocation->second_idx) {
		const struct second *second = second_at(turn, allocation->second_idx);

		add_relayed(out, turn, 1, &second->relayed, &second->timer);
	}
	if (allocation->mobility_idx)
		add_mobility(out, turn, allocation);
}

void watch(struct turn *turn, uint32_t idx, enum turn_event_kind kind, enum turn_reason reason)
{
	struct turn_event event = {.kind = kind, .reason = reason, .time = turn->time};

	if (!turn->watcher.notify)
		return;
	view(turn, idx, &event.allocation);
	turn->watcher.notify(turn->watcher.context, &event);
}

enum turn_step turn_allocation_next(
	const struct turn *turn, uint32_t *cursor, struct turn_allocation_view *out)
{
	for (unsigned i = 0; i < NODES_PER_STEP; i++) {
		if (*cursor >= turn->allocations.n_touched)
			return TURN_STEP_END;
		++*cursor;
		if (allocation_at(turn, *cursor)->client.ip.family == FAMILY_NONE)
			continue;
		view(turn, *cursor, out);
		return TURN_STEP_FOUND;
	}
	return TURN_STEP_MORE;
}

bool turn_allocation_find(const struct turn *turn, uint64_t id, struct turn_allocation_view *out)
{
	const uint32_t idx = ids_find(turn, id);

	if (idx)
		view(turn, idx, out);
	return idx != 0;
}

size_t turn_allocation_peers(
	const struct turn *turn, uint64_t id, struct turn_peer_view *out, size_t n_max)
{
	const uint32_t idx = ids_find(turn, id);
	const struct allocation *allocation;
	size_t n = 0;

	if (idx == 0)
		return 0;
	allocation = allocation_at(turn, idx);
	for (uint32_t i = allocation->permission_idx; i && n < n_max; n++) {
		const struct permission *permission = permission_at(turn, i);

		out[n] = (struct turn_peer_view){
			.peer.ip = permission->ip,
			.expires_ms = permission->timer.expires_ms,
		};
		i = permission->next;
	}
	for (uint32_t i = allocation->channel_idx; i && n < n_max; n++) {
		const struct channel *channel = channel_at(turn, i);

		out[n] = (struct turn_peer_view){
			.peer = channel->peer,
			.channel = channel->number,
			.expires_ms = channel->timer.expires_ms,
		};
		i = channel->next;
	}
	return (size_t)allocation->n_permissions + allocation->n_channels;
}

const char *turn_reason_name(enum turn_reason reason)
{
	static const char *const names[] = {
		[TURN_NO_REASON] = "none",
		[TURN_EXPIRED] = "expired",
		[TURN_RELEASED] = "released",
		[TURN_KICKED] = "kicked",
		[TURN_STOPPED] = "stopped",
	};

	return names[reason];
}
