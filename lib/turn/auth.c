// The long-term credential mechanism (RFC 8489 §9.2.4), with MD5 keys and MESSAGE-INTEGRITY only,
// and REST users (draft-uberti-behave-turn-rest). The checks run in the order of the text:
// integrity before the nonce's age.
#include "turn/base64.h"
#include "turn/nonce.h"
#include "turn/state.h"

static bool check_key(struct call *call, const struct stun_key *key)
{
	if (!stun_integrity_check(call->turn->mac, call->request->view, key))
		return false;
	call->principal.key = *key;
	return true;
}

// "unixtime:anything", or the time alone. False where it is not that form or the time has come.
static bool is_live_rest_name(const struct principal *principal, int64_t wall_s)
{
	int64_t expires_s = 0;
	size_t i = 0;

	while (i < principal->n_bytes && i < 18 && principal->name[i] >= '0' &&
		principal->name[i] <= '9')
		expires_s = expires_s * 10 + (principal->name[i++] - '0');
	return i > 0 && (i == principal->n_bytes || principal->name[i] == ':') &&
		wall_s < expires_s;
}

// password = base64(HMAC-SHA1(secret, user name))
static void make_rest_key(struct turn *turn, struct stun_key *out, const struct secret *secret,
	const struct principal *who)
{
	uint8_t hash[STUN_SHA1_BYTES];
	char password[BASE64_BYTES(STUN_SHA1_BYTES)];

	stun_hmac_sha1(turn->mac, hash, secret->bytes, secret->n_bytes, who->name, who->n_bytes);
	base64_encode(password, hash, sizeof(hash));
	stun_key_md5(turn->mac, out, who->name, who->n_bytes, turn->realm, turn->realm_bytes,
		password, sizeof(password));
}

static bool check_rest(struct call *call)
{
	struct turn *turn = call->turn;
	struct stun_key key;

	for (size_t i = 0; i < turn->n_rest_secrets; i++) {
		make_rest_key(turn, &key, &turn->rest_secrets[i], &call->principal);
		if (check_key(call, &key))
			return true;
	}
	return false;
}

// The time in a REST user name ends its use for new allocations, never one that lives: its owner's
// key stays good for everything but Allocate (draft-uberti-behave-turn-rest §4.2).
static bool check_integrity(struct call *call)
{
	const struct principal *who = &call->principal;
	const struct turn *turn = call->turn;
	const struct identity *user;

	if (call->allocation && call->request->view->method != STUN_ALLOCATE &&
		identity_is(call->allocation->identity, who->name, who->n_bytes))
		return check_key(call, &call->allocation->identity->key);
	user = users_find(&turn->users, who->name, who->n_bytes);
	if (user)
		return check_key(call, &user->key);
	if (turn->n_rest_secrets > 0 && who->n_bytes <= TURN_USERNAME_BYTES_MAX &&
		is_live_rest_name(who, call->time->wall_s))
		return check_rest(call);
	// Nobody: the same work as for a wrong password, so that time does not tell.
	stun_integrity_check(turn->mac, call->request->view, &turn->dummy_key);
	return false;
}

enum stun_code auth_check(struct call *call)
{
	const struct turn_request *request = call->request;
	const struct stun_view *view = request->view;
	const struct stun_attr *name = stun_find(view, STUN_ATTR_USERNAME);
	const struct stun_attr *nonce = stun_find(view, STUN_ATTR_NONCE);

	if (!view->integrity_offset)
		return STUN_UNAUTHENTICATED;
	if (!name || !nonce || !stun_find(view, STUN_ATTR_REALM))
		return STUN_BAD_REQUEST;
	call->principal.name = name->value;
	call->principal.n_bytes = name->n_bytes;
	if (!check_integrity(call))
		return STUN_UNAUTHENTICATED;
	if (!nonce_is_valid(call->turn, &request->client, call->time->now_ms, nonce))
		return STUN_STALE_NONCE;
	call->authenticated = true;
	return STUN_CODE_NONE;
}
