#include "turn/services.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

void services_fini(struct services *services)
{
	free(services->items);
	*services = (struct services){0};
}

int services_add(struct services *services, const struct service *service)
{
	struct service *grown = reallocarray(services->items, services->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	services->items = grown;
	grown[services->n++] = *service;
	return 0;
}

struct service *services_find(const struct services *services, const struct endpoint *at)
{
	for (size_t i = 0; i < services->n; i++)
		if (endpoint_equal(&services->items[i].at, at))
			return &services->items[i];
	return NULL;
}

void services_hold(struct services *services, const struct endpoint *at)
{
	services_find(services, at)->n_clients++;
}

void services_drop(struct services *services, const struct endpoint *at)
{
	struct service *service = services_find(services, at);

	assert(service->n_clients > 0);
	service->n_clients--;
}

int services_carry(struct services *services, const struct services *old)
{
	for (size_t i = 0; i < old->n; i++) {
		const struct service *from = &old->items[i];
		struct service *to = services_find(services, &from->at);

		if (to) {
			to->n_clients = from->n_clients;
		} else if (from->n_clients) {
			const struct service closed = {
				.at = from->at, .n_clients = from->n_clients, .closed = true};

			if (services_add(services, &closed))
				return -ENOMEM;
		}
	}
	return 0;
}

bool services_trim(struct services *services)
{
	const size_t n_before = services->n;
	size_t n = 0;

	for (size_t i = 0; i < n_before; i++)
		if (!services->items[i].closed || services->items[i].n_clients)
			services->items[n++] = services->items[i];
	services->n = n;
	return n < n_before;
}
