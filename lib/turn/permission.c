#include "turn/peer.h"
#include "turn/state.h"

uint32_t permission_find(const struct turn *turn, uint32_t allocation_idx, const struct ip_addr *ip)
{
	uint32_t idx = allocation_at(turn, allocation_idx)->permission_idx;

	while (idx && !ip_equal(&permission_at(turn, idx)->ip, ip))
		idx = permission_at(turn, idx)->next;
	return idx;
}

static uint32_t create(struct turn *turn, uint32_t allocation_idx, const struct ip_addr *ip)
{
	struct allocation *allocation = allocation_at(turn, allocation_idx);
	const uint32_t idx = pool_take(&turn->permissions);
	struct permission *permission = permission_at(turn, idx);

	permission->allocation_idx = allocation_idx;
	permission->ip = *ip;
	permission->next = allocation->permission_idx;
	allocation->permission_idx = idx;
	allocation->n_permissions++;
	return idx;
}

void permission_install(struct call *call, const struct ip_addr *ip)
{
	const uint64_t expires_ms = call->time->now_ms + TURN_PERMISSION_LIFETIME_S * MS_IN_S;
	struct turn *turn = call->turn;
	uint32_t idx = permission_find(turn, call->allocation_idx, ip);

	if (idx) {
		wheel_remove(&turn->wheel, timer_id(TIMER_PERMISSION, idx));
		wheel_add(&turn->wheel, timer_id(TIMER_PERMISSION, idx), expires_ms);
		return;
	}
	idx = create(turn, call->allocation_idx, ip);
	wheel_add(&turn->wheel, timer_id(TIMER_PERMISSION, idx), expires_ms);
	effects_add_permission(call->effects, TURN_PERMISSION_ADD, turn, permission_at(turn, idx));
	channel_open_down(turn, call->allocation_idx, ip, call->effects);
}

size_t permission_count_entries(const struct turn *turn, uint32_t idx)
{
	const struct permission *permission = permission_at(turn, idx);
	size_t n = 1;

	for (uint32_t i = allocation_at(turn, permission->allocation_idx)->channel_idx; i;
		i = channel_at(turn, i)->next)
		n += ip_equal(&channel_at(turn, i)->peer.ip, &permission->ip);
	return n;
}

void permission_end(struct turn *turn, uint32_t idx, struct turn_effects *effects)
{
	const struct permission *permission = permission_at(turn, idx);
	struct allocation *allocation = allocation_at(turn, permission->allocation_idx);
	uint32_t *link = &allocation->permission_idx;

	effects_add_permission(effects, TURN_PERMISSION_REMOVE, turn, permission);
	channel_shut_down(turn, permission->allocation_idx, &permission->ip, effects);
	while (*link != idx)
		link = &permission_at(turn, *link)->next;
	*link = permission->next;
	allocation->n_permissions--;
	wheel_remove(&turn->wheel, timer_id(TIMER_PERMISSION, idx));
	pool_give(&turn->permissions, idx);
}

// RFC 8656 §10.2: one or more, all valid.
static enum stun_code read_peers(const struct call *call, struct ip_addr *ips, size_t *n_ips)
{
	const struct stun_view *view = call->request->view;
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_XOR_PEER_ADDRESS);
	struct endpoint peer;

	*n_ips = 0;
	for (; attr; attr = stun_find_next(view, attr)) {
		if (stun_get_xor_address(attr, view->transaction_id, &peer))
			return STUN_BAD_REQUEST;
		ips[(*n_ips)++] = ports_inside(&call->turn->ports, &peer.ip);
	}
	return *n_ips > 0 ? STUN_CODE_NONE : STUN_BAD_REQUEST;
}

static enum stun_code check_policy(struct call *call, const struct ip_addr *ips, size_t n_ips)
{
	for (size_t i = 0; i < n_ips; i++) {
		if (!relayed_find(call->turn, call->allocation, ips[i].family))
			return STUN_PEER_ADDRESS_FAMILY_MISMATCH;
	}
	for (size_t i = 0; i < n_ips; i++) {
		if (!peer_ip_is_allowed(call->turn, call->realm, &ips[i]))
			return STUN_FORBIDDEN;
	}
	return STUN_CODE_NONE;
}

// How many have no permission yet, each counted once.
static uint32_t count_new(const struct call *call, const struct ip_addr *ips, size_t n_ips)
{
	uint32_t n_new = 0;

	for (size_t i = 0; i < n_ips; i++) {
		size_t first = 0;

		while (!ip_equal(&ips[first], &ips[i]))
			first++;
		n_new += first == i && !permission_find(call->turn, call->allocation_idx, &ips[i]);
	}
	return n_new;
}

static bool has_room(struct call *call, uint32_t n_new)
{
	struct turn *turn = call->turn;

	return call->allocation->n_permissions + n_new <= turn->options.n_permissions_max &&
		effects_fit(call->effects) && pool_reserve(&turn->permissions, n_new) == 0 &&
		fresh_take(call, n_new);
}

enum stun_code permission_handle(struct call *call)
{
	struct ip_addr ips[STUN_ATTRS_MAX];
	size_t n_ips;
	uint32_t n_new;
	enum stun_code code;

	code = read_peers(call, ips, &n_ips);
	if (!code)
		code = check_policy(call, ips, n_ips);
	if (code)
		return code;
	n_new = count_new(call, ips, n_ips);
	if (n_new > 0 && !has_room(call, n_new))
		return STUN_INSUFFICIENT_CAPACITY;
	for (size_t i = 0; i < n_ips; i++)
		permission_install(call, &ips[i]);
	return STUN_CODE_NONE;
}
