// Next hops: from the kernel's view in lib/route to the ready headers of the workers.
#include "state.h"

#include <assert.h>

#define MARK_INTERVAL_MS (30 * MS_IN_S)

static_assert(FLOW_HOP_LOOP_FIRST == ROUTE_HOPS_MAX, "loops come behind the routes' hops");
static_assert(FLOW_HOPS_MAX >= FLOW_HOP_LOOP_FIRST + 2 * CONTROL_PORTS_MAX, "two loops a port");

#define TYPE_IPV4 0x0800
#define TYPE_IPV6 0x86dd
#define TYPE_VLAN 0x8100

static void write_header(const struct control *c, struct flow_hop *hop, uint8_t family,
	const uint8_t target[static 6])
{
	const struct control_port *port = &c->ports[hop->port_idx];
	uint8_t *type = hop->header + 12;

	memcpy(hop->header, target, 6);
	memcpy(hop->header + 6, port->mac, 6);
	if (port->vlan) {
		store_be16(type, TYPE_VLAN);
		store_be16(type + 2, port->vlan);
		type += 4;
	}
	store_be16(type, family == FAMILY_IPV4 ? TYPE_IPV4 : TYPE_IPV6);
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
		write_header(c, &hop, from->family, from->mac);
	}
	publish(c, hop_idx, &hop);
	c->hop_published[hop_idx] = true;
}

static uint16_t loop_idx(uint8_t port_idx, uint8_t family)
{
	return (uint16_t)(FLOW_HOP_LOOP_FIRST + 2 * port_idx + (family == FAMILY_IPV6));
}

static void publish_loop(struct control *c, uint8_t port_idx, uint8_t family)
{
	struct flow_hop hop = {
		.kind = FLOW_HOP_LOOP,
		.port_idx = port_idx,
		.mtu_bytes = c->ports[port_idx].mtu_bytes,
	};

	write_header(c, &hop, family, c->ports[port_idx].mac);
	publish(c, loop_idx(port_idx, family), &hop);
}

void hops_publish_loops(struct control *c)
{
	for (uint8_t i = 0; i < c->n_ports; i++) {
		publish_loop(c, i, FAMILY_IPV4);
		publish_loop(c, i, FAMILY_IPV6);
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
			return loop_idx(c->relays[i].port_idx, target->family);
	hop_idx = route_find(c->route, target, source);
	if (!c->hop_published[hop_idx])
		publish_route_hop(c, hop_idx);
	return hop_idx;
}

// Entries name hops by index, so only what is sent for all of them tells which are used.
void hops_mark(struct control *c, const struct turn_time *time)
{
	if (c->marking || !route_is_short(c->route) ||
		(c->marked_ms && time->now_ms < c->marked_ms + MARK_INTERVAL_MS))
		return;
	route_mark(c->route);
	c->marking = true;
	c->marked_ms = time->now_ms;
	walk_begin(c);
}

// What comes back at the index of a forgotten hop is sent with its first entry, as all are.
void hops_forget(struct control *c)
{
	c->marking = route_forget(c->route);
	for (uint16_t i = HOP_IDX_UNREACHABLE + 1; i < route_n_hops(c->route); i++)
		c->hop_published[i] &= route_hop(c->route, i)->state != HOP_UNREACHABLE;
}
