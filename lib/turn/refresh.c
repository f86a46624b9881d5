#include "turn/mobility.h"
#include "turn/state.h"

// RFC 8656 §8.2: the family that is meant; FAMILY_NONE: all that the allocation has.
static enum stun_code read_family(const struct call *call, uint8_t *family)
{
	const struct stun_attr *attr =
		stun_find(call->request->view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	uint32_t value;

	*family = FAMILY_NONE;
	if (!attr)
		return STUN_CODE_NONE;
	if (stun_get_u32(attr, &value))
		return STUN_BAD_REQUEST;
	*family = (uint8_t)(value >> 24);
	if (!relayed_find(call->turn, call->allocation, *family))
		return STUN_PEER_ADDRESS_FAMILY_MISMATCH;
	return STUN_CODE_NONE;
}

static void end(struct call *call, uint8_t family)
{
	if (family == FAMILY_NONE)
		allocation_end(call->turn, call->allocation_idx, TURN_RELEASED, call->effects);
	else
		relayed_end(call->turn, call->allocation_idx, family, TURN_RELEASED, call->effects);
}

static void set_expiry(struct call *call, uint8_t wanted, uint64_t expires_ms)
{
	struct turn *turn = call->turn;

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		uint32_t id;

		if ((wanted != FAMILY_NONE && wanted != family) ||
			!relayed_find(turn, call->allocation, family))
			continue;
		id = relayed_timer(turn, call->allocation_idx, family);
		wheel_remove(&turn->wheel, id);
		wheel_add(&turn->wheel, id, expires_ms);
	}
}

enum stun_code refresh_handle(struct call *call)
{
	const struct stun_attr *attr = stun_find(call->request->view, STUN_ATTR_LIFETIME);
	uint32_t lifetime_s = call->turn->options.lifetime_s;
	enum stun_code code;
	uint8_t family;

	if (attr && stun_get_u32(attr, &lifetime_s))
		return STUN_BAD_REQUEST;
	code = read_family(call, &family);
	if (code)
		return code;
	if ((lifetime_s == 0 || call->ticket != TICKET_NONE) && !effects_fit(call->effects))
		return STUN_INSUFFICIENT_CAPACITY;
	if (lifetime_s == 0) {
		end(call, family);
		stun_put_u32(&call->reply, STUN_ATTR_LIFETIME, 0);
		return STUN_CODE_NONE;
	}
	if (call->principal.keys.mac_key_bytes && allocation_take_token(call))
		return STUN_INSUFFICIENT_CAPACITY;
	lifetime_s = allocation_lifetime(call, lifetime_s);
	set_expiry(call, family, call->time->now_ms + lifetime_s * MS_IN_S);
	call->allocation->lifetime_s = lifetime_s;
	watch(call->turn, call->allocation_idx, TURN_REFRESHED, TURN_NO_REASON);
	stun_put_u32(&call->reply, STUN_ATTR_LIFETIME, lifetime_s);
	if (call->ticket == TICKET_NONE)
		return STUN_CODE_NONE;
	mobility_move(call);
	mobility_put_ticket(call, call->allocation_idx);
	return STUN_CODE_NONE;
}
