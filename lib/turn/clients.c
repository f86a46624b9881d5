// Allocations by 5-tuple. The transport is UDP everywhere, so two endpoints are the key.
#include "turn/state.h"

#define ENDPOINT_KEY_BYTES (1 + IPV6_BYTES + 2)

static void put_endpoint(uint8_t *out, const struct endpoint *endpoint)
{
	out[0] = endpoint->ip.family;
	memcpy(out + 1, endpoint->ip.bytes, IPV6_BYTES);
	store_be16(out + 1 + IPV6_BYTES, endpoint->port);
}

size_t clients_bucket(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client)
{
	uint8_t key[2 * ENDPOINT_KEY_BYTES];

	put_endpoint(key, service);
	put_endpoint(key + ENDPOINT_KEY_BYTES, client);
	return hash_bytes(&turn->hash_key, key, sizeof(key)) & (turn->n_buckets - 1);
}

static uint32_t *bucket_of(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client)
{
	return &turn->buckets[clients_bucket(turn, service, client)];
}

uint32_t clients_find(
	const struct turn *turn, const struct endpoint *service, const struct endpoint *client)
{
	uint32_t idx = *bucket_of(turn, service, client);

	while (idx) {
		const struct allocation *allocation = allocation_at(turn, idx);

		if (endpoint_equal(&allocation->client, client) &&
			endpoint_equal(&allocation->service, service))
			return idx;
		idx = allocation->next;
	}
	return 0;
}

void clients_add(struct turn *turn, uint32_t idx)
{
	struct allocation *allocation = allocation_at(turn, idx);
	uint32_t *bucket = bucket_of(turn, &allocation->service, &allocation->client);

	allocation->next = *bucket;
	*bucket = idx;
	services_hold(&turn->services, &allocation->service);
}

void clients_remove(struct turn *turn, uint32_t idx)
{
	const struct allocation *allocation = allocation_at(turn, idx);
	uint32_t *link = bucket_of(turn, &allocation->service, &allocation->client);

	while (*link != idx)
		link = &allocation_at(turn, *link)->next;
	*link = allocation->next;
	services_drop(&turn->services, &allocation->service);
}
