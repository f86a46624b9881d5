// The long-term credential mechanism (RFC 8489 §9.2.4) and REST users
// (draft-uberti-behave-turn-rest). The checks run in the order of the text: the choice of the
// algorithm, then integrity, then the nonce's age.
#include "turn/nonce.h"
#include "turn/state.h"

// The key for the algorithm of the request; a user whose key for it is unknown gets the same work
// and the same answer as a wrong password.
static bool check_keys(struct call *call, const struct turn_keys *keys)
{
	const struct stun_view *view = call->request->view;
	const bool sha256 = call->algorithm == STUN_PASSWORD_SHA256;
	struct stun_mac *mac = call->turn->mac;
	struct stun_key key;
	bool right;

	if (keys->mac_key_bytes) {
		key.n_bytes = keys->mac_key_bytes;
		memcpy(key.bytes, keys->mac_key, key.n_bytes);
	} else {
		key.n_bytes = sha256 ? sizeof(keys->sha256) : sizeof(keys->md5);
		memcpy(key.bytes, sha256 ? keys->sha256 : keys->md5, key.n_bytes);
	}
	right = view->integrity_sha256_offset ? stun_integrity_sha256_check(mac, view, &key)
					      : stun_integrity_check(mac, view, &key);
	if (!right || (sha256 && !keys->has_sha256 && !keys->mac_key_bytes))
		return false;
	call->principal.keys = *keys;
	call->key = key;
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

static bool check_rest(struct call *call)
{
	const struct realm *realm = call->realm;
	struct turn_keys keys;

	for (size_t i = 0; i < realm->n_rest_secrets; i++) {
		keys_of_rest(call, &keys, &realm->rest_secrets[i]);
		if (check_keys(call, &keys)) {
			call->principal.rest = true;
			return true;
		}
	}
	return false;
}

// Nobody: the same work as for a wrong password, so that time does not tell.
static bool check_nobody(struct call *call)
{
	check_keys(call, &call->turn->dummy_keys);
	return false;
}

// Only a client that hears at its address makes us ask: its nonce is of ours. Of others we say what
// we know, and take whom we do not know for nobody.
static bool check_source(struct call *call)
{
	const struct turn_request *request = call->request;
	const struct principal *who = &call->principal;
	const struct turn_source *source = &call->turn->source;
	const struct stun_attr *nonce = stun_find(request->view, STUN_ATTR_NONCE);
	const bool may_ask = nonce_is_valid(
		call->turn, call->realm, &request->client, call->time->now_ms, nonce);
	struct turn_keys keys = {.has_sha256 = false}; // a source may know less than all

	call->lookup = source->find(
		source->context, call->realm->source_idx, who->name, who->n_bytes, may_ask, &keys);
	return call->lookup == TURN_FOUND ? check_keys(call, &keys) : check_nobody(call);
}

// RFC 7635 §7. What the token allows is known only where its key has signed.
static bool check_token(struct call *call, const struct stun_attr *attr)
{
	const struct stun_attr *kid = stun_find(call->request->view, STUN_ATTR_USERNAME);
	struct token token;

	if (!kid || !token_open(&call->turn->tokens, kid, attr, call->time->wall_s, &token))
		return check_nobody(call);
	call->lifetime_max_s = token.left_s;
	return check_keys(call, &token.keys);
}

// The key that the allocation was made with, or last refreshed. What a token allows ends with it,
// whether it is shown again or not (RFC 7635 §9).
static bool check_owner_key(struct call *call)
{
	const struct allocation *allocation = call->allocation;
	const uint64_t now_s = call->time->now_ms / MS_IN_S;

	if (allocation->token_ends_s <= now_s)
		return check_nobody(call);
	call->lifetime_max_s = (uint32_t)(allocation->token_ends_s - now_s);
	return check_keys(call, &allocation->identity->keys);
}

// The time in a REST user name ends its use for new allocations, never one that lives: its owner's
// key stays good for everything but Allocate (draft-uberti-behave-turn-rest §4.2).
static bool check_integrity(struct call *call)
{
	const struct principal *who = &call->principal;
	const struct turn *turn = call->turn;
	const struct stun_attr *token = stun_find(call->request->view, STUN_ATTR_ACCESS_TOKEN);
	const struct identity *user;

	if (token && turn->tokens.n_keys > 0)
		return check_token(call, token);
	if (call->allocation && call->request->view->method != STUN_ALLOCATE &&
		caller_is(call, call->allocation->identity) && !call->allocation->identity->revoked)
		return check_owner_key(call);
	user = users_find(&turn->users, call->realm, who->name, who->n_bytes);
	if (user)
		return check_keys(call, &user->keys);
	if (call->realm->n_rest_secrets > 0 && who->n_bytes <= TURN_USERNAME_BYTES_MAX &&
		is_live_rest_name(who, call->time->wall_s))
		return check_rest(call);
	if (call->realm->uses_source && who->n_bytes > 0 && who->n_bytes <= TURN_USERNAME_BYTES_MAX)
		return check_source(call);
	return check_nobody(call);
}

// USERNAME, or whose USERHASH it is; a hash that nobody has is a name that nobody has.
static void take_name(struct call *call, const struct stun_attr *name, const struct stun_attr *hash)
{
	const struct identity *user = NULL;

	if (name) {
		call->principal.name = name->value;
		call->principal.n_bytes = name->n_bytes;
		return;
	}
	if (hash->n_bytes == STUN_SHA256_BYTES)
		user = users_find_hash(&call->turn->users, call->realm, hash->value);
	call->principal.name = user ? user->name : (const uint8_t *)"";
	call->principal.n_bytes = user ? user->n_bytes : 0;
}

// RFC 8489 §14.12: one algorithm and its parameters. MD5 and SHA-256 have none.
static bool is_offered(const struct realm *realm, const struct stun_attr *chosen)
{
	for (size_t i = 0; i < realm->offer_bytes; i += 4)
		if (chosen->n_bytes == 4 && memcmp(chosen->value, realm->offer + i, 4) == 0)
			return true;
	return false;
}

// An offer that was made before the configuration changed: its nonce is none of ours any more, and
// a new one comes with the new offer.
static bool is_changed_since(struct call *call, const struct stun_attr *nonce)
{
	return call->realm->offer_changed &&
		!nonce_is_valid(
			call->turn, call->realm, &call->request->client, call->time->now_ms, nonce);
}

// Where the nonce says that algorithms were offered, the offer must come back as it was made, so
// that nobody on the way could make it weaker.
static enum stun_code choose_algorithm(struct call *call, const struct stun_attr *nonce)
{
	const struct realm *realm = call->realm;
	const struct stun_view *view = call->request->view;
	const struct stun_attr *offer = stun_find(view, STUN_ATTR_PASSWORD_ALGORITHMS);
	const struct stun_attr *chosen = stun_find(view, STUN_ATTR_PASSWORD_ALGORITHM);

	call->algorithm = STUN_PASSWORD_MD5;
	if (!nonce_says_algorithms(nonce) || (!offer && !chosen))
		return STUN_CODE_NONE;
	if (!offer || !chosen || offer->n_bytes != realm->offer_bytes ||
		memcmp(offer->value, realm->offer, realm->offer_bytes) != 0 ||
		!is_offered(realm, chosen))
		return is_changed_since(call, nonce) ? STUN_STALE_NONCE : STUN_BAD_REQUEST;
	call->algorithm = (enum stun_password_algorithm)load_be16(chosen->value);
	call->algorithm_chosen = true;
	return STUN_CODE_NONE;
}

enum stun_code auth_check(struct call *call)
{
	const struct turn_request *request = call->request;
	const struct stun_view *view = request->view;
	const struct stun_attr *name = stun_find(view, STUN_ATTR_USERNAME);
	const struct stun_attr *hash = stun_find(view, STUN_ATTR_USERHASH);
	const struct stun_attr *nonce = stun_find(view, STUN_ATTR_NONCE);
	enum stun_code code;

	if (!view->integrity_offset && !view->integrity_sha256_offset)
		return STUN_UNAUTHENTICATED;
	if ((!name && !hash) || !nonce || !stun_find(view, STUN_ATTR_REALM))
		return STUN_BAD_REQUEST;
	code = choose_algorithm(call, nonce);
	if (code)
		return code;
	take_name(call, name, hash);
	if (!check_integrity(call))
		return STUN_UNAUTHENTICATED;
	if (!nonce_is_valid(call->turn, call->realm, &request->client, call->time->now_ms, nonce))
		return STUN_STALE_NONCE;
	call->authenticated = true;
	return STUN_CODE_NONE;
}
