// Our own addresses: few, found for every packet.
#include "state.h"

#include <errno.h>

#define LOCALS_MAX (LOCALS_SLOTS * 3 / 4)

static struct local *find_or_add(struct locals *locals, const struct ip_addr *address)
{
	const uint32_t ip = ip_to_u32_raw(address);
	struct local *local = (struct local *)locals_find(locals, ip);
	unsigned slot = locals_slot(ip);

	if (local || address->family != FAMILY_IPV4 || ip == 0 || locals->n == LOCALS_MAX)
		return local;
	while (locals->slots[slot].ip)
		slot = (slot + 1) % LOCALS_SLOTS;
	locals->n++;
	local = &locals->slots[slot];
	*local = (struct local){.ip = ip, .relay_min = 1, .relay_max = 0};
	return local;
}

int locals_add_service(struct locals *locals, const struct endpoint *service)
{
	struct local *local = find_or_add(locals, &service->ip);

	if (!local || service->port == 0)
		return -EINVAL;
	for (size_t i = 0; i < N_ELEMENTS(local->services); i++) {
		if (local->services[i] == 0 || local->services[i] == service->port) {
			local->services[i] = service->port;
			return 0;
		}
	}
	return -EINVAL;
}

int locals_add_relay(struct locals *locals, const struct relay_range *relay)
{
	struct local *local = find_or_add(locals, &relay->ip);

	if (!local || relay->port_min == 0 || relay->port_min > relay->port_max)
		return -EINVAL;
	local->relay_min = relay->port_min;
	local->relay_max = relay->port_max;
	return 0;
}
