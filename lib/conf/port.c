#include "values.h"

#include "text.h"

#include <errno.h>
#include <stdio.h>

static int take_device(struct conf_port *port, struct raw_port *raw, struct source *source,
	const struct place *here)
{
	const struct place device = {here, "device", 0};
	const struct place role = {here, "role", 0};
	const char *target;

	if (text_take_device(&port->kind, &target, source, &device, raw->device) < 0)
		return -EINVAL;
	if (port->kind == CONF_MEMIF && raw->role == NULL)
		return source_fail(source, &role, NULL,
			"the key is missing, memif needs it; allowed: server, client");
	if (port->kind != CONF_MEMIF && raw->role != NULL)
		return source_fail(
			source, &role, NULL, "only memif has roles; allowed: no role here");
	port->memif_server = raw->role != NULL && *raw->role == RAW_ROLE_SERVER;
	port->target = strdup(target);
	return port->target == NULL ? -ENOMEM : 0;
}

static int take_names(struct conf_port *port, const struct raw_port *raw, struct source *source,
	const struct place *here)
{
	const struct place name = {here, "name", 0};
	const struct place mirror = {here, "mirror", 0};

	if (text_check_name(source, &name, raw->name) < 0)
		return -EINVAL;
	snprintf(port->name, sizeof(port->name), "%s", raw->name);
	if (raw->mirror == NULL) {
		snprintf(port->mirror, sizeof(port->mirror), "tp%zu", here->nth - 1);
		return 0;
	}
	if (text_check_interface(source, &mirror, raw->mirror) < 0)
		return -EINVAL;
	snprintf(port->mirror, sizeof(port->mirror), "%s", raw->mirror);
	return 0;
}

static int take_addresses(struct conf_port *port, const struct raw_port *raw, struct source *source,
	const struct place *here)
{
	port->addresses = values_make_array(raw->n_addresses, sizeof(*port->addresses));
	if (port->addresses == NULL)
		return -ENOMEM;
	port->n_addresses = raw->n_addresses;
	for (size_t i = 0; i < raw->n_addresses; i++) {
		const struct place place = {here, "addresses", i + 1};

		if (text_take_address(&port->addresses[i], source, &place, raw->addresses[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

static int take_routes(struct conf_port *port, const struct raw_port *raw, struct source *source,
	const struct place *here)
{
	port->routes = values_make_array(raw->n_routes, sizeof(*port->routes));
	if (port->routes == NULL)
		return -ENOMEM;
	port->n_routes = raw->n_routes;
	for (size_t i = 0; i < raw->n_routes; i++) {
		const struct place route = {here, "routes", i + 1};
		const struct place to = {&route, "to", 0};
		const struct place via = {&route, "via", 0};

		if (text_take_network(&port->routes[i].to, source, &to, raw->routes[i].to) < 0)
			return -EINVAL;
		if (text_take_host(&port->routes[i].via, source, &via, raw->routes[i].via) < 0)
			return -EINVAL;
		if (port->routes[i].via.family != port->routes[i].to.ip.family)
			return source_fail(source, &via, raw->routes[i].via,
				"is of another family than its network; allowed: IPv4 for IPv4, "
				"IPv6 for IPv6");
	}
	return 0;
}

static int take_neighbours(struct conf_port *port, const struct raw_port *raw,
	struct source *source, const struct place *here)
{
	port->neighbours = values_make_array(raw->n_neighbours, sizeof(*port->neighbours));
	if (port->neighbours == NULL)
		return -ENOMEM;
	port->n_neighbours = raw->n_neighbours;
	for (size_t i = 0; i < raw->n_neighbours; i++) {
		const struct raw_neighbour *from = &raw->neighbours[i];
		const struct place neighbour = {here, "neighbours", i + 1};
		const struct place address = {&neighbour, "address", 0};
		const struct place mac = {&neighbour, "mac", 0};

		if (text_take_host(&port->neighbours[i].address, source, &address, from->address) <
			0)
			return -EINVAL;
		if (text_take_mac(port->neighbours[i].mac, source, &mac, from->mac) < 0)
			return -EINVAL;
	}
	return 0;
}

int values_take_port(
	struct conf_port *port, struct raw_port *raw, struct source *source, size_t nth)
{
	const struct place here = {NULL, "ports", nth};
	const struct place mac = {&here, "mac", 0};
	int rc = take_names(port, raw, source, &here);

	if (rc == 0)
		rc = take_device(port, raw, source, &here);
	if (rc == 0 && raw->mac != NULL)
		rc = text_take_mac(port->mac, source, &mac, raw->mac);
	if (rc == 0)
		rc = take_addresses(port, raw, source, &here);
	if (rc == 0)
		rc = take_routes(port, raw, source, &here);
	if (rc == 0)
		rc = take_neighbours(port, raw, source, &here);
	port->mtu_bytes = (uint16_t)values_number(raw->mtu, "mtu");
	port->vlan = (uint16_t)values_number(raw->vlan, "vlan");
	return rc;
}
