// The control messages of one call: allocate, bind, refresh in time, release.
#include "engine_state.h"

#include <errno.h>

// RFC 8489 §6.2.1
#define RTO_NS (500 * (int64_t)NS_IN_MS)
#define TRIES_MAX 7
#define LAST_WAIT_NS (16 * RTO_NS)

#define CHALLENGES_MAX 3
#define LIFETIME_DEFAULT_S 600
#define REFRESH_EARLY_S 60 // before the end of an allocation; a short one at half its life
// Permissions live for five minutes (RFC 8656 §9), and a ChannelBind renews its permission.
#define REBIND_NS (240 * (int64_t)NS_IN_S)
// From the end of a call's media to its release: what is on its way arrives.
#define ENDING_NS ((int64_t)NS_IN_S)
// From a release until another call begins in its place: a server may refuse a client that has only
// just left (coturn does, for up to three seconds: 437).
#define REST_NS (4 * (int64_t)NS_IN_S)
#define TRANSPORT_UDP 17u

static const uint16_t methods[N_REQUESTS] = {
	[REQUEST_ALLOCATE] = STUN_ALLOCATE,
	[REQUEST_BIND] = STUN_CHANNEL_BIND,
	[REQUEST_REFRESH] = STUN_REFRESH,
	[REQUEST_RELEASE] = STUN_REFRESH,
};

static uint16_t method_of(const struct engine *engine, enum request request)
{
	if (request == REQUEST_BIND && engine->config.indications)
		return STUN_CREATE_PERMISSION;
	return methods[request];
}

static void transaction_store(const struct engine *engine, uint32_t call, uint8_t *id)
{
	store_be32(id, engine->magic);
	store_be32(id + 4, call);
	store_be32(id + 8, engine->calls[call].transaction);
}

static const struct endpoint *peer_at(const struct engine *engine, uint32_t call)
{
	return &engine->config.peers[peer_of(engine, call)];
}

// RFC 8656 §7.2: where nothing is said, the relayed address is of IPv4.
static void put_family(const struct engine *engine, uint32_t call, struct stun_writer *w)
{
	const uint8_t family = peer_at(engine, call)->ip.family;

	if (family != FAMILY_IPV4)
		stun_put_u32(w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, (uint32_t)family << 24);
}

static void put_purpose(struct engine *engine, uint32_t call, struct stun_writer *w)
{
	switch (engine->calls[call].request) {
	case REQUEST_ALLOCATE:
		stun_put_u32(w, STUN_ATTR_REQUESTED_TRANSPORT, TRANSPORT_UDP << 24);
		put_family(engine, call, w);
		if (engine->config.lifetime_s)
			stun_put_u32(w, STUN_ATTR_LIFETIME, engine->config.lifetime_s);
		break;
	case REQUEST_BIND:
		if (!engine->config.indications)
			stun_put_channel(w, channel_of(call));
		stun_put_xor_address(w, STUN_ATTR_XOR_PEER_ADDRESS, peer_at(engine, call));
		break;
	case REQUEST_REFRESH:
		if (engine->config.lifetime_s)
			stun_put_u32(w, STUN_ATTR_LIFETIME, engine->config.lifetime_s);
		break;
	case REQUEST_RELEASE:
		stun_put_u32(w, STUN_ATTR_LIFETIME, 0);
		break;
	}
}

static void transmit(struct engine *engine, uint32_t call, int64_t now_ns)
{
	struct call *c = &engine->calls[call];
	struct datagram *datagram =
		engine_put(engine, call, &engine->config.server, PURPOSE_CONTROL, now_ns);
	uint8_t id[STUN_TRANSACTION_BYTES];
	struct stun_writer w;

	transaction_store(engine, call, id);
	stun_writer_init(&w, datagram->bytes, DATAGRAM_BYTES, STUN_REQUEST,
		method_of(engine, c->request), id);
	put_purpose(engine, call, &w);
	if (c->nonce_bytes) {
		stun_put_bytes(
			&w, STUN_ATTR_USERNAME, engine->config.user, strlen(engine->config.user));
		stun_put_bytes(&w, STUN_ATTR_REALM, engine->realm, engine->realm_bytes);
		stun_put_bytes(&w, STUN_ATTR_NONCE, c->nonce, c->nonce_bytes);
		stun_put_integrity(&w, engine->mac, &engine->key);
	}
	datagram->n_bytes = (uint16_t)stun_writer_end(&w);
	c->n_tries++;
	timers_set(&engine->timers, call,
		now_ns + (c->n_tries < TRIES_MAX ? RTO_NS << (c->n_tries - 1) : LAST_WAIT_NS));
}

static void send_request(struct engine *engine, uint32_t call, enum request request, int64_t due_ns)
{
	struct call *c = &engine->calls[call];

	c->request = (uint8_t)request;
	c->waiting = true;
	c->transaction++;
	c->n_tries = 0;
	c->n_challenges = 0;
	c->begun_ns = due_ns;
	engine->control[request].n_sent++;
	transmit(engine, call, due_ns);
}

// A call enters a state; what is counted by state follows.
static void enter(struct engine *engine, uint32_t call, enum call_state state)
{
	struct call *c = &engine->calls[call];
	const bool was_busy = c->state == CALL_SETUP || c->state == CALL_RELEASING;
	const bool is_busy = state == CALL_SETUP || state == CALL_RELEASING;

	engine->n_busy += is_busy - was_busy;
	engine->totals.n_up += (state == CALL_UP) - (c->state == CALL_UP);
	engine->totals.n_failed += (state == CALL_FAILED) - (c->state == CALL_FAILED);
	c->state = (uint8_t)state;
}

void call_begin(struct engine *engine, uint32_t call, int64_t due_ns)
{
	struct call *c = &engine->calls[call];

	*c = (struct call){.state = c->state, .transaction = c->transaction};
	engine->totals.n_begun++;
	enter(engine, call, CALL_SETUP);
	send_request(engine, call, REQUEST_ALLOCATE, due_ns);
}

void call_release(struct engine *engine, uint32_t call, int64_t due_ns)
{
	struct call *c = &engine->calls[call];

	// In setup it is released as soon as it is up.
	if (c->state != CALL_UP && c->state != CALL_ENDING)
		return;
	enter(engine, call, CALL_RELEASING);
	send_request(engine, call, REQUEST_RELEASE, due_ns);
}

static void begin_again(struct engine *engine, uint32_t call, int64_t now_ns)
{
	if (engine->release_all)
		return;
	engine->totals.n_replaced++;
	call_begin(engine, call, now_ns);
}

void call_replace(struct engine *engine, uint32_t call, int64_t now_ns)
{
	struct call *c = &engine->calls[call];

	if (c->state == CALL_FAILED) {
		begin_again(engine, call, now_ns);
	} else if (c->state == CALL_UP && !c->waiting) {
		c->replace = true;
		enter(engine, call, CALL_ENDING);
		timers_set(&engine->timers, call, now_ns + ENDING_NS);
	}
}

static void end_call(struct engine *engine, uint32_t call, int64_t now_ns)
{
	const bool failed = engine->calls[call].failed;
	const bool replace = engine->calls[call].replace && !engine->release_all;

	timers_set(&engine->timers, call, TIMERS_NEVER);
	enter(engine, call, failed ? CALL_FAILED : CALL_IDLE);
	// When calls come and go, a client is free again whatever became of its last one.
	if (failed && !engine->release_at_once)
		return;
	engine->totals.n_released += !failed;
	if (replace)
		timers_set(&engine->timers, call, now_ns + REST_NS);
	else
		engine_put_idle(engine, call);
}

static void give_up(struct engine *engine, uint32_t call, int64_t now_ns)
{
	struct call *c = &engine->calls[call];

	c->waiting = false;
	c->failed = true;
	if (c->request == REQUEST_BIND) {
		enter(engine, call, CALL_RELEASING);
		send_request(engine, call, REQUEST_RELEASE, now_ns);
	} else {
		end_call(engine, call, now_ns);
	}
}

static void rest(struct engine *engine, uint32_t call)
{
	const struct call *c = &engine->calls[call];

	timers_set(
		&engine->timers, call, c->refresh_ns < c->rebind_ns ? c->refresh_ns : c->rebind_ns);
}

void call_timer(struct engine *engine, uint32_t call, int64_t now_ns)
{
	struct call *c = &engine->calls[call];
	struct control_result *result = &engine->control[c->request];

	if (c->state == CALL_IDLE) {
		begin_again(engine, call, now_ns);
	} else if (c->state == CALL_ENDING) {
		call_release(engine, call, now_ns);
	} else if (!c->waiting) {
		const bool refresh = c->refresh_ns <= c->rebind_ns;

		send_request(engine, call, refresh ? REQUEST_REFRESH : REQUEST_BIND, now_ns);
	} else if (c->n_tries == TRIES_MAX) {
		result->n_timeouts++;
		give_up(engine, call, now_ns);
	} else {
		result->n_repeated++;
		transmit(engine, call, now_ns);
	}
}

// The realm and with it the key are the same for all calls; the nonce is not.
static int adopt_challenge(struct engine *engine, struct call *c, const struct stun_view *answer)
{
	const struct stun_attr *realm = stun_find(answer, STUN_ATTR_REALM);
	const struct stun_attr *nonce = stun_find(answer, STUN_ATTR_NONCE);

	if (!realm || !nonce || realm->n_bytes == 0 || realm->n_bytes > REALM_BYTES_MAX ||
		nonce->n_bytes == 0 || nonce->n_bytes > NONCE_BYTES_MAX)
		return -EBADMSG;
	memcpy(c->nonce, nonce->value, nonce->n_bytes);
	c->nonce_bytes = (uint8_t)nonce->n_bytes;
	if (engine->realm_bytes == realm->n_bytes &&
		!memcmp(engine->realm, realm->value, realm->n_bytes))
		return 0;
	memcpy(engine->realm, realm->value, realm->n_bytes);
	engine->realm_bytes = realm->n_bytes;
	stun_key_md5(engine->mac, &engine->key, engine->config.user, strlen(engine->config.user),
		engine->realm, engine->realm_bytes, engine->config.password,
		strlen(engine->config.password));
	return 0;
}

static enum stun_code code_of(const struct stun_view *answer)
{
	const struct stun_attr *attr = stun_find(answer, STUN_ATTR_ERROR_CODE);

	if (!attr || attr->n_bytes < 4)
		return STUN_CODE_NONE;
	return (enum stun_code)((attr->value[2] & 7) * 100 + attr->value[3]);
}

static void take_error(
	struct engine *engine, uint32_t call, const struct stun_view *answer, int64_t now_ns)
{
	struct call *c = &engine->calls[call];
	struct control_result *result = &engine->control[c->request];
	const enum stun_code code = code_of(answer);
	// A 401 to what carried credentials means that they are wrong.
	const bool challenge =
		(code == STUN_UNAUTHENTICATED && !c->nonce_bytes) || code == STUN_STALE_NONCE;

	if (challenge && c->n_challenges < CHALLENGES_MAX && !adopt_challenge(engine, c, answer)) {
		c->n_challenges++;
		c->transaction++;
		c->n_tries = 0;
		transmit(engine, call, now_ns);
		return;
	}
	if (code >= 300 && code < 300 + ERROR_CODES)
		result->n_by_code[code - 300]++;
	else
		result->n_refused++;
	give_up(engine, call, now_ns);
}

static bool relay_is_allowed(const struct engine *engine, const struct endpoint *relayed)
{
	for (size_t i = 0; i < engine->config.n_relays; i++)
		if (prefix_contains(&engine->config.relays[i], &relayed->ip))
			return true;
	return false;
}

static void set_refresh(struct call *c, const struct stun_view *answer, int64_t now_ns)
{
	const struct stun_attr *attr = stun_find(answer, STUN_ATTR_LIFETIME);
	uint32_t lifetime_s = LIFETIME_DEFAULT_S;

	if (attr)
		stun_get_u32(attr, &lifetime_s);
	if (lifetime_s >= 2 * REFRESH_EARLY_S)
		c->refresh_ns = now_ns + (int64_t)((lifetime_s - REFRESH_EARLY_S) * NS_IN_S);
	else
		c->refresh_ns = now_ns + (int64_t)(lifetime_s * NS_IN_S / 2);
	if (c->refresh_ns < now_ns + (int64_t)NS_IN_S)
		c->refresh_ns = now_ns + (int64_t)NS_IN_S;
}

// Nothing is ever sent to a relayed address that the operator did not allow, or that is of another
// family than the peer.
static int adopt_allocation(
	struct engine *engine, uint32_t call, const struct stun_view *answer, int64_t now_ns)
{
	struct call *c = &engine->calls[call];
	const struct stun_attr *attr = stun_find(answer, STUN_ATTR_XOR_RELAYED_ADDRESS);

	if (!attr || stun_get_xor_address(attr, answer->transaction_id, &c->relayed))
		return -EBADMSG;
	if (c->relayed.ip.family != peer_at(engine, call)->ip.family ||
		!relay_is_allowed(engine, &c->relayed))
		return -EACCES;
	set_refresh(c, answer, now_ns);
	return 0;
}

static void take_success(
	struct engine *engine, uint32_t call, const struct stun_view *answer, int64_t now_ns)
{
	struct call *c = &engine->calls[call];

	switch (c->request) {
	case REQUEST_ALLOCATE:
		send_request(engine, call, REQUEST_BIND, now_ns);
		return;
	case REQUEST_BIND:
		c->rebind_ns = now_ns + REBIND_NS;
		enter(engine, call, CALL_UP);
		break;
	case REQUEST_REFRESH:
		set_refresh(c, answer, now_ns);
		break;
	case REQUEST_RELEASE:
		end_call(engine, call, now_ns);
		return;
	}
	if (engine->release_at_once || engine->release_all)
		call_release(engine, call, now_ns);
	else
		rest(engine, call);
}

void call_answer(
	struct engine *engine, uint32_t call, const struct stun_view *answer, int64_t now_ns)
{
	struct call *c = &engine->calls[call];
	struct control_result *result = &engine->control[c->request];
	uint8_t id[STUN_TRANSACTION_BYTES];

	transaction_store(engine, call, id);
	if (!c->waiting || memcmp(id, answer->transaction_id, sizeof(id)) ||
		answer->method != method_of(engine, c->request)) {
		engine->totals.n_stray++;
		return;
	}
	if (answer->class == STUN_ERROR) {
		take_error(engine, call, answer, now_ns);
		return;
	}
	// RFC 8489 §9.2.5: an answer without the right integrity is as if it never came.
	if (answer->class != STUN_SUCCESS ||
		(c->nonce_bytes && !stun_integrity_check(engine->mac, answer, &engine->key))) {
		engine->totals.n_stray++;
		return;
	}
	if (c->request == REQUEST_ALLOCATE && adopt_allocation(engine, call, answer, now_ns)) {
		result->n_refused++;
		c->failed = true;
		enter(engine, call, CALL_RELEASING);
		send_request(engine, call, REQUEST_RELEASE, now_ns);
		return;
	}
	c->waiting = false;
	result->n_ok++;
	histogram_record(&result->latency, now_ns - c->begun_ns);
	take_success(engine, call, answer, now_ns);
}
