// Who may ask: the part of the model that knows names.
#include "model_parts.h"

#include <stdlib.h>
#include <string.h>

bool model_has_name(const struct user *owner, uint8_t realm, const struct user *user)
{
	return owner->realm == realm && strcmp(owner->name, user->name) == 0;
}

bool model_owns(const struct user *owner, uint8_t realm, const struct user *user)
{
	return model_has_name(owner, realm, user) && !owner->mac.n_bytes == !user->mac.n_bytes;
}

static bool keys_agree(const struct user *a, const struct user *b, uint16_t algorithm)
{
	const bool sha256 = algorithm == STUN_PASSWORD_SHA256;
	const struct stun_key *p = sha256 ? &a->sha256 : &a->md5;
	const struct stun_key *q = sha256 ? &b->sha256 : &b->md5;

	if (a->mac.n_bytes || b->mac.n_bytes)
		p = &a->mac, q = &b->mac;
	return p->n_bytes == q->n_bytes && memcmp(p->bytes, q->bytes, p->n_bytes) == 0;
}

// RFC 7635 §7: lifetime + Delta > abs(RDnew - TS).
uint32_t model_pass_left(const struct request *request, int64_t wall_s)
{
	const struct pass *pass = &request->login.user.pass;
	const int64_t left_s = (int64_t)pass->lifetime_s + 5 - llabs(wall_s - pass->made_s);

	if (!pass->genuine || left_s <= 0)
		return 0;
	return left_s < pass->lifetime_s ? (uint32_t)left_s : pass->lifetime_s;
}

// Was configured at the start, and is not now.
bool model_has_gone(const struct model *model, const struct user *user)
{
	return user->expires_s == 0 && !user->mac.n_bytes && user->exists &&
		model->rules.realms[user->realm].gone_users >> user->number & 1;
}

// The password that the name has here, now, and for this request: an allocation's owner keeps the
// one it was made with, but not beyond the time of a token.
static bool knows_password(const struct model *model, const struct turn_time *time,
	const struct request *request, uint16_t algorithm)
{
	const struct model_allocation *a = model_subject(model, request);
	const struct user *user = &request->login.user;
	const uint8_t realm = model_realm_of(model, &request->service);

	if (request->login.has_pass && model->rules.takes_tokens)
		return user->mac.n_bytes && model_pass_left(request, time->wall_s) > 0;
	if (model_lives(a) && request->method != STUN_ALLOCATE &&
		model_has_name(&a->owner, realm, user))
		return keys_agree(&a->owner, user, algorithm) &&
			!model_has_gone(model, &a->owner) &&
			(!a->owner.mac.n_bytes || a->token_ends_s > time->now_ms / 1000);
	if (!user->exists || user->realm != realm || model_has_gone(model, user))
		return false;
	if (user->expires_s == 0)
		return true;
	return model->rules.realms[realm].has_secrets && time->wall_s < user->expires_s;
}

// A hidden name is found among the configured ones only.
static bool has_known_name(const struct model *model, const struct login *login)
{
	return login->has_name ||
		(login->user.exists && login->user.expires_s == 0 &&
			!model_has_gone(model, &login->user));
}

static bool is_good_nonce(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct nonce *nonce = &request->login.nonce;

	return nonce->genuine && endpoint_equal(&nonce->owner, &request->client) &&
		model_realm_of(model, &nonce->service) ==
		model_realm_of(model, &request->service) &&
		nonce->offered == model_realm(model, request)->offers_sha256 &&
		time->now_ms - nonce->made_ms < model->rules.nonce_lifetime_s * 1000ULL;
}

// RFC 8489 §9.2.4: which keys are meant. What was offered must come back, or 400 is due; of an
// offer that a change of the configuration has ended, 438 with the new one.
static int choose_algorithm(const struct model *model, const struct turn_time *time,
	const struct request *request, uint16_t *out)
{
	const struct login *login = &request->login;
	const struct model_realm *realm = model_realm(model, request);

	*out = STUN_PASSWORD_MD5;
	if (!login->nonce.has_cookie || !login->nonce.offered ||
		(!login->has_offer && !login->has_choice))
		return 0;
	if (!realm->offers_sha256 || !login->has_offer || !login->has_choice ||
		!login->offer_is_true ||
		(login->choice != STUN_PASSWORD_MD5 && login->choice != STUN_PASSWORD_SHA256))
		return realm->offer_changed && !is_good_nonce(model, time, request) ? 438 : 400;
	*out = login->choice;
	return 0;
}

int model_judge_login(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct login *login = &request->login;
	uint8_t signature = login->sha256 ? login->sha256 : login->sha1;
	uint16_t algorithm;
	int code;

	if (!login->sha1 && !login->sha256)
		return 401;
	if ((!login->has_name && !login->has_userhash) || !login->has_nonce || !login->has_realm)
		return 400;
	code = choose_algorithm(model, time, request, &algorithm);
	if (code)
		return code;
	if (login->key != algorithm && !login->user.mac.n_bytes)
		signature = SIGNATURE_WRONG;
	if (!has_known_name(model, login) || signature != SIGNATURE_RIGHT ||
		!knows_password(model, time, request, algorithm))
		return 401;
	return is_good_nonce(model, time, request) ? 0 : 438;
}
