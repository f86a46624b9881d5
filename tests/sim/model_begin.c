// What the model learns from the answer to an Allocate.
#include "model_parts.h"

#include <string.h>

#define RESERVATION_MS 30000u

static void reserve(struct model *model, const struct request *request, const struct answer *answer,
	uint64_t now_ms)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	int i = 0;

	while (model->reservations[i].lives)
		i++;
	model->reservations[i] = (struct model_reservation){
		.lives = true,
		.owner = a->owner,
		.account = a->account,
		.relayed = a->relayed[model_family_for(request) - 1].address,
		.tuple = (int)request->tuple,
		.expires_ms = now_ms + RESERVATION_MS,
	};
	model->accounts[a->account].n_held++;
	model->reservations[i].relayed.port++;
	memcpy(model->reservations[i].token, answer->token, TOKEN_BYTES);
	*model_port_of(model, &model->reservations[i].relayed) = MODEL_PORT_RESERVED;
	a->reservation = i;
}

void model_end_reservation(struct model *model, int i, enum model_port state)
{
	struct model_reservation *r = &model->reservations[i];

	*model_port_of(model, &r->relayed) = state;
	if (r->tuple >= 0)
		model->allocations[r->tuple].reservation = -1;
	model->accounts[r->account].n_held--;
	r->lives = false;
}

// A relayed address as it is here; family none where the answer tells none, or tells it inside out.
static struct endpoint read_relayed(
	const struct model *model, const struct answer *answer, uint8_t family)
{
	const struct endpoint relayed = model_inside(model, &answer->relayed[family - 1]);
	const struct endpoint outside = model_outside(model, &relayed);

	return endpoint_equal(&outside, &answer->relayed[family - 1]) ? relayed
								      : (struct endpoint){0};
}

static const char *take_reserved(
	struct model *model, const struct request *request, const struct answer *answer)
{
	const int i = model_find_token(model, request);
	const uint8_t family = model->reservations[i].relayed.ip.family;
	const struct endpoint relayed = read_relayed(model, answer, family);

	if (!endpoint_equal(&model->reservations[i].relayed, &relayed))
		return "a token gave another port than it stood for";
	model_end_reservation(model, i, MODEL_PORT_USED);
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
	if (model->rules.closed_relays >> ((size_t)(port - model->ports[0]) / MODEL_PORTS_MAX) & 1)
		return "the relayed port is of a closed relay";
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
		const struct endpoint relayed = read_relayed(model, answer, family);

		if (model_can_take(model, request, family) != (relayed.ip.family == family))
			wrong = "a relayed address of another family than was asked for";
		else if (relayed.ip.family == family)
			wrong = take_port(model, request, &relayed);
	}
	return wrong;
}

static const char *take_pair(
	struct model *model, const struct request *request, const struct answer *answer)
{
	struct endpoint next = read_relayed(model, answer, model_family_for(request));

	next.port++;
	if (!answer->has_token)
		return "no token for the port that was asked to be reserved";
	if (!model_port_of(model, &next) || *model_port_of(model, &next) != MODEL_PORT_FREE)
		return "the port behind an even one cannot be reserved";
	return NULL;
}

void model_set_owner(struct model *model, const struct turn_time *time,
	const struct request *request, struct model_allocation *a)
{
	a->owner = request->login.user;
	a->owner.realm = model_realm_of(model, &request->service);
	a->token_ends_s = time->now_ms / 1000 + model_pass_left(request, time->wall_s);
}

static void begin(struct model *model, const struct turn_time *time, const struct request *request,
	const struct answer *answer, int account)
{
	struct model_allocation *a = &model->allocations[request->tuple];
	const uint32_t lifetime_s = model_lifetime_for(model, time, request);

	*a = (struct model_allocation){.service = request->service,
		.client = request->client,
		.mobility.pending = -1,
		.reservation = -1};
	model_set_owner(model, time, request, a);
	a->account = account;
	memcpy(a->transaction, request->transaction, sizeof(a->transaction));
	for (uint8_t i = 0; i < MODEL_FAMILIES; i++) {
		const struct endpoint relayed = read_relayed(model, answer, (uint8_t)(i + 1));

		a->relayed[i] = (struct model_relayed){
			.lives = relayed.ip.family != FAMILY_NONE,
			.address = relayed,
			.expires_ms = time->now_ms + lifetime_s * 1000ULL,
		};
	}
	if (request_has(request, HAS_TICKET)) {
		a->mobility.newest =
			(struct ticket){.life = ++model->n_lives, .generation = 1, .genuine = true};
		a->mobility.established = 1;
		memcpy(a->mobility.newest.bytes, answer->ticket, TICKET_BYTES);
	}
}

static const char *take_allocation(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	const bool pair = request_has(request, HAS_EVEN_PORT) && request->pair;
	const int account = model_hold_account(model, model_realm_of(model, &request->service),
		&request->login.user, time->now_ms);
	const char *wrong = take_ports(model, request, answer);

	if (!wrong && pair)
		wrong = take_pair(model, request, answer);
	if (wrong)
		return wrong;
	begin(model, time, request, answer, account);
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
		const struct endpoint wanted =
			relayed ? model_outside(model, &relayed->address) : (struct endpoint){0};

		if (!endpoint_equal(&wanted, &answer->relayed[family - 1]))
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

// What an answer gives beside addresses.
static const char *check_handles(
	const struct model *model, const struct model_allocation *a, const struct answer *answer)
{
	const struct ticket *ticket = &a->mobility.newest;

	if (answer->has_token != (a->reservation >= 0))
		return "a token where none is due, or none where one is";
	if (answer->has_token &&
		memcmp(model->reservations[a->reservation].token, answer->token, TOKEN_BYTES) != 0)
		return "a retransmission got another token";
	if (answer->has_ticket != (ticket->life > 0))
		return "a ticket where none is due, or none where one is";
	if (answer->has_ticket && memcmp(ticket->bytes, answer->ticket, TICKET_BYTES) != 0)
		return "a retransmission got another ticket";
	return NULL;
}

const char *model_take_allocate(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	const struct model_allocation *a = model_at(model, request->tuple);
	const struct model_relayed *first;
	const char *wrong = NULL;
	uint64_t left_ms;

	if (!model_lives(a))
		wrong = take_allocation(model, time, request, answer);
	if (!wrong)
		wrong = check_relayed(model, a, request, answer);
	if (!wrong)
		wrong = check_handles(model, a, answer);
	if (wrong)
		return wrong;
	first = &a->relayed[a->relayed[0].lives ? 0 : 1];
	left_ms = first->expires_ms > time->now_ms ? first->expires_ms - time->now_ms : 0;
	if (!answer->has_lifetime || answer->lifetime_s != left_ms / 1000)
		return "the lifetime is not what is left";
	return endpoint_equal(&answer->mapped, &request->client) ? NULL : "the mapped address";
}
