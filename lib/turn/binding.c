// Binding, and what RFC 5780 adds to it where we have a second address and port: the answer may
// leave from another of our addresses, go to another port of the client, or be padded. It is never
// longer than the request where that asks for length, and never goes to another host.
#include "turn/state.h"

#define PADDING_BYTES_MAX 1500

// RFC 5780 §6.1, table 1; the same in RFC 3489 §8.1.
enum stun_code binding_change_origin(struct call *call, const struct endpoint *other)
{
	const struct stun_attr *attr = stun_find(call->request->view, STUN_ATTR_CHANGE_REQUEST);
	struct endpoint *from = &call->answer->from;
	uint32_t flags;

	if (!attr)
		return STUN_CODE_NONE;
	if (stun_get_u32(attr, &flags))
		return STUN_BAD_REQUEST;
	if (flags & CHANGE_IP)
		from->ip = other->ip;
	if (flags & CHANGE_PORT)
		from->port = other->port;
	return STUN_CODE_NONE;
}

// RFC 5780 §7.5: another port of the same host, and never together with PADDING.
static enum stun_code change_port(struct call *call)
{
	const struct stun_view *view = call->request->view;
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_RESPONSE_PORT);

	if (!attr)
		return STUN_CODE_NONE;
	if (attr->n_bytes != 4 || load_be16(attr->value) == 0 || stun_find(view, STUN_ATTR_PADDING))
		return STUN_BAD_REQUEST;
	call->answer->to.port = load_be16(attr->value);
	return STUN_CODE_NONE;
}

// What reply_end() puts behind it.
static size_t behind_padding(const struct call *call)
{
	const size_t n_bytes = strlen(call->turn->options.software);

	return (n_bytes ? STUN_ATTR_HEADER_BYTES + round_up(n_bytes, 4) : 0) +
		(call->request->view->fingerprint_offset ? STUN_ATTR_HEADER_BYTES + 4 : 0);
}

// As much as makes the answer as long as the request, where one packet holds it: RFC 5780 §6.1
// wants the MTU at least, which would multiply what a short request with a false source brings.
static void put_padding(struct call *call)
{
	static const uint8_t nothing[PADDING_BYTES_MAX];
	const struct stun_view *view = call->request->view;
	const size_t others = call->reply.n_bytes + STUN_ATTR_HEADER_BYTES + behind_padding(call);
	const size_t longest = view->n_bytes < call->reply.capacity_bytes
		? view->n_bytes
		: call->reply.capacity_bytes;
	size_t n_bytes = 0;

	if (!stun_find(view, STUN_ATTR_PADDING))
		return;
	if (longest > others)
		n_bytes = (longest - others) / 4 * 4;
	stun_put_bytes(&call->reply, STUN_ATTR_PADDING, nothing,
		n_bytes < sizeof(nothing) ? n_bytes : sizeof(nothing));
}

enum stun_code binding_handle(struct call *call)
{
	const struct turn_request *request = call->request;
	struct stun_writer *reply = &call->reply;
	struct endpoint other;
	const bool discovery =
		stun_discovery_other(&call->turn->options.discovery, &request->service, &other);
	enum stun_code code = STUN_CODE_NONE;

	if (discovery)
		code = binding_change_origin(call, &other);
	if (discovery && !code)
		code = change_port(call);
	if (code)
		return code;
	stun_put_xor_address(reply, STUN_ATTR_XOR_MAPPED_ADDRESS, &request->client);
	if (!discovery)
		return STUN_CODE_NONE;
	stun_put_discovery(reply, &request->client, &call->answer->from, &other);
	put_padding(call);
	return STUN_CODE_NONE;
}
