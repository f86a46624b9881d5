// The addresses that Linux has on the ports, for the workers, who answer for them while the control
// core stands still.
#include "state.h"

static_assert(ROUTE_ADDRESSES_MAX == MSG_ADDRESSES_MAX, "an index is the same everywhere");

static bool is_same(const struct route_address *a, const struct route_address *b)
{
	return a->port_idx == b->port_idx && ip_equal(&a->ip, &b->ip);
}

// What they may be is looked at anew from the first on; what is told already costs no message.
static void look(struct control *c)
{
	struct addresses *a = &c->addresses;
	size_t n;

	if (!route_take_addresses(c->route, a->now, &n))
		return;
	for (size_t i = n; i < a->n; i++)
		a->now[i] = (struct route_address){0};
	a->n = n > a->n ? n : a->n;
	a->next = 0;
}

void addresses_publish(struct control *c)
{
	struct addresses *a = &c->addresses;

	look(c);
	for (; a->next < a->n && broadcast_room(c) > 1; a->next++) {
		const struct route_address *now = &a->now[a->next];
		struct msg msg = {
			.kind = MSG_ADDRESS_SET,
			.address_idx = (uint16_t)a->next,
			.port_idx = now->port_idx,
			.ip = now->ip,
		};

		if (is_same(now, &a->told[a->next]))
			continue;
		broadcast(c, &msg);
		a->told[a->next] = *now;
	}
}
