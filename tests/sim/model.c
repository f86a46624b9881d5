#include "model.h"

#include <stdio.h>
#include <string.h>

#define UDP 17
#define RESERVATION_MS 30000u

// Time is counted in whole seconds: what ends within one is gone when the next one begins.
static bool is_over(uint64_t expires_ms, uint64_t now_ms)
{
	return now_ms - now_ms % 1000 >= expires_ms;
}

static uint8_t *port_of(struct model *model, const struct endpoint *relayed)
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

		n += a->lives && (!account || strcmp(a->owner.account, account) == 0);
	}
	return n;
}

// RFC 8656 §7.2: any free one; an even one; an even one whose neighbour is free as well.
static bool has_port(const struct model *model, bool even, bool pair)
{
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

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

static int find_token(const struct model *model, const struct request *request)
{
	for (int i = 0; i < MODEL_RESERVATIONS_MAX; i++) {
		const struct model_reservation *r = &model->reservations[i];

		if (r->lives && memcmp(r->token, request->token, TOKEN_BYTES) == 0 &&
			strcmp(r->owner, request->login.user.name) == 0)
			return i;
	}
	return -1;
}

static uint32_t lifetime_for(const struct model *model, const struct request *request)
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
static int judge_wish(const struct request *request)
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
	if (family && request->family != FAMILY_IPV4)
		return 440;
	if (request_spoils(request, HAS_ADDITIONAL) ||
		(additional && request->additional != FAMILY_IPV6))
		return 400;
	return 0;
}

static int judge_allocate(const struct model *model, const struct request *request, bool has_room)
{
	const struct model_allocation *a = &model->allocations[request->tuple];
	const struct user *user = &request->login.user;
	const uint32_t quota = model->rules.n_allocations_per_user;
	int code;

	if (a->lives)
		return memcmp(a->transaction, request->transaction, sizeof(a->transaction)) == 0 &&
				strcmp(a->owner.name, user->name) == 0
			? 0
			: 437;
	if (port_of((struct model *)model, &request->client) || request->client.ip.bytes[0] == 0x20)
		return 403; // one of our relayed addresses, or 6to4
	code = judge_wish(request);
	if (code)
		return code;
	if (count_allocations(model, NULL) >= model->rules.n_allocations_max)
		return when_full(model, request);
	if (!has_room)
		return 508;
	if (quota && count_allocations(model, user->account) >= quota)
		return 486;
	if (request_has(request, HAS_TOKEN))
		return find_token(model, request) < 0 ? 508 : 0;
	if (!has_port(model, request_has(request, HAS_EVEN_PORT),
		    request_has(request, HAS_EVEN_PORT) && request->pair))
		return when_full(model, request);
	return 0;
}

// RFC 8656 §8.2.
static int judge_refresh(const struct model *model, const struct request *request, bool has_room)
{
	const struct model_allocation *a = &model->allocations[request->tuple];

	if (request_spoils(request, HAS_LIFETIME) || request_spoils(request, HAS_FAMILY))
		return 400;
	if (request_has(request, HAS_FAMILY) && request->family != a->relayed.ip.family)
		return 443;
	if (request_has(request, HAS_LIFETIME) && request->lifetime_s == 0 && !has_room)
		return 508;
	return 0;
}

static struct model_permission *find_permission(
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
		if (request->peers[i].ip.family != a->relayed.ip.family)
			return 443;
	for (unsigned i = 0; i < request->n_peers; i++) {
		unsigned first = 0;

		if (!model_allows_ip(model, &request->peers[i].ip))
			return 403;
		while (!ip_equal(&request->peers[first].ip, &request->peers[i].ip))
			first++;
		n_new += first == i && !find_permission(a, &request->peers[i].ip);
	}
	if (n_new > 0 && (!has_room || a->n_permissions + n_new > TURN_PERMISSIONS_MAX))
		return 508;
	return 0;
}

// RFC 8656 §12.2: neither is bound to another. -1: both are free.
static int find_channel(
	const struct model_allocation *a, const struct request *request, bool *clash)
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
	is_new = find_channel(a, request, &clash) < 0;
	if (clash)
		return 400;
	if (peer->ip.family != a->relayed.ip.family)
		return 443;
	if (!model_allows_peer(model, peer, &a->relayed))
		return 403;
	is_unpermitted = !find_permission(a, &peer->ip);
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
	if (!a->lives)
		return 437;
	if (strcmp(a->owner.name, request->login.user.name) != 0)
		return 441;
	if (request->method == STUN_REFRESH)
		return judge_refresh(model, request, has_room);
	if (request->method == STUN_CREATE_PERMISSION)
		return judge_permission(model, request, has_room);
	return judge_channel(model, request, has_room);
}

static void reserve(struct model *model, const struct request *request, const struct answer *answer,
	uint64_t now_ms)
{
	int i = 0;

	while (model->reservations[i].lives)
		i++;
	model->reservations[i] = (struct model_reservation){
		.lives = true,
		.relayed = answer->relayed,
		.tuple = (int)request->tuple,
		.expires_ms = now_ms + RESERVATION_MS,
	};
	model->reservations[i].relayed.port++;
	memcpy(model->reservations[i].token, answer->token, TOKEN_BYTES);
	strcpy(model->reservations[i].owner, request->login.user.name);
	*port_of(model, &model->reservations[i].relayed) = MODEL_PORT_RESERVED;
	model->allocations[request->tuple].reservation = i;
}

static void end_reservation(struct model *model, int i, enum model_port state)
{
	struct model_reservation *r = &model->reservations[i];

	*port_of(model, &r->relayed) = state;
	if (r->tuple >= 0)
		model->allocations[r->tuple].reservation = -1;
	r->lives = false;
}

static const char *take_port(
	struct model *model, const struct request *request, const struct answer *answer)
{
	const struct endpoint *relayed = &answer->relayed;
	uint8_t *port = port_of(model, relayed);
	const bool even = request_has(request, HAS_EVEN_PORT);

	if (!port)
		return "the relayed address is of no relay";
	if (request_has(request, HAS_TOKEN)) {
		const int i = find_token(model, request);

		if (!endpoint_equal(&model->reservations[i].relayed, relayed))
			return "a token gave another port than it stood for";
		end_reservation(model, i, MODEL_PORT_USED);
		return NULL;
	}
	if (*port != MODEL_PORT_FREE)
		return "the relayed port was not free";
	if (even && relayed->port % 2)
		return "an even port was asked for";
	*port = MODEL_PORT_USED;
	return NULL;
}

static const char *take_allocation(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	const bool pair = request_has(request, HAS_EVEN_PORT) && request->pair;
	const char *wrong = take_port(model, request, answer);
	struct endpoint next = answer->relayed;

	if (wrong)
		return wrong;
	a->lives = true;
	a->owner = request->login.user;
	a->service = request->service;
	a->client = request->client;
	a->relayed = answer->relayed;
	memcpy(a->transaction, request->transaction, sizeof(a->transaction));
	a->expires_ms = time->now_ms + lifetime_for(model, request) * 1000ULL;
	a->reservation = -1;
	a->n_permissions = a->n_channels = 0;
	if (!pair)
		return NULL;
	next.port++;
	if (!answer->has_token)
		return "no token for the port that was asked to be reserved";
	if (!port_of(model, &next) || *port_of(model, &next) != MODEL_PORT_FREE)
		return "the port behind an even one cannot be reserved";
	reserve(model, request, answer, time->now_ms);
	return NULL;
}

static const char *take_allocate(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	const char *wrong;
	uint64_t left_ms;

	if (!a->lives) {
		wrong = take_allocation(model, time, request, answer);
		if (wrong)
			return wrong;
	}
	left_ms = a->expires_ms > time->now_ms ? a->expires_ms - time->now_ms : 0;
	if (!endpoint_equal(&a->relayed, &answer->relayed))
		return "a retransmission got another relayed address";
	if (!answer->has_lifetime || answer->lifetime_s != left_ms / 1000)
		return "the lifetime is not what is left";
	if (answer->has_token != (a->reservation >= 0))
		return "a token where none is due, or none where one is";
	if (answer->has_token &&
		memcmp(model->reservations[a->reservation].token, answer->token, TOKEN_BYTES) != 0)
		return "a retransmission got another token";
	if (answer->has_address_error != request_has(request, HAS_ADDITIONAL))
		return "ADDRESS-ERROR-CODE does not tell of the second family";
	return endpoint_equal(&answer->mapped, &request->client) ? NULL : "the mapped address";
}

static void end_allocation(struct model *model, struct model_allocation *a)
{
	a->lives = false;
	if (a->reservation >= 0)
		model->reservations[a->reservation].tuple = -1;
}

static const char *take_refresh(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	uint32_t lifetime_s = lifetime_for(model, request);

	if (request_has(request, HAS_LIFETIME) && request->lifetime_s == 0) {
		lifetime_s = 0;
		end_allocation(model, a);
	}
	a->expires_ms = time->now_ms + lifetime_s * 1000ULL;
	return answer->has_lifetime && answer->lifetime_s == lifetime_s ? NULL : "the lifetime";
}

static void permit(struct model_allocation *a, const struct ip_addr *ip, uint64_t now_ms)
{
	struct model_permission *permission = find_permission(a, ip);

	if (!permission)
		permission = &a->permissions[a->n_permissions++];
	permission->ip = *ip;
	permission->expires_ms = now_ms + 300000; // RFC 8656 §9
}

static void bind(struct model_allocation *a, const struct request *request, uint64_t now_ms)
{
	bool clash;
	int i = find_channel(a, request, &clash);

	if (i < 0)
		i = (int)a->n_channels++;
	a->channels[i] = (struct model_channel){
		request->channel, request->peers[0], now_ms + 600000}; // RFC 8656 §12
	permit(a, &request->peers[0].ip, now_ms);
}

static const char *take_success(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = &model->allocations[request->tuple];

	switch (request->method) {
	case STUN_BINDING:
		return endpoint_equal(&answer->mapped, &request->client) ? NULL
									 : "the mapped address";
	case STUN_ALLOCATE:
		return take_allocate(model, time, request, answer);
	case STUN_REFRESH:
		return take_refresh(model, time, request, answer);
	case STUN_CREATE_PERMISSION:
		for (unsigned i = 0; i < request->n_peers; i++)
			permit(a, &request->peers[i].ip, time->now_ms);
		return NULL;
	default:
		bind(a, request, time->now_ms);
		return NULL;
	}
}

// How many attributes the answer has, beside its signature.
static unsigned count_attrs(
	const struct model *model, const struct request *request, const struct answer *answer)
{
	const unsigned challenge = model->rules.offers_sha256 ? 4 : 3;

	if (answer->code == 401 || answer->code == 438)
		return challenge;
	if (answer->code)
		return answer->code == 300 || answer->code == 420 ? 2 : 1;
	switch (request->method) {
	case STUN_ALLOCATE:
		return 3u + answer->has_token + answer->has_address_error;
	case STUN_BINDING:
	case STUN_REFRESH:
		return 1;
	default:
		return 0;
	}
}

static const char *check_error(const struct model *model, const struct answer *answer)
{
	const bool challenged = answer->code == 401 || answer->code == 438;

	if (answer->has_realm != challenged || (answer->nonce.n > 0) != challenged)
		return "REALM and NONCE belong to 401 and 438, and only there";
	if (answer->has_offer != (challenged && model->rules.offers_sha256))
		return "PASSWORD-ALGORITHMS belongs to a challenge";
	if (answer->has_unknown != (answer->code == 420))
		return "UNKNOWN-ATTRIBUTES belongs to 420";
	if (answer->code == 300 && !endpoint_equal(&answer->alternate, &model->rules.alternate))
		return "the alternate server";
	return NULL;
}

const char *model_take(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	const struct login *login = &request->login;
	const bool authentic =
		request->method != STUN_BINDING && !model_judge_login(model, time, request);
	const bool chose = authentic && login->has_choice && login->nonce.has_cookie &&
		model->rules.offers_sha256;
	const char *wrong = check_error(model, answer);

	if (wrong)
		return wrong;
	if (answer->n_attrs != count_attrs(model, request, answer))
		return "an attribute that is not due";
	if (answer->has_sha1 != (authentic && !chose) || answer->has_sha256 != chose)
		return "the signature's kind";
	if (answer->has_fingerprint != (request->fingerprint != SIGNATURE_NONE))
		return "FINGERPRINT comes back exactly where it came";
	return answer->code ? NULL : take_success(model, time, request, answer);
}

static void expire_parts(struct model_allocation *a, uint64_t now_ms)
{
	for (unsigned i = a->n_permissions; i-- > 0;)
		if (is_over(a->permissions[i].expires_ms, now_ms))
			a->permissions[i] = a->permissions[--a->n_permissions];
	for (unsigned i = a->n_channels; i-- > 0;)
		if (is_over(a->channels[i].expires_ms, now_ms))
			a->channels[i] = a->channels[--a->n_channels];
}

void model_expire(struct model *model, uint64_t now_ms)
{
	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++) {
		struct model_allocation *a = &model->allocations[i];

		if (a->lives && is_over(a->expires_ms, now_ms))
			end_allocation(model, a);
		else if (a->lives)
			expire_parts(a, now_ms);
	}
	for (int i = 0; i < MODEL_RESERVATIONS_MAX; i++)
		if (model->reservations[i].lives &&
			is_over(model->reservations[i].expires_ms, now_ms))
			end_reservation(model, i, MODEL_PORT_FREE);
}

const char *model_cool(struct model *model, const struct endpoint *relayed)
{
	uint8_t *port = port_of(model, relayed);

	if (!port || *port != MODEL_PORT_USED)
		return "a port cools that was not used";
	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++)
		if (model->allocations[i].lives &&
			endpoint_equal(&model->allocations[i].relayed, relayed))
			return "a port cools whose allocation lives";
	*port = MODEL_PORT_COOLING;
	return NULL;
}

const char *model_release(struct model *model, const struct endpoint *relayed)
{
	uint8_t *port = port_of(model, relayed);

	if (!port || *port != MODEL_PORT_COOLING)
		return "a port is released that did not cool";
	*port = MODEL_PORT_FREE;
	return NULL;
}

struct turn_stats model_count(const struct model *model)
{
	struct turn_stats stats = {0};

	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++) {
		const struct model_allocation *a = &model->allocations[i];

		stats.n_allocations += a->lives;
		stats.n_permissions += a->lives ? a->n_permissions : 0;
		stats.n_channels += a->lives ? a->n_channels : 0;
	}
	for (size_t i = 0; i < model->rules.n_relays; i++) {
		const struct relay_range *relay = &model->rules.relays[i];

		for (int k = 0; k <= relay->port_max - relay->port_min; k++) {
			stats.n_ports_free += model->ports[i][k] == MODEL_PORT_FREE;
			stats.n_ports_used += model->ports[i][k] == MODEL_PORT_USED;
			stats.n_ports_reserved += model->ports[i][k] == MODEL_PORT_RESERVED;
			stats.n_ports_cooling += model->ports[i][k] == MODEL_PORT_COOLING;
		}
	}
	return stats;
}
