#include "actors.h"

#include <criterion/criterion.h>

// Media carries a number: up the index of the client that sends it, down the relayed port it is
// sent to.
#define MEDIA_MAGIC "media"
#define MEDIA_BYTES (sizeof(MEDIA_MAGIC) - 1 + 2)

static struct actors *actors_of(struct world *world)
{
	return world->actors;
}

static void new_transaction(struct world *world, uint8_t out[STUN_TRANSACTION_BYTES])
{
	const uint64_t words[2] = {random_next(&world->random), random_next(&world->random)};

	memcpy(out, words, STUN_TRANSACTION_BYTES);
}

static size_t media(uint8_t *out, uint16_t number)
{
	memcpy(out, MEDIA_MAGIC, sizeof(MEDIA_MAGIC) - 1);
	store_be16(out + sizeof(MEDIA_MAGIC) - 1, number);
	return MEDIA_BYTES;
}

// The number that media carries, or 0.
static uint16_t media_number(const uint8_t *bytes, size_t n)
{
	if (n != MEDIA_BYTES || memcmp(bytes, MEDIA_MAGIC, sizeof(MEDIA_MAGIC) - 1))
		return 0;
	return load_be16(bytes + sizeof(MEDIA_MAGIC) - 1);
}

static struct datagram to_service(struct world *world, const struct client *client)
{
	return (struct datagram){.from = client->address, .to = world->service};
}

static void request_begin(
	struct stun_writer *w, struct datagram *d, uint16_t method, const uint8_t *transaction)
{
	stun_writer_init(w, d->payload, sizeof(d->payload), STUN_REQUEST, method, transaction);
}

static void request_send(
	struct world *world, struct client *client, struct stun_writer *w, struct datagram *d)
{
	if (client->nonce[0]) {
		stun_put_bytes(w, STUN_ATTR_USERNAME, WORLD_USER, strlen(WORLD_USER));
		stun_put_bytes(w, STUN_ATTR_REALM, WORLD_REALM, strlen(WORLD_REALM));
		stun_put_bytes(w, STUN_ATTR_NONCE, client->nonce, strlen(client->nonce));
		stun_put_integrity(w, actors_of(world)->mac, &actors_of(world)->key);
	}
	d->n = stun_writer_end(w);
	cr_assert_neq(d->n, 0);
	world_send(world, d);
}

static void send_allocate(struct world *world, struct client *client)
{
	struct datagram d = to_service(world, client);
	struct stun_writer w;

	// Sometimes the request is repeated as it was, sometimes it is a new one.
	if (!client->allocate_pending || random_below(&world->random, 3) == 0)
		new_transaction(world, client->allocate_transaction);
	client->allocate_pending = true;
	request_begin(&w, &d, STUN_ALLOCATE, client->allocate_transaction);
	stun_put_u32(&w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	request_send(world, client, &w, &d);
}

static void send_refresh(struct world *world, struct client *client, uint32_t lifetime_s)
{
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	struct datagram d = to_service(world, client);
	struct stun_writer w;

	new_transaction(world, transaction);
	request_begin(&w, &d, STUN_REFRESH, transaction);
	stun_put_u32(&w, STUN_ATTR_LIFETIME, lifetime_s);
	request_send(world, client, &w, &d);
	if (lifetime_s == 0) {
		client->allocated = false;
		client->bound = false;
	}
}

static void send_bind(struct world *world, struct client *client)
{
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	struct datagram d = to_service(world, client);
	struct stun_writer w;

	new_transaction(world, transaction);
	request_begin(&w, &d, STUN_CHANNEL_BIND, transaction);
	stun_put_channel(&w, CLIENT_CHANNEL);
	stun_put_xor_address(
		&w, STUN_ATTR_XOR_PEER_ADDRESS, &actors_of(world)->peers[client->peer]);
	request_send(world, client, &w, &d);
}

static void send_permission(struct world *world, struct client *client)
{
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	struct datagram d = to_service(world, client);
	struct stun_writer w;

	new_transaction(world, transaction);
	request_begin(&w, &d, STUN_CREATE_PERMISSION, transaction);
	stun_put_xor_address(
		&w, STUN_ATTR_XOR_PEER_ADDRESS, &actors_of(world)->peers[client->peer]);
	request_send(world, client, &w, &d);
}

static uint16_t number_of(struct world *world, const struct client *client)
{
	return (uint16_t)(client - actors_of(world)->clients + 1);
}

static void send_channel_data(struct world *world, struct client *client)
{
	struct datagram d = to_service(world, client);

	store_be16(d.payload, CLIENT_CHANNEL);
	store_be16(d.payload + 2, MEDIA_BYTES);
	d.n = 4 + media(d.payload + 4, number_of(world, client));
	world_send(world, &d);
}

static void send_indication(struct world *world, struct client *client)
{
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	struct datagram d = to_service(world, client);
	uint8_t data[MEDIA_BYTES];
	struct stun_writer w;

	new_transaction(world, transaction);
	stun_writer_init(&w, d.payload, sizeof(d.payload), STUN_INDICATION, STUN_SEND, transaction);
	stun_put_xor_address(
		&w, STUN_ATTR_XOR_PEER_ADDRESS, &actors_of(world)->peers[client->peer]);
	stun_put_bytes(&w, STUN_ATTR_DATA, data, media(data, number_of(world, client)));
	d.n = stun_writer_end(&w);
	world_send(world, &d);
}

void actors_act(struct world *world, unsigned i)
{
	struct client *client = &actors_of(world)->clients[i];

	if (!client->allocated) {
		send_allocate(world, client);
		return;
	}
	switch (random_below(&world->random, 10)) {
	case 0:
		return send_refresh(world, client, 600);
	case 1:
		return send_bind(world, client);
	case 2:
		return send_permission(world, client);
	case 3:
		return send_refresh(world, client, random_below(&world->random, 2) ? 0 : 800);
	case 4:
	case 5:
		return send_indication(world, client);
	default:
		return send_channel_data(world, client);
	}
}

void actors_release(struct world *world, unsigned i)
{
	send_refresh(world, &actors_of(world)->clients[i], 0);
}

void actors_permit_many(struct world *world, unsigned i, unsigned n)
{
	struct client *client = &actors_of(world)->clients[i];
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	struct datagram d = to_service(world, client);
	struct endpoint peer = world_endpoint("198.19.1.0", 0);
	struct stun_writer w;

	new_transaction(world, transaction);
	request_begin(&w, &d, STUN_CREATE_PERMISSION, transaction);
	for (unsigned k = 0; k < n; k++) {
		peer.ip.bytes[3] = (uint8_t)(k + 1);
		stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
	}
	request_send(world, client, &w, &d);
}

void actors_peer_send(struct world *world)
{
	struct actors *actors = actors_of(world);
	const uint16_t port = (uint16_t)(WORLD_PORT_MIN +
		random_below(&world->random, WORLD_PORT_MAX - WORLD_PORT_MIN + 1));
	struct datagram d = {
		.from = actors->peers[random_below(&world->random, N_PEERS)],
		.to = {world->service.ip, port},
	};

	// A permission goes by the address: another port of the same peer may send too.
	d.from.port += (uint16_t)random_below(&world->random, 2);
	d.n = media(d.payload, port);
	world_send(world, &d);
}

static struct client *client_at(struct actors *actors, const struct endpoint *address)
{
	for (size_t i = 0; i < N_CLIENTS; i++)
		if (endpoint_equal(&actors->clients[i].address, address))
			return &actors->clients[i];
	return NULL;
}

// The relayed port that a datagram to a client carries media for, or 0.
static uint16_t media_port_down(const struct datagram *d)
{
	const struct stun_attr *data;
	struct stun_view view;

	if (stun_classify(d->payload, d->n) == STUN_KIND_CHANNEL) {
		cr_assert_eq(load_be16(d->payload), CLIENT_CHANNEL);
		cr_assert_eq(load_be16(d->payload + 2) + 4, d->n);
		return media_number(d->payload + 4, d->n - 4);
	}
	cr_assert_eq(stun_parse(&view, d->payload, d->n), 0, "the relay sent what is not STUN");
	data = stun_find(&view, STUN_ATTR_DATA);
	return view.class == STUN_INDICATION && data ? media_number(data->value, data->n_bytes) : 0;
}

// Nothing may leave on behalf of, or towards, anyone but the owner of the relayed port.
static void judge(struct world *world, const struct datagram *d)
{
	struct actors *actors = actors_of(world);
	const struct client *client = client_at(actors, &d->to);
	struct endpoint relayed;
	struct stun_view view;
	uint16_t port;

	if (!client) {
		port = media_number(d->payload, d->n);
		cr_assert_neq(port, 0, "a peer gets what no client sent");
		cr_assert_eq(actors->owner_of[d->from.port], port,
			"media of client %u leaves from %u", port, d->from.port);
		return;
	}
	port = media_port_down(d);
	if (port) {
		cr_assert_eq(actors->owner_of[port], (uint8_t)(client - actors->clients) + 1,
			"media for port %u reaches client %zu", port,
			(size_t)(client - actors->clients));
		return;
	}
	cr_assert_eq(stun_parse(&view, d->payload, d->n), 0);
	if (view.class == STUN_SUCCESS && view.method == STUN_ALLOCATE) {
		cr_assert_eq(stun_get_xor_address(stun_find(&view, STUN_ATTR_XOR_RELAYED_ADDRESS),
				     view.transaction_id, &relayed),
			0);
		actors->owner_of[relayed.port] = (uint8_t)(client - actors->clients) + 1;
		actors->n_grants++;
	}
}

static void take_challenge(struct client *client, const struct stun_view *view)
{
	const struct stun_attr *nonce = stun_find(view, STUN_ATTR_NONCE);

	if (!nonce || nonce->n_bytes >= sizeof(client->nonce))
		return;
	memcpy(client->nonce, nonce->value, nonce->n_bytes);
	client->nonce[nonce->n_bytes] = 0;
	client->allocate_pending = false;
}

static void take_error(struct client *client, const struct stun_view *view)
{
	const struct stun_attr *error = stun_find(view, STUN_ATTR_ERROR_CODE);
	const unsigned code = error->value[2] * 100u + error->value[3];

	if (code == STUN_UNAUTHENTICATED || code == STUN_STALE_NONCE)
		take_challenge(client, view);
	else if (code == STUN_ALLOCATION_MISMATCH)
		client->allocated = client->bound = false;
	else
		cr_assert(code == STUN_INSUFFICIENT_CAPACITY, "error %u", code);
}

static void client_take(struct client *client, const struct datagram *d)
{
	struct stun_view view;

	if (media_port_down(d)) {
		client->n_received++;
		return;
	}
	cr_assert_eq(stun_parse(&view, d->payload, d->n), 0);
	if (view.class == STUN_ERROR)
		return take_error(client, &view);
	if (view.method == STUN_ALLOCATE && client->allocate_pending &&
		!memcmp(view.transaction_id, client->allocate_transaction,
			STUN_TRANSACTION_BYTES)) {
		stun_get_xor_address(stun_find(&view, STUN_ATTR_XOR_RELAYED_ADDRESS),
			view.transaction_id, &client->relayed);
		client->allocated = true;
		client->allocate_pending = false;
	}
	client->bound |= view.method == STUN_CHANNEL_BIND;
}

static void arrived(struct world *world, const struct datagram *d)
{
	struct client *client = client_at(actors_of(world), &d->to);

	if (client)
		client_take(client, d);
	else
		actors_of(world)->n_peer_received++;
}

void actors_open(struct actors *actors, struct world *world)
{
	char ip[32];

	*actors = (struct actors){0};
	world->actors = actors;
	world->on_sent = judge;
	world->on_arrived = arrived;
	cr_assert_eq(stun_mac_create(&actors->mac), 0);
	stun_key_md5(actors->mac, &actors->key, WORLD_USER, strlen(WORLD_USER), WORLD_REALM,
		strlen(WORLD_REALM), WORLD_PASSWORD, strlen(WORLD_PASSWORD));
	for (unsigned i = 0; i < N_CLIENTS; i++) {
		snprintf(ip, sizeof(ip), "198.18.0.%u", 10 + i / 2); // two behind each address
		world_add_host(world, ip);
		actors->clients[i].address = world_endpoint(ip, (uint16_t)(40000 + i));
		actors->clients[i].peer = (uint8_t)(i % N_PEERS);
	}
	for (unsigned i = 0; i < N_PEERS; i++) {
		snprintf(ip, sizeof(ip), "198.19.0.%u", 10 + i);
		world_add_host(world, ip);
		actors->peers[i] = world_endpoint(ip, 7000);
	}
}

void actors_close(struct actors *actors)
{
	stun_mac_destroy(actors->mac);
}

void actors_call(struct world *world, unsigned i)
{
	struct actors *actors = actors_of(world);
	struct client *client = &actors->clients[i];
	const uint64_t n_up = actors->n_peer_received;
	const uint64_t n_down = client->n_received;
	struct datagram d;

	// What it believes may be long gone, its nonce stale, and an allocation there that it never
	// heard of.
	for (int attempt = 0; attempt < 2; attempt++) {
		send_refresh(world, client, 0);
		world_settle(world);
	}
	for (int attempt = 0; attempt < 6 && !client->bound; attempt++) {
		if (client->allocated)
			send_bind(world, client);
		else
			send_allocate(world, client);
		world_settle(world);
	}
	cr_assert(client->bound);
	send_channel_data(world, client);
	send_indication(world, client);
	d = (struct datagram){.from = actors->peers[client->peer], .to = client->relayed};
	d.n = media(d.payload, client->relayed.port);
	world_send(world, &d);
	d.from.port++;
	world_send(world, &d);
	world_settle(world);
	cr_assert_eq(actors->n_peer_received, n_up + 2, "up: channel data and a Send indication");
	cr_assert_eq(client->n_received, n_down + 2, "down: channel data and a Data indication");
}
