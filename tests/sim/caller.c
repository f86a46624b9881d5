#include "caller.h"

#include <criterion/criterion.h>

void caller_open(struct caller *caller, const char *ip, uint16_t port)
{
	*caller = (struct caller){.address = world_endpoint(ip, port)};
	cr_assert_eq(stun_mac_create(&caller->mac), 0);
	stun_key_md5(caller->mac, &caller->key, WORLD_USER, strlen(WORLD_USER), WORLD_REALM,
		strlen(WORLD_REALM), WORLD_PASSWORD, strlen(WORLD_PASSWORD));
}

void caller_close(struct caller *caller)
{
	stun_mac_destroy(caller->mac);
}

void caller_begin(struct caller *caller, struct stun_writer *w, struct datagram *d, uint16_t method)
{
	uint8_t transaction[STUN_TRANSACTION_BYTES] = {0};

	store_be32(transaction, ++caller->n_transactions);
	stun_writer_init(w, d->payload, sizeof(d->payload), STUN_REQUEST, method, transaction);
}

void caller_sign(struct caller *caller, struct stun_writer *w)
{
	stun_put_bytes(w, STUN_ATTR_USERNAME, WORLD_USER, strlen(WORLD_USER));
	stun_put_bytes(w, STUN_ATTR_REALM, WORLD_REALM, strlen(WORLD_REALM));
	stun_put_bytes(w, STUN_ATTR_NONCE, caller->nonce, caller->nonce_bytes);
	stun_put_integrity(w, caller->mac, &caller->key);
}

void caller_end(
	struct caller *caller, struct world *world, struct stun_writer *w, struct datagram *d)
{
	if (caller->nonce_bytes)
		caller_sign(caller, w);
	d->from = caller->address;
	d->to = caller->address.ip.family == FAMILY_IPV6 ? world->service6 : world->service;
	d->n = stun_writer_end(w);
	cr_assert_gt(d->n, 0);
}

void caller_allocate(
	struct caller *caller, struct world *world, struct datagram *d, bool with_ticket)
{
	struct stun_writer w;

	caller_begin(caller, &w, d, STUN_ALLOCATE);
	stun_put_u32(&w, STUN_ATTR_REQUESTED_TRANSPORT, 17u << 24);
	if (caller->relayed_family)
		stun_put_u32(&w, STUN_ATTR_REQUESTED_ADDRESS_FAMILY,
			(uint32_t)caller->relayed_family << 24);
	if (with_ticket)
		stun_put_bytes(&w, STUN_ATTR_MOBILITY_TICKET, NULL, 0);
	caller_end(caller, world, &w, d);
}

void caller_refresh(struct caller *caller, struct world *world, struct datagram *d)
{
	struct stun_writer w;

	caller_begin(caller, &w, d, STUN_REFRESH);
	if (caller->ticket_bytes)
		stun_put_bytes(&w, STUN_ATTR_MOBILITY_TICKET, caller->ticket, caller->ticket_bytes);
	caller_end(caller, world, &w, d);
}

void caller_bind(
	struct caller *caller, struct world *world, struct datagram *d, const struct endpoint *peer)
{
	struct stun_writer w;

	caller_begin(caller, &w, d, STUN_CHANNEL_BIND);
	stun_put_channel(&w, CALLER_CHANNEL);
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, peer);
	caller_end(caller, world, &w, d);
}

static void keep(const struct stun_view *view, uint16_t type, void *out, size_t room, size_t *n)
{
	const struct stun_attr *attr = stun_find(view, type);

	if (!attr)
		return;
	cr_assert_leq(attr->n_bytes, room);
	memcpy(out, attr->value, attr->n_bytes);
	*n = attr->n_bytes;
}

int caller_read(struct caller *caller, const struct datagram *answer)
{
	const struct stun_attr *relayed;
	const struct stun_attr *error;
	struct stun_view view;

	cr_assert_eq(stun_parse(&view, answer->payload, answer->n), 0);
	keep(&view, STUN_ATTR_NONCE, caller->nonce, sizeof(caller->nonce), &caller->nonce_bytes);
	keep(&view, STUN_ATTR_MOBILITY_TICKET, caller->ticket, sizeof(caller->ticket),
		&caller->ticket_bytes);
	relayed = stun_find(&view, STUN_ATTR_XOR_RELAYED_ADDRESS);
	if (relayed)
		cr_assert_eq(
			stun_get_xor_address(relayed, view.transaction_id, &caller->relayed), 0);
	error = stun_find(&view, STUN_ATTR_ERROR_CODE);
	return error ? error->value[2] * 100 + error->value[3] : 0;
}

int caller_ask(struct caller *caller, struct world *world, const struct datagram *request)
{
	world->n_sent = 0;
	world_send(world, request);
	world_run(world);
	world_check(world);
	cr_assert_leq(world->n_sent, 1);
	return world->n_sent ? caller_read(caller, &world->sent) : -1;
}
