// Next hops: from the kernel's view in lib/route to the ready headers of the workers.
#include "state.h"

#include <assert.h>

static_assert(FLOW_HOP_LOOP_FIRST == ROUTE_HOPS_MAX, "loops come behind the routes' hops");
static_assert(FLOW_HOPS_MAX >= FLOW_HOP_LOOP_FIRST + CONTROL_PORTS_MAX, "one loop a port");

static void write_header(const struct control *c, struct flow_hop *hop, const uint8_t target[6])
{
	const struct control_port *port = &c->ports[hop->port_idx];
	uint8_t *type = hop->header + 12;

	memcpy(hop->header, target, 6);
	memcpy(hop->header + 6, port->mac, 6);
	if (port->vlan) {
		store_be16(type, 0x8100);
		store_be16(type + 2, port->vlan);
		type += 4;
	}
	store_be16(type, 0x0800);
	hop->header_bytes = (uint8_t)(type + 2 - hop->header);
}

static void publish(struct control *c, uint16_t hop_idx, const struct flow_hop *hop)
{
	struct msg msg = {.kind = MSG_HOP_SET, .hop_idx = hop_idx, .hop = *hop};

	broadcast(c, &msg);
}

static void publish_route_hop(struct control *c, uint16_t hop_idx)
{
	const struct hop *from = route_hop(c->route, hop_idx);
	struct flow_hop hop = {.kind = FLOW_HOP_NONE};

	if (from->state != HOP_UNREACHABLE) {
		hop.kind = from->state == HOP_RESOLVED ? FLOW_HOP_WIRE : FLOW_HOP_KERNEL;
		hop.port_idx = from->port_idx;
		hop.mtu_bytes = c->ports[from->port_idx].mtu_bytes;
		write_header(c, &hop, from->mac);
	}
	publish(c, hop_idx, &hop);
	c->hop_published[hop_idx] = true;
}

void hops_publish_loops(struct control *c)
{
	for (uint8_t i = 0; i < c->n_ports; i++) {
		struct flow_hop hop = {
			.kind = FLOW_HOP_LOOP,
			.port_idx = i,
			.mtu_bytes = c->ports[i].mtu_bytes,
		};

		write_header(c, &hop, c->ports[i].mac);
		publish(c, FLOW_HOP_LOOP_FIRST + i, &hop);
	}
}

// Hops that no worker knows yet are sent with the first entry that uses them.
void hops_publish_changes(struct control *c)
{
	uint16_t hop_idx;

	while (broadcast_room(c) > 1 && route_next_change(c->route, &hop_idx))
		if (c->hop_published[hop_idx])
			publish_route_hop(c, hop_idx);
}

uint16_t hop_towards(struct control *c, const struct ip_addr *target, const struct ip_addr *source)
{
	uint16_t hop_idx;

	for (size_t i = 0; i < c->n_relays; i++)
		if (ip_equal(&c->relays[i].ip, target))
			return (uint16_t)(FLOW_HOP_LOOP_FIRST + c->relays[i].port_idx);
	hop_idx = route_find(c->route, target, source);
	if (!c->hop_published[hop_idx])
		publish_route_hop(c, hop_idx);
	return hop_idx;
}
