// The dispatcher: which requests are answered, in which order they are judged, and what time takes
// away.
#include "turn/mobility.h"
#include "turn/state.h"

#include <errno.h>

// What is understood where RFC 8489 §6.3.1 asks; the others below 0x8000 are answered with 420.
static const uint16_t known[] = {
	STUN_ATTR_ACCESS_TOKEN, // first: only where tokens are taken
	STUN_ATTR_MAPPED_ADDRESS,
	STUN_ATTR_USERNAME,
	STUN_ATTR_ERROR_CODE,
	STUN_ATTR_UNKNOWN_ATTRIBUTES,
	STUN_ATTR_CHANNEL_NUMBER,
	STUN_ATTR_LIFETIME,
	STUN_ATTR_XOR_PEER_ADDRESS,
	STUN_ATTR_DATA,
	STUN_ATTR_REALM,
	STUN_ATTR_NONCE,
	STUN_ATTR_XOR_RELAYED_ADDRESS,
	STUN_ATTR_REQUESTED_ADDRESS_FAMILY,
	STUN_ATTR_EVEN_PORT,
	STUN_ATTR_REQUESTED_TRANSPORT,
	STUN_ATTR_DONT_FRAGMENT, // workers set DF: nothing to do here
	STUN_ATTR_PASSWORD_ALGORITHM,
	STUN_ATTR_USERHASH,
	STUN_ATTR_XOR_MAPPED_ADDRESS,
	STUN_ATTR_RESERVATION_TOKEN,
	// In a Binding request to one of the addresses of RFC 5780.
	STUN_ATTR_CHANGE_REQUEST,
	STUN_ATTR_PADDING,
	STUN_ATTR_RESPONSE_PORT,
};
#define N_KNOWN_OF_DISCOVERY 3

void turn_drain(struct turn *turn, enum stun_code answer)
{
	turn->drain_code = answer;
}

static bool is_answered(const struct turn *turn, const struct stun_view *view)
{
	if (view->class != STUN_REQUEST)
		return false;
	if (view->is_classic)
		return turn->options.serves_classic;
	if (view->fingerprint_offset && !stun_fingerprint_check(view))
		return false; // RFC 8489 §6.3
	switch (view->method) {
	case STUN_BINDING:
	case STUN_ALLOCATE:
	case STUN_REFRESH:
	case STUN_CREATE_PERMISSION:
	case STUN_CHANNEL_BIND:
		return true;
	default:
		return false;
	}
}

// RFC 8656 §5.
static enum stun_code check_owner(const struct call *call)
{
	if (call->ticket != TICKET_NONE)
		return mobility_check(call);
	if (!call->allocation)
		return STUN_ALLOCATION_MISMATCH;
	if (!caller_owns(call, call->allocation->identity))
		return STUN_WRONG_CREDENTIALS;
	return STUN_CODE_NONE;
}

static enum stun_code run(struct call *call)
{
	switch (call->request->view->method) {
	case STUN_BINDING:
		return binding_handle(call);
	case STUN_ALLOCATE:
		return allocate_handle(call);
	case STUN_REFRESH:
		return refresh_handle(call);
	case STUN_CREATE_PERMISSION:
		return permission_handle(call);
	default:
		return channel_handle(call);
	}
}

static void find_by_tuple(struct call *call)
{
	const struct turn_request *request = call->request;

	call->allocation_idx = clients_find(call->turn, &request->service, &request->client);
	if (call->allocation_idx == 0) {
		call->allocation_idx =
			mobility_find(call->turn, &request->service, &request->client);
		call->from_pending = call->allocation_idx != 0;
	}
	if (call->allocation_idx)
		call->allocation = allocation_at(call->turn, call->allocation_idx);
}

static void find_allocation(struct call *call)
{
	const struct turn_request *request = call->request;
	const struct stun_attr *ticket = stun_find(request->view, STUN_ATTR_MOBILITY_TICKET);
	struct realm *realm;

	// RFC 8016 §3.2.2: the 5-tuple says nothing then.
	if (request->view->method == STUN_REFRESH && ticket)
		mobility_read(call, ticket);
	else
		find_by_tuple(call);
	if (!call->allocation)
		return;
	// It stays in the realm where it was made, whomever its listener now asks for. A ticket
	// takes it to no other realm's.
	realm = call->allocation->identity->realm;
	if (!realm->gone &&
		(call->ticket == TICKET_NONE ||
			endpoint_equal(&call->allocation->service, &request->service)))
		call->realm = realm;
}

static void find_unknown(struct call *call)
{
	const struct turn_request *request = call->request;
	const bool binding = request->view->method == STUN_BINDING;
	const uint16_t *first = known;
	const uint16_t *end = known + N_ELEMENTS(known);
	struct endpoint other;

	if (binding || call->turn->tokens.n_keys == 0)
		first++;
	if (!binding ||
		!stun_discovery_other(&call->turn->options.discovery, &request->service, &other))
		end -= N_KNOWN_OF_DISCOVERY;
	call->n_unknown = stun_unknown(request->view, first, (size_t)(end - first), call->unknown);
}

static enum stun_code judge(struct call *call)
{
	const struct stun_view *view = call->request->view;
	enum stun_code code = STUN_CODE_NONE;

	if (view->is_classic)
		return classic_handle(call);
	if (view->method != STUN_BINDING) {
		call->realm = call->service->realm ? call->service->realm : call->turn->realms[0];
		find_allocation(call);
		// A closed listener has clients, but takes no new ones.
		call->ignored = call->service->closed && !call->allocation;
		code = call->ignored ? STUN_CODE_NONE : auth_check(call);
	}
	if (call->ignored)
		return STUN_CODE_NONE;
	if (code)
		return code;
	find_unknown(call);
	if (call->n_unknown > 0)
		return STUN_UNKNOWN_ATTRIBUTE;
	if (view->method != STUN_BINDING && view->method != STUN_ALLOCATE)
		code = check_owner(call);
	if (code)
		return code;
	reply_begin(call, STUN_SUCCESS);
	code = run(call);
	// Who asks for something from the new 5-tuple is there, even if he only listens.
	if (!code && call->from_pending)
		turn_moved(call->turn, call->allocation_idx - 1, call->effects);
	return code;
}

static void count(struct realm *realm, const struct stun_view *view, enum stun_code code)
{
	const bool is_signed = view->integrity_offset || view->integrity_sha256_offset;

	realm->n_unauthenticated += code == STUN_UNAUTHENTICATED && is_signed;
	realm->n_quota_reached += code == STUN_ALLOCATION_QUOTA_REACHED;
}

static void tell(const struct call *call, enum stun_code code)
{
	const struct turn_watcher *watcher = &call->turn->watcher;
	const struct turn_verdict verdict = {
		.request = call->request,
		.code = code,
		.realm = call->realm ? call->realm->name : NULL,
		.user = call->principal.name,
		.user_bytes = call->principal.n_bytes,
		.known = call->authenticated,
	};

	if (watcher->judged)
		watcher->judged(watcher->context, &verdict);
}

size_t turn_handle(struct turn *turn, const struct turn_time *time,
	const struct turn_request *request, struct turn_answer *answer,
	struct turn_effects *effects)
{
	struct call call = {
		.turn = turn,
		.time = time,
		.request = request,
		.service = services_find(&turn->services, &request->service),
		.effects = effects,
		.answer = answer,
		.lifetime_max_s = UINT32_MAX,
		.reply = {.buf = answer->bytes, .capacity_bytes = answer->capacity_bytes},
	};
	enum stun_code code;

	if (!call.service || !is_answered(turn, request->view))
		return 0;
	turn->time = *time;
	answer->from = request->service;
	answer->to = request->client;
	code = judge(&call);
	if (call.ignored)
		return 0;
	if (call.lookup == TURN_ASKED)
		return TURN_LATER;
	if (call.lookup == TURN_OUT_OF_REACH) {
		turn->n_out_of_reach++;
		return 0;
	}
	answer->known = call.authenticated;
	if (code)
		reply_error(&call, code);
	turn->n_requests[request->view->method]++;
	turn->n_errors[code]++;
	if (call.realm)
		count(call.realm, request->view, code);
	tell(&call, code);
	return reply_end(&call);
}

// Whose timer it is: TIMER_ALLOCATION or TIMER_SECOND.
static void relayed_of_timer(const struct turn *turn, uint32_t id, uint32_t *idx, uint8_t *family)
{
	const struct second *second;

	*idx = timer_idx(id);
	if (timer_kind(id) == TIMER_ALLOCATION) {
		*family = allocation_at(turn, *idx)->relayed.ip.family;
		return;
	}
	second = second_at(turn, *idx);
	*idx = second->allocation_idx;
	*family = second->relayed.ip.family;
}

static size_t count_removals(const struct turn *turn, uint32_t id)
{
	uint32_t idx;
	uint8_t family;

	switch (timer_kind(id)) {
	case TIMER_PERMISSION:
		return permission_count_entries(turn, timer_idx(id));
	case TIMER_CHANNEL:
		return channel_count_entries(turn, timer_idx(id));
	case TIMER_RESERVATION:
		return 0;
	default:
		relayed_of_timer(turn, id, &idx, &family);
		return relayed_count_entries(turn, idx, family) + 1; // its port cools
	}
}

static void remove_expired(struct turn *turn, uint32_t id, struct turn_effects *effects)
{
	uint32_t idx;
	uint8_t family;

	switch (timer_kind(id)) {
	case TIMER_PERMISSION:
		permission_end(turn, timer_idx(id), effects);
		return;
	case TIMER_CHANNEL:
		channel_end(turn, timer_idx(id), effects);
		return;
	case TIMER_RESERVATION:
		reservation_expire(turn, timer_idx(id));
		return;
	default:
		relayed_of_timer(turn, id, &idx, &family);
		relayed_end(turn, idx, family, TURN_EXPIRED, effects);
		return;
	}
}

bool turn_expire(struct turn *turn, const struct turn_time *time, struct turn_effects *effects)
{
	uint32_t id;

	turn->time = *time;
	accounts_wake(&turn->users.accounts, &turn->options.fresh_rates.user, time->now_ms);
	while ((id = wheel_due(&turn->wheel, time->now_ms)) != 0) {
		if (count_removals(turn, id) > effects_room(effects))
			return true;
		remove_expired(turn, id, effects);
	}
	return false;
}

void turn_port_release(struct turn *turn, const struct endpoint *relayed)
{
	ports_release(&turn->ports, relayed);
}

int turn_allocation_entries(const struct turn *turn, uint64_t id, struct turn_effects *effects)
{
	const uint32_t idx = ids_find(turn, id);

	if (idx == 0)
		return -ENOENT;
	if (allocation_count_entries(turn, idx) > effects_room(effects))
		return -EAGAIN;
	effects_add_entries(effects, turn, idx);
	return 0;
}

bool turn_walk(struct turn *turn, uint32_t *cursor, struct turn_effects *effects)
{
	for (; *cursor < turn->allocations.n_touched; (*cursor)++) {
		const uint32_t idx = *cursor + 1;

		if (allocation_at(turn, idx)->client.ip.family == FAMILY_NONE)
			continue;
		if (allocation_count_entries(turn, idx) > effects_room(effects))
			return true;
		effects_add_entries(effects, turn, idx);
	}
	return false;
}

void turn_stats_get(const struct turn *turn, struct turn_stats *out)
{
	*out = (struct turn_stats){
		.n_allocations = turn->allocations.n_used,
		.n_dual = turn->seconds.n_used,
		.n_permissions = turn->permissions.n_used,
		.n_channels = turn->channels.n_used,
		.n_ports_free = turn->ports.n_free[FAMILY_IPV4] + turn->ports.n_free[FAMILY_IPV6],
		.n_ports_used = turn->ports.n_used,
		.n_ports_reserved = turn->ports.n_reserved,
		.n_ports_cooling = turn->ports.n_cooling,
		.n_allocations_created = turn->n_created,
		.n_too_fast = turn->n_too_fast,
		.n_out_of_reach = turn->n_out_of_reach,
	};
	memcpy(out->n_requests, turn->n_requests, sizeof(out->n_requests));
	memcpy(out->n_errors, turn->n_errors, sizeof(out->n_errors));
}

static struct realm *find_source_realm(const struct turn *turn, size_t realm_idx)
{
	for (size_t i = 0; i < turn->n_realms; i++)
		if (turn->realms[i]->source_idx == realm_idx)
			return turn->realms[i];
	return NULL;
}

int turn_realm_update(struct turn *turn, size_t realm_idx, const struct turn_realm_update *update)
{
	struct realm *realm = find_source_realm(turn, realm_idx);

	return realm ? realm_update(realm, update) : -ENOENT;
}

const char *turn_source_realm(const struct turn *turn, size_t realm_idx)
{
	const struct realm *realm = find_source_realm(turn, realm_idx);

	return realm ? realm->name : NULL;
}

int turn_set_never(struct turn *turn, const struct ip_range *never, size_t n_never)
{
	int rc = 0;

	for (size_t i = 0; i < turn->n_realms && !rc; i++)
		rc = peers_set_never(&turn->realms[i]->peers, never, n_never);
	for (size_t i = 0; i < turn->n_gone_realms && !rc; i++)
		rc = peers_set_never(&turn->gone_realms[i]->peers, never, n_never);
	return rc;
}

bool turn_realm_stats_get(const struct turn *turn, size_t realm_idx, struct turn_realm_stats *out)
{
	const struct realm *realm;

	if (realm_idx >= turn->n_realms)
		return false;
	realm = turn->realms[realm_idx];
	*out = (struct turn_realm_stats){
		.name = realm->name,
		.n_allocations = realm->n_allocations,
		.n_allocations_created = realm->n_created,
		.n_unauthenticated = realm->n_unauthenticated,
		.n_quota_reached = realm->n_quota_reached,
	};
	memcpy(out->n_peer_hits, realm->peers.n_hits, sizeof(out->n_peer_hits));
	return true;
}
