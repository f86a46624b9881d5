#include "turn_rig.h"

#include <stdio.h>
#include <stdlib.h>

// MD5("user:realm:pass") is printed in RFC 8489 §9.2.2; the others were computed with Python's
// hashlib.
const struct rig_user rig_user = {"user",
	{{0x84, 0x93, 0xfb, 0xc5, 0x3b, 0xa5, 0x82, 0xfb, 0x4c, 0x04, 0x4c, 0x45, 0x6b, 0xdc, 0x40,
		 0xeb},
		16},
	{{0x07, 0xe9, 0x34, 0x11, 0x7a, 0xbd, 0x40, 0x83, 0x6e, 0x7c, 0x63, 0x29, 0xb5, 0x47, 0x31,
		 0xb2, 0xb2, 0xd2, 0xa5, 0xf9, 0xa7, 0x1f, 0x54, 0x49, 0x22, 0xd7, 0x5e, 0x07, 0x30,
		 0xd8, 0x25, 0x1b},
		32}};
const struct rig_user rig_other = {"other",
	{{0x6e, 0x37, 0x61, 0xdd, 0xb2, 0xcb, 0x36, 0x8a, 0x6f, 0x24, 0x06, 0xa4, 0x45, 0x9f, 0x0f,
		 0x94},
		16},
	{{0x1b, 0x97, 0x76, 0x23, 0x4d, 0xd8, 0x83, 0xeb, 0x70, 0x40, 0x47, 0xa2, 0x0d, 0x4f, 0x62,
		 0x83, 0x64, 0x35, 0x1b, 0xef, 0xb9, 0x2a, 0xe8, 0xa4, 0x91, 0x68, 0xe0, 0xd4, 0x0f,
		 0x64, 0xfc, 0x0f},
		32}};
const struct rig_user rig_nobody = {"nobody", {{1, 2, 3}, 16}, {{4, 5, 6}, 32}};

#define must(condition)                                                                 \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

struct endpoint rig_endpoint(const char *text)
{
	struct endpoint endpoint;

	must(endpoint_parse(&endpoint, text) == 0);
	return endpoint;
}

struct turn_user rig_turn_user(const struct rig_user *from)
{
	struct turn_user user = {.name = from->name, .keys.has_sha256 = true};

	memcpy(user.keys.md5, from->key.bytes, sizeof(user.keys.md5));
	memcpy(user.keys.sha256, from->key_sha256.bytes, sizeof(user.keys.sha256));
	return user;
}

struct turn_config rig_config(void)
{
	static struct relay_range relay = {
		.ip = {FAMILY_IPV4, {192, 0, 2, 15}},
		.port_min = 50000,
		.port_max = 50015,
	};
	static struct endpoint service = {{FAMILY_IPV4, {192, 0, 2, 15}}, 3478};
	static struct turn_user users[2];

	users[0] = rig_turn_user(&rig_user);
	users[1] = rig_turn_user(&rig_other);
	return (struct turn_config){
		.realm = {.name = "realm", .users = users, .n_users = 2},
		.nonce_lifetime_s = 600,
		.lifetime_s = 600,
		.lifetime_max_s = 3600,
		.n_allocations_max = 1000,
		.relays = &relay,
		.n_relays = 1,
		.services = &service,
		.n_services = 1,
		.nonce_secret = "secret of thirty-two bytes here",
		.random_seed = 1,
	};
}

enum turn_lookup rig_find_nobody(void *context, size_t realm_idx, const void *name, size_t n_bytes,
	bool may_ask, struct turn_keys *out)
{
	(void)context;
	(void)realm_idx;
	(void)name;
	(void)n_bytes;
	(void)may_ask;
	(void)out;
	return TURN_UNKNOWN;
}

void rig_listen(struct turn_config *config, const char *const *listeners)
{
	static struct endpoint services[8];
	size_t n = 0;

	for (; listeners[n]; n++) {
		must(n < N_ELEMENTS(services));
		services[n] = rig_endpoint(listeners[n]);
	}
	config->services = services;
	config->n_services = n;
}

void rig_open(struct rig *rig, const struct turn_config *config)
{
	memset(rig, 0, sizeof(*rig));
	must(turn_create(&rig->turn, config) == 0);
	must(stun_mac_create(&rig->mac) == 0);
	rig->time = (struct turn_time){RIG_START_MS, RIG_START_WALL_S};
	rig->service = rig_endpoint("192.0.2.15:3478");
	rig->client = rig_endpoint("198.51.100.2:7000");
	rig->user = &rig_user;
	rig->realm = "realm";
	rig->effects = (struct turn_effects){rig->items, 0, TURN_EFFECTS_MAX};
}

void rig_open_default(struct rig *rig)
{
	const struct turn_config config = rig_config();

	rig_open(rig, &config);
	rig_challenge(rig);
}

void rig_close(struct rig *rig)
{
	stun_mac_destroy(rig->mac);
	turn_destroy(rig->turn);
}

void rig_reopen_for_peers(struct rig *rig, struct turn_peer_policy policy)
{
	struct turn_config config = rig_config();

	config.realm.peers = policy;
	rig_close(rig);
	rig_open(rig, &config);
	rig_challenge(rig);
	must(rig_allocate(rig) == 0);
}

static bool same_entry(const struct turn_effect *a, const struct turn_effect *b)
{
	return a->kind == b->kind && a->channel == b->channel &&
		a->allocation_idx == b->allocation_idx &&
		endpoint_equal(&a->service, &b->service) &&
		endpoint_equal(&a->client, &b->client) &&
		endpoint_equal(&a->relayed, &b->relayed) && endpoint_equal(&a->peer, &b->peer);
}

static size_t find_entry(const struct rig *rig, const struct turn_effect *effect)
{
	size_t i = 0;

	while (i < rig->n_entries && !same_entry(&rig->entries[i], effect))
		i++;
	return i;
}

static bool holds_relayed(const struct rig *rig, const struct endpoint *relayed)
{
	for (size_t i = 0; i < rig->n_entries; i++) {
		if (endpoint_equal(&rig->entries[i].relayed, relayed))
			return true;
	}
	return false;
}

// Under the same key of a worker's table, where the client of what comes down is only a value.
static bool same_key(const struct turn_effect *a, const struct turn_effect *b)
{
	const bool down = a->kind == TURN_PERMISSION_ADD || a->kind == TURN_CHANNEL_DOWN_ADD;

	return a->kind == b->kind && a->channel == b->channel &&
		endpoint_equal(&a->relayed, &b->relayed) && endpoint_equal(&a->peer, &b->peer) &&
		(down ||
			(endpoint_equal(&a->service, &b->service) &&
				endpoint_equal(&a->client, &b->client)));
}

static void replace(struct rig *rig, const struct turn_effect *effect)
{
	size_t i = 0;

	while (i < rig->n_entries && !same_key(&rig->entries[i], effect))
		i++;
	must(i < rig->n_entries);
	rig->entries[i] = *effect;
}

static void apply_effect(struct rig *rig, struct turn_effect effect)
{
	size_t i;

	if (effect.replaces)
		return replace(rig, &effect);

	switch (effect.kind) {
	case TURN_PORT_COOLING:
		must(!holds_relayed(rig, &effect.relayed)); // the last word about it
		must(rig->n_cooling < N_ELEMENTS(rig->cooling));
		rig->cooling[rig->n_cooling++] = effect.relayed;
		return;
	case TURN_ALLOCATION_ADD:
		must(effect.moving || !holds_relayed(rig, &effect.relayed));
		// fall through
	case TURN_PERMISSION_ADD:
	case TURN_CHANNEL_UP_ADD:
	case TURN_CHANNEL_DOWN_ADD:
		must(find_entry(rig, &effect) == rig->n_entries);
		must(rig->n_entries < RIG_ENTRIES_MAX);
		rig->entries[rig->n_entries++] = effect;
		return;
	default:
		effect.kind--; // each REMOVE follows its ADD in the enumeration
		i = find_entry(rig, &effect);
		must(i < rig->n_entries);
		rig->entries[i] = rig->entries[--rig->n_entries];
	}
}

static void apply_effects(struct rig *rig)
{
	for (size_t i = 0; i < rig->effects.n; i++)
		apply_effect(rig, rig->effects.items[i]);
}

static void put_transaction(struct rig *rig, uint8_t out[static STUN_TRANSACTION_BYTES])
{
	memset(out, 0x5a, STUN_TRANSACTION_BYTES);
	store_be32(out, ++rig->n_transactions);
}

void rig_begin(struct rig *rig, uint16_t method)
{
	uint8_t transaction[STUN_TRANSACTION_BYTES];

	put_transaction(rig, transaction);
	stun_writer_init(
		&rig->w, rig->request, sizeof(rig->request), STUN_REQUEST, method, transaction);
}

void rig_sign(struct rig *rig)
{
	if (rig->user) {
		stun_put_bytes(
			&rig->w, STUN_ATTR_USERNAME, rig->user->name, strlen(rig->user->name));
		stun_put_bytes(&rig->w, STUN_ATTR_REALM, rig->realm, strlen(rig->realm));
		stun_put_bytes(&rig->w, STUN_ATTR_NONCE, rig->nonce, rig->nonce_bytes);
		stun_put_integrity(&rig->w, rig->mac, &rig->user->key);
	}
	if (rig->with_fingerprint)
		stun_put_fingerprint(&rig->w);
}

int rig_send(struct rig *rig)
{
	rig_sign(rig);
	return rig_deliver(rig);
}

// Padding is zero and nothing was written past the end.
static void check_bytes(const struct rig *rig)
{
	size_t at = STUN_HEADER_BYTES;

	must(rig->reply_bytes >= STUN_HEADER_BYTES && rig->reply_bytes % 4 == 0);
	must(load_be16(rig->reply + 2) == rig->reply_bytes - STUN_HEADER_BYTES);
	must(memcmp(rig->reply + 4, rig->request + 4, 4 + STUN_TRANSACTION_BYTES) == 0);
	while (at < rig->reply_bytes) {
		const size_t n = load_be16(rig->reply + at + 2);

		at += STUN_ATTR_HEADER_BYTES + n;
		for (; at % 4 != 0; at++)
			must(rig->reply[at] == 0);
	}
	must(at == rig->reply_bytes);
	for (; at < sizeof(rig->reply); at++)
		must(rig->reply[at] == 0xaa);
}

static int read_code(const struct rig *rig)
{
	const struct stun_attr *attr = stun_find(&rig->view, STUN_ATTR_ERROR_CODE);

	if (rig->view.class == STUN_SUCCESS) {
		must(!attr);
		return 0;
	}
	must(rig->view.class == STUN_ERROR && attr && attr->n_bytes == 4);
	must(attr->value[0] == 0 && attr->value[1] == 0);
	return attr->value[2] * 100 + attr->value[3];
}

int rig_deliver(struct rig *rig)
{
	must(!rig->w.overflow);
	return rig_repeat(rig);
}

int rig_repeat(struct rig *rig)
{
	struct stun_view view;
	struct turn_request request = {rig->service, rig->client, &view};

	if (stun_parse_any(&view, rig->request, rig->w.n_bytes))
		return RIG_NO_ANSWER;
	memset(rig->reply, 0xaa, sizeof(rig->reply));
	rig->effects.n = 0;
	rig->answer = (struct turn_answer){rig->reply, sizeof(rig->reply)};
	rig->reply_bytes =
		turn_handle(rig->turn, &rig->time, &request, &rig->answer, &rig->effects);
	apply_effects(rig);
	if (rig->reply_bytes == TURN_LATER) {
		must(rig->effects.n == 0 && rig->reply[0] == 0xaa);
		return RIG_LATER;
	}
	if (rig->reply_bytes == 0) {
		must(rig->effects.n == 0 && rig->reply[0] == 0xaa);
		return RIG_NO_ANSWER;
	}
	check_bytes(rig);
	if (view.is_classic)
		store_be32(rig->reply + 4, STUN_MAGIC_COOKIE); // else nothing parses answers
	must(stun_parse(&rig->view, rig->reply, rig->reply_bytes) == 0);
	must(rig->view.method == view.method);
	must(!rig->view.fingerprint_offset == !view.fingerprint_offset);
	must(!rig->view.fingerprint_offset || stun_fingerprint_check(&rig->view));
	must(!rig->view.integrity_offset || !rig->user ||
		stun_integrity_check(rig->mac, &rig->view, &rig->user->key));
	return read_code(rig);
}

void rig_learn(struct rig *rig)
{
	const struct stun_attr *nonce = stun_find(&rig->view, STUN_ATTR_NONCE);

	must(nonce && nonce->n_bytes <= sizeof(rig->nonce));
	memcpy(rig->nonce, nonce->value, nonce->n_bytes);
	rig->nonce_bytes = nonce->n_bytes;
}

void rig_challenge(struct rig *rig)
{
	const struct rig_user *user = rig->user;

	rig->user = NULL;
	rig_begin(rig, STUN_ALLOCATE);
	must(rig_send(rig) == STUN_UNAUTHENTICATED);
	rig->user = user;
	rig_learn(rig);
}

int rig_allocate(struct rig *rig)
{
	rig_begin(rig, STUN_ALLOCATE);
	stun_put_u32(&rig->w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	return rig_send(rig);
}

int rig_refresh(struct rig *rig, int64_t lifetime_s)
{
	rig_begin(rig, STUN_REFRESH);
	if (lifetime_s >= 0)
		stun_put_u32(&rig->w, STUN_ATTR_LIFETIME, (uint32_t)lifetime_s);
	return rig_send(rig);
}

int rig_permit(struct rig *rig, const char *peer)
{
	struct endpoint endpoint = {.port = 9};

	must(ip_parse(&endpoint.ip, peer) == 0);
	rig_begin(rig, STUN_CREATE_PERMISSION);
	stun_put_xor_address(&rig->w, STUN_ATTR_XOR_PEER_ADDRESS, &endpoint);
	return rig_send(rig);
}

int rig_bind(struct rig *rig, uint16_t channel, const char *peer)
{
	const struct endpoint endpoint = rig_endpoint(peer);

	rig_begin(rig, STUN_CHANNEL_BIND);
	stun_put_channel(&rig->w, channel);
	stun_put_xor_address(&rig->w, STUN_ATTR_XOR_PEER_ADDRESS, &endpoint);
	return rig_send(rig);
}

void rig_moved(struct rig *rig, uint32_t allocation_idx)
{
	rig->effects.n = 0;
	turn_moved(rig->turn, allocation_idx, &rig->effects);
	apply_effects(rig);
}

void rig_keep_ticket(struct rig *rig)
{
	const struct stun_attr *attr = stun_find(&rig->view, STUN_ATTR_MOBILITY_TICKET);

	must(attr && attr->n_bytes <= sizeof(rig->ticket));
	memcpy(rig->ticket, attr->value, attr->n_bytes);
	rig->ticket_bytes = attr->n_bytes;
}

int rig_move(struct rig *rig)
{
	rig_begin(rig, STUN_REFRESH);
	stun_put_bytes(&rig->w, STUN_ATTR_MOBILITY_TICKET, rig->ticket, rig->ticket_bytes);
	return rig_send(rig);
}

int rig_kick(struct rig *rig, uint64_t id)
{
	int rc;

	rig->effects.n = 0;
	rc = turn_allocation_end(rig->turn, &rig->time, id, &rig->effects);
	must(rc == 0 || rig->effects.n == 0);
	apply_effects(rig);
	return rc;
}

bool rig_kick_user(struct rig *rig, struct turn_kick *kick)
{
	bool more;

	rig->effects.n = 0;
	more = turn_user_end(rig->turn, &rig->time, kick, &rig->effects);
	apply_effects(rig);
	return more;
}

void rig_pass(struct rig *rig, uint64_t ms)
{
	rig->time.now_ms += ms;
	rig->time.wall_s = RIG_START_WALL_S + (int64_t)((rig->time.now_ms - RIG_START_MS) / 1000);
	rig->effects.n = 0;
	turn_expire(rig->turn, &rig->time, &rig->effects);
	apply_effects(rig);
}

void rig_cool_down(struct rig *rig)
{
	while (rig->n_cooling > 0)
		turn_port_release(rig->turn, &rig->cooling[--rig->n_cooling]);
}

int rig_reconfigure(struct rig *rig, const struct turn_config *config)
{
	struct turn *next = NULL;
	const int rc = turn_prepare(&next, rig->turn, config);

	must((next == NULL) == (rc != 0));
	if (!rc)
		turn_adopt(rig->turn, next);
	must(turn_check(rig->turn) == NULL);
	return rc;
}

unsigned rig_sweep(struct rig *rig)
{
	uint32_t cursor = 0;
	unsigned n = 0;
	bool more = true;

	for (; more; n++) {
		rig->effects.n = 0;
		more = turn_sweep(rig->turn, &cursor, &rig->effects);
		apply_effects(rig);
	}
	return n;
}

bool rig_has(const struct rig *rig, uint16_t attr)
{
	return stun_find(&rig->view, attr) != NULL;
}

uint32_t rig_u32(const struct rig *rig, uint16_t attr)
{
	const struct stun_attr *found = stun_find(&rig->view, attr);

	must(found && found->n_bytes == 4);
	return load_be32(found->value);
}

struct endpoint rig_address(const struct rig *rig, uint16_t attr)
{
	const struct stun_attr *found = stun_find(&rig->view, attr);
	struct endpoint endpoint = {{FAMILY_IPV4, {0}}, 0};
	uint32_t raw;

	// By hand, for IPv4 (RFC 8489 §14.2).
	must(found && found->n_bytes == 8 && found->value[0] == 0 && found->value[1] == 1);
	endpoint.port = load_be16(found->value + 2) ^ 0x2112;
	raw = load_be32(found->value + 4) ^ 0x2112a442u;
	store_be32(endpoint.ip.bytes, raw);
	return endpoint;
}

const char *rig_plain_address(const struct rig *rig, uint16_t attr)
{
	static char text[ADDR_TEXT_BYTES];
	const struct stun_attr *found = stun_find(&rig->view, attr);
	struct endpoint endpoint;

	if (!found)
		return "none";
	must(stun_get_address(found, &endpoint) == 0);
	return endpoint_format(&endpoint, text);
}

struct endpoint rig_relayed(const struct rig *rig, enum family family)
{
	const struct stun_attr *attr = stun_find(&rig->view, STUN_ATTR_XOR_RELAYED_ADDRESS);
	struct endpoint found = {0};

	for (; attr; attr = stun_find_next(&rig->view, attr)) {
		struct endpoint one;

		must(stun_get_xor_address(attr, rig->view.transaction_id, &one) == 0);
		if (one.ip.family != family)
			continue;
		must(found.ip.family == FAMILY_NONE);
		found = one;
	}
	return found;
}

struct turn_stats rig_stats(const struct rig *rig)
{
	struct turn_stats stats;

	turn_stats_get(rig->turn, &stats);
	return stats;
}

static void format_effect(char *out, size_t n_bytes, const struct turn_effect *effect)
{
	static const char *const names[] = {"ALLOCATION_ADD", "ALLOCATION_REMOVE", "PERMISSION_ADD",
		"PERMISSION_REMOVE", "CHANNEL_UP_ADD", "CHANNEL_UP_REMOVE", "CHANNEL_DOWN_ADD",
		"CHANNEL_DOWN_REMOVE", "PORT_COOLING"};
	char text[ADDR_TEXT_BYTES];

	if (effect->peer.ip.family == FAMILY_NONE)
		snprintf(out, n_bytes, "%s", names[effect->kind]);
	else if (effect->channel == 0)
		snprintf(out, n_bytes, "%s/%s", names[effect->kind],
			ip_format(&effect->peer.ip, text));
	else
		snprintf(out, n_bytes, "%s/%x/%s", names[effect->kind], effect->channel,
			endpoint_format(&effect->peer, text));
}

const char *rig_effects(struct rig *rig)
{
	static char text[TURN_EFFECTS_MAX * 64];
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < rig->effects.n; i++) {
		if (i > 0)
			text[at++] = ' ';
		format_effect(text + at, sizeof(text) - at, &rig->effects.items[i]);
		at += strlen(text + at);
	}
	return text;
}

bool rig_walk_matches(struct rig *rig)
{
	struct turn_effect items[TURN_EFFECTS_MAX];
	struct turn_effects effects = {items, 0, TURN_EFFECTS_MAX};
	uint32_t cursor = 0;
	size_t n = 0;
	bool more;

	do {
		effects.n = 0;
		more = turn_walk(rig->turn, &cursor, &effects);
		for (size_t i = 0; i < effects.n; i++) {
			if (find_entry(rig, &items[i]) == rig->n_entries)
				return false;
		}
		n += effects.n;
	} while (more);
	return n == rig->n_entries;
}
