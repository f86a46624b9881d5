#include "rules.h"

#include <errno.h>

#define IPV6_MTU_MIN 1280

static const struct place auth = {NULL, "auth", 0};
static const struct place limits = {NULL, "limits", 0};

static int fail_taken(struct source *source, const struct place *mine, const char *value,
	const struct place *first)
{
	char text[PLACE_TEXT_BYTES];

	return source_fail(source, mine, value, "is taken by %s; allowed: a different one",
		place_format(first, text));
}

// The first place that gives `ip` to a port: `port`, and `address` in it. False where none does.
static bool find_address(const struct conf *conf, const struct ip_addr *ip, struct place *port,
	struct place *address)
{
	for (size_t i = 0; i < conf->n_ports; i++) {
		for (size_t k = 0; k < conf->ports[i].n_addresses; k++) {
			if (!ip_equal(&conf->ports[i].addresses[k].ip, ip))
				continue;
			*port = (struct place){NULL, "ports", i + 1};
			*address = (struct place){port, "addresses", k + 1};
			return true;
		}
	}
	return false;
}

static int check_addresses_unique(const struct conf *conf, struct source *source, size_t port_idx)
{
	const struct conf_port *port = &conf->ports[port_idx];
	const struct place here = {NULL, "ports", port_idx + 1};

	for (size_t i = 0; i < port->n_addresses; i++) {
		const struct place mine = {&here, "addresses", i + 1};
		struct place there;
		struct place first;
		char text[ADDR_TEXT_BYTES];

		if (find_address(conf, &port->addresses[i].ip, &there, &first) &&
			(there.nth != here.nth || first.nth != mine.nth))
			return fail_taken(
				source, &mine, ip_format(&port->addresses[i].ip, text), &first);
	}
	return 0;
}

static bool is_interface(const struct conf_port *port)
{
	return port->kind == CONF_AF_PACKET || port->kind == CONF_AF_XDP;
}

static int check_two_ports(const struct conf *conf, struct source *source, size_t i, size_t i0)
{
	const struct conf_port *port = &conf->ports[i];
	const struct conf_port *earlier = &conf->ports[i0];
	const struct place here = {NULL, "ports", i + 1};
	const struct place there = {NULL, "ports", i0 + 1};

	if (strcmp(port->name, earlier->name) == 0)
		return fail_taken(source, &(struct place){&here, "name", 0}, port->name,
			&(struct place){&there, "name", 0});
	if (strcmp(port->target, earlier->target) == 0)
		return fail_taken(source, &(struct place){&here, "device", 0}, port->target,
			&(struct place){&there, "device", 0});
	if (strcmp(port->mirror, earlier->mirror) == 0)
		return fail_taken(source, &(struct place){&here, "mirror", 0}, port->mirror,
			&(struct place){&there, "mirror", 0});
	return 0;
}

// A mirror is created; it can't have the name of an interface that is there already.
static int check_mirror(const struct conf *conf, struct source *source, size_t i)
{
	const struct place here = {NULL, "ports", i + 1};
	const struct place mirror = {&here, "mirror", 0};

	for (size_t k = 0; k < conf->n_ports; k++) {
		const struct place there = {NULL, "ports", k + 1};
		const struct place device = {&there, "device", 0};

		if (is_interface(&conf->ports[k]) &&
			strcmp(conf->ports[i].mirror, conf->ports[k].target) == 0)
			return fail_taken(source, &mirror, conf->ports[i].mirror, &device);
	}
	return 0;
}

// The kernel has no IPv6 on a link that carries less (RFC 8200 §5).
static int check_mtu(const struct conf *conf, struct source *source, size_t port_idx)
{
	const struct conf_port *port = &conf->ports[port_idx];
	const struct place here = {NULL, "ports", port_idx + 1};
	const struct place mtu = {&here, "mtu", 0};

	for (size_t i = 0; i < port->n_addresses; i++) {
		if (port->addresses[i].ip.family == FAMILY_IPV6 && port->mtu_bytes < IPV6_MTU_MIN)
			return source_fail(source, &mtu, NULL,
				"%u is too little for the IPv6 address of this port; allowed: "
				"%d..9000",
				port->mtu_bytes, IPV6_MTU_MIN);
	}
	return 0;
}

// The kernel takes no gateway that is not next to the port. Every link has fe80::/64.
static int check_routes(const struct conf *conf, struct source *source, size_t port_idx)
{
	static const struct prefix link_local = {{FAMILY_IPV6, {0xfe, 0x80}}, 64};
	const struct conf_port *port = &conf->ports[port_idx];
	const struct place here = {NULL, "ports", port_idx + 1};

	for (size_t i = 0; i < port->n_routes; i++) {
		const struct place route = {&here, "routes", i + 1};
		const struct place via = {&route, "via", 0};
		const struct ip_addr *gateway = &port->routes[i].via;
		char text[ADDR_TEXT_BYTES];
		bool near = prefix_contains(&link_local, gateway);
		bool own = false;

		for (size_t k = 0; k < port->n_addresses; k++) {
			near = near || prefix_contains(&port->addresses[k], gateway);
			own = own || ip_equal(&port->addresses[k].ip, gateway);
		}
		if (!near || own)
			return source_fail(source, &via, ip_format(gateway, text),
				"%s; allowed: a neighbour's address in this port's networks",
				own ? "is this port itself" : "is in no network of this port");
	}
	return 0;
}

static int check_ports(const struct conf *conf, struct source *source)
{
	for (size_t i = 0; i < conf->n_ports; i++) {
		for (size_t i0 = 0; i0 < i; i0++) {
			if (check_two_ports(conf, source, i, i0) < 0)
				return -EINVAL;
		}
		if (check_mirror(conf, source, i) < 0 ||
			check_addresses_unique(conf, source, i) < 0 ||
			check_mtu(conf, source, i) < 0 || check_routes(conf, source, i) < 0)
			return -EINVAL;
	}
	return 0;
}

static int check_is_ours(const struct conf *conf, struct source *source, const struct place *place,
	const struct ip_addr *ip)
{
	struct place port;
	struct place address;
	char text[ADDR_TEXT_BYTES];

	if (find_address(conf, ip, &port, &address))
		return 0;
	return source_fail(source, place, ip_format(ip, text),
		"is no port's address; allowed: one of the addresses under ports");
}

// One address is one relay's, inside as outside.
static int check_external(const struct conf *conf, struct source *source, size_t idx)
{
	const struct ip_addr *external = &conf->relay[idx].external;
	const struct place here = {NULL, "relay", idx + 1};
	const struct place mine = {&here, "external", 0};
	struct place port;
	struct place address;
	char text[ADDR_TEXT_BYTES];

	if (external->family == FAMILY_NONE)
		return 0;
	ip_format(external, text);
	if (external->family != conf->relay[idx].ip.family)
		return source_fail(source, &mine, text,
			"is of another family than the address; allowed: one of the same");
	if (find_address(conf, external, &port, &address))
		return fail_taken(source, &mine, text, &address);
	for (size_t i = 0; i < idx; i++) {
		const struct place there = {NULL, "relay", i + 1};

		if (ip_equal(&conf->relay[i].external, external))
			return fail_taken(
				source, &mine, text, &(struct place){&there, "external", 0});
	}
	return 0;
}

static int check_relay(const struct conf *conf, struct source *source)
{
	for (size_t i = 0; i < conf->n_relay; i++) {
		const struct place here = {NULL, "relay", i + 1};
		const struct place address = {&here, "address", 0};
		char text[ADDR_TEXT_BYTES];

		if (check_is_ours(conf, source, &address, &conf->relay[i].ip) < 0 ||
			check_external(conf, source, i) < 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++) {
			const struct place there = {NULL, "relay", k + 1};
			const struct place first = {&there, "address", 0};

			if (ip_equal(&conf->relay[i].ip, &conf->relay[k].ip))
				return fail_taken(source, &address,
					ip_format(&conf->relay[i].ip, text), &first);
		}
	}
	return 0;
}

// A relayed address that is also a service would be two things to one packet.
static int check_outside_relay(const struct conf *conf, struct source *source,
	const struct place *place, const struct endpoint *listen)
{
	for (size_t i = 0; i < conf->n_relay; i++) {
		const struct relay_range *relay = &conf->relay[i];
		char text[ADDR_TEXT_BYTES];

		if (ip_equal(&listen->ip, &relay->ip) && listen->port >= relay->port_min &&
			listen->port <= relay->port_max)
			return source_fail(source, place, endpoint_format(listen, text),
				"is within the ports of relay[%zu]; allowed: a port outside %u-%u",
				i, relay->port_min, relay->port_max);
	}
	return 0;
}

// Where conf->listen[listen_idx] was written: in `listen`, or in one of the realms, which is `*in`.
static struct place listen_place(const struct conf *conf, size_t listen_idx, struct place *in)
{
	size_t first = conf->n_listen;
	size_t i = conf->n_realms;

	while (i > 1 && listen_idx < first)
		first -= conf->realms[--i].n_listen;
	if (listen_idx < first)
		return (struct place){NULL, "listen", listen_idx + 1};
	*in = (struct place){NULL, "realms", i};
	return (struct place){in, "listen", listen_idx - first + 1};
}

static int check_listen(const struct conf *conf, struct source *source)
{
	for (size_t i = 0; i < conf->n_listen; i++) {
		struct place in;
		const struct place here = listen_place(conf, i, &in);
		char text[ADDR_TEXT_BYTES];

		if (check_is_ours(conf, source, &here, &conf->listen[i].ip) < 0)
			return -EINVAL;
		for (size_t k = 0; k < i; k++) {
			struct place there_in;
			const struct place there = listen_place(conf, k, &there_in);

			if (endpoint_equal(&conf->listen[i], &conf->listen[k]))
				return fail_taken(source, &here,
					endpoint_format(&conf->listen[i], text), &there);
		}
		if (check_outside_relay(conf, source, &here, &conf->listen[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

static size_t port_idx_of(const struct conf *conf, const struct ip_addr *ip)
{
	struct place port = {0};
	struct place address;

	return find_address(conf, ip, &port, &address) ? port.nth : 0;
}

// RFC 5780 §6: both ports on both addresses. One port carries them, so that answers leave as
// requests came.
static int check_discovery(const struct conf *conf, struct source *source)
{
	const struct place stun = {NULL, "stun", 0};
	const struct place here = {&stun, "alternate-address", 0};
	const struct endpoint *primary = &conf->listen[0];
	const struct endpoint *alternate = &conf->discovery_alternate;
	const struct endpoint pairs[] = {
		{primary->ip, alternate->port}, {alternate->ip, primary->port}, *alternate};
	char text[ADDR_TEXT_BYTES];

	if (alternate->ip.family == FAMILY_NONE)
		return 0;
	endpoint_format(alternate, text);
	if (check_is_ours(conf, source, &here, &alternate->ip) < 0)
		return -EINVAL;
	if (primary->ip.family != alternate->ip.family)
		return source_fail(source, &here, text,
			"is of another family than listen[0]; allowed: an address of the same one");
	if (ip_equal(&primary->ip, &alternate->ip) || primary->port == alternate->port)
		return source_fail(source, &here, text,
			"has the address or the port of listen[0]; allowed: both others");
	if (port_idx_of(conf, &primary->ip) != port_idx_of(conf, &alternate->ip))
		return source_fail(source, &here, text,
			"is on another port than listen[0]; allowed: an address of the same one");
	for (size_t i = 0; i < N_ELEMENTS(pairs); i++) {
		if (check_outside_relay(conf, source, &here, &pairs[i]) < 0)
			return -EINVAL;
	}
	return 0;
}

static struct place realm_place(size_t realm_idx)
{
	return realm_idx == 0 ? auth : (struct place){NULL, "realms", realm_idx};
}

static int check_users(const struct conf *conf, const struct conf_realm *realm,
	struct source *source, const struct place *in)
{
	if (realm->n_users == 0 && realm->n_rest_secrets + realm->n_rest_secrets_sha256 == 0 &&
		!realm->uses_redis && conf->n_token_keys == 0)
		return source_fail(source, in, NULL,
			"nobody could log in; allowed: at least one of users, rest-secrets and "
			"redis: on");
	for (size_t i = 0; i < realm->n_users; i++) {
		const struct place here = {in, "users", i + 1};
		const struct place name = {&here, "name", 0};

		for (size_t k = 0; k < i; k++) {
			const struct place there = {in, "users", k + 1};

			if (strcmp(realm->users[i].name, realm->users[k].name) == 0)
				return fail_taken(source, &name, realm->users[i].name,
					&(struct place){&there, "name", 0});
		}
	}
	return 0;
}

static int check_realms(const struct conf *conf, struct source *source)
{
	for (size_t i = 0; i < conf->n_realms; i++) {
		const struct place here = realm_place(i);
		const struct place name = {&here, "name", 0};

		for (size_t k = 0; k < i; k++) {
			const struct place there = realm_place(k);

			if (strcmp(conf->realms[i].name, conf->realms[k].name) == 0)
				return fail_taken(source, &name, conf->realms[i].name,
					&(struct place){&there, k == 0 ? "realm" : "name", 0});
		}
		if (check_users(conf, &conf->realms[i], source, &here) < 0)
			return -EINVAL;
	}
	return 0;
}

// A kid stands where names stand.
static int check_kid(const struct conf *conf, struct source *source, size_t idx)
{
	const char *kid = conf->token_keys[idx].kid;
	const struct place tokens = {NULL, "tokens", 0};
	const struct place here = {&tokens, "keys", idx + 1};
	const struct place mine = {&here, "kid", 0};

	for (size_t i = 0; i < idx; i++) {
		const struct place there = {&tokens, "keys", i + 1};

		if (strcmp(conf->token_keys[i].kid, kid) == 0)
			return fail_taken(source, &mine, kid, &(struct place){&there, "kid", 0});
	}
	for (size_t i = 0; i < conf->n_realms; i++) {
		for (size_t k = 0; k < conf->realms[i].n_users; k++) {
			const struct place realm = realm_place(i);
			const struct place there = {&realm, "users", k + 1};

			if (strcmp(conf->realms[i].users[k].name, kid) == 0)
				return fail_taken(
					source, &mine, kid, &(struct place){&there, "name", 0});
		}
	}
	return 0;
}

static int check_tokens(const struct conf *conf, struct source *source)
{
	for (size_t i = 0; i < conf->n_token_keys; i++) {
		if (check_kid(conf, source, i) < 0)
			return -EINVAL;
	}
	return 0;
}

// Who asks for it has it, and it is there for somebody.
static int check_redis(const struct conf *conf, struct source *source)
{
	const struct place redis = {NULL, "redis", 0};
	bool is_used = false;

	for (size_t i = 0; i < conf->n_realms; i++) {
		const struct place in = realm_place(i);
		const struct place here = {&in, "redis", 0};

		if (conf->realms[i].uses_redis && !conf->has_redis)
			return source_fail(source, &here, NULL,
				"no redis at the top level says where it is; allowed: off, or "
				"redis: {server: ...}");
		is_used = is_used || conf->realms[i].uses_redis;
	}
	is_used = is_used || conf->records.redis || conf->records.coturn_status;
	if (conf->has_redis && !is_used)
		return source_fail(source, &redis, NULL,
			"nothing uses it; allowed: redis: on in auth or in one of realms, "
			"or records");
	return 0;
}

// Clients would come back for ever.
static int check_alternates(const struct conf *conf, struct source *source)
{
	for (size_t i = 0; i < N_ELEMENTS(conf->alternates); i++) {
		const struct place here = {&limits, "alternate-servers", i + 1};
		char text[ADDR_TEXT_BYTES];

		for (size_t k = 0; k < conf->n_listen; k++) {
			struct place in;
			const struct place there = listen_place(conf, k, &in);

			if (endpoint_equal(&conf->alternates[i], &conf->listen[k]))
				return fail_taken(source, &here,
					endpoint_format(&conf->alternates[i], text), &there);
		}
	}
	return 0;
}

static int check_http(const struct conf *conf, struct source *source)
{
	const struct place http = {NULL, "http", 0};

	for (size_t i = 0; i < conf->http.n_listen; i++) {
		const struct place here = {&http, "listen", i + 1};
		char text[ADDR_TEXT_BYTES];

		for (size_t k = 0; k < i; k++) {
			const struct place there = {&http, "listen", k + 1};

			if (endpoint_equal(&conf->http.listen[i], &conf->http.listen[k]))
				return fail_taken(source, &here,
					endpoint_format(&conf->http.listen[i], text), &there);
		}
	}
	return 0;
}

static int check_limits(const struct conf *conf, struct source *source)
{
	const struct place allocations = {&limits, "allocations", 0};
	const struct place lifetime = {&limits, "lifetime-s", 0};
	const struct place alternate = {&limits, "alternate-servers", 2};
	char text[ADDR_TEXT_BYTES];
	uint32_t n_ports = 0;

	for (size_t i = 0; i < conf->n_relay; i++)
		n_ports += conf->relay[i].port_max - conf->relay[i].port_min + 1U;
	if (conf->n_allocations_max > n_ports)
		return source_fail(source, &allocations, NULL,
			"%u allocations have only %u relay ports; allowed: 1..%u",
			conf->n_allocations_max, n_ports, n_ports);
	if (conf->alternates[0].ip.family != FAMILY_NONE &&
		conf->alternates[0].ip.family == conf->alternates[1].ip.family)
		return source_fail(source, &alternate, endpoint_format(&conf->alternates[1], text),
			"is the second of its family; allowed: one of IPv4 and one of IPv6");
	if (conf->allocation_lifetime_s > conf->allocation_lifetime_max_s)
		return source_fail(source, &lifetime, NULL,
			"%u is above lifetime-max-s, which is %u; allowed: 600..%u",
			conf->allocation_lifetime_s, conf->allocation_lifetime_max_s,
			conf->allocation_lifetime_max_s);
	return 0;
}

int rules_check(const struct conf *conf, struct source *source)
{
	static int (*const checks[])(const struct conf *, struct source *) = {check_ports,
		check_relay, check_listen, check_discovery, check_realms, check_redis, check_tokens,
		check_limits, check_alternates, check_http};

	for (size_t i = 0; i < N_ELEMENTS(checks); i++) {
		if (checks[i](conf, source) < 0)
			return -EINVAL;
	}
	return 0;
}
