// What the model learns from an answer, and what time takes away.
#include "model_parts.h"

#include <string.h>

#define RESERVATION_MS 30000u

// Time is counted in whole seconds: what ends within one is gone when the next one begins.
static bool is_over(uint64_t expires_ms, uint64_t now_ms)
{
	return now_ms - now_ms % 1000 >= expires_ms;
}

static void reserve(struct model *model, const struct request *request, const struct answer *answer,
	uint64_t now_ms)
{
	int i = 0;

	while (model->reservations[i].lives)
		i++;
	model->reservations[i] = (struct model_reservation){
		.lives = true,
		.relayed = answer->relayed[model_family_for(request) - 1],
		.tuple = (int)request->tuple,
		.expires_ms = now_ms + RESERVATION_MS,
	};
	model->reservations[i].relayed.port++;
	memcpy(model->reservations[i].token, answer->token, TOKEN_BYTES);
	strcpy(model->reservations[i].owner, request->login.user.name);
	*model_port_of(model, &model->reservations[i].relayed) = MODEL_PORT_RESERVED;
	model->allocations[request->tuple].reservation = i;
}

static void end_reservation(struct model *model, int i, enum model_port state)
{
	struct model_reservation *r = &model->reservations[i];

	*model_port_of(model, &r->relayed) = state;
	if (r->tuple >= 0)
		model->allocations[r->tuple].reservation = -1;
	r->lives = false;
}

static const char *take_reserved(
	struct model *model, const struct request *request, const struct answer *answer)
{
	const int i = model_find_token(model, request);
	const struct endpoint *relayed = &model->reservations[i].relayed;

	if (!endpoint_equal(relayed, &answer->relayed[relayed->ip.family - 1]))
		return "a token gave another port than it stood for";
	end_reservation(model, i, MODEL_PORT_USED);
	return NULL;
}

static const char *take_port(
	struct model *model, const struct request *request, const struct endpoint *relayed)
{
	uint8_t *port = model_port_of(model, relayed);

	if (!port)
		return "the relayed address is of no relay";
	if (*port != MODEL_PORT_FREE)
		return "the relayed port was not free";
	if (request_has(request, HAS_EVEN_PORT) && relayed->port % 2)
		return "an even port was asked for";
	*port = MODEL_PORT_USED;
	return NULL;
}

// What can be had is given: of both families, where both are asked for.
static const char *take_ports(
	struct model *model, const struct request *request, const struct answer *answer)
{
	const char *wrong = NULL;

	if (request_has(request, HAS_TOKEN))
		return take_reserved(model, request, answer);
	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6 && !wrong; family++) {
		const struct endpoint *relayed = &answer->relayed[family - 1];

		if (model_can_take(model, request, family) != (relayed->ip.family == family))
			wrong = "a relayed address of another family than was asked for";
		else if (relayed->ip.family == family)
			wrong = take_port(model, request, relayed);
	}
	return wrong;
}

static const char *take_pair(
	struct model *model, const struct request *request, const struct answer *answer)
{
	struct endpoint next = answer->relayed[model_family_for(request) - 1];

	next.port++;
	if (!answer->has_token)
		return "no token for the port that was asked to be reserved";
	if (!model_port_of(model, &next) || *model_port_of(model, &next) != MODEL_PORT_FREE)
		return "the port behind an even one cannot be reserved";
	return NULL;
}

static const char *take_allocation(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	const bool pair = request_has(request, HAS_EVEN_PORT) && request->pair;
	const char *wrong = take_ports(model, request, answer);

	if (!wrong && pair)
		wrong = take_pair(model, request, answer);
	if (wrong)
		return wrong;
	*a = (struct model_allocation){.owner = request->login.user,
		.service = request->service,
		.client = request->client,
		.reservation = -1};
	memcpy(a->transaction, request->transaction, sizeof(a->transaction));
	for (int i = 0; i < MODEL_FAMILIES; i++)
		a->relayed[i] = (struct model_relayed){
			.lives = answer->relayed[i].ip.family != FAMILY_NONE,
			.address = answer->relayed[i],
			.expires_ms = time->now_ms + model_lifetime_for(model, request) * 1000ULL,
		};
	if (pair)
		reserve(model, request, answer, time->now_ms);
	return NULL;
}

// Addresses that live are told; of two that were asked for, why one is not there (check 9).
static const char *check_relayed(const struct model *model, const struct model_allocation *a,
	const struct request *request, const struct answer *answer)
{
	unsigned n_lacking = 0;

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		const struct model_relayed *relayed = model_relayed(a, family);
		const struct endpoint none = {0};

		if (!endpoint_equal(
			    relayed ? &relayed->address : &none, &answer->relayed[family - 1]))
			return "a retransmission got another relayed address";
		if (relayed || !request_has(request, HAS_ADDITIONAL))
			continue;
		n_lacking++;
		if (answer->lacking_family != family ||
			answer->lacking_code != (model_has_relay(model, family) ? 508 : 440))
			return "ADDRESS-ERROR-CODE says something else";
	}
	return answer->has_address_error == (n_lacking > 0) ? NULL : "ADDRESS-ERROR-CODE";
}

static const char *take_allocate(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	const struct model_relayed *first;
	const char *wrong = NULL;
	uint64_t left_ms;

	if (!model_lives(a))
		wrong = take_allocation(model, time, request, answer);
	if (!wrong)
		wrong = check_relayed(model, a, request, answer);
	if (wrong)
		return wrong;
	first = &a->relayed[a->relayed[0].lives ? 0 : 1];
	left_ms = first->expires_ms > time->now_ms ? first->expires_ms - time->now_ms : 0;
	if (!answer->has_lifetime || answer->lifetime_s != left_ms / 1000)
		return "the lifetime is not what is left";
	if (answer->has_token != (a->reservation >= 0))
		return "a token where none is due, or none where one is";
	if (answer->has_token &&
		memcmp(model->reservations[a->reservation].token, answer->token, TOKEN_BYTES) != 0)
		return "a retransmission got another token";
	return endpoint_equal(&answer->mapped, &request->client) ? NULL : "the mapped address";
}

// With the permissions and channels of its family; with the last one goes the allocation.
static void end_relayed(struct model *model, struct model_allocation *a, uint8_t family)
{
	a->relayed[family - 1].lives = false;
	for (unsigned i = a->n_permissions; i-- > 0;)
		if (a->permissions[i].ip.family == family)
			a->permissions[i] = a->permissions[--a->n_permissions];
	for (unsigned i = a->n_channels; i-- > 0;)
		if (a->channels[i].peer.ip.family == family)
			a->channels[i] = a->channels[--a->n_channels];
	if (!model_lives(a) && a->reservation >= 0)
		model->reservations[a->reservation].tuple = -1;
}

// RFC 8656 §8.2: one family, or all.
static const char *take_refresh(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	const bool ends = request_has(request, HAS_LIFETIME) && request->lifetime_s == 0;
	const uint32_t lifetime_s = ends ? 0 : model_lifetime_for(model, request);

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (!model_relayed(a, family) ||
			(request_has(request, HAS_FAMILY) && request->family != family))
			continue;
		if (ends)
			end_relayed(model, a, family);
		a->relayed[family - 1].expires_ms = time->now_ms + lifetime_s * 1000ULL;
	}
	return answer->has_lifetime && answer->lifetime_s == lifetime_s ? NULL : "the lifetime";
}

static void permit(struct model_allocation *a, const struct ip_addr *ip, uint64_t now_ms)
{
	struct model_permission *permission = model_find_permission(a, ip);

	if (!permission)
		permission = &a->permissions[a->n_permissions++];
	permission->ip = *ip;
	permission->expires_ms = now_ms + 300000; // RFC 8656 §9
}

static void bind(struct model_allocation *a, const struct request *request, uint64_t now_ms)
{
	bool clash;
	int i = model_find_channel(a, request, &clash);

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
		return 2u + answer->n_relayed + answer->has_token + answer->has_address_error;
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

		for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++)
			if (a->relayed[family - 1].lives &&
				is_over(a->relayed[family - 1].expires_ms, now_ms))
				end_relayed(model, a, family);
		if (model_lives(a))
			expire_parts(a, now_ms);
	}
	for (int i = 0; i < MODEL_RESERVATIONS_MAX; i++)
		if (model->reservations[i].lives &&
			is_over(model->reservations[i].expires_ms, now_ms))
			end_reservation(model, i, MODEL_PORT_FREE);
}

const char *model_cool(struct model *model, const struct endpoint *relayed)
{
	uint8_t *port = model_port_of(model, relayed);

	if (!port || *port != MODEL_PORT_USED)
		return "a port cools that was not used";
	for (unsigned i = 0; i < MODEL_TUPLES_MAX; i++)
		if (model_relayed(&model->allocations[i], relayed->ip.family) &&
			endpoint_equal(relayed,
				&model->allocations[i].relayed[relayed->ip.family - 1].address))
			return "a port cools whose allocation lives";
	*port = MODEL_PORT_COOLING;
	return NULL;
}

const char *model_release(struct model *model, const struct endpoint *relayed)
{
	uint8_t *port = model_port_of(model, relayed);

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

		stats.n_allocations += model_lives(a);
		stats.n_dual += a->relayed[0].lives && a->relayed[1].lives;
		stats.n_permissions += model_lives(a) ? a->n_permissions : 0;
		stats.n_channels += model_lives(a) ? a->n_channels : 0;
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
