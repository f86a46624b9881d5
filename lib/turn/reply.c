// The answer's frame. Reason phrases are empty, and SOFTWARE is there only where it is asked for:
// less to amplify.
#include "turn/nonce.h"
#include "turn/state.h"

void reply_begin(struct call *call, enum stun_class class)
{
	const struct stun_view *view = call->request->view;

	stun_writer_init(&call->reply, call->reply.buf, call->reply.capacity_bytes, class,
		view->method, view->transaction_id);
	// RFC 3489 §11.1: all 16 bytes of the id, where others have the cookie.
	if (view->is_classic && !call->reply.overflow)
		memcpy(call->reply.buf + 4, view->buf + 4, 4);
}

static void put_challenge(struct call *call)
{
	const struct realm *realm = call->realm;
	const struct tokens *tokens = &call->turn->tokens;
	char nonce[NONCE_BYTES];

	nonce_make(call->turn, realm, nonce, &call->request->client, call->time->now_ms);
	stun_put_bytes(&call->reply, STUN_ATTR_REALM, realm->name, realm->name_bytes);
	stun_put_bytes(&call->reply, STUN_ATTR_NONCE, nonce, sizeof(nonce));
	if (tokens->n_keys > 0)
		stun_put_bytes(&call->reply, STUN_ATTR_THIRD_PARTY_AUTHORIZATION,
			tokens->server_name, strlen(tokens->server_name));
	if (realm->offer_bytes)
		stun_put_bytes(&call->reply, STUN_ATTR_PASSWORD_ALGORITHMS, realm->offer,
			realm->offer_bytes);
}

// RFC 8489 §10: the one of the client's family first, then the other one.
static void put_alternates(struct call *call)
{
	const struct endpoint *alternates = call->turn->options.alternates;
	const uint8_t family = call->request->client.ip.family;

	for (int other = 0; other < 2; other++) {
		for (size_t i = 0; i < N_ELEMENTS(call->turn->options.alternates); i++) {
			if (alternates[i].ip.family != FAMILY_NONE &&
				(alternates[i].ip.family != family) == other)
				stun_put_address(
					&call->reply, STUN_ATTR_ALTERNATE_SERVER, &alternates[i]);
		}
	}
}

void reply_error(struct call *call, enum stun_code code)
{
	reply_begin(call, STUN_ERROR);
	call->answer->from = call->request->service;
	call->answer->to = call->request->client;
	stun_put_error(&call->reply, code, false);
	if (code == STUN_UNAUTHENTICATED || code == STUN_STALE_NONCE)
		put_challenge(call);
	if (code == STUN_TRY_ALTERNATE)
		put_alternates(call);
	if (code == STUN_UNKNOWN_ATTRIBUTE)
		stun_put_unknown(&call->reply, call->unknown, call->n_unknown);
}

size_t reply_end(struct call *call)
{
	const char *software = call->turn->options.software;

	if (*software)
		stun_put_bytes(&call->reply, STUN_ATTR_SOFTWARE, software, strlen(software));
	// RFC 8489 §9.2.4: by what the client knows, not by what it signed with.
	if (call->authenticated && call->algorithm_chosen)
		stun_put_integrity_sha256(&call->reply, call->turn->mac, &call->key);
	else if (call->authenticated)
		stun_put_integrity(&call->reply, call->turn->mac, &call->key);
	if (call->request->view->fingerprint_offset)
		stun_put_fingerprint(&call->reply);
	return stun_writer_end(&call->reply);
}
