// Who asks, and with what proof.
#include "draw.h"
#include "users.h"

#include <assert.h>
#include <string.h>

enum kind {
	KIND_CONFIGURED, // and as many more
	KIND_NOBODY = USERS_CONFIGURED,
	KIND_REST,
	KIND_REST_TOO,
	KIND_REST_SHA256,
	KIND_REST_FALSE,
	KIND_BEARER,
	KIND_BEARER_TOO,
	KIND_BEARER_FALSE,
	KINDS,
};
static_assert(KINDS == DRAW_USERS, "one of each");

// A REST user whose name ends within the next half hour.
static struct user mint(struct draw *draw, uint8_t realm, const char *account, const char *secret)
{
	return user_rest(realm, account, draw->time->wall_s + 1 + draw_below(draw, 2000), secret);
}

// One whose token is good for an hour at most, and of now, or nearly.
static struct user issue(struct draw *draw)
{
	static const uint32_t lifetimes_s[] = {0, 1, 30, 600, 605, 3600, UINT32_MAX};
	const int64_t made_s = draw->time->wall_s - 20 + draw_below(draw, 30);

	return user_bearer(draw_below(draw, USERS_ISSUERS), ++draw->n_bearers, made_s,
		lifetimes_s[draw_below(draw, N_ELEMENTS(lifetimes_s))]);
}

static void draw_user(struct draw *draw, uint8_t realm, unsigned kind)
{
	struct user *user = &draw->users[realm][kind];

	switch (kind) {
	case KIND_NOBODY:
		*user = user_configured(realm, 0);
		strcpy(user->name, "nobody");
		user->exists = false;
		return;
	case KIND_REST:
	case KIND_REST_TOO:
		*user = mint(draw, realm, "dave", users_secrets[0]);
		return;
	case KIND_REST_SHA256:
		*user = mint(draw, realm, "erin", users_secrets[1]);
		return;
	case KIND_REST_FALSE:
		*user = mint(draw, realm, "fred", "wrong");
		user->exists = false;
		return;
	case KIND_BEARER:
	case KIND_BEARER_TOO:
		*user = issue(draw);
		return;
	case KIND_BEARER_FALSE:
		*user = issue(draw);
		user->pass.bytes[draw_below(draw, (unsigned)user->pass.n)] ^= 0x10;
		user->pass.genuine = false;
		return;
	default:
		*user = user_configured(realm, kind);
	}
}

void draw_open_users(struct draw *draw)
{
	for (uint8_t realm = 0; realm < REALMS_MAX; realm++)
		for (unsigned kind = 0; kind < KINDS; kind++)
			draw_user(draw, realm, kind);
}

// Mostly one and the same for a client, and of the realm that it asks.
static struct user choose_user(struct draw *draw, const struct request *request)
{
	const struct model_rules *rules = &draw->model->rules;
	const unsigned n_kinds = rules->takes_tokens ? KINDS : KIND_BEARER;
	uint8_t realm = model_realm_of(draw->model, &request->service);
	unsigned kind = request->tuple / 2 % n_kinds;

	if (rules->n_realms > 1 && draw_chance(draw, 3))
		realm = !realm;
	if (draw_chance(draw, 5))
		kind = draw_below(draw, n_kinds);
	if (kind == KIND_NOBODY && !draw_chance(draw, 10))
		kind = KIND_CONFIGURED;
	if (kind > KIND_NOBODY && draw_chance(draw, kind < KIND_BEARER ? 2 : 8))
		draw_user(draw, realm, kind);
	return draw->users[realm][kind];
}

// Whose allocation the request is about, by the ticket or else by the 5-tuple.
static const struct model_allocation *find_subject(
	const struct draw *draw, const struct request *request)
{
	const struct model_allocation *a = NULL;

	if (request_has(request, HAS_TICKET))
		a = model_of_life(draw->model, request->ticket.life);
	return a ? a : model_at(draw->model, request->tuple);
}

void draw_login(struct draw *draw, struct request *request)
{
	const struct model_allocation *a = find_subject(draw, request);
	const struct model_realm *rules =
		&draw->model->rules.realms[model_realm_of(draw->model, &request->service)];
	struct login *login = &request->login;

	*login = (struct login){.user = choose_user(draw, request),
		.nonce = draw->nonces[request->tuple],
		.has_name = true,
		.has_realm = true,
		.has_nonce = true,
		.key = STUN_PASSWORD_MD5};
	// A new token is not the owner's: it takes over.
	if (model_lives(a) && draw_chance(draw, login->user.mac.n_bytes ? 60 : 90))
		login->user = a->owner;
	login->has_pass = login->user.mac.n_bytes && draw_chance(draw, 70);
	if (draw_chance(draw, rules->asks_userhash ? 60 : 3)) {
		login->has_userhash = true;
		login->has_name = draw_chance(draw, 10);
	}
	login->sha1 = SIGNATURE_RIGHT;
	if (rules->offers_sha256 ? draw_chance(draw, 70) : draw_chance(draw, 2)) {
		login->has_offer = login->has_choice = login->offer_is_true = true;
		login->choice = draw_chance(draw, 70) ? STUN_PASSWORD_SHA256 : STUN_PASSWORD_MD5;
		login->key = rules->offers_sha256 ? login->choice : STUN_PASSWORD_MD5;
		login->sha256 = SIGNATURE_RIGHT;
		login->sha1 = draw_chance(draw, 20) ? SIGNATURE_RIGHT : SIGNATURE_NONE;
	}
}

// Of another client, or of the same one for another service; made up; changed.
static void spoil_nonce(struct draw *draw, struct request *request)
{
	struct nonce *nonce = &request->login.nonce;
	const unsigned i = 13 + draw_below(draw, (unsigned)(nonce->n > 13 ? nonce->n - 13 : 1));

	switch (draw_below(draw, 4)) {
	case 0:
		*nonce = draw->nonces[draw_below(draw, 2 * draw->scenario->n_clients)];
		return;
	case 1:
		*nonce = draw->nonces[request->tuple ^ 1];
		return;
	case 2:
		*nonce = (struct nonce){.bytes = "not one of ours", .n = 15};
		return;
	default:
		if (nonce->n <= i)
			return;
		nonce->bytes[i] = nonce->bytes[i] == 'A' ? 'B' : 'A';
		nonce->genuine = false;
	}
}

void draw_spoil_login(struct draw *draw, struct request *request)
{
	struct login *login = &request->login;

	switch (draw_below(draw, 13)) {
	case 0:
		login->has_name = login->has_userhash = false;
		return;
	case 1:
		login->has_realm = false;
		return;
	case 2:
		login->has_nonce = false;
		return;
	case 3:
		login->sha1 = login->sha256 = SIGNATURE_NONE;
		return;
	case 4:
		login->sha1 = SIGNATURE_WRONG;
		return;
	case 5:
		login->sha256 = SIGNATURE_WRONG;
		return;
	case 6:
		login->has_offer = !login->has_offer;
		return;
	case 7:
		login->has_choice = !login->has_choice;
		return;
	case 8:
		login->offer_is_true = false;
		login->offer_is_short = draw_chance(draw, 50);
		return;
	case 9:
		login->choice = (uint16_t)draw_below(draw, 4);
		return;
	case 10:
		login->has_pass = !login->has_pass;
		return;
	case 11:
		login->key =
			login->key == STUN_PASSWORD_MD5 ? STUN_PASSWORD_SHA256 : STUN_PASSWORD_MD5;
		return;
	default:
		spoil_nonce(draw, request);
	}
}
