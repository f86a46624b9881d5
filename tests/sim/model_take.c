// What the model learns from an answer, and what time takes away.
#include "model_parts.h"

#include <string.h>

// Time is counted in whole seconds: what ends within one is gone when the next one begins.
static bool is_over(uint64_t expires_ms, uint64_t now_ms)
{
	return now_ms - now_ms % 1000 >= expires_ms;
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
	if (model_lives(a))
		return;
	model_forget_pending(model, a);
	model->accounts[a->account].n_held--;
	if (a->reservation >= 0)
		model->reservations[a->reservation].tuple = -1;
}

void model_end(struct model *model, struct model_allocation *a)
{
	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++)
		if (model_relayed(a, family))
			end_relayed(model, a, family);
}

// RFC 8656 §8.2: one family, or all.
static const char *take_refresh(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = (struct model_allocation *)model_subject(model, request);
	const bool ends = request_has(request, HAS_LIFETIME) && request->lifetime_s == 0;
	const uint32_t lifetime_s = ends ? 0 : model_lifetime_for(model, time, request);

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (!model_relayed(a, family) ||
			(request_has(request, HAS_FAMILY) && request->family != family))
			continue;
		if (ends)
			end_relayed(model, a, family);
		a->relayed[family - 1].expires_ms = time->now_ms + lifetime_s * 1000ULL;
	}
	if (!answer->has_lifetime || answer->lifetime_s != lifetime_s)
		return "the lifetime";
	if (!ends && request->login.has_pass)
		model_set_owner(model, time, request, a);
	if (!ends && request_has(request, HAS_TICKET))
		return model_take_move(model, time, request, answer);
	return NULL;
}

static void permit(struct model_allocation *a, const struct ip_addr *ip, uint64_t now_ms)
{
	struct model_permission *permission = model_find_permission(a, ip);

	if (!permission)
		permission = &a->permissions[a->n_permissions++];
	permission->ip = *ip;
	permission->expires_ms = now_ms + 300000; // RFC 8656 §9
}

static void bind(struct model *model, const struct request *request, uint64_t now_ms)
{
	struct model_allocation *a = model_at(model, request->tuple);
	const struct endpoint peer = model_peer(model, request, 0);
	bool clash;
	int i = model_find_channel(model, request, &clash);

	if (i < 0)
		i = (int)a->n_channels++;
	a->channels[i] =
		(struct model_channel){request->channel, peer, now_ms + 600000}; // RFC 8656 §12
	model_turn(model, a, !model_find_permission(a, &peer.ip), now_ms);
	permit(a, &peer.ip, now_ms);
}

static void permit_all(struct model *model, const struct request *request, uint64_t now_ms)
{
	struct model_allocation *a = model_at(model, request->tuple);

	model_turn(model, a, model_count_new(model, request), now_ms);
	for (unsigned i = 0; i < request->n_peers; i++) {
		const struct endpoint peer = model_peer(model, request, i);

		permit(a, &peer.ip, now_ms);
	}
}

static const char *take_success(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	switch (request->method) {
	case STUN_BINDING:
		return endpoint_equal(&answer->mapped, &request->client) ? NULL
									 : "the mapped address";
	case STUN_ALLOCATE:
		return model_take_allocate(model, time, request, answer);
	case STUN_REFRESH:
		return take_refresh(model, time, request, answer);
	case STUN_CREATE_PERMISSION:
		permit_all(model, request, time->now_ms);
		return NULL;
	default:
		bind(model, request, time->now_ms);
		return NULL;
	}
}

// How many attributes the answer has, beside its signature.
static unsigned count_attrs(const struct request *request, const struct answer *answer)
{
	if (answer->code == 401 || answer->code == 438)
		return 3u + answer->has_offer + answer->has_server;
	if (answer->code)
		return answer->code == 300 || answer->code == 420 ? 2 : 1;
	switch (request->method) {
	case STUN_ALLOCATE:
		return 2u + answer->n_relayed + answer->has_token + answer->has_ticket +
			answer->has_address_error;
	case STUN_REFRESH:
		return 1u + (request_has(request, HAS_TICKET) && answer->lifetime_s > 0);
	case STUN_BINDING:
		return 1;
	default:
		return 0;
	}
}

static const char *check_error(
	const struct model *model, const struct request *request, const struct answer *answer)
{
	const bool challenged = answer->code == 401 || answer->code == 438;
	const int realm = challenged ? model_realm_of(model, &request->service) : -1;

	if (answer->realm != realm || (answer->nonce.n > 0) != challenged)
		return "REALM and NONCE belong to 401 and 438, and only there";
	if (answer->has_offer != (challenged && model_realm(model, request)->offers_sha256))
		return "PASSWORD-ALGORITHMS belongs to a challenge";
	if (answer->has_server != (challenged && model->rules.takes_tokens))
		return "THIRD-PARTY-AUTHORIZATION belongs to a challenge";
	if (answer->has_unknown != (answer->code == 420))
		return "UNKNOWN-ATTRIBUTES belongs to 420";
	if (answer->code == 300 && !endpoint_equal(&answer->alternate, &model->rules.alternate))
		return "the alternate server";
	return NULL;
}

const char *model_take(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	const bool authentic =
		request->method != STUN_BINDING && !model_judge_login(model, time, request);
	const bool chose = authentic && request->login.has_choice &&
		model_realm(model, request)->offers_sha256;
	const char *wrong = check_error(model, request, answer);

	if (wrong)
		return wrong;
	if (answer->n_attrs != count_attrs(request, answer))
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
			model_end_reservation(model, i, MODEL_PORT_FREE);
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
			stats.n_ports_free += model->ports[i][k] == MODEL_PORT_FREE &&
				!(model->rules.closed_relays >> i & 1);
			stats.n_ports_used += model->ports[i][k] == MODEL_PORT_USED;
			stats.n_ports_reserved += model->ports[i][k] == MODEL_PORT_RESERVED;
			stats.n_ports_cooling += model->ports[i][k] == MODEL_PORT_COOLING;
		}
	}
	return stats;
}
