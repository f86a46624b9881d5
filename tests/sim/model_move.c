// Clients that move to another network (RFC 8016), written a second time.
#include "model_parts.h"

#include <string.h>

#define RETRY_MS 30000u // §3.2.2

static unsigned tuple_of(const struct model *model, const struct model_allocation *a)
{
	return (unsigned)(a - model->allocations);
}

struct model_allocation *model_of_life(const struct model *model, uint64_t life)
{
	for (unsigned i = 0; i < MODEL_TUPLES_MAX && life > 0; i++) {
		const struct model_allocation *a = &model->allocations[i];

		if (model_lives(a) && a->mobility.newest.life == life)
			return (struct model_allocation *)a;
	}
	return NULL;
}

const struct model_allocation *model_subject(
	const struct model *model, const struct request *request)
{
	static const struct model_allocation none;
	const struct model_allocation *a;

	if (request->method != STUN_REFRESH || !request_has(request, HAS_TICKET))
		return model_at(model, request->tuple);
	if (!model->rules.allows_mobility || request_spoils(request, HAS_TICKET) ||
		!request->ticket.genuine)
		return &none;
	a = model_of_life(model, request->ticket.life);
	return a ? a : &none;
}

bool model_is_repeated(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct model_allocation *a = model_subject(model, request);
	const struct model_mobility *m = &a->mobility;

	if (request->ticket.generation != m->used)
		return false;
	if (m->pending >= 0)
		return (unsigned)m->pending == request->tuple;
	return tuple_of(model, a) == request->tuple && time->now_ms < m->began_ms + RETRY_MS;
}

// The one that the client had last, or has for sure as long as it has not shown that it knows that.
static bool is_good(const struct model_mobility *m, unsigned generation)
{
	return generation == m->newest.generation ||
		(m->pending >= 0 && generation == m->established);
}

// Of a token; others have none.
static bool has_same_mac(const struct user *a, const struct user *b)
{
	return a->mac.n_bytes == b->mac.n_bytes &&
		memcmp(a->mac.bytes, b->mac.bytes, a->mac.n_bytes) == 0;
}

int model_judge_ticket(
	const struct model *model, const struct turn_time *time, const struct request *request)
{
	const struct model_allocation *a = model_subject(model, request);
	const bool repeated = model_is_repeated(model, time, request);
	const uint8_t realm = model_realm_of(model, &request->service);

	if (!model->rules.allows_mobility)
		return 405;
	if (request_spoils(request, HAS_TICKET) || !request->ticket.genuine)
		return 400;
	if (!model_lives(a))
		return 437;
	if (!repeated &&
		(!is_good(&a->mobility, request->ticket.generation) ||
			model_at(model, request->tuple) == a))
		return 400;
	if (!model_owns(&a->owner, realm, &request->login.user) ||
		!has_same_mac(&a->owner, &request->login.user))
		return 441;
	if (repeated)
		return 0;
	if (model_refuses_client(model, request))
		return 403;
	return model_lives(model_at(model, request->tuple)) ? 437 : 0;
}

void model_forget_pending(struct model *model, struct model_allocation *a)
{
	if (a->mobility.pending >= 0)
		model->movers[a->mobility.pending] = 0;
	a->mobility.pending = -1;
}

const char *model_take_move(struct model *model, const struct turn_time *time,
	const struct request *request, const struct answer *answer)
{
	struct model_allocation *a = (struct model_allocation *)model_subject(model, request);
	const bool repeated = model_is_repeated(model, time, request);
	struct model_mobility *m = &a->mobility;

	if (!answer->has_ticket)
		return "no ticket";
	if ((memcmp(m->newest.bytes, answer->ticket, TICKET_BYTES) == 0) != repeated)
		return repeated ? "a repeated Refresh got another ticket" : "the ticket is not new";
	if (repeated)
		return NULL;
	model_forget_pending(model, a);
	m->pending = (int)request->tuple;
	m->service = request->service;
	m->client = request->client;
	m->used = request->ticket.generation;
	m->began_ms = time->now_ms;
	m->newest.generation++;
	memcpy(m->newest.bytes, answer->ticket, TICKET_BYTES);
	model->movers[request->tuple] = (int)tuple_of(model, a) + 1;
	return NULL;
}

void model_establish(struct model *model, unsigned tuple)
{
	struct model_allocation *old = model_at(model, tuple);
	struct model_allocation *a = &model->allocations[tuple];

	model_forget_pending(model, old);
	*a = *old;
	memset(old, 0, sizeof(*old));
	a->service = a->mobility.service;
	a->client = a->mobility.client;
	a->mobility.established = a->mobility.newest.generation;
	if (a->reservation >= 0)
		model->reservations[a->reservation].tuple = (int)tuple;
}
