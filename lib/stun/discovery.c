// NAT behaviour discovery (RFC 5780): which of our four transport addresses is the other one.
#include "stun.h"

static bool is_on(const struct endpoint *at, const struct ip_addr *ip, uint16_t port)
{
	return at->port == port && ip_equal(&at->ip, ip);
}

bool stun_discovery_other(const struct stun_discovery *discovery, const struct endpoint *service,
	struct endpoint *out)
{
	const struct endpoint *one = &discovery->primary;
	const struct endpoint *two = &discovery->alternate;

	if (two->ip.family == FAMILY_NONE)
		return false;
	if (is_on(service, &one->ip, one->port))
		*out = *two;
	else if (is_on(service, &two->ip, two->port))
		*out = *one;
	else if (is_on(service, &one->ip, two->port))
		*out = (struct endpoint){two->ip, one->port};
	else if (is_on(service, &two->ip, one->port))
		*out = (struct endpoint){one->ip, two->port};
	else
		return false;
	return true;
}

void stun_put_discovery(struct stun_writer *w, const struct endpoint *client,
	const struct endpoint *origin, const struct endpoint *other)
{
	stun_put_address(w, STUN_ATTR_MAPPED_ADDRESS, client);
	stun_put_address(w, STUN_ATTR_RESPONSE_ORIGIN, origin);
	stun_put_address(w, STUN_ATTR_OTHER_ADDRESS, other);
}
