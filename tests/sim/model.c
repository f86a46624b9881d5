// What the model answers.
#include "model_parts.h"

#include <stdio.h>
#include <string.h>

#define UDP 17

uint8_t *model_port_of(struct model *model, const struct endpoint *relayed)
{
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		if (ip_equal(&relay->ip, &relayed->ip) && relayed->port >= relay->port_min &&
			relayed->port <= relay->port_max)
			return &model->ports[i][relayed->port - relay->port_min];
	}
	return NULL;
}

static unsigned count_allocations(const struct model *model, const char *account)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++) {
		const struct model_allocation *a = &model->allocations[i];

		n += model_lives(a) && (!account || strcmp(a->owner.account, account) == 0);
	}
	return n;
}

// RFC 8656 §7.2: any free one; an even one; an even one whose neighbour is free as well.
static bool has_port(const struct model *model, uint8_t family, bool even, bool pair)
{
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		if (relay->ip.family != family)
			continue;
		for (unsigned port = relay->port_min; port <= relay->port_max; port++) {
			const uint8_t *state = &model->ports[i][port - relay->port_min];

			if (state[0] != MODEL_PORT_FREE || (even && port % 2))
				continue;
			if (!pair || (port < relay->port_max && state[1] == MODEL_PORT_FREE))
				return true;
		}
	}
	return false;
}

bool model_has_relay(const struct model *model, uint8_t family)
{
	for (size_t i = 0; i < model->rules.n_relays; i++)
		if (model->rules.relays[i].ip.family == family)
			return true;
	return false;
}

// RFC 8656 §7.2, check 7: IPv4 where nothing is said.
uint8_t model_family_for(const struct request *request)
{
	return request_has(request, HAS_FAMILY) ? request->family : FAMILY_IPV4;
}

int model_find_token(const struct model *model, const struct request *request)
{
	for (int i = 0; i < MODEL_RESERVATIONS_MAX; i++) {
		const struct model_reservation *r = &model->reservations[i];

		if (r->lives && memcmp(r->token, request->token, TOKEN_BYTES) == 0 &&
			strcmp(r->owner, request->login.user.name) == 0)
			return i;
	}
	return -1;
}

uint32_t model_lifetime_for(const struct model *model, const struct request *request)
{
	const struct model_rules *rules = &model->rules;
	uint32_t wanted_s = request_has(request, HAS_LIFETIME) ? request->lifetime_s : 0;

	if (wanted_s > rules->lifetime_max_s)
		wanted_s = rules->lifetime_max_s;
	return wanted_s > rules->lifetime_s ? wanted_s : rules->lifetime_s;
}

// Another server may have room (RFC 8489 §10).
static int when_full(const struct model *model, const struct request *request)
{
	return model->rules.alternate.ip.family == request->client.ip.family ? 300 : 508;
}

// RFC 8656 §7.2, checks 3 to 9.
static int judge_wish(const struct model *model, const struct request *request)
{
	const bool family = request_has(request, HAS_FAMILY);
	const bool additional = request_has(request, HAS_ADDITIONAL);
	const bool even = request_has(request, HAS_EVEN_PORT);
	const bool token = request_has(request, HAS_TOKEN);

	if (!request_has(request, HAS_TRANSPORT) || request_spoils(request, HAS_TRANSPORT) ||
		request_spoils(request, HAS_LIFETIME))
		return 400;
	if (request->protocol != UDP)
		return 442;
	if (token && (even || family || additional || request_spoils(request, HAS_TOKEN)))
		return 400;
	if (request_spoils(request, HAS_EVEN_PORT) || (even && request->pair && additional))
		return 400;
	if ((family && additional) || request_spoils(request, HAS_FAMILY))
		return 400;
	if (request_spoils(request, HAS_ADDITIONAL) ||
		(additional && request->additional != FAMILY_IPV6))
		return 400;
	if (!additional && !token && !model_has_relay(model, model_family_for(request)))
		return 440;
	return 0;
}

// Whether the request asks for a relayed address of that family, and one is free.
bool model_can_take(const struct model *model, const struct request *request, uint8_t family)
{
	const bool even = request_has(request, HAS_EVEN_PORT);

	return (request_has(request, HAS_ADDITIONAL) || model_family_for(request) == family) &&
		has_port(model, family, even, even && request->pair);
}

static int judge_allocate(const struct model *model, const struct request *request, bool has_room)
{
	const struct model_allocation *a = &model->allocations[request->tuple];
	const struct user *user = &request->login.user;
	const uint32_t quota = model->rules.n_allocations_per_user;
	int code;

	if (model_lives(a))
		return memcmp(a->transaction, request->transaction, sizeof(a->transaction)) == 0 &&
				strcmp(a->owner.name, user->name) == 0
			? 0
			: 437;
	if (model_port_of((struct model *)model, &request->client) ||
		request->client.ip.bytes[0] == 0x20)
		return 403; // one of our relayed addresses, or 6to4
	code = judge_wish(model, request);
	if (code)
		return code;
	if (count_allocations(model, NULL) >= model->rules.n_allocations_max)
		return when_full(model, request);
	if (!has_room)
		return 508;
	if (quota && count_allocations(model, user->account) >= quota)
		return 486;
	if (request_has(request, HAS_TOKEN))
		return model_find_token(model, request) < 0 ? 508 : 0;
	return model_can_take(model, request, FAMILY_IPV4) ||
			model_can_take(model, request, FAMILY_IPV6)
		? 0
		: when_full(model, request);
}

// RFC 8656 §8.2.
static int judge_refresh(const struct model *model, const struct request *request, bool has_room)
{
	const struct model_allocation *a = &model->allocations[request->tuple];

	if (request_spoils(request, HAS_LIFETIME) || request_spoils(request, HAS_FAMILY))
		return 400;
	if (request_has(request, HAS_FAMILY) && !model_relayed(a, request->family))
		return 443;
	if (request_has(request, HAS_LIFETIME) && request->lifetime_s == 0 && !has_room)
		return 508;
	return 0;
}

struct model_permission *model_find_permission(
	const struct model_allocation *a, const struct ip_addr *ip)
{
	for (unsigned i = 0; i < a->n_permissions; i++)
		if (ip_equal(&a->permissions[i].ip, ip))
			return (struct model_permission *)&a->permissions[i];
	return NULL;
}

// RFC 8656 §10.2: all or nothing.
static int judge_permission(const struct model *model, const struct request *request, bool has_room)
{
	const struct model_allocation *a = &model->allocations[request->tuple];
	unsigned n_new = 0;

	if (request->n_peers == 0 || request_spoils(request, HAS_PEER))
		return 400;
	for (unsigned i = 0; i < request->n_peers; i++)
		if (!model_relayed(a, request->peers[i].ip.family))
			return 443;
	for (unsigned i = 0; i < request->n_peers; i++) {
		unsigned first = 0;

		if (!model_allows_ip(model, &request->peers[i].ip))
			return 403;
		while (!ip_equal(&request->peers[first].ip, &request->peers[i].ip))
			first++;
		n_new += first == i && !model_find_permission(a, &request->peers[i].ip);
	}
	if (n_new > 0 && (!has_room || a->n_permissions + n_new > TURN_PERMISSIONS_MAX))
		return 508;
	return 0;
}

// RFC 8656 §12.2: neither is bound to another. -1: both are free.
int model_find_channel(const struct model_allocation *a, const struct request *request, bool *clash)
{
	int found = -1;

	*clash = false;
	for (unsigned i = 0; i < a->n_channels; i++) {
		const bool number = a->channels[i].number == request->channel;
		const bool peer = endpoint_equal(&a->channels[i].peer, &request->peers[0]);

		if (number && peer)
			found = (int)i;
		else if (number || peer)
			*clash = true;
	}
	return found;
}

static int judge_channel(const struct model *model, const struct request *request, bool has_room)
{
	const struct model_allocation *a = &model->allocations[request->tuple];
	const struct endpoint *peer = &request->peers[0];
	const uint16_t highest = model->rules.rfc5766_channels ? 0x7fff : 0x4fff;
	bool clash, is_new, is_unpermitted;

	if (!request_has(request, HAS_CHANNEL) || request_spoils(request, HAS_CHANNEL) ||
		request->channel < 0x4000 || request->channel > highest)
		return 400;
	if (request->n_peers == 0 || peer->port == 0 ||
		(request->n_peers == 1 && request_spoils(request, HAS_PEER)))
		return 400;
	is_new = model_find_channel(a, request, &clash) < 0;
	if (clash)
		return 400;
	if (!model_relayed(a, peer->ip.family))
		return 443;
	if (!model_allows_peer(model, peer, &model_relayed(a, peer->ip.family)->address))
		return 403;
	is_unpermitted = !model_find_permission(a, &peer->ip);
	if ((is_new || is_unpermitted) &&
		(!has_room || a->n_channels + is_new > TURN_CHANNELS_MAX ||
			a->n_permissions + is_unpermitted > TURN_PERMISSIONS_MAX))
		return 508;
	return 0;
}

static bool is_known_method(uint16_t method)
{
	return method == STUN_BINDING || method == STUN_ALLOCATE || method == STUN_REFRESH ||
		method == STUN_CREATE_PERMISSION || method == STUN_CHANNEL_BIND;
}

int model_judge(const struct model *model, const struct turn_time *time,
	const struct request *request, bool has_room)
{
	const struct model_allocation *a = &model->allocations[request->tuple];
	int code = 0;

	if (request->class != STUN_REQUEST || request->fingerprint == SIGNATURE_WRONG ||
		!is_known_method(request->method))
		return ANSWER_NONE;
	if (request->method != STUN_BINDING)
		code = model_judge_login(model, time, request);
	if (code)
		return code;
	if (request_has(request, HAS_UNKNOWN_REQUIRED))
		return 420;
	if (request->method == STUN_BINDING)
		return 0;
	if (request->method == STUN_ALLOCATE)
		return judge_allocate(model, request, has_room);
	if (!model_lives(a))
		return 437;
	if (strcmp(a->owner.name, request->login.user.name) != 0)
		return 441;
	if (request->method == STUN_REFRESH)
		return judge_refresh(model, request, has_room);
	if (request->method == STUN_CREATE_PERMISSION)
		return judge_permission(model, request, has_room);
	return judge_channel(model, request, has_room);
}
