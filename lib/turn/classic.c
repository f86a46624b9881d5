// Clients of RFC 3489, whose transaction ids have no cookie. They learn their address, and by
// CHANGE-REQUEST what kind of NAT they are behind where RFC 5780 has given us a second address.
//
// Two of that RFC's ways are closed, as RFC 5389 §12.2 has it: RESPONSE-ADDRESS would send answers
// to whomever the request names, and there are no shared secrets to sign with.
#include "turn/state.h"

static const uint16_t known[] = {
	STUN_ATTR_CHANGE_REQUEST, // first: not where it asks for an address that is not there
	STUN_ATTR_MAPPED_ADDRESS,
	STUN_ATTR_SOURCE_ADDRESS,
	STUN_ATTR_CHANGED_ADDRESS,
	STUN_ATTR_USERNAME,
	STUN_ATTR_ERROR_CODE,
	STUN_ATTR_UNKNOWN_ATTRIBUTES,
};

// Clients of that time put CHANGE-REQUEST into every request, most often with nothing to change.
static bool asks_for_change(const struct stun_view *view)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_CHANGE_REQUEST);
	uint32_t flags;

	return attr && (stun_get_u32(attr, &flags) || flags & (CHANGE_IP | CHANGE_PORT));
}

// RFC 3489 §11.2.10: an odd number of types is made even by one of them again.
static void find_unknown(struct call *call, bool has_other)
{
	const struct stun_view *view = call->request->view;
	const uint16_t *first = has_other || !asks_for_change(view) ? known : known + 1;
	const size_t n_known = (size_t)(known + N_ELEMENTS(known) - first);

	static_assert(STUN_UNKNOWN_MAX % 2 == 0, "room for one more where it is odd");
	call->n_unknown = stun_unknown(view, first, n_known, call->unknown);
	if (call->n_unknown % 2) {
		call->unknown[call->n_unknown] = call->unknown[0];
		call->n_unknown++;
	}
}

// RFC 3489 §8.1, §8.2, in their order.
enum stun_code classic_handle(struct call *call)
{
	const struct turn_request *request = call->request;
	const struct stun_view *view = request->view;
	struct endpoint other;
	const bool has_other =
		stun_discovery_other(&call->turn->options.discovery, &request->service, &other);
	enum stun_code code = STUN_CODE_NONE;

	if (view->method == STUN_SHARED_SECRET)
		return STUN_USE_TLS;
	if (view->integrity_offset)
		return stun_find(view, STUN_ATTR_USERNAME) ? STUN_STALE_CREDENTIALS
							   : STUN_MISSING_USERNAME;
	find_unknown(call, has_other);
	if (call->n_unknown > 0)
		return STUN_UNKNOWN_ATTRIBUTE;
	if (has_other)
		code = binding_change_origin(call, &other);
	if (code)
		return code;
	reply_begin(call, STUN_SUCCESS);
	stun_put_address(&call->reply, STUN_ATTR_MAPPED_ADDRESS, &request->client);
	stun_put_address(&call->reply, STUN_ATTR_SOURCE_ADDRESS, &call->answer->from);
	if (has_other)
		stun_put_address(&call->reply, STUN_ATTR_CHANGED_ADDRESS, &other);
	return STUN_CODE_NONE;
}
