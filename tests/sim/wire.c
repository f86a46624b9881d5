#include "wire.h"

#include "users.h"

#include <string.h>

#define ANSWER_BYTES_MAX (576 - 28) // RFC 8489 §6.1

// A value that is cut short, or sent empty, where it is to be malformed.
static void put(struct stun_writer *w, const struct request *request, enum request_attr attr,
	uint16_t type, const void *value, size_t n)
{
	if (request_has(request, attr))
		stun_put_bytes(w, type, value, request_spoils(request, attr) ? n - 1 : n);
}

static void put_first_byte(struct stun_writer *w, const struct request *request,
	enum request_attr attr, uint16_t type, uint8_t byte)
{
	const uint8_t value[4] = {byte, 0x5a, 0xa5, 0xff}; // the rest is reserved

	put(w, request, attr, type, value, sizeof(value));
}

static void put_peers(struct stun_writer *w, const struct request *request)
{
	for (unsigned i = 0; i < request->n_peers; i++) {
		if (request_spoils(request, HAS_PEER) && i + 1 == request->n_peers)
			stun_put_bytes(w, STUN_ATTR_XOR_PEER_ADDRESS, "\0\1\2\3\4\5\6", 7);
		else
			stun_put_xor_address(w, STUN_ATTR_XOR_PEER_ADDRESS, &request->peers[i]);
	}
}

// RFC 8016: empty in an Allocate.
static void put_ticket(struct stun_writer *w, const struct request *request)
{
	const bool spoilt = request_spoils(request, HAS_TICKET);
	size_t n = request->method == STUN_REFRESH ? TICKET_BYTES : 0;

	n = spoilt ? (n + TICKET_BYTES - 1) % TICKET_BYTES : n;
	if (request_has(request, HAS_TICKET))
		stun_put_bytes(w, STUN_ATTR_MOBILITY_TICKET, request->ticket.bytes, n);
}

static void put_attrs(struct stun_writer *w, const struct request *request)
{
	const uint8_t even = request->pair ? 0xff : 0x7f; // but R, all is reserved
	const uint8_t channel[4] = {
		(uint8_t)(request->channel >> 8), (uint8_t)request->channel, 7, 9};
	uint8_t lifetime[4];

	store_be32(lifetime, request->lifetime_s);
	put_first_byte(w, request, HAS_TRANSPORT, STUN_ATTR_REQUESTED_TRANSPORT, request->protocol);
	put(w, request, HAS_LIFETIME, STUN_ATTR_LIFETIME, lifetime, 4);
	put_first_byte(w, request, HAS_FAMILY, STUN_ATTR_REQUESTED_ADDRESS_FAMILY, request->family);
	put_first_byte(w, request, HAS_ADDITIONAL, STUN_ATTR_ADDITIONAL_ADDRESS_FAMILY,
		request->additional);
	put(w, request, HAS_EVEN_PORT, STUN_ATTR_EVEN_PORT, &even, 1);
	put(w, request, HAS_TOKEN, STUN_ATTR_RESERVATION_TOKEN, request->token, TOKEN_BYTES);
	put_ticket(w, request);
	put(w, request, HAS_CHANNEL, STUN_ATTR_CHANNEL_NUMBER, channel, 4);
	put(w, request, HAS_DONT_FRAGMENT, STUN_ATTR_DONT_FRAGMENT, "", 0);
	put(w, request, HAS_UNKNOWN_OPTIONAL, 0xc057, "???", 3);
	put(w, request, HAS_UNKNOWN_REQUIRED, 0x7ff5, "!", 1);
	put_peers(w, request);
}

static void put_login(struct wire *wire, struct stun_writer *w, const struct login *login)
{
	const char *name = login->user.name;
	const char *realm = realm_name(login->user.realm);
	uint8_t hash[STUN_SHA256_BYTES];
	uint8_t choice[4] = {0};

	store_be16(choice, login->choice);
	if (login->has_name)
		stun_put_bytes(w, STUN_ATTR_USERNAME, name, strlen(name));
	if (login->has_userhash) {
		stun_userhash(wire->mac, hash, name, strlen(name), realm, strlen(realm));
		stun_put_bytes(w, STUN_ATTR_USERHASH, hash, sizeof(hash));
	}
	if (login->has_realm)
		stun_put_bytes(w, STUN_ATTR_REALM, realm, strlen(realm));
	if (login->has_pass)
		stun_put_bytes(
			w, STUN_ATTR_ACCESS_TOKEN, login->user.pass.bytes, login->user.pass.n);
	if (login->has_nonce)
		stun_put_bytes(w, STUN_ATTR_NONCE, login->nonce.bytes, login->nonce.n);
	if (login->has_offer && (login->offer_is_true || login->offer_is_short))
		stun_put_bytes(w, STUN_ATTR_PASSWORD_ALGORITHMS, OFFER,
			login->offer_is_true ? OFFER_BYTES : OFFER_BYTES / 2);
	else if (login->has_offer)
		stun_put_bytes(w, STUN_ATTR_PASSWORD_ALGORITHMS, OFFER_TURNED, OFFER_BYTES);
	if (login->has_choice)
		stun_put_bytes(w, STUN_ATTR_PASSWORD_ALGORITHM, choice, sizeof(choice));
}

static struct stun_key key_for(const struct login *login, enum signature signature)
{
	struct stun_key key =
		login->key == STUN_PASSWORD_SHA256 ? login->user.sha256 : login->user.md5;

	if (login->user.mac.n_bytes)
		key = login->user.mac;
	key.bytes[key.n_bytes - 1] ^= signature == SIGNATURE_WRONG;
	return key;
}

static void sign(struct wire *wire, struct stun_writer *w, const struct login *login)
{
	struct stun_key key;

	if (login->sha1) {
		key = key_for(login, login->sha1);
		stun_put_integrity(w, wire->mac, &key);
	}
	if (login->sha256) {
		key = key_for(login, login->sha256);
		stun_put_integrity_sha256(w, wire->mac, &key);
	}
}

void wire_write(struct wire *wire, const struct request *request)
{
	struct stun_writer w;

	stun_writer_init(&w, wire->request, sizeof(wire->request), request->class, request->method,
		request->transaction);
	put_attrs(&w, request);
	put_login(wire, &w, &request->login);
	sign(wire, &w, &request->login);
	if (request->fingerprint)
		stun_put_fingerprint(&w);
	wire->request_bytes = stun_writer_end(&w);
	if (request->fingerprint == SIGNATURE_WRONG)
		wire->request[wire->request_bytes - 1] ^= 1;
}

// A wrong length, padding that says something, or a byte behind the end.
static const char *check_bytes(const struct wire *wire)
{
	const uint8_t *p = wire->reply;
	size_t at = STUN_HEADER_BYTES;

	if (wire->reply_bytes > ANSWER_BYTES_MAX)
		return "an answer that may not pass an unknown path";
	if (wire->reply_bytes > 0) {
		if (load_be16(p + 2) + (size_t)STUN_HEADER_BYTES != wire->reply_bytes)
			return "the answer's length";
		while (at < wire->reply_bytes) {
			at += STUN_ATTR_HEADER_BYTES + load_be16(p + at + 2);
			for (; at % 4 != 0; at++)
				if (p[at])
					return "padding that is not zero";
		}
		if (at != wire->reply_bytes)
			return "an attribute's length";
	}
	for (at = wire->reply_bytes; at < sizeof(wire->reply); at++)
		if (p[at] != wire->poison)
			return "bytes behind the answer";
	return NULL;
}

// RFC 8489 §14.8, and RFC 8656 §18.12 alike: -2 where a reserved bit is set or the code cannot be.
static int read_code_of(const uint8_t *value)
{
	const unsigned reserved = value[0] << 16 | value[1] << 8 | (value[2] & 0xf8);

	if (reserved || value[2] < 3 || value[2] > 6 || value[3] > 99)
		return -2;
	return value[2] * 100 + value[3];
}

static int read_code(const struct stun_view *view)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_ERROR_CODE);

	if (view->class == STUN_SUCCESS)
		return 0;
	return attr && attr->n_bytes >= 4 ? read_code_of(attr->value) : -2;
}

static struct endpoint read_address(const struct stun_view *view, uint16_t type)
{
	const struct stun_attr *attr = stun_find(view, type);
	struct endpoint endpoint = {0};

	if (!attr)
		return endpoint;
	if (type == STUN_ATTR_ALTERNATE_SERVER)
		stun_get_address(attr, &endpoint);
	else
		stun_get_xor_address(attr, view->transaction_id, &endpoint);
	return endpoint;
}

static void read_relayed(const struct stun_view *view, struct answer *answer)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_XOR_RELAYED_ADDRESS);
	struct endpoint endpoint;

	for (; attr; attr = stun_find_next(view, attr), answer->n_relayed++)
		if (stun_get_xor_address(attr, view->transaction_id, &endpoint) == 0)
			answer->relayed[endpoint.ip.family - 1] = endpoint;
}

static void read_lacking(const struct stun_view *view, struct answer *answer)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_ADDRESS_ERROR_CODE);
	uint8_t value[4] = {0};

	if (!attr || attr->n_bytes < 4)
		return;
	memcpy(value + 1, attr->value + 1, 3);
	answer->has_address_error = true;
	answer->lacking_family = attr->value[0];
	answer->lacking_code = read_code_of(value);
}

static struct nonce read_nonce(
	const struct stun_view *view, const struct request *request, uint64_t now_ms)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_NONCE);
	struct nonce nonce = {0};

	if (!attr || attr->n_bytes > sizeof(nonce.bytes))
		return nonce;
	memcpy(nonce.bytes, attr->value, attr->n_bytes);
	nonce.n = attr->n_bytes;
	nonce.service = request->service;
	nonce.owner = request->client;
	nonce.made_ms = now_ms;
	nonce.genuine = nonce.has_cookie = true;
	return nonce;
}

static int read_realm(const struct stun_view *view)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_REALM);

	for (uint8_t i = 0; i < REALMS_MAX && attr; i++)
		if (attr->n_bytes == strlen(realm_name(i)) &&
			memcmp(attr->value, realm_name(i), attr->n_bytes) == 0)
			return i;
	return attr ? -2 : -1;
}

static bool names_server(const struct stun_view *view)
{
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_THIRD_PARTY_AUTHORIZATION);

	return attr && attr->n_bytes == strlen(USERS_SERVER_NAME) &&
		memcmp(attr->value, USERS_SERVER_NAME, attr->n_bytes) == 0;
}

static struct answer read_answer(
	const struct stun_view *view, const struct request *request, uint64_t now_ms)
{
	const struct stun_attr *token = stun_find(view, STUN_ATTR_RESERVATION_TOKEN);
	const struct stun_attr *ticket = stun_find(view, STUN_ATTR_MOBILITY_TICKET);
	const struct stun_attr *lifetime = stun_find(view, STUN_ATTR_LIFETIME);
	struct answer answer = {
		.code = read_code(view),
		.mapped = read_address(view, STUN_ATTR_XOR_MAPPED_ADDRESS),
		.alternate = read_address(view, STUN_ATTR_ALTERNATE_SERVER),
		.has_token = token && token->n_bytes == TOKEN_BYTES,
		.has_ticket = ticket && ticket->n_bytes == TICKET_BYTES,
		.realm = read_realm(view),
		.has_server = names_server(view),
		.has_offer = stun_find(view, STUN_ATTR_PASSWORD_ALGORITHMS),
		.has_unknown = stun_find(view, STUN_ATTR_UNKNOWN_ATTRIBUTES),
		.nonce = read_nonce(view, request, now_ms),
		.n_attrs = view->n_attrs,
		.has_sha1 = view->integrity_offset,
		.has_sha256 = view->integrity_sha256_offset,
		.has_fingerprint = view->fingerprint_offset,
	};

	read_relayed(view, &answer);
	read_lacking(view, &answer);
	if (lifetime)
		answer.has_lifetime = stun_get_u32(lifetime, &answer.lifetime_s) == 0;
	if (answer.has_token)
		memcpy(answer.token, token->value, TOKEN_BYTES);
	if (answer.has_ticket)
		memcpy(answer.ticket, ticket->value, TICKET_BYTES);
	return answer;
}

static const char *check_signatures(
	const struct wire *wire, const struct stun_view *view, const struct login *login)
{
	const struct stun_key key = key_for(login, SIGNATURE_RIGHT);

	if (view->integrity_offset && !stun_integrity_check(wire->mac, view, &key))
		return "MESSAGE-INTEGRITY of the answer";
	if (view->integrity_sha256_offset && !stun_integrity_sha256_check(wire->mac, view, &key))
		return "MESSAGE-INTEGRITY-SHA256 of the answer";
	if (view->fingerprint_offset && !stun_fingerprint_check(view))
		return "FINGERPRINT of the answer";
	return NULL;
}

struct answer wire_send(struct wire *wire, struct turn *turn, const struct turn_time *time,
	const struct request *request, struct turn_effects *effects)
{
	struct stun_view asked, view;
	const struct turn_request call = {request->service, request->client, &asked};
	struct turn_answer out = {.bytes = wire->reply, .capacity_bytes = sizeof(wire->reply)};

	wire->wrong = NULL;
	if (wire->request_bytes == 0 || stun_parse(&asked, wire->request, wire->request_bytes)) {
		wire->wrong = "the request cannot be read";
		return (struct answer){.code = ANSWER_NONE};
	}
	memset(wire->reply, wire->poison, sizeof(wire->reply));
	wire->reply_bytes = turn_handle(turn, time, &call, &out, effects);
	wire->wrong = check_bytes(wire);
	if (wire->wrong || wire->reply_bytes == 0)
		return (struct answer){.code = ANSWER_NONE};
	if (!endpoint_equal(&out.from, &call.service) || !endpoint_equal(&out.to, &call.client))
		wire->wrong = "the answer goes another way";
	else if (stun_parse(&view, wire->reply, wire->reply_bytes))
		wire->wrong = "the answer cannot be read";
	else if (view.method != request->method ||
		memcmp(view.transaction_id, request->transaction, STUN_TRANSACTION_BYTES) != 0)
		wire->wrong = "the answer is to another request";
	else if (wire->checks_signature)
		wire->wrong = check_signatures(wire, &view, &request->login);
	return wire->wrong ? (struct answer){.code = ANSWER_NONE}
			   : read_answer(&view, request, time->now_ms);
}
