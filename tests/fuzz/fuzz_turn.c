// Bytes drive a sequence of requests, well-formed and signed or not, against live allocations, and
// raw bytes besides, some of them signed. After each step turn_check() must be content and
// turn_walk() must agree with the effects so far.
#include "turn_rig.h"

#include <errno.h>
#include <stdlib.h>

#define STEPS_MAX 48
#define OPERATES 0xf0 // steps from this one on
#define SERVICE "192.0.2.15:3478"
#define SERVICE_PORT 3478
#define OTHER_SERVICE "192.0.2.15:3500"
#define OTHER_REALM "other"

struct input {
	const uint8_t *p;
	const uint8_t *end;
};

enum request_flag {
	FLAG_ATTRS = 0x07, // how many
	FLAG_UNSIGNED = 0x08,
	FLAG_MUTATED = 0x10,
	FLAG_FINGERPRINT = 0x20,
	FLAG_REPEATED = 0x40,
	FLAG_CHALLENGED = 0x80,
};

// "1700000600:alice" signed with "north".
static const struct rig_user rest_user = {"1700000600:alice",
	{{0x13, 0x0d, 0x5e, 0xd3, 0x9b, 0xa1, 0x9f, 0x9e, 0x06, 0x47, 0x37, 0x5c, 0x2a, 0x8f, 0x6b,
		 0x4c},
		16}};

static struct rig rig;
static bool has_other_listener; // else nobody answers there

static uint8_t take(struct input *in)
{
	return in->p < in->end ? *in->p++ : 0;
}

static uint16_t take16(struct input *in)
{
	const uint8_t high = take(in);

	return (uint16_t)(high << 8 | take(in));
}

static void put_peer(struct input *in)
{
	static const char *const peers[] = {"11.0.0.1:1", "11.0.0.1:2", "11.0.0.2:1", "11.0.0.3:0",
		"127.0.0.1:1", "192.0.2.15:50000", "[2600::1]:1", "10.0.0.1:1"};
	const struct endpoint peer = rig_endpoint(peers[take(in) % N_ELEMENTS(peers)]);

	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
}

static void put_raw(struct input *in, uint16_t type)
{
	const size_t wanted = take(in) % 24;
	const size_t n_left = (size_t)(in->end - in->p);
	const size_t n = wanted < n_left ? wanted : n_left;

	stun_put_bytes(&rig.w, type, in->p, n);
	in->p += n;
}

static void put_family(uint8_t byte)
{
	stun_put_u32(&rig.w,
		byte & 4 ? STUN_ATTR_REQUESTED_ADDRESS_FAMILY : STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY,
		(byte % 4u) << 24);
}

static void put_attr(struct input *in)
{
	static const uint16_t types[] = {STUN_ATTR_LIFETIME, STUN_ATTR_CHANNEL_NUMBER,
		STUN_ATTR_XOR_PEER_ADDRESS, STUN_ATTR_REQUESTED_TRANSPORT,
		STUN_ATTR_REQUESTED_ADDRESS_FAMILY, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY,
		STUN_ATTR_USERNAME, STUN_ATTR_NONCE, STUN_ATTR_REALM, STUN_ATTR_EVEN_PORT,
		STUN_ATTR_USERHASH, STUN_ATTR_MOBILITY_TICKET, STUN_ATTR_ACCESS_TOKEN,
		STUN_ATTR_CHANGE_REQUEST, STUN_ATTR_PADDING, STUN_ATTR_RESPONSE_PORT,
		STUN_ATTR_MESSAGE_INTEGRITY, STUN_ATTR_FINGERPRINT};

	switch (take(in) % 11) {
	case 0:
	case 1:
		stun_put_channel(&rig.w, (uint16_t)(0x4000 + take(in) % 6));
		return;
	case 2:
	case 3:
		put_peer(in);
		return;
	case 4:
	case 5:
		stun_put_u32(&rig.w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
		return;
	case 6:
		stun_put_u32(&rig.w, STUN_ATTR_LIFETIME, take(in) * 20u);
		return;
	case 7:
		put_family(take(in));
		return;
	case 8:
		stun_put_bytes(&rig.w, STUN_ATTR_MOBILITY_TICKET, rig.ticket,
			take(in) % 2 ? rig.ticket_bytes : 0);
		return;
	default:
		put_raw(in, types[take(in) % N_ELEMENTS(types)]);
		return;
	}
}

static void request(struct input *in)
{
	static const uint16_t methods[] = {STUN_BINDING, STUN_ALLOCATE, STUN_ALLOCATE, STUN_REFRESH,
		STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND, STUN_CHANNEL_BIND, STUN_SEND};
	const uint16_t method = methods[take(in) % N_ELEMENTS(methods)];
	const uint8_t flags = take(in);

	if (flags & FLAG_CHALLENGED && (has_other_listener || rig.service.port == SERVICE_PORT))
		rig_challenge(&rig);
	rig_begin(&rig, method);
	for (int i = flags & FLAG_ATTRS; i > 0; i--)
		put_attr(in);
	rig.with_fingerprint = flags & FLAG_FINGERPRINT;
	if (!(flags & FLAG_UNSIGNED))
		rig_sign(&rig);
	if (flags & FLAG_MUTATED)
		rig.request[take16(in) % rig.w.n_bytes] ^= take(in);
	if (rig_deliver(&rig) == 0 && rig_has(&rig, STUN_ATTR_MOBILITY_TICKET) && take(in) % 4)
		rig_keep_ticket(&rig);
	if (flags & FLAG_REPEATED)
		rig_repeat(&rig);
	rig.with_fingerprint = false;
}

static void raw(struct input *in)
{
	const size_t n_left = (size_t)(in->end - in->p);
	const size_t n = n_left < sizeof(rig.request) ? n_left : sizeof(rig.request);

	memcpy(rig.request, in->p, n);
	rig.w.n_bytes = n;
	in->p += n;
	rig_deliver(&rig);
}

// Any bytes as attributes, and behind them a login and a signature that are right: what the
// integrity covers is judged, whatever it is.
static void signed_bytes(struct input *in)
{
	const uint16_t method = take(in) % 16;
	const size_t wanted = (take(in) % 64) * 4u;
	const size_t n_left = (size_t)(in->end - in->p);
	const size_t n = wanted < n_left ? wanted : n_left & ~(size_t)3;

	rig_begin(&rig, method);
	memcpy(rig.request + rig.w.n_bytes, in->p, n);
	in->p += n;
	rig.w.n_bytes += n;
	rig.with_fingerprint = method & 1;
	rig_sign(&rig);
	rig_deliver(&rig);
	rig.with_fingerprint = false;
}

// Both know the same user by the same key.
static void change_realm(bool is_other)
{
	rig.service = rig_endpoint(is_other ? OTHER_SERVICE : SERVICE);
	rig.realm = is_other ? OTHER_REALM : "realm";
}

// What a file that is read again may have other than the first.
enum change {
	WITHOUT_REALM = 0x01,
	WITHOUT_TOKENS = 0x02,
	WITHOUT_MOBILITY = 0x04,
	WITHOUT_IPV6 = 0x08,
	WITHOUT_USER = 0x10,
	WITH_DENIAL = 0x20,
	WITHOUT_LISTENER = 0x40, // and without its realm
	WITH_LITTLE = 0x80,
};

static const struct turn_rest_secret secrets[] = {{.text = "north"}};
static const struct ip_range eleven = {{FAMILY_IPV4, {11}}, {FAMILY_IPV4, {11, 255, 255, 255}}};

// What it points at is good until the next one.
static struct turn_config configure(uint8_t changes)
{
	static const struct turn_token_key token_key = {.kid = "user", .key_bytes = 32};
	static const struct relay_range relays[] = {
		{{FAMILY_IPV4, {192, 0, 2, 15}}, 50000, 50002, {FAMILY_IPV4, {11, 0, 0, 3}}},
		{{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 1}}, 50000, 50001},
	};
	static struct endpoint services[2];
	static struct turn_realm_config other;
	struct turn_config config = rig_config();

	services[0] = rig_endpoint(SERVICE);
	services[1] = rig_endpoint(OTHER_SERVICE);
	other = (struct turn_realm_config){.name = OTHER_REALM,
		.services = &services[1],
		.n_services = 1,
		.users = config.realm.users,
		.n_users = config.realm.n_users,
		.n_allocations_per_user = 1,
		.peers.allow_private = true};
	config.more_realms = &other;
	config.n_more_realms = !(changes & (WITHOUT_REALM | WITHOUT_LISTENER));
	config.services = services;
	config.n_services = changes & WITHOUT_LISTENER ? 1 : 2;
	config.relays = relays;
	config.n_relays = changes & WITHOUT_IPV6 ? 1 : 2;
	config.n_allocations_max = 3;
	config.n_permissions_max = changes & WITH_LITTLE ? 1 : 4;
	config.n_channels_max = changes & WITH_LITTLE ? 1 : 3;
	config.new_peers_per_user_s = 5;
	config.realm.n_allocations_max = 2;
	config.realm.n_users -= changes & WITHOUT_USER ? 1 : 0;
	config.realm.peers.deny = &eleven;
	config.realm.peers.n_deny = changes & WITH_DENIAL ? 1 : 0;
	config.allows_mobility = !(changes & WITHOUT_MOBILITY);
	config.serves_classic = true;
	config.tokens = (struct turn_tokens){
		"turn.example.org", &token_key, changes & WITHOUT_TOKENS ? 0 : 1};
	config.discovery.primary = *config.services;
	config.discovery.alternate = rig_endpoint("192.0.2.16:3479");
	config.realm.uses_source = true;
	config.source.find = rig_find_nobody;
	config.realm.rest_secrets = secrets;
	config.realm.n_rest_secrets = 1;
	return config;
}

static void reload(uint8_t changes)
{
	const struct turn_config config = configure(changes);

	if (rig_reconfigure(&rig, &config) == 0)
		has_other_listener = config.n_services == 2;
}

static void kick_user(uint8_t which)
{
	static const char *const names[] = {NULL, "user", "other", "alice"};
	const char *name = names[which % 4];
	struct turn_kick kick = {.name = name, .n_bytes = name ? strlen(name) : 0};

	for (int i = 0; i < 4; i++)
		rig_kick_user(&rig, &kick);
}

static void update(uint8_t what)
{
	const struct turn_realm_update update = {
		.rest_secrets = secrets,
		.n_rest_secrets = what & 1,
		.n_allocations_per_user = what >> 1 & 3,
		.deny = &eleven,
		.n_deny = what >> 3 & 1,
	};

	if (turn_realm_update(rig.turn, what >> 4 & 1, &update) == -ENOMEM)
		abort();
}

// What an operator may do meanwhile.
static void operate(struct input *in, uint8_t what)
{
	switch (what % 8) {
	case 0:
		rig_kick(&rig, take(in) % 8u);
		return;
	case 1:
		kick_user(take(in));
		return;
	case 2:
		rig.effects.capacity = TURN_EFFECTS_MAX; // with less it may have no end
		rig_sweep(&rig);
		return;
	case 3:
		turn_trim(rig.turn);
		return;
	case 4:
		update(take(in));
		return;
	default:
		reload(take(in));
		return;
	}
}

static void step(struct input *in)
{
	static const struct rig_user *const users[] = {
		&rig_user, &rig_other, &rig_nobody, NULL, &rest_user};

	const uint8_t what = take(in);

	if (what >= OPERATES) {
		operate(in, what);
		return;
	}
	switch (what % 15) {
	case 0:
		rig_pass(&rig, take16(in) * 16u);
		return;
	case 1:
		rig_cool_down(&rig);
		return;
	case 2:
		rig.client.port = 1 + take(in) % 4;
		return;
	case 3:
		rig.user = users[take(in) % N_ELEMENTS(users)];
		return;
	case 4:
		raw(in);
		return;
	case 5:
		rig.effects.capacity = take(in) % 2 ? TURN_EFFECTS_MAX : take(in) % 4;
		return;
	case 6:
		rig_moved(&rig, take(in) % 5);
		return;
	case 7:
		signed_bytes(in);
		return;
	case 14:
		change_realm(take(in) % 2);
		return;
	default:
		request(in);
		return;
	}
}

static void open_rig(void)
{
	const struct turn_config config = configure(0);

	has_other_listener = true;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n_bytes)
{
	struct input in = {data, data + n_bytes};

	open_rig();
	for (int i = 0; i < STEPS_MAX && in.p < in.end; i++) {
		step(&in);
		if (turn_check(rig.turn) || !rig_walk_matches(&rig))
			abort();
	}
	rig_close(&rig);
	return 0;
}
