#include "draw.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

const char *const draw_secrets[2] = {"north", "south"};

bool draw_chance(struct draw *draw, unsigned percent)
{
	return random_below(&draw->random, 100) < percent;
}

static unsigned below(struct draw *draw, unsigned n)
{
	return random_below(&draw->random, n);
}

// RFC 8489 §9.2.2, §18.5.1: the digest of name ":" realm ":" password.
static struct stun_key make_key(const char *name, const char *password, const EVP_MD *digest)
{
	struct stun_key key = {0};
	char text[256];
	unsigned n;

	snprintf(text, sizeof(text), "%s:%s:%s", name, REALM, password);
	EVP_Digest(text, strlen(text), key.bytes, &n, digest, NULL);
	key.n_bytes = (uint8_t)n;
	return key;
}

static void set_keys(struct user *user, const char *password)
{
	user->md5 = make_key(user->name, password, EVP_md5());
	user->sha256 = make_key(user->name, password, EVP_sha256());
}

struct user draw_configured_user(unsigned i)
{
	static const char *const names[DRAW_CONFIGURED_USERS] = {
		"alice", "bob", "a", "thirty-one bytes of a user name"};
	struct user user = {.account = names[i], .exists = true};

	strcpy(user.name, names[i]);
	set_keys(&user, names[DRAW_CONFIGURED_USERS - 1 - i]);
	return user;
}

struct user draw_rest_user(const char *account, int64_t expires_s, const char *secret, bool sha256)
{
	struct user user = {.account = account, .exists = true, .expires_s = expires_s};
	uint8_t hash[EVP_MAX_MD_SIZE];
	uint8_t password[128];
	unsigned n;

	snprintf(user.name, sizeof(user.name), "%ld:%s", (long)expires_s, account);
	HMAC(sha256 ? EVP_sha256() : EVP_sha1(), secret, (int)strlen(secret),
		(const uint8_t *)user.name, strlen(user.name), hash, &n);
	EVP_EncodeBlock(password, hash, (int)n);
	set_keys(&user, (const char *)password);
	return user;
}

// One whose name ends within the next half hour.
static struct user mint(struct draw *draw, const char *account, const char *secret, bool sha256)
{
	const int64_t expires_s = draw->time->wall_s + 1 + below(draw, 2000);

	return draw_rest_user(account, expires_s, secret, sha256);
}

static void draw_users(struct draw *draw, unsigned i)
{
	struct user *user = &draw->users[i];

	switch (i) {
	case DRAW_CONFIGURED_USERS:
		*user = (struct user){.name = "nobody", .account = "nobody"};
		set_keys(user, "nothing");
		return;
	case DRAW_CONFIGURED_USERS + 1:
	case DRAW_CONFIGURED_USERS + 2:
		*user = mint(draw, "dave", draw_secrets[0], false);
		return;
	case DRAW_CONFIGURED_USERS + 3:
		*user = mint(draw, "erin", draw_secrets[1], true);
		return;
	case DRAW_CONFIGURED_USERS + 4:
		*user = mint(draw, "fred", "wrong", false);
		user->exists = false;
		return;
	default:
		*user = draw_configured_user(i);
	}
}

static struct endpoint at(const char *text, unsigned port)
{
	struct endpoint endpoint = {.port = (uint16_t)port};

	if (ip_parse(&endpoint.ip, text))
		__builtin_trap();
	return endpoint;
}

// A client's port is its number, by which all of it is found.
static void open_clients(struct draw *draw)
{
	for (unsigned i = 0; i < DRAW_CLIENTS_MAX; i++)
		draw->clients[i] = at(i % 3 ? "198.51.100.2" : "198.51.100.3", CLIENT_PORT + i);
	draw->clients[0] = at("2002:c000:204::1", CLIENT_PORT); // 6to4
	draw->clients[1] = at("192.0.2.15", CLIENT_PORT + 1); // one of our relayed addresses
	draw->clients[2] = at("2600::5", CLIENT_PORT + 2);
}

void draw_open(struct draw *draw)
{
	open_clients(draw);
	for (unsigned i = 0; i < DRAW_USERS; i++)
		draw_users(draw, i);
}

static void draw_login(struct draw *draw, struct request *request, unsigned client)
{
	const struct model_allocation *a = &draw->model->allocations[request->tuple];
	const struct model_rules *rules = &draw->model->rules;
	struct login *login = &request->login;
	unsigned i = client % DRAW_USERS;

	if (draw_chance(draw, 5))
		i = below(draw, DRAW_USERS);
	if (i == DRAW_CONFIGURED_USERS && !draw_chance(draw, 10))
		i = 0;
	if (draw->users[i].expires_s && draw_chance(draw, 2))
		draw_users(draw, i);
	*login = (struct login){.user = draw->users[i],
		.nonce = draw->nonces[client],
		.has_name = true,
		.has_realm = true,
		.has_nonce = true,
		.key = STUN_PASSWORD_MD5};
	if (model_lives(a) && draw_chance(draw, 90))
		login->user = a->owner;
	if (draw_chance(draw, rules->asks_userhash ? 60 : 3)) {
		login->has_userhash = true;
		login->has_name = draw_chance(draw, 10);
	}
	login->sha1 = SIGNATURE_RIGHT;
	if (rules->offers_sha256 ? draw_chance(draw, 70) : draw_chance(draw, 2)) {
		login->has_offer = login->has_choice = login->offer_is_true = true;
		login->choice = draw_chance(draw, 70) ? STUN_PASSWORD_SHA256 : STUN_PASSWORD_MD5;
		login->key = rules->offers_sha256 ? login->choice : STUN_PASSWORD_MD5;
		login->sha256 = SIGNATURE_RIGHT;
		login->sha1 = draw_chance(draw, 20) ? SIGNATURE_RIGHT : SIGNATURE_NONE;
	}
}

static void spoil_nonce(struct draw *draw, struct nonce *nonce)
{
	const unsigned i = 13 + below(draw, (unsigned)(nonce->n > 13 ? nonce->n - 13 : 1));

	switch (below(draw, 3)) {
	case 0:
		*nonce = draw->nonces[below(draw, draw->scenario->n_clients)];
		return;
	case 1:
		*nonce = (struct nonce){.bytes = "not one of ours", .n = 15};
		return;
	default:
		if (nonce->n <= i)
			return;
		nonce->bytes[i] = nonce->bytes[i] == 'A' ? 'B' : 'A';
		nonce->genuine = false;
	}
}

static void spoil_login(struct draw *draw, struct request *request)
{
	struct login *login = &request->login;

	switch (below(draw, 12)) {
	case 0:
		login->has_name = login->has_userhash = false;
		return;
	case 1:
		login->has_realm = false;
		return;
	case 2:
		login->has_nonce = false;
		return;
	case 3:
		login->sha1 = login->sha256 = SIGNATURE_NONE;
		return;
	case 4:
		login->sha1 = SIGNATURE_WRONG;
		return;
	case 5:
		login->sha256 = SIGNATURE_WRONG;
		return;
	case 6:
		login->has_offer = !login->has_offer;
		return;
	case 7:
		login->has_choice = !login->has_choice;
		return;
	case 8:
		login->offer_is_true = false;
		login->offer_is_short = draw_chance(draw, 50);
		return;
	case 9:
		login->choice = (uint16_t)below(draw, 4);
		return;
	case 10:
		login->key =
			login->key == STUN_PASSWORD_MD5 ? STUN_PASSWORD_SHA256 : STUN_PASSWORD_MD5;
		return;
	default:
		spoil_nonce(draw, &login->nonce);
	}
}

static struct endpoint draw_peer(struct draw *draw, unsigned special_percent)
{
	static const char *const specials[] = {"127.0.0.1", "0.0.0.1", "169.254.1.1", "224.0.0.1",
		"239.255.255.255", "240.0.0.1", "255.255.255.255", "10.0.0.1", "172.16.0.1",
		"172.31.255.255", "192.168.0.1", "100.64.0.1", "100.127.255.255", "198.18.0.1",
		"198.19.255.255", "203.0.113.7", "192.0.2.99", "192.0.2.15", "192.0.2.17",
		"192.0.2.16", "2600::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "fd00::1",
		"fe80::1", "ff02::1", "::1", "2001:db8::99", "2002:c000:204::1", "2001:db8::17",
		"8.8.8.8", "172.32.0.1", "100.128.0.1", "192.169.0.1", "223.255.255.255",
		"198.20.0.1", "170.254.1.1"};
	struct endpoint peer = {.port = (uint16_t)(9 + below(draw, 3))};

	if (draw_chance(draw, special_percent)) {
		peer = at(specials[below(draw, N_ELEMENTS(specials))], peer.port);
		if ((peer.ip.bytes[0] == 192 || peer.ip.bytes[15] == 0x17) && draw_chance(draw, 70))
			peer.port = (uint16_t)(49998 + below(draw, 30));
		return peer;
	}
	peer.ip = (struct ip_addr){
		FAMILY_IPV4, {11, 0, 0, (uint8_t)below(draw, draw->scenario->n_hosts)}};
	if (draw_chance(draw, draw->scenario->ipv6_percent))
		peer.ip = (struct ip_addr){
			FAMILY_IPV6, {0x26, [15] = (uint8_t)below(draw, draw->scenario->n_hosts)}};
	return peer;
}

static uint32_t draw_lifetime(struct draw *draw)
{
	static const uint32_t edges[] = {
		0, 0, 1, 59, 60, 61, 599, 600, 601, 1800, 3599, 3600, 3601, 0x7fffffff, 0xffffffff};

	return edges[below(draw, N_ELEMENTS(edges))];
}

static void take_token(struct draw *draw, struct request *request)
{
	unsigned i = below(draw, MODEL_RESERVATIONS_MAX);

	// One that lives, if there is one within a few steps; then its owner is likely asked for.
	for (unsigned n = 0; n < 16 && !draw->model->reservations[i].lives; n++)
		i = below(draw, 32);
	memcpy(request->token, draw->model->reservations[i].token, TOKEN_BYTES);
	if (draw_chance(draw, 5))
		request->token[below(draw, TOKEN_BYTES)] ^= 1;
	request->has |= HAS_TOKEN;
}

static void draw_allocate(struct draw *draw, struct request *request)
{
	request->has |= HAS_TRANSPORT;
	request->protocol = 17;
	switch (below(draw, 14)) {
	case 0:
	case 1:
		request->has |= HAS_EVEN_PORT;
		if (draw_chance(draw, 20))
			request->has |= HAS_FAMILY, request->family = FAMILY_IPV6;
		request->pair = draw_chance(draw, 70);
		return;
	case 2:
	case 3:
		take_token(draw, request);
		return;
	case 4:
	case 5:
		request->has |= HAS_FAMILY;
		request->family = draw_chance(draw, 85) ? (uint8_t)(1 + below(draw, 2))
							: (uint8_t)below(draw, 4);
		return;
	case 6:
	case 7:
		request->has |= HAS_ADDITIONAL;
		if (draw_chance(draw, 20))
			request->has |= HAS_EVEN_PORT;
		request->additional = draw_chance(draw, 80) ? FAMILY_IPV6 : (uint8_t)below(draw, 4);
		return;
	default:
		return;
	}
}

static void draw_bind(struct draw *draw, struct request *request)
{
	static const uint16_t outside[] = {0, 0x3fff, 0x4fff, 0x5000, 0x7fff, 0x8000, 0xffff};
	const struct model_allocation *a = &draw->model->allocations[request->tuple];
	const unsigned i = below(draw, a->n_channels + 1);

	request->has |= HAS_CHANNEL;
	request->channel = (uint16_t)(0x4000 + below(draw, draw->scenario->n_channels));
	if (draw_chance(draw, 4))
		request->channel = outside[below(draw, N_ELEMENTS(outside))];
	request->n_peers = 1 + draw_chance(draw, 2);
	for (unsigned k = 0; k < request->n_peers; k++)
		request->peers[k] = draw_peer(draw, 15);
	// A client refreshes what it has.
	if (model_lives(a) && i < a->n_channels && draw_chance(draw, 60)) {
		request->channel = a->channels[i].number;
		request->peers[0] = a->channels[i].peer;
	}
}

static void draw_attrs(struct draw *draw, struct request *request)
{
	if (request->method == STUN_ALLOCATE)
		draw_allocate(draw, request);
	if (request->method == STUN_CHANNEL_BIND)
		draw_bind(draw, request);
	if (request->method == STUN_CREATE_PERMISSION) {
		request->n_peers = 1 + below(draw, draw->scenario->n_peers_max);
		for (unsigned i = 0; i < request->n_peers; i++)
			request->peers[i] = draw_peer(draw, 5);
	}
	if ((request->method == STUN_ALLOCATE || request->method == STUN_REFRESH) &&
		draw_chance(draw, 50)) {
		request->has |= HAS_LIFETIME;
		request->lifetime_s = draw_lifetime(draw);
	}
	if (request->method == STUN_REFRESH && draw_chance(draw, 25)) {
		request->has |= HAS_FAMILY;
		request->family = (uint8_t)(1 + draw_chance(draw, 50));
	}
}

static void spoil_attrs(struct draw *draw, struct request *request)
{
	switch (below(draw, 8)) {
	case 0:
		request->has ^= 1u << below(draw, 7); // without values: zeros
		return;
	case 1:
	case 2:
		request->malformed |= 1u << below(draw, 8);
		return;
	case 3:
		request->protocol = (uint8_t)below(draw, 20);
		return;
	case 4:
		request->n_peers = below(draw, 3);
		for (unsigned i = 0; i < request->n_peers; i++)
			request->peers[i] = draw_peer(draw, 30);
		return;
	case 5:
		request->peers[0].port = 0;
		return;
	case 6:
		request->pair = !request->pair;
		request->has |= HAS_EVEN_PORT;
		return;
	default:
		request->has |= HAS_UNKNOWN_REQUIRED;
	}
}

static void spoil(struct draw *draw, struct request *request)
{
	const unsigned what = below(draw, 20);

	if (what == 0)
		request->class = (uint8_t)(1 + below(draw, 3));
	else if (what == 1)
		request->fingerprint = SIGNATURE_WRONG;
	else if (what == 2)
		request->method = (uint16_t)below(draw, 12);
	else if (what < 11)
		spoil_login(draw, request);
	else
		spoil_attrs(draw, request);
	// An attribute of addresses is there exactly where there is an address.
	request->has = request->n_peers ? request->has | HAS_PEER : request->has & ~HAS_PEER;
}

static uint16_t draw_method(struct draw *draw, const struct model_allocation *a)
{
	static const uint16_t methods[] = {STUN_REFRESH, STUN_CREATE_PERMISSION,
		STUN_CREATE_PERMISSION, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND,
		STUN_CHANNEL_BIND, STUN_CHANNEL_BIND, STUN_CHANNEL_BIND, STUN_ALLOCATE};

	if (draw_chance(draw, 1))
		return STUN_BINDING;
	if (!model_lives(a) && draw_chance(draw, 90))
		return STUN_ALLOCATE;
	return methods[below(draw, N_ELEMENTS(methods))];
}

// The same request again, or one that only has its number.
static void repeat_allocate(struct draw *draw, struct request *request)
{
	const struct request *before = &draw->allocates[request->tuple];

	if (before->method != STUN_ALLOCATE)
		return;
	if (draw_chance(draw, 50))
		*request = *before;
	else
		memcpy(request->transaction, before->transaction, sizeof(request->transaction));
}

void draw_request(struct draw *draw, struct request *request)
{
	const unsigned client = below(draw, draw->scenario->n_clients);
	const unsigned second = draw_chance(draw, 15);
	const uint64_t number = ++draw->n_transactions;

	*request = (struct request){
		.service = draw->model->rules.services[second],
		.client = draw->clients[client],
		.tuple = client * 2 + second,
		.fingerprint = draw_chance(draw, 15) ? SIGNATURE_RIGHT : SIGNATURE_NONE,
	};
	memcpy(request->transaction, &number, sizeof(number));
	request->method = draw_method(draw, &draw->model->allocations[request->tuple]);
	draw_login(draw, request, client);
	draw_attrs(draw, request);
	if (draw_chance(draw, 5))
		request->has |= HAS_UNKNOWN_OPTIONAL;
	if (draw_chance(draw, 5))
		request->has |= HAS_DONT_FRAGMENT;
	if (request->n_peers)
		request->has |= HAS_PEER;
	if (request->method == STUN_ALLOCATE && draw_chance(draw, 20))
		repeat_allocate(draw, request);
	while (draw_chance(draw, draw->scenario->fault_percent))
		spoil(draw, request);
	if (request->method == STUN_ALLOCATE)
		draw->allocates[request->tuple] = *request;
}

void draw_learn(struct draw *draw, const struct request *request, const struct answer *answer)
{
	if (answer->nonce.n > 0)
		draw->nonces[request->tuple / 2] = answer->nonce;
}
