#include "own.h"

#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static int add(struct own *own, const struct ip_addr *ip)
{
	struct ip_range *grown = reallocarray(own->ranges, own->n + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	own->ranges = grown;
	own->ranges[own->n++] = (struct ip_range){*ip, *ip};
	return 0;
}

// The address, and where the network is one of several hosts its first and last: both have been
// broadcast addresses (RFC 1122 §3.3.6).
static int add_network(struct own *own, const struct prefix *address)
{
	const struct ip_range network = range_of_prefix(address);
	int rc = add(own, &address->ip);

	if (rc || address->ip.family != FAMILY_IPV4 || address->n_bits > 30)
		return rc;
	rc = add(own, &network.first);
	return rc ? rc : add(own, &network.last);
}

static bool read_address(struct prefix *out, const struct ifaddrs *from)
{
	const struct sockaddr *address = from->ifa_addr;
	const uint8_t *mask;
	uint8_t n_bits = 0;

	if (address && address->sa_family == AF_INET && from->ifa_netmask) {
		out->ip = ip_from_bytes(FAMILY_IPV4,
			(const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr);
		mask = (const uint8_t *)&((const struct sockaddr_in *)from->ifa_netmask)->sin_addr;
	} else if (address && address->sa_family == AF_INET6 && from->ifa_netmask) {
		out->ip = ip_from_bytes(FAMILY_IPV6,
			(const uint8_t *)&((const struct sockaddr_in6 *)address)->sin6_addr);
		mask = (const uint8_t *)&((const struct sockaddr_in6 *)from->ifa_netmask)
			       ->sin6_addr;
	} else {
		return false;
	}
	while (n_bits < 8 * family_bytes(out->ip.family) && mask[n_bits / 8] & 0x80 >> n_bits % 8)
		n_bits++;
	out->n_bits = n_bits;
	return true;
}

static int add_kernels(struct own *own)
{
	struct ifaddrs *list;
	struct prefix address;
	int rc = 0;

	if (getifaddrs(&list))
		return -errno;
	for (const struct ifaddrs *at = list; at && !rc; at = at->ifa_next)
		if (read_address(&address, at))
			rc = add_network(own, &address);
	freeifaddrs(list);
	return rc;
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct ip_range));
}

static void sort(struct own *own)
{
	size_t n = 0;

	qsort(own->ranges, own->n, sizeof(*own->ranges), compare);
	for (size_t i = 0; i < own->n; i++)
		if (n == 0 || compare(&own->ranges[n - 1], &own->ranges[i]) != 0)
			own->ranges[n++] = own->ranges[i];
	own->n = n;
}

int own_find(struct own *out, const struct conf *conf)
{
	int rc = 0;

	*out = (struct own){0};
	for (size_t i = 0; i < conf->n_ports; i++)
		for (size_t k = 0; k < conf->ports[i].n_addresses && !rc; k++)
			rc = add_network(out, &conf->ports[i].addresses[k]);
	if (conf->has_redis && !conf->redis.path && !rc)
		rc = add(out, &conf->redis.server.ip);
	rc = rc ? rc : add_kernels(out);
	if (rc)
		own_free(out);
	else
		sort(out);
	return rc;
}

// Of the next in either list, where there is one.
static int compare_next(const struct own *before, size_t i, const struct own *now, size_t k)
{
	if (i == before->n || k == now->n)
		return (i == before->n) - (k == now->n);
	return compare(&before->ranges[i], &now->ranges[k]);
}

struct own_change own_compare(const struct own *before, const struct own *now)
{
	struct own_change change = {0, 0};
	size_t i = 0, k = 0;

	while (i < before->n || k < now->n) {
		const int order = compare_next(before, i, now, k);

		change.n_gone += order < 0;
		change.n_new += order > 0;
		i += order <= 0;
		k += order >= 0;
	}
	return change;
}

void own_free(struct own *own)
{
	free(own->ranges);
	*own = (struct own){0};
}
