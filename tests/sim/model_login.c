// Who may ask, and whom one may talk to: the parts of the model that know names and addresses.
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
	return left_s < UINT32_MAX ? (uint32_t)left_s : UINT32_MAX;
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
			(!a->owner.mac.n_bytes || a->token_ends_s > time->now_ms / 1000);
	if (!user->exists || user->realm != realm)
		return false;
	if (user->expires_s == 0)
		return true;
	return model->rules.realms[realm].has_secrets && time->wall_s < user->expires_s;
}

// A hidden name is found among the configured ones only.
static bool has_known_name(const struct login *login)
{
	return login->has_name || (login->user.exists && login->user.expires_s == 0);
}

// RFC 8489 §9.2.4: which keys are meant; 0 where what was offered has not come back.
static uint16_t choose_algorithm(const struct model *model, const struct request *request)
{
	const struct login *login = &request->login;
	const struct nonce *nonce = &login->nonce;
	const uint8_t asked = model_realm_of(model, &nonce->service);

	if (!nonce->has_cookie || !model->rules.realms[asked].offers_sha256 ||
		(!login->has_offer && !login->has_choice))
		return STUN_PASSWORD_MD5;
	if (!model_realm(model, request)->offers_sha256 || !login->has_offer ||
		!login->has_choice || !login->offer_is_true ||
		(login->choice != STUN_PASSWORD_MD5 && login->choice != STUN_PASSWORD_SHA256))
		return 0;
	return login->choice;
}

static bool is_good_nonce(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct nonce *nonce = &request->login.nonce;

	return nonce->genuine && endpoint_equal(&nonce->owner, &request->client) &&
		model_realm_of(model, &nonce->service) ==
		model_realm_of(model, &request->service) &&
		time->now_ms - nonce->made_ms < model->rules.nonce_lifetime_s * 1000ULL;
}

int model_judge_login(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct login *login = &request->login;
	uint8_t signature = login->sha256 ? login->sha256 : login->sha1;
	uint16_t algorithm;

	if (!login->sha1 && !login->sha256)
		return 401;
	if ((!login->has_name && !login->has_userhash) || !login->has_nonce || !login->has_realm)
		return 400;
	algorithm = choose_algorithm(model, request);
	if (!algorithm)
		return 400;
	if (login->key != algorithm && !login->user.mac.n_bytes)
		signature = SIGNATURE_WRONG;
	if (!has_known_name(login) || signature != SIGNATURE_RIGHT ||
		!knows_password(model, time, request, algorithm))
		return 401;
	return is_good_nonce(model, time, request) ? 0 : 438;
}

static bool is_relay_ip(const struct model *model, const struct ip_addr *ip)
{
	for (size_t i = 0; i < model->rules.n_relays; i++)
		if (ip_equal(&model->rules.relays[i].ip, ip))
			return true;
	return false;
}

static bool is_in(const struct ip_range *range, const struct ip_addr *ip)
{
	return range->first.family == ip->family &&
		memcmp(range->first.bytes, ip->bytes, sizeof(ip->bytes)) <= 0 &&
		memcmp(ip->bytes, range->last.bytes, sizeof(ip->bytes)) <= 0;
}

// What nobody can allow. By the first two bytes, here and below, for the few addresses that are
// ever drawn: none of the lists under test.
static bool is_never_one(const struct model *model, const struct ip_addr *ip)
{
	const unsigned a = ip->bytes[0], b = ip->bytes[1];

	for (size_t i = 0; i < N_ELEMENTS(model->rules.services); i++)
		if (ip_equal(&model->rules.services[i].ip, ip))
			return true;
	if (ip->family == FAMILY_IPV6)
		return a == 0 || a == 0xfe || a == 0xff ||
			(a == 0x20 && (b == 2 || (b == 1 && ip->bytes[2] == 0)));
	return a == 0 || a == 127 || (a >= 224 && a < 240) || a == 255 || (a == 169 && b == 254);
}

// Special and private networks, unless a list opens them.
static bool is_refused_by_default(const struct model_realm *realm, const struct ip_addr *ip)
{
	const unsigned a = ip->bytes[0], b = ip->bytes[1];

	if (ip->family == FAMILY_IPV6)
		return a != 0x26 && ((a & 0xfe) != 0xfc || !realm->allow_private);
	if (a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
		(a == 100 && b >= 64 && b < 128))
		return !realm->allow_private;
	return a >= 240 || (a == 198 && (b == 18 || b == 19 || b == 51)) || (a == 192 && b == 0) ||
		(a == 203 && b == 0);
}

bool model_allows_ip(
	const struct model *model, const struct model_realm *realm, const struct ip_addr *ip)
{
	const bool relay = is_relay_ip(model, ip);

	if (!relay && is_never_one(model, ip))
		return false;
	for (size_t i = 0; i < N_ELEMENTS(realm->allow); i++) {
		if (is_in(&realm->allow[i], ip))
			return true;
		if (is_in(&realm->deny[i], ip))
			return false;
	}
	return relay || !is_refused_by_default(realm, ip);
}

bool model_allows_peer(const struct model *model, const struct request *request,
	const struct endpoint *peer, const struct endpoint *relayed)
{
	bool is_port = true;

	if (!model_allows_ip(model, model_realm(model, request), &peer->ip) ||
		endpoint_equal(peer, relayed))
		return false;
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		if (!ip_equal(&relay->ip, &peer->ip))
			continue;
		if (peer->port >= relay->port_min && peer->port <= relay->port_max)
			return true;
		is_port = false;
	}
	return is_port;
}
