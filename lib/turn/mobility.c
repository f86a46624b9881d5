#include "turn/mobility.h"

#include "turn/peer.h"
#include "turn/ticket.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#define RETRY_MS (30 * MS_IN_S) // RFC 8016 §3.2.2: at least 30 seconds

static struct mobility *mobility_at(const struct turn *turn, uint32_t idx)
{
	return pool_at(&turn->mobilities, idx);
}

int mobility_init(struct turn *turn)
{
	uint8_t key[TICKET_KEY_BYTES];
	int rc;

	pool_init(&turn->mobilities, sizeof(struct mobility));
	if (!turn->options.allows_mobility)
		return 0;
	turn->moving = calloc(turn->n_buckets, sizeof(*turn->moving));
	if (!turn->moving)
		return -ENOMEM;
	entropy_fill(&turn->entropy, key, sizeof(key));
	rc = ticketer_create(&turn->ticketer, key);
	explicit_bzero(key, sizeof(key));
	return rc;
}

void mobility_fini(struct turn *turn)
{
	ticketer_destroy(turn->ticketer);
	pool_fini(&turn->mobilities);
	free(turn->moving);
}

static bool is_at(const struct endpoint *service, const struct endpoint *client,
	const struct turn_request *request)
{
	return endpoint_equal(client, &request->client) &&
		endpoint_equal(service, &request->service);
}

static bool is_pending(const struct mobility *m)
{
	return m->client.ip.family != FAMILY_NONE;
}

static uint32_t *bucket_of(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client)
{
	return &turn->moving[clients_bucket(turn, service, client)];
}

uint32_t mobility_find(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client)
{
	const struct mobility *m;

	if (turn->n_moving == 0)
		return 0;
	for (uint32_t idx = *bucket_of(turn, service, client); idx; idx = m->next) {
		m = mobility_at(turn, idx);
		if (endpoint_equal(&m->client, client) && endpoint_equal(&m->service, service))
			return m->allocation_idx;
	}
	return 0;
}

const struct mobility *mobility_pending(const struct turn *turn, uint32_t allocation_idx)
{
	const uint32_t idx = allocation_at(turn, allocation_idx)->mobility_idx;
	const struct mobility *m = idx ? mobility_at(turn, idx) : NULL;

	return m && is_pending(m) ? m : NULL;
}

static void link_pending(struct turn *turn, uint32_t idx, const struct turn_request *request)
{
	struct mobility *m = mobility_at(turn, idx);
	uint32_t *bucket = bucket_of(turn, &request->service, &request->client);

	m->service = request->service;
	m->client = request->client;
	m->next = *bucket;
	*bucket = idx;
	services_hold(&turn->services, &m->service);
	turn->n_moving++;
}

static void unlink_pending(struct turn *turn, uint32_t idx)
{
	struct mobility *m = mobility_at(turn, idx);
	uint32_t *link = bucket_of(turn, &m->service, &m->client);

	while (*link != idx)
		link = &mobility_at(turn, *link)->next;
	*link = m->next;
	services_drop(&turn->services, &m->service);
	m->service = m->client = (struct endpoint){0};
	turn->n_moving--;
}

void mobility_begin(struct turn *turn, uint32_t allocation_idx)
{
	const uint32_t idx = pool_take(&turn->mobilities);
	struct mobility *m = mobility_at(turn, idx);

	m->allocation_idx = allocation_idx;
	m->life = entropy_below(&turn->entropy, 1u << 24);
	m->newest = m->established = 1;
	allocation_at(turn, allocation_idx)->mobility_idx = idx;
}

void mobility_end(struct turn *turn, uint32_t allocation_idx)
{
	const uint32_t idx = allocation_at(turn, allocation_idx)->mobility_idx;

	if (idx == 0)
		return;
	if (is_pending(mobility_at(turn, idx)))
		unlink_pending(turn, idx);
	pool_give(&turn->mobilities, idx);
}

void mobility_put_ticket(struct call *call, uint32_t allocation_idx)
{
	struct turn *turn = call->turn;
	const uint32_t idx = allocation_at(turn, allocation_idx)->mobility_idx;
	char ticket[TICKET_TEXT_BYTES];
	const struct mobility *m;

	if (idx == 0)
		return;
	m = mobility_at(turn, idx);
	ticket_write(
		turn->ticketer, (uint64_t)idx << 40 | (uint64_t)m->life << 16 | m->newest, ticket);
	stun_put_bytes(&call->reply, STUN_ATTR_MOBILITY_TICKET, ticket, sizeof(ticket));
}

// Does this generation lead to a new 5-tuple? The ticket of the established one does as long as the
// client has not shown that it knows a newer one.
static bool is_good(const struct mobility *m, uint16_t generation)
{
	return generation == m->newest || (is_pending(m) && generation == m->established);
}

// The request that began the last hand-over, again.
static bool is_repeated(const struct call *call, const struct mobility *m)
{
	const struct allocation *allocation = allocation_at(call->turn, m->allocation_idx);
	const struct turn_request *request = call->request;

	if (call->generation != m->used)
		return false;
	if (is_pending(m))
		return is_at(&m->service, &m->client, request);
	return is_at(&allocation->service, &allocation->client, request) &&
		call->time->now_ms < m->moved_ms + RETRY_MS;
}

void mobility_read(struct call *call, const struct stun_attr *attr)
{
	struct turn *turn = call->turn;
	const struct mobility *m;
	uint64_t number;

	call->ticket = TICKET_BAD;
	if (!turn->options.allows_mobility) {
		call->ticket = TICKET_FORBIDDEN;
		return;
	}
	if (attr->n_bytes != TICKET_TEXT_BYTES ||
		!ticket_read(turn->ticketer, attr->value, &number))
		return;
	call->ticket = TICKET_OF_NONE;
	m = mobility_at(turn, (uint32_t)(number >> 40)); // it was there once
	if (m->life != (number >> 16 & 0xffffff) || m->allocation_idx == 0)
		return;
	call->generation = (uint16_t)number;
	call->allocation_idx = m->allocation_idx;
	call->allocation = allocation_at(turn, m->allocation_idx);
	call->ticket = is_repeated(call, m)    ? TICKET_REPEATED
		: is_good(m, call->generation) ? TICKET_GOOD
					       : TICKET_BAD;
}

// All who have a token of one issuer have one name, its kid, and a ticket is no secret on its way:
// it moves an allocation for the key alone by which that is known (RFC 8016 §3.2.2).
static bool is_mover(const struct call *call, const struct identity *identity)
{
	const struct turn_keys *own = &identity->keys, *keys = &call->principal.keys;

	return caller_owns(call, identity) && own->mac_key_bytes == keys->mac_key_bytes &&
		CRYPTO_memcmp(own->mac_key, keys->mac_key, own->mac_key_bytes) == 0;
}

enum stun_code mobility_check(const struct call *call)
{
	const struct turn_request *request = call->request;
	const struct allocation *allocation = call->allocation;
	const struct turn *turn = call->turn;

	if (call->ticket == TICKET_FORBIDDEN)
		return STUN_MOBILITY_FORBIDDEN;
	if (call->ticket == TICKET_OF_NONE)
		return STUN_ALLOCATION_MISMATCH;
	if (call->ticket == TICKET_BAD)
		return STUN_BAD_REQUEST;
	if (call->ticket == TICKET_GOOD &&
		(is_at(&allocation->service, &allocation->client, request) ||
			mobility_find(turn, &request->service, &request->client) ==
				call->allocation_idx))
		return STUN_BAD_REQUEST; // it has not moved
	if (!is_mover(call, allocation->identity))
		return STUN_WRONG_CREDENTIALS;
	if (call->ticket == TICKET_REPEATED)
		return STUN_CODE_NONE;
	if (is_refused_client(call))
		return STUN_FORBIDDEN;
	// A 5-tuple has one allocation.
	return clients_find(turn, &request->service, &request->client) ||
			mobility_find(turn, &request->service, &request->client)
		? STUN_ALLOCATION_MISMATCH
		: STUN_CODE_NONE;
}

void mobility_move(struct call *call)
{
	struct turn *turn = call->turn;
	const uint32_t idx = call->allocation->mobility_idx;
	struct mobility *m = mobility_at(turn, idx);
	struct leg leg;

	if (call->ticket == TICKET_REPEATED)
		return;
	if (is_pending(m)) {
		leg = (struct leg){m->service, m->client, .moving = true};
		unlink_pending(turn, idx);
		effects_add_leg(call->effects, TURN_ALLOCATION_REMOVE, TURN_CHANNEL_UP_REMOVE, turn,
			call->allocation_idx, &leg);
	}
	link_pending(turn, idx, call->request);
	m->used = call->generation;
	m->newest++;
	m->moved_ms = call->time->now_ms;
	leg = (struct leg){m->service, m->client, .moving = true};
	effects_add_leg(call->effects, TURN_ALLOCATION_ADD, TURN_CHANNEL_UP_ADD, turn,
		call->allocation_idx, &leg);
}

// The pending 5-tuple takes the place of the established one.
static void establish(struct turn *turn, uint32_t allocation_idx)
{
	struct allocation *allocation = allocation_at(turn, allocation_idx);
	struct mobility *m = mobility_at(turn, allocation->mobility_idx);

	clients_remove(turn, allocation_idx);
	allocation->service = m->service;
	allocation->client = m->client;
	unlink_pending(turn, allocation->mobility_idx);
	clients_add(turn, allocation_idx);
	m->established = m->newest;
	m->n_moves++;
}

// At most: what stands after the move, and the owners and channels of the old 5-tuple.
static size_t count_moved(const struct allocation *allocation)
{
	return 4U + allocation->n_permissions + 3U * allocation->n_channels;
}

// Entries of the new 5-tuple come before those of the old one go.
void turn_moved(struct turn *turn, uint32_t allocation_idx, struct turn_effects *effects)
{
	const uint32_t idx = allocation_idx + 1;
	const size_t n_before = effects->n;
	const struct allocation *allocation;
	struct leg old;

	if (idx == 0 || idx > turn->allocations.n_touched)
		return;
	allocation = allocation_at(turn, idx);
	if (allocation->client.ip.family == FAMILY_NONE || !mobility_pending(turn, idx) ||
		effects_room(effects) < count_moved(allocation))
		return;
	old = (struct leg){allocation->service, allocation->client};
	establish(turn, idx);
	effects_add_entries(effects, turn, idx);
	for (size_t i = n_before; i < effects->n; i++) {
		effects->items[i].replaces = true;
		effects->items[i].old_family = old.client.ip.family;
	}
	effects_add_leg(effects, TURN_ALLOCATION_REMOVE, TURN_CHANNEL_UP_REMOVE, turn, idx, &old);
	watch(turn, idx, TURN_MOVED, TURN_NO_REASON);
}

const char *mobility_check_all(const struct turn *turn)
{
	uint32_t n = 0, n_moving = 0;

	for (uint32_t i = 1; i <= turn->allocations.n_touched; i++) {
		const struct allocation *allocation = allocation_at(turn, i);
		const struct mobility *m;

		if (allocation->client.ip.family == FAMILY_NONE || allocation->mobility_idx == 0)
			continue;
		m = mobility_at(turn, allocation->mobility_idx);
		n++;
		if (m->allocation_idx != i)
			return "a mobility is not its allocation's";
		if (!is_pending(m))
			continue;
		n_moving++;
		if (mobility_find(turn, &m->service, &m->client) != i ||
			clients_find(turn, &m->service, &m->client))
			return "a pending 5-tuple is not its allocation's alone";
	}
	return n == turn->mobilities.n_used && n_moving == turn->n_moving
		? NULL
		: "mobilities are miscounted";
}
