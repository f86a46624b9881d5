#include "turn/mobility.h"
#include "turn/peer.h"
#include "turn/state.h"

#include <errno.h>

#define PROTOCOL_UDP 17

uint32_t allocation_lifetime(const struct call *call, uint32_t wanted_s)
{
	const struct turn *turn = call->turn;
	uint32_t lifetime_s = wanted_s;

	if (lifetime_s > turn->options.lifetime_max_s)
		lifetime_s = turn->options.lifetime_max_s;
	if (lifetime_s < turn->options.lifetime_s)
		lifetime_s = turn->options.lifetime_s;
	return lifetime_s < call->lifetime_max_s ? lifetime_s : call->lifetime_max_s;
}

// In seconds of the monotonic clock.
static uint32_t token_end(const struct call *call)
{
	const uint64_t ends_s = call->time->now_ms / MS_IN_S + call->lifetime_max_s;

	return ends_s < UINT32_MAX ? (uint32_t)ends_s : UINT32_MAX;
}

int allocation_take_token(struct call *call)
{
	struct turn *turn = call->turn;
	struct identity *old = call->allocation->identity;
	// Entries that stand name the user: his account stays.
	struct identity *identity =
		users_hold(&turn->users, call->realm, &call->principal, old->account);

	if (!identity)
		return -ENOMEM;
	call->allocation->identity = identity;
	call->allocation->token_ends_s = token_end(call);
	users_drop(&turn->users, old);
	return 0;
}

// A four-byte attribute whose first byte is all that counts (RFC 8656 §18.6, §18.8). False if
// malformed.
static bool get_first_byte(const struct stun_attr *attr, uint8_t *out)
{
	uint32_t value;

	if (stun_get_u32(attr, &value))
		return false;
	*out = (uint8_t)(value >> 24);
	return true;
}

// What a request asks for.
struct wish {
	uint32_t lifetime_s;
	bool even; // the port
	bool pair; // and the next one reserved
	bool both; // families
	bool moves; // and so wants a ticket
	uint8_t family; // else
	const struct stun_attr *token;
};

static const struct stun_attr *find_additional(const struct stun_view *view)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY);

	return attr ? attr : stun_find(view, STUN_ATTR_SSODA_ADDITIONAL_ADDRESS_FAMILY);
}

// RFC 8656 §7.2, checks 6, 7 and 9: IPv4 where nothing is said. A token names its address.
static enum stun_code check_families(
	const struct turn *turn, const struct stun_view *view, struct wish *wish)
{
	const struct stun_attr *only = stun_find(view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY);
	const struct stun_attr *both = find_additional(view);
	uint8_t additional;

	wish->family = FAMILY_IPV4;
	wish->both = both;
	if (only && both)
		return STUN_BAD_REQUEST;
	if (only && !get_first_byte(only, &wish->family))
		return STUN_BAD_REQUEST;
	if (both && (!get_first_byte(both, &additional) || additional != FAMILY_IPV6))
		return STUN_BAD_REQUEST;
	if (!both && !wish->token && !ports_have_family(&turn->ports, wish->family))
		return STUN_ADDRESS_FAMILY_NOT_SUPPORTED;
	return STUN_CODE_NONE;
}

// RFC 8656 §7.2, checks 5 and 8. RFFU bits are ignored (§18.7).
static enum stun_code check_ports(const struct stun_view *view, struct wish *wish)
{
	const struct stun_attr *even = stun_find(view, STUN_ATTR_EVEN_PORT);
	const bool families =
		stun_find(view, STUN_ATTR_REQUESTED_ADDRESS_FAMILY) || find_additional(view);

	wish->token = stun_find(view, STUN_ATTR_RESERVATION_TOKEN);
	if (wish->token && (even || families || wish->token->n_bytes != TOKEN_BYTES))
		return STUN_BAD_REQUEST;
	if (!even)
		return STUN_CODE_NONE;
	if (even->n_bytes != 1)
		return STUN_BAD_REQUEST;
	wish->even = true;
	wish->pair = even->value[0] & 0x80;
	if (wish->pair && find_additional(view))
		return STUN_BAD_REQUEST;
	return STUN_CODE_NONE;
}

// RFC 8016 §3.1.2.
static enum stun_code check_mobility(
	const struct turn *turn, const struct stun_view *view, struct wish *wish)
{
	const struct stun_attr *ticket = stun_find(view, STUN_ATTR_MOBILITY_TICKET);

	wish->moves = ticket;
	if (ticket && ticket->n_bytes != 0)
		return STUN_BAD_REQUEST;
	return ticket && !turn->options.allows_mobility ? STUN_MOBILITY_FORBIDDEN : STUN_CODE_NONE;
}

static enum stun_code check_wish(
	const struct turn *turn, const struct stun_view *view, struct wish *wish)
{
	const struct stun_attr *transport = stun_find(view, STUN_ATTR_REQUESTED_TRANSPORT);
	const struct stun_attr *lifetime = stun_find(view, STUN_ATTR_LIFETIME);
	enum stun_code code;
	uint8_t protocol;

	if (!transport || !get_first_byte(transport, &protocol))
		return STUN_BAD_REQUEST;
	if (lifetime && stun_get_u32(lifetime, &wish->lifetime_s))
		return STUN_BAD_REQUEST;
	if (protocol != PROTOCOL_UDP)
		return STUN_UNSUPPORTED_TRANSPORT;
	code = check_mobility(turn, view, wish);
	if (!code)
		code = check_ports(view, wish);
	return code ? code : check_families(turn, view, wish);
}

static bool is_retransmission(const struct call *call)
{
	const struct allocation *allocation = call->allocation;

	return memcmp(allocation->transaction_id, call->request->view->transaction_id,
		       STUN_TRANSACTION_BYTES) == 0 &&
		caller_is(call, allocation->identity);
}

// Whole seconds that are left, never more than there are.
static uint32_t seconds_left(const struct allocation *allocation, uint64_t now_ms)
{
	const uint64_t expires_ms = allocation->timer.expires_ms;

	return expires_ms > now_ms ? (uint32_t)((expires_ms - now_ms) / MS_IN_S) : 0;
}

// Why one of two families is not there (RFC 8656 §7.2, check 9; §18.9).
static void put_lacking(struct call *call, uint8_t family)
{
	const enum stun_code code = ports_have_family(&call->turn->ports, family)
		? STUN_INSUFFICIENT_CAPACITY
		: STUN_ADDRESS_FAMILY_NOT_SUPPORTED;
	const uint8_t value[4] = {family, 0, (uint8_t)(code / 100), (uint8_t)(code % 100)};
	const bool by_rfc = stun_find(call->request->view, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY);

	stun_put_bytes(&call->reply,
		by_rfc ? STUN_ATTR_ADDRESS_ERROR_CODE : STUN_ATTR_SSODA_ADDRESS_ERROR_CODE, value,
		sizeof(value));
}

static void put_relayed(struct call *call, const struct endpoint *relayed)
{
	const struct endpoint outside = ports_outside(&call->turn->ports, relayed);

	stun_put_xor_address(&call->reply, STUN_ATTR_XOR_RELAYED_ADDRESS, &outside);
}

static void put_answer(struct call *call, const struct allocation *allocation)
{
	const bool both = find_additional(call->request->view);
	struct stun_writer *reply = &call->reply;
	const struct endpoint *relayed;

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		relayed = relayed_find(call->turn, allocation, family);
		if (relayed)
			put_relayed(call, relayed);
		else if (both)
			put_lacking(call, family);
	}
	stun_put_u32(reply, STUN_ATTR_LIFETIME, seconds_left(allocation, call->time->now_ms));
	if (allocation->reservation_idx)
		stun_put_bytes(reply, STUN_ATTR_RESERVATION_TOKEN,
			reservation_at(call->turn, allocation->reservation_idx)->token,
			TOKEN_BYTES);
	stun_put_xor_address(reply, STUN_ATTR_XOR_MAPPED_ADDRESS, &call->request->client);
	mobility_put_ticket(call, call->allocation_idx);
}

bool is_refused_client(const struct call *call)
{
	const struct ports *ports = &call->turn->ports;
	const struct endpoint *client = &call->request->client;
	const struct endpoint inside = {ports_inside(ports, &client->ip), client->port};

	return ports_contain(ports, &inside) || peer_ip_is_tunnel(&client->ip);
}

static bool take_reserved(struct call *call, const struct wish *wish, uint32_t idx)
{
	struct turn *turn = call->turn;
	struct endpoint *relayed = &allocation_at(turn, idx)->relayed;
	const uint32_t reservation_idx = reservation_find(call, wish->token);

	if (reservation_idx == 0)
		return false;
	*relayed = reservation_at(turn, reservation_idx)->relayed;
	ports_take_reserved(&turn->ports, idx, relayed);
	reservation_end(turn, reservation_idx);
	return true;
}

// One of each family, or one at least: what is there stands first.
static bool take_both(struct turn *turn, struct port_wish *wish, uint32_t idx)
{
	struct endpoint *relayed = &allocation_at(turn, idx)->relayed;
	struct endpoint second;
	bool first;

	wish->family = FAMILY_IPV4;
	first = ports_take(&turn->ports, &turn->entropy, wish, relayed);
	wish->family = FAMILY_IPV6;
	if (!first)
		return ports_take(&turn->ports, &turn->entropy, wish, relayed);
	if (ports_take(&turn->ports, &turn->entropy, wish, &second))
		relayed_add(turn, idx, &second);
	return true;
}

// The relayed address or two, as wished for. False where there is no such one.
static bool take_ports(struct call *call, const struct wish *wish, uint32_t idx)
{
	struct turn *turn = call->turn;
	struct port_wish port = {
		.owner = idx,
		.family = wish->family,
		.even = wish->even,
		.with_next = wish->pair,
	};

	if (wish->token)
		return take_reserved(call, wish, idx);
	if (wish->both)
		return take_both(turn, &port, idx);
	return ports_take(&turn->ports, &turn->entropy, &port, &allocation_at(turn, idx)->relayed);
}

static void begin_relayed(struct call *call, uint32_t idx, uint64_t expires_ms)
{
	struct turn *turn = call->turn;

	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		if (!relayed_find(turn, allocation_at(turn, idx), family))
			continue;
		wheel_add(&turn->wheel, relayed_timer(turn, idx, family), expires_ms);
		effects_add_allocation(call->effects, TURN_ALLOCATION_ADD, turn, idx, family);
	}
}

// There is room in pools and effects. Returns 0 where there is no port, and has changed nothing.
static uint32_t create(struct call *call, struct identity *identity, const struct wish *wish)
{
	struct turn *turn = call->turn;
	const uint32_t idx = pool_take(&turn->allocations);
	struct allocation *allocation = allocation_at(turn, idx);

	if (!take_ports(call, wish, idx)) {
		pool_give(&turn->allocations, idx);
		return 0;
	}
	allocation->identity = identity;
	allocation->token_ends_s = token_end(call);
	accounts_add_allocation(&turn->users.accounts, identity->account);
	identity->realm->n_allocations++;
	identity->realm->n_created++;
	allocation->service = call->request->service;
	allocation->client = call->request->client;
	memcpy(allocation->transaction_id, call->request->view->transaction_id,
		STUN_TRANSACTION_BYTES);
	allocation->created_ms = call->time->now_ms;
	allocation->lifetime_s = allocation_lifetime(call, wish->lifetime_s);
	if (wish->pair)
		reservation_make(turn, idx, call->time->now_ms);
	clients_add(turn, idx);
	ids_add(turn, idx);
	if (wish->moves)
		mobility_begin(turn, idx);
	begin_relayed(call, idx, call->time->now_ms + allocation->lifetime_s * MS_IN_S);
	turn->n_created++;
	watch(turn, idx, TURN_CREATED, TURN_NO_REASON);
	return idx;
}

// Nothing is left here: another server may have room (RFC 8489 §10).
static enum stun_code when_full(const struct call *call)
{
	const struct endpoint *alternates = call->turn->options.alternates;
	const uint8_t family = call->request->client.ip.family;

	for (size_t i = 0; i < N_ELEMENTS(call->turn->options.alternates); i++) {
		if (alternates[i].ip.family == family)
			return STUN_TRY_ALTERNATE;
	}
	return STUN_INSUFFICIENT_CAPACITY;
}

// Allocations, and reserved ports that have outlived theirs: who makes and ends pairs would get all
// ports else. The port that a token asks for is to be an allocation's again.
static uint32_t count_held(uint32_t n_allocations, uint32_t n_widowed, bool takes_widowed)
{
	return n_allocations + n_widowed - takes_widowed;
}

// RFC 8656 §7.2: of the user, and of all users of the realm.
static bool is_quota_reached(
	const struct call *call, const struct account *account, const struct wish *wish)
{
	const struct realm *realm = call->realm;
	const struct limits limits = realm_limits(realm);
	const uint32_t idx = wish->token ? reservation_find(call, wish->token) : 0;
	const struct reservation *taken = idx ? reservation_at(call->turn, idx) : NULL;
	const bool widowed = taken && taken->allocation_idx == 0;
	const bool own = widowed && taken->identity->account == account;

	return (limits.in_all &&
		       count_held(realm->n_allocations, realm->n_widowed, widowed) >=
			       limits.in_all) ||
		(limits.per_user &&
			count_held(account->n_allocations, account->n_widowed, own) >=
				limits.per_user);
}

enum stun_code allocate_handle(struct call *call)
{
	struct turn *turn = call->turn;
	struct wish wish = {0};
	struct identity *identity;
	enum stun_code code;
	uint32_t idx;

	if (call->allocation) {
		if (!is_retransmission(call))
			return STUN_ALLOCATION_MISMATCH;
		put_answer(call, call->allocation);
		return STUN_CODE_NONE;
	}
	if (is_refused_client(call))
		return STUN_FORBIDDEN;
	code = check_wish(turn, call->request->view, &wish);
	if (code)
		return code;
	if (turn->drain_code && !wish.token)
		return turn->drain_code == STUN_TRY_ALTERNATE ? when_full(call) : turn->drain_code;
	if (turn->allocations.n_used >= turn->options.n_allocations_max)
		return when_full(call);
	if (!effects_fit(call->effects) || pool_reserve(&turn->allocations, 1) ||
		pool_reserve(&turn->seconds, 1) || pool_reserve(&turn->reservations, 1) ||
		pool_reserve(&turn->mobilities, 1))
		return STUN_INSUFFICIENT_CAPACITY;
	identity = users_hold(&turn->users, call->realm, &call->principal, NULL);
	if (!identity)
		return STUN_INSUFFICIENT_CAPACITY;
	if (is_quota_reached(call, identity->account, &wish)) {
		users_drop(&turn->users, identity);
		return STUN_ALLOCATION_QUOTA_REACHED;
	}
	idx = create(call, identity, &wish);
	if (idx == 0) {
		users_drop(&turn->users, identity);
		// The port of a token is nowhere else.
		return wish.token ? STUN_INSUFFICIENT_CAPACITY : when_full(call);
	}
	call->allocation_idx = idx;
	put_answer(call, allocation_at(turn, idx));
	return STUN_CODE_NONE;
}
