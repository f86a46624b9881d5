// Our listeners: which realm a request belongs to by where it arrives, and how many clients each
// has. One that is closed serves those alone, until they have gone.
#ifndef TURN_SERVICES_H
#define TURN_SERVICES_H

#include "base/base.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct realm;

struct service {
	struct endpoint at;
	struct realm *realm; // of a closed one: any
	uint32_t n_clients; // 5-tuples of allocations, also pending ones (RFC 8016)
	bool closed;
};

struct services {
	struct service *items;
	size_t n;
};

void services_fini(struct services *services);
// One more, closed ones last. Returns 0; -ENOMEM.
int services_add(struct services *services, const struct service *service);
// NULL where we do not listen.
struct service *services_find(const struct services *services, const struct endpoint *at);
// A client's 5-tuple begins or ends there.
void services_hold(struct services *services, const struct endpoint *at);
void services_drop(struct services *services, const struct endpoint *at);
// Take over the clients of `old`, whose listeners that are not here become closed ones. Returns 0;
// -ENOMEM.
int services_carry(struct services *services, const struct services *old);
// Let go the closed ones without clients. True where there were some.
bool services_trim(struct services *services);

#endif
