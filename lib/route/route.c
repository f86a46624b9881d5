#include "route.h"

#include "dests.h"
#include "rtnl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// Read in one route_follow() at most, so that a storm of route events never starves the caller; the
// rest keeps route_fd() readable.
#define READS_MAX 1024
// Destinations by source that need no question: as many as clients with addresses of their own.
#define CACHE_MAX (1U << 20)

// Hops that are used, above which they are looked through; and that are forgotten at once.
#define SHORT_ABOVE (ROUTE_HOPS_MAX * 3 / 4)
#define FORGET_MAX 64

struct route {
	bool offline;
	bool moved;
	bool refused; // a hop, for want of room
	bool doubtful; // a question had no verdict
	bool recovers_again; // events were still coming when those that were lost were made up for
	uint16_t forget_idx; // the next to be looked at
	uint64_t n_readdressed;
	uint64_t n_taken; // of these, when addresses were last taken
	struct route_port *ports;
	size_t n_ports;
	struct dests pins; // source: FAMILY_NONE
	struct dests cache;
	struct hops hops;
	struct rtnl rtnl; // not offline
};

static const struct ip_addr any_source;

// With a copy of the ports, without the kernel. Returns 0, -ENOMEM.
static int create(struct route **out, const struct route_port *ports, size_t n_ports)
{
	struct route *route = calloc(1, sizeof(*route));

	if (route == NULL)
		return -ENOMEM;
	route->offline = true;
	route->n_ports = n_ports;
	route->ports = calloc(n_ports + 1, sizeof(*ports));
	if (route->ports == NULL || dests_init(&route->pins, ROUTE_PINS_MAX) < 0 ||
		dests_init(&route->cache, CACHE_MAX) < 0) {
		route_close(route);
		return -ENOMEM;
	}
	for (size_t i = 0; i < n_ports; i++)
		route->ports[i] = ports[i];
	hops_init(&route->hops);
	*out = route;
	return 0;
}

int route_open(struct route **out, const struct route_port *ports, size_t n_ports,
	char error[static ROUTE_ERROR_BYTES])
{
	struct route *route;
	int rc = create(&route, ports, n_ports);

	if (rc == 0) {
		rc = rtnl_open(&route->rtnl);
		if (rc < 0)
			route_close(route);
	}
	if (rc < 0) {
		snprintf(error, ROUTE_ERROR_BYTES, "cannot follow the kernel's routes: %s",
			strerror(-rc));
		return rc;
	}
	route->offline = false;
	route->n_readdressed = 1;
	*out = route;
	return 0;
}

int route_open_offline(struct route **out)
{
	return create(out, NULL, 0);
}

void route_close(struct route *route)
{
	if (route == NULL)
		return;
	if (!route->offline)
		rtnl_close(&route->rtnl);
	dests_fini(&route->cache);
	dests_fini(&route->pins);
	free(route->ports);
	free(route);
}

static const struct route_port *find_port(const struct route *route, int ifindex)
{
	for (size_t i = 0; i < route->n_ports; i++) {
		if (route->ports[i].ifindex == ifindex)
			return &route->ports[i];
	}
	return NULL;
}

// The hop of this neighbour, made where it is new; HOP_IDX_UNREACHABLE where there is no room.
static uint16_t find_or_add_hop(
	struct route *route, const struct next_hop *next_hop, uint8_t port_idx)
{
	uint16_t hop_idx = hops_find(&route->hops, next_hop);

	if (hop_idx == HOP_IDX_UNREACHABLE)
		hop_idx = hops_add(&route->hops, next_hop, port_idx);
	if (hop_idx == HOP_IDX_UNREACHABLE) {
		log_event(LOG_WARNING, "route.hops_full", "hops=%d", ROUTE_HOPS_MAX);
		route->refused = true;
	}
	return hop_idx;
}

int route_pin(struct route *route, const struct ip_addr *destination, uint8_t port_idx,
	const uint8_t mac[6])
{
	struct next_hop next_hop = {.ifindex = -1 - port_idx, .family = destination->family};
	uint16_t hop_idx;
	int rc;

	memcpy(next_hop.ip.bytes, mac, 6);
	hop_idx = find_or_add_hop(route, &next_hop, port_idx);
	if (hop_idx == HOP_IDX_UNREACHABLE)
		return -ENOSPC;
	hops_set(&route->hops, hop_idx, HOP_RESOLVED, mac);
	rc = dests_put(&route->pins, destination, &any_source, hop_idx);
	if (rc == 0)
		route->moved = true;
	return rc;
}

// Learn what the kernel knows of a hop's neighbour, and have it looked after where nobody does yet.
// Events only say which one to look at: however late they are read, the hop is never out of date.
static void refresh_hop(struct route *route, uint16_t hop_idx)
{
	const struct next_hop *next_hop = &route->hops.next_hops[hop_idx];
	struct neighbour neighbour = {0};
	char text[ADDR_TEXT_BYTES];
	int rc = rtnl_get_neighbour(&route->rtnl, &neighbour, next_hop);

	if (rc < 0 && rc != -ENOENT && rc != -ENODEV) {
		route->doubtful = true;
		return;
	}
	hops_set(&route->hops, hop_idx, neighbour.resolved ? HOP_RESOLVED : HOP_UNRESOLVED,
		neighbour.mac);
	if (neighbour.fixed || neighbour.managed || rc == -ENODEV)
		return;
	rc = rtnl_keep_neighbour(&route->rtnl, next_hop);
	route->hops.is_kept[hop_idx] |= rc == 0;
	if (rc < 0)
		log_event(LOG_WARNING, "route.neighbour_refused", "address=%s error=\"%s\"",
			ip_format(&next_hop->ip, text), strerror(-rc));
}

static uint16_t find_kernel_hop(struct route *route, const struct next_hop *next_hop)
{
	const struct route_port *port = find_port(route, next_hop->ifindex);
	uint16_t hop_idx;

	if (port == NULL)
		return HOP_IDX_UNREACHABLE;
	hop_idx = find_or_add_hop(route, next_hop, port->port_idx);
	if (route->hops.hops[hop_idx].state == HOP_UNRESOLVED)
		refresh_hop(route, hop_idx);
	return hop_idx;
}

static void remember(struct route *route, const struct ip_addr *destination,
	const struct ip_addr *source, uint16_t hop_idx)
{
	if (dests_put(&route->cache, destination, source, hop_idx) == 0)
		return;
	dests_clear(&route->cache);
	dests_put(&route->cache, destination, source, hop_idx);
}

static uint16_t find(
	struct route *route, const struct ip_addr *destination, const struct ip_addr *source)
{
	struct next_hop next_hop = {0};
	uint16_t hop_idx = HOP_IDX_UNREACHABLE;

	if (dests_get(&route->pins, destination, &any_source, &hop_idx) || route->offline)
		return hop_idx;
	if (dests_get(&route->cache, destination, source, &hop_idx))
		return hop_idx;
	switch (rtnl_get_route(&route->rtnl, &next_hop, destination, source)) {
	case 0:
		hop_idx = find_kernel_hop(route, &next_hop);
		break;
	case -ENETUNREACH:
	case -EHOSTUNREACH:
	case -EACCES:
	case -EINVAL:
		break;
	default: // no verdict, so nothing to remember
		route->doubtful = true;
		return HOP_IDX_UNREACHABLE;
	}
	remember(route, destination, source, hop_idx);
	return hop_idx;
}

uint16_t route_find(
	struct route *route, const struct ip_addr *destination, const struct ip_addr *source)
{
	const uint16_t hop_idx = find(route, destination, source);

	route->hops.is_asked[hop_idx] = true;
	return hop_idx;
}

static void note_moved(struct route *route)
{
	dests_clear(&route->cache);
	route->moved = true;
}

bool route_is_short(const struct route *route)
{
	return !route->offline && route->hops.n_hops - route->hops.n_free > SHORT_ABOVE;
}

void route_mark(struct route *route)
{
	memset(route->hops.is_asked, 0, sizeof(route->hops.is_asked));
	dests_clear(&route->cache); // it may name what is forgotten then
	route->forget_idx = HOP_IDX_UNREACHABLE + 1;
}

// What others have the kernel keep is not ours to drop. The last of a neighbour's hops drops it.
static void let_neighbour_go(struct route *route, const struct next_hop *next_hop)
{
	const uint8_t other = next_hop->family == FAMILY_IPV4 ? FAMILY_IPV6 : FAMILY_IPV4;
	const struct next_hop sibling = {next_hop->ifindex, next_hop->ip, other};
	const uint16_t sibling_idx = hops_find(&route->hops, &sibling);

	if (sibling_idx != HOP_IDX_UNREACHABLE)
		route->hops.is_kept[sibling_idx] = true;
	else
		rtnl_drop_neighbour(&route->rtnl, next_hop);
}

// Pinned ones stay.
static void forget_hop(struct route *route, uint16_t hop_idx)
{
	const struct next_hop *next_hop = &route->hops.next_hops[hop_idx];

	if (route->hops.is_asked[hop_idx] || next_hop->ifindex <= 0)
		return;
	if (route->hops.is_kept[hop_idx])
		let_neighbour_go(route, next_hop);
	hops_remove(&route->hops, hop_idx);
}

bool route_forget(struct route *route)
{
	for (unsigned n = 0; n < FORGET_MAX && route->forget_idx < route->hops.n_hops; n++)
		forget_hop(route, route->forget_idx++);
	if (route->forget_idx < route->hops.n_hops)
		return true;
	if (route->refused)
		note_moved(route);
	route->refused = false;
	return false;
}

uint16_t route_n_hops(const struct route *route)
{
	return route->hops.n_hops;
}

const struct hop *route_hop(const struct route *route, uint16_t hop_idx)
{
	return &route->hops.hops[hop_idx];
}

void route_stats_get(const struct route *route, struct route_stats *out)
{
	*out = (struct route_stats){0};
	for (unsigned i = HOP_IDX_UNREACHABLE + 1; i < route->hops.n_hops; i++)
		if (route->hops.next_hops[i].ifindex != 0) // else it was forgotten
			out->n_hops[route->hops.hops[i].state]++;
}

int route_fd(const struct route *route)
{
	return route->offline ? -1 : rtnl_fd(&route->rtnl);
}

// Packets of either family may be handed to a neighbour.
static void refresh_neighbour(struct route *route, const struct next_hop *neighbour)
{
	for (uint8_t family = FAMILY_IPV4; family <= FAMILY_IPV6; family++) {
		const struct next_hop next_hop = {neighbour->ifindex, neighbour->ip, family};
		const uint16_t hop_idx = hops_find(&route->hops, &next_hop);

		if (hop_idx != HOP_IDX_UNREACHABLE)
			refresh_hop(route, hop_idx);
	}
}

static void apply_event(void *context, const struct rtnl_event *event)
{
	struct route *route = context;

	switch (event->kind) {
	case RTNL_NEIGHBOUR:
		refresh_neighbour(route, &event->next_hop);
		break;
	case RTNL_LINK:
		if (find_port(route, event->next_hop.ifindex) != NULL)
			note_moved(route);
		break;
	case RTNL_PATHS:
		note_moved(route);
		break;
	case RTNL_ADDRESS_GONE:
		note_moved(route);
		route->n_readdressed++;
		break;
	case RTNL_ADDRESS:
		route->n_readdressed++;
		break;
	case RTNL_OTHER:
		break;
	}
}

static void ask_anew(struct route *route)
{
	note_moved(route);
	for (uint16_t hop_idx = 1; hop_idx < route->hops.n_hops; hop_idx++) {
		if (route->hops.next_hops[hop_idx].ifindex > 0)
			refresh_hop(route, hop_idx);
	}
}

// The kernel tells nothing more until its queue is empty: so that comes first.
static void recover(struct route *route)
{
	route->recovers_again = !rtnl_discard_events(&route->rtnl);
	route->n_readdressed++;
	ask_anew(route);
}

void route_ask_again(struct route *route)
{
	if (!route->doubtful)
		return;
	route->doubtful = false;
	ask_anew(route);
}

void route_follow(struct route *route)
{
	int rc = 1;

	if (route->offline)
		return;
	if (route->recovers_again)
		recover(route);
	for (unsigned int n = 0; n < READS_MAX && rc == 1; n++) {
		rc = rtnl_read_events(&route->rtnl, apply_event, route);
		if (rc < 0)
			recover(route);
	}
}

bool route_next_change(struct route *route, uint16_t *hop_idx)
{
	return hops_next_change(&route->hops, hop_idx);
}

bool route_take_moved(struct route *route)
{
	const bool moved = route->moved;

	route->moved = false;
	return moved;
}

struct address_list {
	const struct route *route;
	struct route_address *items;
	size_t n;
};

static void take_address(void *context, int ifindex, const struct ip_addr *ip)
{
	struct address_list *list = context;
	const struct route_port *port = find_port(list->route, ifindex);

	if (port != NULL && list->n < ROUTE_ADDRESSES_MAX)
		list->items[list->n++] = (struct route_address){*ip, port->port_idx};
}

bool route_take_addresses(
	struct route *route, struct route_address out[static ROUTE_ADDRESSES_MAX], size_t *n)
{
	struct address_list list = {.route = route, .items = out};

	if (route->n_taken == route->n_readdressed ||
		rtnl_get_addresses(&route->rtnl, take_address, &list) < 0)
		return false;
	route->n_taken = route->n_readdressed;
	*n = list.n;
	return true;
}

uint64_t route_n_readdressed(const struct route *route)
{
	return route->n_readdressed;
}
