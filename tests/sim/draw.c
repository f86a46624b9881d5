#include "draw.h"

#include <string.h>

bool draw_chance(struct draw *draw, unsigned percent)
{
	return random_below(&draw->random, 100) < percent;
}

unsigned draw_below(struct draw *draw, unsigned n)
{
	return random_below(&draw->random, n);
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
	draw_open_users(draw);
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
		"198.20.0.1", "170.254.1.1", "203.0.113.15", "2001:db8:e::17"};
	const unsigned n_ports = draw->scenario->n_ports ? draw->scenario->n_ports : 3;
	struct endpoint peer = {.port = (uint16_t)(9 + draw_below(draw, n_ports))};

	if (draw_chance(draw, special_percent)) {
		peer = at(specials[draw_below(draw, N_ELEMENTS(specials))], peer.port);
		if ((peer.ip.bytes[0] == 192 || peer.ip.bytes[0] == 203 ||
			    peer.ip.bytes[15] == 0x17) &&
			draw_chance(draw, 70))
			peer.port = (uint16_t)(49998 + draw_below(draw, 30));
		return peer;
	}
	peer.ip = (struct ip_addr){
		FAMILY_IPV4, {11, 0, 0, (uint8_t)draw_below(draw, draw->scenario->n_hosts)}};
	if (draw_chance(draw, draw->scenario->ipv6_percent))
		peer.ip = (struct ip_addr){FAMILY_IPV6,
			{0x26, [15] = (uint8_t)draw_below(draw, draw->scenario->n_hosts)}};
	return peer;
}

static uint32_t draw_lifetime(struct draw *draw)
{
	static const uint32_t edges[] = {
		0, 0, 1, 59, 60, 61, 599, 600, 601, 1800, 3599, 3600, 3601, 0x7fffffff, 0xffffffff};

	return edges[draw_below(draw, N_ELEMENTS(edges))];
}

static void take_token(struct draw *draw, struct request *request)
{
	unsigned i = draw_below(draw, MODEL_RESERVATIONS_MAX);

	// One that lives, if there is one within a few steps; then its owner is likely asked for.
	for (unsigned n = 0; n < 16 && !draw->model->reservations[i].lives; n++)
		i = draw_below(draw, 32);
	memcpy(request->token, draw->model->reservations[i].token, TOKEN_BYTES);
	if (draw_chance(draw, 5))
		request->token[draw_below(draw, TOKEN_BYTES)] ^= 1;
	request->has |= HAS_TOKEN;
}

static void draw_allocate(struct draw *draw, struct request *request)
{
	request->has |= HAS_TRANSPORT;
	request->protocol = 17;
	if (draw_chance(draw, draw->scenario->moves_percent ? 70 : 1))
		request->has |= HAS_TICKET;
	switch (draw_below(draw, 14)) {
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
		request->family = draw_chance(draw, 85) ? (uint8_t)(1 + draw_below(draw, 2))
							: (uint8_t)draw_below(draw, 4);
		return;
	case 6:
	case 7:
		request->has |= HAS_ADDITIONAL;
		if (draw_chance(draw, 20))
			request->has |= HAS_EVEN_PORT;
		request->additional =
			draw_chance(draw, 80) ? FAMILY_IPV6 : (uint8_t)draw_below(draw, 4);
		return;
	default:
		return;
	}
}

static void draw_bind(struct draw *draw, struct request *request)
{
	static const uint16_t outside[] = {0, 0x3fff, 0x4fff, 0x5000, 0x7fff, 0x8000, 0xffff};
	const struct model_allocation *a = model_at(draw->model, request->tuple);
	const unsigned i = draw_below(draw, a->n_channels + 1);

	request->has |= HAS_CHANNEL;
	request->channel = (uint16_t)(0x4000 + draw_below(draw, draw->scenario->n_channels));
	if (draw_chance(draw, 4))
		request->channel = outside[draw_below(draw, N_ELEMENTS(outside))];
	request->n_peers = 1 + draw_chance(draw, 2);
	for (unsigned k = 0; k < request->n_peers; k++)
		request->peers[k] = draw_peer(draw, 15);
	// A client refreshes what it has.
	if (model_lives(a) && i < a->n_channels && draw_chance(draw, 60)) {
		request->channel = a->channels[i].number;
		request->peers[0] = a->channels[i].peer;
	}
}

// Mostly the last ticket of an allocation, else one that some client once had.
static struct ticket draw_ticket(struct draw *draw)
{
	struct ticket ticket = draw->tickets[draw_below(draw, DRAW_TICKETS)];
	const struct model_allocation *a = model_of_life(draw->model, ticket.life);

	if (a && draw_chance(draw, 60))
		ticket = a->mobility.newest;
	if (draw_chance(draw, 3)) {
		ticket.bytes[draw_below(draw, TICKET_BYTES)] ^= 1;
		ticket.genuine = false;
	}
	return ticket;
}

static void draw_attrs(struct draw *draw, struct request *request)
{
	if (request->method == STUN_ALLOCATE)
		draw_allocate(draw, request);
	if (request->method == STUN_CHANNEL_BIND)
		draw_bind(draw, request);
	if (request->method == STUN_CREATE_PERMISSION) {
		request->n_peers = 1 + draw_below(draw, draw->scenario->n_peers_max);
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
	switch (draw_below(draw, 9)) {
	case 0:
		request->has ^= 1u << draw_below(draw, 7); // without values: zeros
		return;
	case 1:
	case 2:
		request->malformed |= 1u << draw_below(draw, 8);
		return;
	case 7:
		request->malformed |= HAS_TICKET;
		return;
	case 3:
		request->protocol = (uint8_t)draw_below(draw, 20);
		return;
	case 4:
		request->n_peers = draw_below(draw, 3);
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
	const unsigned what = draw_below(draw, 20);

	if (what == 0)
		request->class = (uint8_t)(1 + draw_below(draw, 3));
	else if (what == 1)
		request->fingerprint = SIGNATURE_WRONG;
	else if (what == 2)
		request->method = (uint16_t)draw_below(draw, 12);
	else if (what < 11)
		draw_spoil_login(draw, request);
	else
		spoil_attrs(draw, request);
	// An attribute of addresses is there exactly where there is an address.
	request->has = request->n_peers ? request->has | HAS_PEER : request->has & ~HAS_PEER;
}

static uint16_t draw_method(struct draw *draw, const struct request *request)
{
	const struct model_allocation *a = model_at(draw->model, request->tuple);
	static const uint16_t methods[] = {STUN_REFRESH, STUN_CREATE_PERMISSION,
		STUN_CREATE_PERMISSION, STUN_CREATE_PERMISSION, STUN_CHANNEL_BIND,
		STUN_CHANNEL_BIND, STUN_CHANNEL_BIND, STUN_CHANNEL_BIND, STUN_ALLOCATE};

	if (draw_chance(draw, 1))
		return STUN_BINDING;
	if (!model_lives(a) && draw_chance(draw, 90))
		return STUN_ALLOCATE;
	return methods[draw_below(draw, N_ELEMENTS(methods))];
}

// The same request again, or one that only has its number: where a server must tell the two apart.
static void repeat(struct draw *draw, struct request *request)
{
	const struct request *before = &draw->before[request->tuple];

	if (before->method != request->method)
		return;
	if (draw_chance(draw, 50))
		*request = *before;
	else
		memcpy(request->transaction, before->transaction, sizeof(request->transaction));
}

static bool is_repeatable(const struct request *request)
{
	return request->method == STUN_ALLOCATE ||
		(request->method == STUN_REFRESH && request_has(request, HAS_TICKET));
}

void draw_request(struct draw *draw, struct request *request)
{
	const unsigned client = draw_below(draw, draw->scenario->n_clients);
	const unsigned second = draw_chance(draw, draw->scenario->second_percent);
	const uint64_t number = ++draw->n_transactions;

	*request = (struct request){
		.service = draw->model->rules.services[second],
		.client = draw->clients[client],
		.tuple = client * 2 + second,
		.fingerprint = draw_chance(draw, 15) ? SIGNATURE_RIGHT : SIGNATURE_NONE,
	};
	memcpy(request->transaction, &number, sizeof(number));
	request->method = draw_method(draw, request);
	if (draw_chance(draw, draw->scenario->moves_percent)) {
		request->method = STUN_REFRESH;
		request->has |= HAS_TICKET;
		request->ticket = draw_ticket(draw);
	}
	draw_login(draw, request);
	draw_attrs(draw, request);
	if (draw_chance(draw, 5))
		request->has |= HAS_UNKNOWN_OPTIONAL;
	if (draw_chance(draw, 5))
		request->has |= HAS_DONT_FRAGMENT;
	if (request->n_peers)
		request->has |= HAS_PEER;
	if (is_repeatable(request) && draw_chance(draw, request->method == STUN_REFRESH ? 50 : 20))
		repeat(draw, request);
	while (draw_chance(draw, draw->scenario->fault_percent))
		spoil(draw, request);
	if (is_repeatable(request))
		draw->before[request->tuple] = *request;
}

static void learn_nonce(
	struct draw *draw, const struct request *request, const struct answer *answer)
{
	struct nonce *nonce = &draw->nonces[request->tuple];

	*nonce = answer->nonce;
	nonce->offered = answer->has_offer;
}

void draw_learn(struct draw *draw, const struct request *request, const struct answer *answer)
{
	const struct model_allocation *a = model_at(draw->model, request->tuple);

	if (answer->nonce.n > 0)
		learn_nonce(draw, request, answer);
	if (answer->has_ticket && model_lives(a))
		draw->tickets[draw->n_tickets++ % DRAW_TICKETS] = a->mobility.newest;
}
