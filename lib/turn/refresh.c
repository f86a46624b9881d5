#include "turn/state.h"

static enum stun_code check_family(const struct call *call)
{
	const struct stun_attr *attr =
		stun_find(call->request->view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	uint32_t family;

	if (!attr)
		return STUN_CODE_NONE;
	if (stun_get_u32(attr, &family))
		return STUN_BAD_REQUEST;
	if (family >> 24 != call->allocation->relayed.ip.family)
		return STUN_PEER_ADDRESS_FAMILY_MISMATCH; // RFC 8656 §8.2
	return STUN_CODE_NONE;
}

enum stun_code refresh_handle(struct call *call)
{
	const struct stun_attr *attr = stun_find(call->request->view, STUN_ATTR_LIFETIME);
	const uint32_t id = timer_id(TIMER_ALLOCATION, call->allocation_idx);
	struct turn *turn = call->turn;
	uint32_t lifetime_s = turn->lifetime_s;
	enum stun_code code;

	if (attr && stun_get_u32(attr, &lifetime_s))
		return STUN_BAD_REQUEST;
	code = check_family(call);
	if (code)
		return code;
	if (lifetime_s == 0) {
		if (!effects_fit(call->effects))
			return STUN_INSUFFICIENT_CAPACITY;
		allocation_end(turn, call->allocation_idx, call->effects);
	} else {
		lifetime_s = allocation_lifetime(turn, lifetime_s);
		wheel_remove(&turn->wheel, id);
		wheel_add(&turn->wheel, id, call->time->now_ms + lifetime_s * MS_IN_S);
	}
	stun_put_u32(&call->reply, STUN_ATTR_LIFETIME, lifetime_s);
	return STUN_CODE_NONE;
}
