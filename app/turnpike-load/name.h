// Transport addresses as the kernel's calls of sockets have them.
#ifndef NAME_H
#define NAME_H

#include "base/base.h"

#include <netinet/in.h>
#include <sys/socket.h>

union name {
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static inline int name_family(const struct ip_addr *ip)
{
	return ip->family == FAMILY_IPV4 ? AF_INET : AF_INET6;
}

// Returns how many bytes of it count.
static inline socklen_t name_store(union name *out, const struct endpoint *endpoint)
{
	if (endpoint->ip.family == FAMILY_IPV4) {
		out->ipv4 = (struct sockaddr_in){
			.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
		memcpy(&out->ipv4.sin_addr, endpoint->ip.bytes, IPV4_BYTES);
		return sizeof(out->ipv4);
	}
	out->ipv6 =
		(struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(endpoint->port)};
	memcpy(&out->ipv6.sin6_addr, endpoint->ip.bytes, IPV6_BYTES);
	return sizeof(out->ipv6);
}

// Of one of the two families.
static inline struct endpoint name_load(const union name *name)
{
	struct endpoint endpoint = {0};

	if (name->any.sa_family == AF_INET) {
		endpoint.ip.family = FAMILY_IPV4;
		endpoint.port = ntohs(name->ipv4.sin_port);
		memcpy(endpoint.ip.bytes, &name->ipv4.sin_addr, IPV4_BYTES);
	} else {
		endpoint.ip.family = FAMILY_IPV6;
		endpoint.port = ntohs(name->ipv6.sin6_port);
		memcpy(endpoint.ip.bytes, &name->ipv6.sin6_addr, IPV6_BYTES);
	}
	return endpoint;
}

#endif
