// Who may ask, and whom one may talk to: the parts of the model that know names and addresses.
#include "model.h"

#include <string.h>

static bool keys_agree(const struct user *a, const struct user *b, uint16_t algorithm)
{
	const struct stun_key *p = algorithm == STUN_PASSWORD_SHA256 ? &a->sha256 : &a->md5;
	const struct stun_key *q = algorithm == STUN_PASSWORD_SHA256 ? &b->sha256 : &b->md5;

	return memcmp(p->bytes, q->bytes, p->n_bytes) == 0;
}

// The password that the name has here, now, and for this request: an allocation's owner keeps the
// one it was made with.
static bool knows_password(const struct model *model, const struct turn_time *time,
	const struct request *request, uint16_t algorithm)
{
	const struct model_allocation *a = &model->allocations[request->tuple];
	const struct user *user = &request->login.user;

	if (model_lives(a) && request->method != STUN_ALLOCATE &&
		strcmp(a->owner.name, user->name) == 0)
		return keys_agree(&a->owner, user, algorithm);
	if (!user->exists)
		return false;
	if (user->expires_s == 0)
		return true;
	return model->rules.has_secrets && time->wall_s < user->expires_s;
}

// A hidden name is found among the configured ones only.
static bool has_known_name(const struct login *login)
{
	return login->has_name || (login->user.exists && login->user.expires_s == 0);
}

int model_judge_login(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct login *login = &request->login;
	const struct nonce *nonce = &login->nonce;
	const bool offered = model->rules.offers_sha256 && nonce->has_cookie;
	uint16_t algorithm = STUN_PASSWORD_MD5;
	uint8_t signature;

	if (!login->sha1 && !login->sha256)
		return 401;
	if ((!login->has_name && !login->has_userhash) || !login->has_nonce || !login->has_realm)
		return 400;
	if (offered && (login->has_offer || login->has_choice)) {
		if (!login->has_offer || !login->has_choice || !login->offer_is_true ||
			(login->choice != STUN_PASSWORD_MD5 &&
				login->choice != STUN_PASSWORD_SHA256))
			return 400;
		algorithm = login->choice;
	}
	signature = login->sha256 ? login->sha256 : login->sha1;
	if (!has_known_name(login) || signature != SIGNATURE_RIGHT || login->key != algorithm ||
		!knows_password(model, time, request, algorithm))
		return 401;
	if (!nonce->genuine || !endpoint_equal(&nonce->owner, &request->client) ||
		time->now_ms - nonce->made_ms >= model->rules.nonce_lifetime_s * 1000ULL)
		return 438;
	return 0;
}

static bool is_relay_ip(const struct model *model, const struct ip_addr *ip)
{
	for (size_t i = 0; i < model->rules.n_relays; i++)
		if (ip_equal(&model->rules.relays[i].ip, ip))
			return true;
	return false;
}

// By the first two bytes, for the few addresses that are ever drawn: none of the lists under test.
bool model_allows_ip(const struct model *model, const struct ip_addr *ip)
{
	const unsigned a = ip->bytes[0], b = ip->bytes[1];
	const bool private = a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
		(a == 100 && b >= 64 && b < 128);

	if (is_relay_ip(model, ip))
		return true;
	if (ip->family == FAMILY_IPV6)
		return a == 0x26 || ((a & 0xfe) == 0xfc && model->rules.allow_private);
	if (a == 0 || a == 127 || a >= 224 || (a == 169 && b == 254))
		return false;
	if (private)
		return model->rules.allow_private;
	if (a == 198 && (b == 18 || b == 19))
		return false;
	if ((a == 192 && b == 0) || (a == 198 && b == 51) || (a == 203 && b == 0))
		return false; // only documentation and our own services are drawn there
	return true;
}

bool model_allows_peer(
	const struct model *model, const struct endpoint *peer, const struct endpoint *relayed)
{
	if (!model_allows_ip(model, &peer->ip) || endpoint_equal(peer, relayed))
		return false;
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		if (ip_equal(&relay->ip, &peer->ip))
			return peer->port >= relay->port_min && peer->port <= relay->port_max;
	}
	return true;
}
