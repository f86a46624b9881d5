#include "turn/state.h"

enum stun_code binding_handle(struct call *call)
{
	stun_put_xor_address(&call->reply, STUN_ATTR_XOR_MAPPED_ADDRESS, &call->request->client);
	return STUN_CODE_NONE;
}
