// From addresses to turnpike's ports, listeners and relays.
#include "must.h"
#include "plan.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define RELAY_PORT_LEAST 1024
#define NETWORK_BITS_IPV4 24 // where nothing says which network an address is in
#define NETWORK_BITS_IPV6 64

// Where an address of this machine is.
struct found {
	struct prefix prefix;
	char interface[IF_NAMESIZE];
};

static bool read_address(const struct ifaddrs *entry, struct found *found)
{
	static const uint8_t link_local[] = {0xfe, 0x80};
	const uint8_t *mask;
	const uint8_t *bytes;
	enum family family;

	if (!entry->ifa_addr || !entry->ifa_netmask || (entry->ifa_flags & IFF_LOOPBACK))
		return false;
	if (entry->ifa_addr->sa_family == AF_INET) {
		family = FAMILY_IPV4;
		bytes = (const uint8_t *)&((struct sockaddr_in *)entry->ifa_addr)->sin_addr;
		mask = (const uint8_t *)&((struct sockaddr_in *)entry->ifa_netmask)->sin_addr;
	} else if (entry->ifa_addr->sa_family == AF_INET6) {
		family = FAMILY_IPV6;
		bytes = (const uint8_t *)&((struct sockaddr_in6 *)entry->ifa_addr)->sin6_addr;
		mask = (const uint8_t *)&((struct sockaddr_in6 *)entry->ifa_netmask)->sin6_addr;
		if (memcmp(bytes, link_local, sizeof(link_local)) == 0)
			return false;
	} else {
		return false;
	}
	found->prefix = (struct prefix){ip_from_bytes(family, bytes), 0};
	for (size_t i = 0; i < family_bytes(family); i++)
		found->prefix.n_bits += (uint8_t)__builtin_popcount(mask[i]);
	snprintf(found->interface, sizeof(found->interface), "%s", entry->ifa_name);
	return true;
}

// This machine's addresses, without loopback and link-local ones.
static size_t read_machine(struct found list[static ADDRESSES_MAX])
{
	struct ifaddrs *first;
	size_t n = 0;

	if (getifaddrs(&first) < 0)
		return 0;
	for (const struct ifaddrs *entry = first; entry && n < ADDRESSES_MAX;
		entry = entry->ifa_next)
		n += read_address(entry, &list[n]);
	freeifaddrs(first);
	return n;
}

static const struct found *find(const struct found *list, size_t n, const struct ip_addr *ip)
{
	for (size_t i = 0; i < n; i++) {
		if (ip_equal(&list[i].prefix.ip, ip))
			return &list[i];
	}
	return NULL;
}

static const struct prefix *find_own(const struct plan *plan, const struct ip_addr *ip)
{
	for (size_t i = 0; i < plan->n_own; i++) {
		if (ip_equal(&plan->own[i].ip, ip))
			return &plan->own[i];
	}
	return NULL;
}

static void choose_device(struct plan *plan, const struct found *found, char device[DEVICE_BYTES])
{
	const char *interface = found ? found->interface : plan->listening_device.text;

	if (plan->device) {
		snprintf(device, DEVICE_BYTES, "%s", plan->device);
		return;
	}
	snprintf(device, DEVICE_BYTES, "af_packet:%.15s",
		interface && *interface ? interface : "eth0");
	notes_add(&plan->notes, NOTE_CHECK, "device (not given)",
		"is %s; a NIC of its own is faster: see device in turnpike.yaml(5). The "
		"interface itself must not keep the addresses",
		device);
}

static struct plan_port *port_of(struct plan *plan, const char *device)
{
	for (size_t i = 0; i < plan->n_ports; i++) {
		if (strcmp(plan->ports[i].device, device) == 0)
			return &plan->ports[i];
	}
	if (plan->n_ports == PORTS_MAX)
		return &plan->ports[PORTS_MAX - 1];
	snprintf(plan->ports[plan->n_ports].device, DEVICE_BYTES, "%s", device);
	return &plan->ports[plan->n_ports++];
}

// Give the address to the port of its interface, unless one has it.
static void place_address(
	struct plan *plan, const struct found *list, size_t n, const struct ip_addr *ip)
{
	const struct found *found = find(list, n, ip);
	const struct prefix *own = find_own(plan, ip);
	struct prefix prefix = {
		*ip, ip->family == FAMILY_IPV4 ? NETWORK_BITS_IPV4 : NETWORK_BITS_IPV6};
	char device[DEVICE_BYTES];
	char text[ADDR_TEXT_BYTES];
	struct plan_port *port;

	for (size_t i = 0; i < plan->n_ports; i++) {
		for (size_t k = 0; k < plan->ports[i].n_addresses; k++) {
			if (ip_equal(&plan->ports[i].addresses[k].ip, ip))
				return;
		}
	}
	if (own || found)
		prefix = own ? *own : found->prefix;
	else
		notes_add(&plan->notes, NOTE_CHECK, "address (not given)",
			"the network of %s is not known; it may be another",
			prefix_format(&prefix, text));
	choose_device(plan, found, device);
	port = port_of(plan, device);
	if (port->n_addresses < ADDRESSES_MAX)
		port->addresses[port->n_addresses++] = prefix;
}

static bool is_listener(const struct plan *plan, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < plan->n_listen; i++) {
		if (endpoint_equal(&plan->listen[i], endpoint))
			return true;
	}
	return false;
}

static void add_listener(struct plan *plan, const struct ip_addr *ip, uint32_t port)
{
	const struct endpoint endpoint = {*ip, (uint16_t)port};

	if (!is_listener(plan, &endpoint) && plan->n_listen < ADDRESSES_MAX)
		plan->listen[plan->n_listen++] = endpoint;
}

// coturn listens at every address of the machine where none is named. Our own command line may
// name them instead.
static int complete_listen(struct plan *plan, const struct found *list, size_t n)
{
	if (!plan->n_listening_ips) {
		for (size_t i = 0; i < plan->n_own; i++)
			plan_add_ip(plan->listening_ips, &plan->n_listening_ips, &plan->own[i].ip);
	}
	if (!plan->n_listening_ips && n) {
		for (size_t i = 0; i < n; i++)
			plan_add_ip(
				plan->listening_ips, &plan->n_listening_ips, &list[i].prefix.ip);
		notes_add(&plan->notes, NOTE_CHECK, "listening-ip (not set)",
			"the addresses of this machine are taken");
	}
	for (size_t i = 0; i < plan->n_listening_ips; i++)
		add_listener(plan, &plan->listening_ips[i], plan->listening_port);
	for (size_t i = 0; i < plan->n_aux; i++)
		add_listener(plan, &plan->aux[i].ip, plan->aux[i].port);
	if (plan->n_listen)
		return 0;
	fputs("turnpike-import-coturn: neither coturn's configuration nor this machine has an "
	      "address; give one with --address\n",
		stderr);
	return -EADDRNOTAVAIL;
}

// NAT discovery is on in coturn where there are two addresses of a family; here for one pair.
static void complete_discovery(struct plan *plan)
{
	const struct endpoint *first = &plan->listen[0];
	const uint32_t port =
		plan->alternate_port ? plan->alternate_port : plan->listening_port + 1;

	if (plan->no_discovery || port > UINT16_MAX || port == first->port)
		return;
	for (size_t i = 1; i < plan->n_listening_ips; i++) {
		if (plan->listening_ips[i].family != first->ip.family)
			continue;
		plan->discovery = (struct endpoint){plan->listening_ips[i], (uint16_t)port};
		return;
	}
}

// The longest stretch of ports without a service: what is below this port, or above it.
static void avoid(struct plan *plan, struct plan_relay *relay, const struct endpoint *service)
{
	char text[ADDR_TEXT_BYTES];

	if (!ip_equal(&relay->ip, &service->ip) || service->port < relay->port_min ||
		service->port > relay->port_max)
		return;
	if (service->port - relay->port_min > relay->port_max - service->port)
		relay->port_max = service->port - 1;
	else
		relay->port_min = service->port + 1;
	notes_add(&plan->notes, NOTE_DIFFERS, "min-port, max-port",
		"are %u-%u, as %s is a listener", relay->port_min, relay->port_max,
		endpoint_format(service, text));
}

static bool is_relay(const struct plan *plan, const struct ip_addr *ip)
{
	for (size_t i = 0; i < plan->n_relay; i++) {
		if (ip_equal(&plan->relay[i].ip, ip))
			return true;
	}
	return false;
}

static void add_relay(struct plan *plan, const struct ip_addr *ip)
{
	struct plan_relay *relay = &plan->relay[plan->n_relay];

	if (is_relay(plan, ip))
		return;
	plan->n_relay++;
	*relay = (struct plan_relay){.ip = *ip,
		.port_min = (uint16_t)plan->port_min,
		.port_max = (uint16_t)plan->port_max};
	for (size_t i = 0; i < plan->n_listen; i++)
		avoid(plan, relay, &plan->listen[i]);
	if (plan->discovery.ip.family != FAMILY_NONE) {
		const struct endpoint pairs[] = {plan->discovery,
			{plan->listen[0].ip, plan->discovery.port},
			{plan->discovery.ip, plan->listen[0].port}};

		for (size_t i = 0; i < N_ELEMENTS(pairs); i++)
			avoid(plan, relay, &pairs[i]);
	}
}

// coturn relays from the addresses where it listens, unless others are named.
static void complete_relay(struct plan *plan)
{
	if (plan->port_min < RELAY_PORT_LEAST) {
		notes_add(&plan->notes, NOTE_DIFFERS, "min-port",
			"is %d; ports below are not relayed", RELAY_PORT_LEAST);
		plan->port_min = RELAY_PORT_LEAST;
	}
	if (plan->n_relay_ips) {
		for (size_t i = 0; i < plan->n_relay_ips; i++)
			add_relay(plan, &plan->relay_ips[i]);
	} else {
		for (size_t i = 0; i < plan->n_listening_ips; i++)
			add_relay(plan, &plan->listening_ips[i]);
		for (size_t i = 0; i < plan->n_aux && !plan->n_listening_ips; i++)
			add_relay(plan, &plan->aux[i].ip);
	}
}

static void place_external(struct plan *plan, const struct plan_external *external)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_relay; i++) {
		struct plan_relay *relay = &plan->relay[i];
		const bool is_meant = external->inside.family == FAMILY_NONE
			? relay->ip.family == external->external.family
			: ip_equal(&relay->ip, &external->inside);

		if (!is_meant)
			continue;
		// One address is one relay's: the port alone must say whose a packet is.
		if (n++)
			notes_add(&plan->notes, NOTE_LOST, external->what,
				"stands for one relay address; for several, each has its own");
		else
			relay->external = external->external;
	}
	if (!n)
		notes_add(&plan->notes, NOTE_LOST, external->what, "is of no address that relays");
}

static bool is_ours(const struct plan *plan, const struct ip_addr *ip)
{
	for (size_t i = 0; i < plan->n_listen; i++) {
		if (ip_equal(&plan->listen[i].ip, ip))
			return true;
	}
	return is_relay(plan, ip);
}

static void complete_externals(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_externals; i++) {
		const struct plan_external *external = &plan->externals[i];

		if (is_ours(plan, &external->external))
			notes_add(&plan->notes, NOTE_NEEDLESS, external->what,
				"the host has this address itself");
		else
			place_external(plan, external);
	}
}

// Answers leave by the port of the question.
static void check_discovery(struct plan *plan)
{
	const struct endpoint *alternate = &plan->discovery;
	size_t n_here = 0;

	for (size_t i = 0; i < plan->n_ports; i++) {
		const struct plan_port *port = &plan->ports[i];

		n_here = 0;
		for (size_t k = 0; k < port->n_addresses; k++)
			n_here += ip_equal(&port->addresses[k].ip, &alternate->ip) ||
				ip_equal(&port->addresses[k].ip, &plan->listen[0].ip);
		if (n_here)
			break;
	}
	if (alternate->ip.family == FAMILY_NONE || n_here == 2)
		return;
	plan->discovery = (struct endpoint){0};
	notes_add(&plan->notes, NOTE_LOST, "no-rfc5780 (not set)",
		"NAT discovery wants both of its addresses on one port");
}

static void note_gateways(struct plan *plan)
{
	if (!plan->n_gateways)
		notes_add(&plan->notes, NOTE_CHECK, "gateway (not given)",
			"the configuration has no route beyond the networks of the ports; see "
			"--gateway and `ip route show default`");
}

int plan_complete_addresses(struct plan *plan)
{
	struct found list[ADDRESSES_MAX];
	const size_t n = read_machine(list);

	if (complete_listen(plan, list, n) < 0)
		return -EADDRNOTAVAIL;
	complete_discovery(plan);
	complete_relay(plan);
	complete_externals(plan);
	for (size_t i = 0; i < plan->n_listen; i++)
		place_address(plan, list, n, &plan->listen[i].ip);
	for (size_t i = 0; i < plan->n_relay; i++)
		place_address(plan, list, n, &plan->relay[i].ip);
	check_discovery(plan);
	note_gateways(plan);
	return 0;
}
