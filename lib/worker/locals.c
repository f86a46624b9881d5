// Our own addresses: few, found for every packet that the express lane left.
#include "state.h"

#include <errno.h>

#define LOCALS_MAX (LOCALS_SLOTS * 3 / 4)
#define SERVICES_MAX (SERVICES_SLOTS * 3 / 4)

static unsigned first_slot(const uint8_t *ip, uint8_t family)
{
	uint64_t hash = load_u32(ip);

	static_assert(LOCALS_SLOTS == 1 << 10, "ten bits of the product");
	if (family == FAMILY_IPV6)
		hash = load_u64(ip) * 3 ^ load_u64(ip + 8);
	return (unsigned)(hash * 0x9e3779b97f4a7c15ULL >> 54);
}

static bool is_same(const struct local *local, const uint8_t *ip, uint8_t family)
{
	if (local->family != family)
		return false;
	if (family == FAMILY_IPV4)
		return load_u32(local->ip) == load_u32(ip);
	return ((load_u64(local->ip) ^ load_u64(ip)) |
		       (load_u64(local->ip + 8) ^ load_u64(ip + 8))) == 0;
}

// The slot of an address, or a free one where it would be.
static unsigned slot_of(const struct locals *locals, const uint8_t *ip, uint8_t family)
{
	unsigned slot = first_slot(ip, family);

	while (locals->slots[slot].family && !is_same(&locals->slots[slot], ip, family))
		slot = (slot + 1) % LOCALS_SLOTS;
	return slot;
}

const struct local *locals_find(const struct locals *locals, const uint8_t *ip, uint8_t family)
{
	const struct local *local = &locals->slots[slot_of(locals, ip, family)];

	return local->family ? local : NULL;
}

static struct local *find_or_add(struct locals *locals, const struct ip_addr *address)
{
	const struct ip_addr unspecified = {.family = address->family};
	const unsigned slot = slot_of(locals, address->bytes, address->family);
	struct local *local = &locals->slots[slot];

	if (local->family)
		return local;
	if (family_bytes(address->family) == 0 || ip_equal(address, &unspecified) ||
		locals->n == LOCALS_MAX)
		return NULL;
	locals->n++;
	*local = (struct local){
		.family = address->family, .relay_min = 1, .relay_max = 0, .key = slot << 16};
	memcpy(local->ip, address->bytes, sizeof(local->ip));
	return local;
}

int locals_add_service(struct locals *locals, const struct endpoint *service)
{
	struct local *local = find_or_add(locals, &service->ip);
	uint32_t *slot;

	if (!local || service->port == 0)
		return -EINVAL;
	slot = &locals->services[locals_service_slot(locals, local->key | service->port)];
	if (*slot)
		return 0;
	if (locals->n_services == SERVICES_MAX)
		return -EINVAL;
	locals->n_services++;
	*slot = local->key | service->port;
	return 0;
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
