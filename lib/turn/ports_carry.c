// Relayed addresses when the configuration changes: what is taken stays taken, wherever it is.
#include "turn/ports.h"

#include "turn/turn.h"

#include <errno.h>
#include <stdlib.h>

static struct endpoint endpoint_at(const struct relay_ports *relay, uint32_t offset)
{
	return (struct endpoint){.ip = relay->ip, .port = (uint16_t)(relay->port_min + offset)};
}

// Where ports that no other relay has lie.
struct left_over {
	uint32_t port_min;
	uint32_t port_max;
	uint32_t n;
};

static void find_left_over(
	struct left_over *out, const struct ports *ports, const struct relay_ports *old)
{
	for (uint32_t i = 0; i < old->n_ports; i++) {
		const struct endpoint endpoint = endpoint_at(old, i);

		if (old->owners[i] == PORT_FREE || ports_contain(ports, &endpoint))
			continue;
		out->port_min = endpoint.port < out->port_min ? endpoint.port : out->port_min;
		out->port_max = endpoint.port > out->port_max ? endpoint.port : out->port_max;
		out->n++;
	}
}

// The first relay of its address stands for all of them.
static bool is_first_of_address(const struct ports *ports, size_t idx)
{
	for (size_t i = 0; i < idx; i++)
		if (ip_equal(&ports->relays[i].ip, &ports->relays[idx].ip))
			return false;
	return true;
}

// One closed relay for what is left over of an address.
static int add_closed(struct ports *ports, const struct ports *old, const struct relay_ports *first)
{
	struct relay_ports *relay = &ports->relays[ports->n_relays];
	struct left_over left = {.port_min = UINT16_MAX};

	for (size_t i = 0; i < old->n_relays; i++)
		if (ip_equal(&old->relays[i].ip, &first->ip))
			find_left_over(&left, ports, &old->relays[i]);
	if (left.n == 0)
		return 0;
	*relay = (struct relay_ports){
		.ip = first->ip,
		.external = first->external,
		.port_min = (uint16_t)left.port_min,
		.closed = true,
		.n_ports = left.port_max - left.port_min + 1,
		.n_taken = left.n,
	};
	relay->owners = calloc(relay->n_ports, sizeof(*relay->owners));
	if (!relay->owners)
		return -ENOMEM;
	ports->n_relays++;
	return 0;
}

static void count(struct ports *ports, uint32_t owner)
{
	ports->n_cooling += owner == PORT_COOLING;
	ports->n_reserved += owner == PORT_RESERVED;
	ports->n_used += owner != PORT_COOLING && owner != PORT_RESERVED;
}

static void take_over(struct ports *ports, const struct relay_ports *old)
{
	for (uint32_t i = 0; i < old->n_ports; i++) {
		const struct endpoint endpoint = endpoint_at(old, i);

		if (old->owners[i] == PORT_FREE)
			continue;
		count(ports, old->owners[i]);
		ports_set_owner(ports, &endpoint, old->owners[i]);
	}
}

int ports_carry(struct ports *ports, const struct ports *old)
{
	const size_t n = ports->n_relays + old->n_relays;
	struct relay_ports *grown = reallocarray(ports->relays, n, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	ports->relays = grown;
	for (size_t i = 0; i < old->n_relays; i++)
		if (is_first_of_address(old, i) && add_closed(ports, old, &old->relays[i]))
			return -ENOMEM;
	for (size_t i = 0; i < old->n_relays; i++)
		take_over(ports, &old->relays[i]);
	return 0;
}

bool ports_trim(struct ports *ports)
{
	const size_t n_before = ports->n_relays;
	size_t n = 0;

	for (size_t i = 0; i < n_before; i++) {
		if (ports->relays[i].closed && ports->relays[i].n_taken == 0)
			free(ports->relays[i].owners);
		else
			ports->relays[n++] = ports->relays[i];
	}
	ports->n_relays = n;
	return n < n_before;
}

static void widen(struct relay_range *range, const struct relay_ports *relay)
{
	const uint16_t last = (uint16_t)(relay->port_min + relay->n_ports - 1);

	if (!ip_equal(&relay->ip, &range->ip))
		return;
	range->port_min = relay->port_min < range->port_min ? relay->port_min : range->port_min;
	range->port_max = last > range->port_max ? last : range->port_max;
}

bool ports_range(const struct ports *ports, size_t idx, struct relay_range *out)
{
	size_t at = 0;

	while (at < ports->n_relays && (!is_first_of_address(ports, at) || idx-- > 0))
		at++;
	if (at == ports->n_relays)
		return false;
	*out = (struct relay_range){
		.ip = ports->relays[at].ip,
		.external = ports->relays[at].external,
		.port_min = UINT16_MAX,
	};
	for (size_t i = 0; i < ports->n_relays; i++)
		widen(out, &ports->relays[i]);
	return true;
}
