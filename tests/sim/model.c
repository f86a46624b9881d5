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

uint8_t model_realm_of(const struct model *model, const struct endpoint *service)
{
	return model->rules.n_realms > 1 && endpoint_equal(service, &model->rules.services[1]);
}

static unsigned count_allocations(const struct model *model)
{
	unsigned n = 0;

	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++)
		n += model_lives(&model->allocations[i]);
	return n;
}

void model_open(struct model *model, const struct model_rules *rules)
{
	model->rules = *rules;
	for (size_t i = 0; i < rules->n_relays; i++)
		model->known[i] = true;
}

static bool is_open(const struct model *model, size_t relay)
{
	return !(model->rules.closed_relays >> relay & 1);
}

struct endpoint model_outside(const struct model *model, const struct endpoint *relayed)
{
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		if (ip_equal(&relay->ip, &relayed->ip) && relay->external.family != FAMILY_NONE)
			return (struct endpoint){relay->external, relayed->port};
	}
	return *relayed;
}

struct endpoint model_inside(const struct model *model, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		if (model->known[i] && relay->external.family != FAMILY_NONE &&
			ip_equal(&relay->external, &endpoint->ip))
			return (struct endpoint){relay->ip, endpoint->port};
	}
	return *endpoint;
}

// RFC 8656 §7.2: any free one; an even one; an even one whose neighbour is free as well.
static bool has_port(const struct model *model, uint8_t family, bool even, bool pair)
{
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		if (relay->ip.family != family || !is_open(model, i))
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
		if (model->rules.relays[i].ip.family == family && is_open(model, i))
			return true;
	return false;
}

bool model_is_relayed(const struct model *model, const struct endpoint *endpoint)
{
	const uint8_t *port = model_port_of((struct model *)model, endpoint);
	const size_t relay = port ? (size_t)(port - model->ports[0]) / MODEL_PORTS_MAX : 0;

	return port && (is_open(model, relay) || *port != MODEL_PORT_FREE);
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
			model_has_name(&r->owner, model_realm_of(model, &request->service),
				&request->login.user))
			return i;
	}
	return -1;
}

// RFC 8656 §7.2, and never beyond what a token allows (RFC 7635 §9).
uint32_t model_lifetime_for(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct model_rules *rules = &model->rules;
	const struct model_allocation *a = model_subject(model, request);
	const uint64_t now_s = time->now_ms / 1000;
	uint32_t wanted_s = request_has(request, HAS_LIFETIME) ? request->lifetime_s : 0;
	uint32_t most_s = UINT32_MAX;

	if (request->login.has_pass)
		most_s = model_pass_left(request, time->wall_s);
	else if (model_lives(a) && a->owner.mac.n_bytes)
		most_s = (uint32_t)(a->token_ends_s - now_s);
	if (wanted_s > rules->lifetime_max_s)
		wanted_s = rules->lifetime_max_s;
	if (wanted_s < rules->lifetime_s)
		wanted_s = rules->lifetime_s;
	return wanted_s < most_s ? wanted_s : most_s;
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
	if (request_spoils(request, HAS_TICKET))
		return 400; // RFC 8016 §3.1.2
	if (request_has(request, HAS_TICKET) && !model->rules.allows_mobility)
		return 405;
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

bool model_refuses_client(const struct model *model, const struct request *request)
{
	const struct endpoint inside = model_inside(model, &request->client);

	return model_is_relayed(model, &inside) || request->client.ip.bytes[0] == 0x20; // 6to4
}

static int judge_allocate(const struct model *model, const struct request *request, bool has_room)
{
	const struct model_allocation *a = model_at(model, request->tuple);
	const struct user *user = &request->login.user;
	const uint8_t realm = model_realm_of(model, &request->service);
	int code;

	if (model_lives(a))
		return memcmp(a->transaction, request->transaction, sizeof(a->transaction)) == 0 &&
				model_has_name(&a->owner, realm, user)
			? 0
			: 437;
	if (model_refuses_client(model, request))
		return 403;
	code = judge_wish(model, request);
	if (code)
		return code;
	if (count_allocations(model) >= model->rules.n_allocations_max)
		return when_full(model, request);
	if (!has_room)
		return 508;
	if (model_quota_is_reached(model, request))
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
	const struct model_allocation *a = model_subject(model, request);
	const bool ends = request_has(request, HAS_LIFETIME) && request->lifetime_s == 0;

	if (request_spoils(request, HAS_LIFETIME) || request_spoils(request, HAS_FAMILY))
		return 400;
	if (request_has(request, HAS_FAMILY) && !model_relayed(a, request->family))
		return 443;
	return (ends || request_has(request, HAS_TICKET)) && !has_room ? 508 : 0;
}

struct model_permission *model_find_permission(
	const struct model_allocation *a, const struct ip_addr *ip)
{
	for (unsigned i = 0; i < a->n_permissions; i++)
		if (ip_equal(&a->permissions[i].ip, ip))
			return (struct model_permission *)&a->permissions[i];
	return NULL;
}

unsigned model_count_new(const struct model *model, const struct request *request)
{
	const struct model_allocation *a = model_at(model, request->tuple);
	unsigned n_new = 0;

	for (unsigned i = 0; i < request->n_peers; i++) {
		const struct ip_addr ip = model_peer(model, request, i).ip;
		bool is_first = true;

		for (unsigned k = 0; k < i; k++) {
			const struct ip_addr before = model_peer(model, request, k).ip;

			is_first = is_first && !ip_equal(&before, &ip);
		}
		n_new += is_first && !model_find_permission(a, &ip);
	}
	return n_new;
}

static unsigned n_permissions_max(const struct model *model)
{
	return model->rules.n_permissions_max ? model->rules.n_permissions_max
					      : MODEL_PERMISSIONS_MAX;
}

static unsigned n_channels_max(const struct model *model)
{
	return model->rules.n_channels_max ? model->rules.n_channels_max : MODEL_CHANNELS_MAX;
}

static bool allows(struct model_asked *asked, enum model_rule rule)
{
	asked->rules[asked->n++] = (uint8_t)rule;
	return model_rule_allows(rule);
}

// RFC 8656 §10.2: all or nothing.
static int judge_permission(const struct model *model, const struct turn_time *time,
	const struct request *request, bool has_room, struct model_asked *asked)
{
	const struct model_allocation *a = model_at(model, request->tuple);
	unsigned n_new;

	if (request->n_peers == 0 || request_spoils(request, HAS_PEER))
		return 400;
	for (unsigned i = 0; i < request->n_peers; i++)
		if (!model_relayed(a, model_peer(model, request, i).ip.family))
			return 443;
	for (unsigned i = 0; i < request->n_peers; i++) {
		const struct endpoint peer = model_peer(model, request, i);

		if (!allows(asked, model_rule_of_ip(model, model_realm(model, request), &peer.ip)))
			return 403;
	}
	n_new = model_count_new(model, request);
	if (n_new > 0 && (!has_room || a->n_permissions + n_new > n_permissions_max(model)))
		return 508;
	return model_may_turn(model, a, n_new, time->now_ms) ? 0 : 508;
}

// RFC 8656 §12.2: neither is bound to another. -1: both are free.
int model_find_channel(const struct model *model, const struct request *request, bool *clash)
{
	const struct model_allocation *a = model_at(model, request->tuple);
	const struct endpoint wanted = model_peer(model, request, 0);
	int found = -1;

	*clash = false;
	for (unsigned i = 0; i < a->n_channels; i++) {
		const bool number = a->channels[i].number == request->channel;
		const bool peer = endpoint_equal(&a->channels[i].peer, &wanted);

		if (number && peer)
			found = (int)i;
		else if (number || peer)
			*clash = true;
	}
	return found;
}

// What is new finds room.
static int judge_room_of_channel(const struct model *model, const struct turn_time *time,
	const struct request *request, bool is_new)
{
	const struct model_allocation *a = model_at(model, request->tuple);
	const struct ip_addr ip = model_peer(model, request, 0).ip;
	const bool is_unpermitted = !model_find_permission(a, &ip);

	if ((is_new && a->n_channels >= n_channels_max(model)) ||
		(is_unpermitted && a->n_permissions >= n_permissions_max(model)))
		return 508;
	return model_may_turn(model, a, is_unpermitted, time->now_ms) ? 0 : 508;
}

static int judge_channel(const struct model *model, const struct turn_time *time,
	const struct request *request, bool has_room, struct model_asked *asked)
{
	const struct model_allocation *a = model_at(model, request->tuple);
	const struct endpoint peer = model_peer(model, request, 0);
	const uint16_t highest = model->rules.rfc5766_channels ? 0x7fff : 0x4fff;
	bool clash, is_new;

	if (!request_has(request, HAS_CHANNEL) || request_spoils(request, HAS_CHANNEL) ||
		request->channel < 0x4000 || request->channel > highest)
		return 400;
	if (request->n_peers == 0 || peer.port == 0 ||
		(request->n_peers == 1 && request_spoils(request, HAS_PEER)))
		return 400;
	is_new = model_find_channel(model, request, &clash) < 0;
	if (clash)
		return 400;
	if (!model_relayed(a, peer.ip.family))
		return 443;
	if (!allows(asked,
		    model_rule_of_peer(model, model_realm(model, request), &peer,
			    &model_relayed(a, peer.ip.family)->address)))
		return 403;
	if (!is_new && model_find_permission(a, &peer.ip))
		return 0;
	return has_room ? judge_room_of_channel(model, time, request, is_new) : 508;
}

static bool is_known_method(uint16_t method)
{
	return method == STUN_BINDING || method == STUN_ALLOCATE || method == STUN_REFRESH ||
		method == STUN_CREATE_PERMISSION || method == STUN_CHANNEL_BIND;
}

// Attributes that must be understood, and are not.
static bool has_unknown(const struct model *model, const struct request *request)
{
	return request_has(request, HAS_UNKNOWN_REQUIRED) ||
		(request->login.has_pass &&
			(!model->rules.takes_tokens || request->method == STUN_BINDING));
}

// RFC 8656 §5.
static int judge_owner(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct model_allocation *a = model_at(model, request->tuple);

	if (request->method == STUN_REFRESH && request_has(request, HAS_TICKET))
		return model_judge_ticket(model, time, request);
	if (!model_lives(a))
		return 437;
	return model_owns(&a->owner, model_realm_of(model, &request->service), &request->login.user)
		? 0
		: 441;
}

int model_judge(const struct model *model, const struct turn_time *time,
	const struct request *request, bool has_room, struct model_asked *asked)
{
	int code = 0;

	asked->n = 0;
	if (request->class != STUN_REQUEST || request->fingerprint == SIGNATURE_WRONG ||
		!is_known_method(request->method))
		return ANSWER_NONE;
	if (request->method != STUN_BINDING)
		code = model_judge_login(model, time, request);
	if (code)
		return code;
	if (has_unknown(model, request))
		return 420;
	if (request->method == STUN_BINDING)
		return 0;
	if (request->method == STUN_ALLOCATE)
		return judge_allocate(model, request, has_room);
	code = judge_owner(model, time, request);
	if (code)
		return code;
	if (request->method == STUN_REFRESH)
		return judge_refresh(model, request, has_room);
	if (request->method == STUN_CREATE_PERMISSION)
		return judge_permission(model, time, request, has_room, asked);
	return judge_channel(model, time, request, has_room, asked);
}
