#include "clients.h"

#include "rig.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#define EXPIRES_S 2000000000 // in every user name
#define NAME_BYTES_MAX 32
#define PROTOCOL_UDP 17
#define PASSWORD_BYTES 28 // base64 of an HMAC-SHA1

static const uint16_t methods[REQUESTS] = {
	[REQUEST_CHALLENGE] = STUN_ALLOCATE,
	[REQUEST_ALLOCATE] = STUN_ALLOCATE,
	[REQUEST_BIND] = STUN_CHANNEL_BIND,
	[REQUEST_REFRESH] = STUN_REFRESH,
	[REQUEST_RELEASE] = STUN_REFRESH,
};

const char *const request_names[REQUESTS] = {
	[REQUEST_CHALLENGE] = "challenge",
	[REQUEST_ALLOCATE] = "allocate",
	[REQUEST_BIND] = "bind",
	[REQUEST_REFRESH] = "refresh",
	[REQUEST_RELEASE] = "release",
};

static size_t write_name(char name[static NAME_BYTES_MAX], uint32_t idx)
{
	return (size_t)snprintf(name, NAME_BYTES_MAX, "%d:client%u", EXPIRES_S, idx);
}

// draft-uberti-behave-turn-rest: password = base64(HMAC-SHA1(secret, user name))
static void make_key(struct clients *clients, uint32_t idx)
{
	uint8_t password[PASSWORD_BYTES + 1];
	uint8_t hash[STUN_SHA1_BYTES];
	char name[NAME_BYTES_MAX];
	const size_t n_bytes = write_name(name, idx);

	stun_hmac_sha1(
		clients->mac, hash, CLIENTS_SECRET, sizeof(CLIENTS_SECRET) - 1, name, n_bytes);
	EVP_EncodeBlock(password, hash, sizeof(hash));
	stun_key_md5(clients->mac, &clients->all[idx].key, name, n_bytes, CLIENTS_REALM,
		sizeof(CLIENTS_REALM) - 1, password, PASSWORD_BYTES);
}

static uint32_t common_factor(uint32_t a, uint32_t b)
{
	return b ? common_factor(b, a % b) : a;
}

// The golden section scatters; without a common factor each has its turn.
static uint32_t choose_stride(uint32_t n)
{
	uint32_t stride = (uint32_t)(0.618 * n) + 1;

	while (common_factor(stride, n) != 1)
		stride++;
	return stride;
}

unsigned clients_choose(
	struct clients *clients, uint32_t idxs[static CLIENTS_BATCH], unsigned n_wanted)
{
	unsigned n = n_wanted < CLIENTS_BATCH ? n_wanted : CLIENTS_BATCH;

	n = n < clients->n ? n : clients->n;
	for (unsigned i = 0; i < n; i++) {
		idxs[i] = clients->next;
		clients->next = (clients->next + clients->stride) % clients->n;
	}
	return n;
}

void clients_open(struct clients *clients, uint32_t n)
{
	*clients = (struct clients){.n = n, .stride = choose_stride(n)};
	clients->all = calloc(n, sizeof(*clients->all));
	if (!clients->all || stun_mac_create(&clients->mac))
		rig_fail("no memory for clients");
	for (uint32_t idx = 0; idx < n; idx++)
		make_key(clients, idx);
}

void clients_close(struct clients *clients)
{
	stun_mac_destroy(clients->mac);
	free(clients->all);
}

static void put_wish(struct stun_writer *w, enum request request, uint32_t idx)
{
	const struct endpoint peer = flows_peer(idx);

	switch (request) {
	case REQUEST_BIND:
		stun_put_channel(w, FLOWS_CHANNEL);
		stun_put_xor_address(w, STUN_ATTR_XOR_PEER_ADDRESS, &peer);
		break;
	case REQUEST_RELEASE:
		stun_put_u32(w, STUN_ATTR_LIFETIME, 0);
		break;
	case REQUEST_REFRESH:
		stun_put_u32(w, STUN_ATTR_LIFETIME, 600);
		break;
	default:
		stun_put_u32(w, STUN_ATTR_REQUESTED_TRANSPORT, PROTOCOL_UDP << 24);
	}
}

static void sign(struct clients *clients, struct stun_writer *w, uint32_t idx)
{
	const struct client *client = &clients->all[idx];
	char name[NAME_BYTES_MAX];

	stun_put_bytes(w, STUN_ATTR_USERNAME, name, write_name(name, idx));
	stun_put_bytes(w, STUN_ATTR_REALM, CLIENTS_REALM, sizeof(CLIENTS_REALM) - 1);
	stun_put_bytes(w, STUN_ATTR_NONCE, client->nonce, sizeof(client->nonce));
	stun_put_integrity(w, clients->mac, &client->key);
}

uint16_t clients_write(struct clients *clients, uint8_t *frame, enum request request, uint32_t idx)
{
	const struct endpoint client = flows_client(idx);
	const struct endpoint service = flows_service();
	uint8_t transaction[STUN_TRANSACTION_BYTES];
	struct stun_writer w;
	size_t n_bytes;

	store_be32(transaction, idx);
	store_be32(transaction + 4, request);
	store_be32(transaction + 8, ++clients->n_transactions);
	stun_writer_init(&w, frame + FLOWS_HEADER_BYTES,
		CLIENTS_FRAME_BYTES_MAX - FLOWS_HEADER_BYTES, STUN_REQUEST, methods[request],
		transaction);
	put_wish(&w, request, idx);
	if (request != REQUEST_CHALLENGE)
		sign(clients, &w, idx);
	n_bytes = stun_writer_end(&w);
	if (n_bytes == 0)
		rig_fail("a request is too long");
	flows_write_headers(frame, &client, &service, (uint16_t)n_bytes);
	return (uint16_t)(FLOWS_HEADER_BYTES + n_bytes);
}

static void learn_nonce(struct client *client, const struct stun_view *view)
{
	const struct stun_attr *nonce = stun_find(view, STUN_ATTR_NONCE);

	if (!nonce || nonce->n_bytes != sizeof(client->nonce))
		rig_fail("a challenge without a nonce");
	memcpy(client->nonce, nonce->value, sizeof(client->nonce));
}

static void learn_relayed(struct client *client, const struct stun_view *view)
{
	const struct stun_attr *relayed = stun_find(view, STUN_ATTR_XOR_RELAYED_ADDRESS);

	if (!relayed || stun_get_xor_address(relayed, view->transaction_id, &client->relayed))
		rig_fail("an allocation without a relayed address");
}

static void fail_by_code(const struct stun_view *view, enum request request)
{
	const struct stun_attr *error = stun_find(view, STUN_ATTR_ERROR_CODE);
	char text[64];

	snprintf(text, sizeof(text), "%s was answered with %u", request_names[request],
		error && error->n_bytes >= 4 ? error->value[2] * 100u + error->value[3] : 0);
	rig_fail(text);
}

void clients_read(struct clients *clients, const uint8_t *frame, size_t n_bytes)
{
	struct stun_view view;
	enum request request;
	uint32_t idx;

	if (n_bytes < FLOWS_HEADER_BYTES ||
		stun_parse(&view, frame + FLOWS_HEADER_BYTES, n_bytes - FLOWS_HEADER_BYTES))
		rig_fail("an answer is not STUN");
	idx = load_be32(view.transaction_id);
	request = (enum request)load_be32(view.transaction_id + 4);
	if (idx >= clients->n || request >= REQUESTS || view.method != methods[request])
		rig_fail("an answer that nobody asked for");
	if (view.class != (request == REQUEST_CHALLENGE ? STUN_ERROR : STUN_SUCCESS))
		fail_by_code(&view, request);
	if (request == REQUEST_CHALLENGE)
		learn_nonce(&clients->all[idx], &view);
	if (request == REQUEST_ALLOCATE)
		learn_relayed(&clients->all[idx], &view);
}
