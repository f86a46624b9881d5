#include "turn/peer.h"

#include "turn/state.h"

#define V4(n, ...)                                                                   \
	{                                                                            \
		.ip = {.family = FAMILY_IPV4, .bytes = {__VA_ARGS__}}, .n_bits = (n) \
	}
#define V6(n, ...)                                                                   \
	{                                                                            \
		.ip = {.family = FAMILY_IPV6, .bytes = {__VA_ARGS__}}, .n_bits = (n) \
	}

static const struct prefix tunnels[] = {
	V6(32, 0x20, 0x01), // Teredo
	V6(16, 0x20, 0x02), // 6to4
};

// Nothing allows these.
static const struct prefix never[] = {
	V4(8, 0),
	V4(8, 127),
	V4(16, 169, 254),
	V4(4, 224),
	V4(32, 255, 255, 255, 255),
	V6(128, 0),
	V6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
	V6(10, 0xfe, 0x80),
	V6(10, 0xfe, 0xc0),
	V6(8, 0xff),
};

static const struct prefix private[] = {
	V4(8, 10),
	V4(12, 172, 16),
	V4(16, 192, 168),
	V4(10, 100, 64),
	V6(7, 0xfc),
};

// Special-purpose ranges (RFC 6890 and later) that the operator's allow list may open.
static const struct prefix special[] = {
	V4(24, 192, 0, 0),
	V4(24, 192, 0, 2),
	V4(24, 192, 88, 99),
	V4(15, 198, 18),
	V4(24, 198, 51, 100),
	V4(24, 203, 0, 113),
	V4(4, 240),
	V6(64, 0x01),
	V6(32, 0x20, 0x01, 0x0d, 0xb8),
	V6(28, 0x20, 0x01, 0x00, 0x10),
	V6(28, 0x20, 0x01, 0x00, 0x20),
	V6(20, 0x3f, 0xff),
	V6(16, 0x5f),
	V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01),
};

// IPv6 prefixes that carry an IPv4 address, and at which byte.
static const struct {
	struct prefix prefix;
	uint8_t offset;
} embeddings[] = {
	{V6(96, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff), 12}, // mapped
	{V6(96, 0), 12}, // compatible
	{V6(96, 0x00, 0x64, 0xff, 0x9b), 12}, // NAT64
	{V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01), 12}, // NAT64, local use
};

static bool any_contains(const struct prefix *prefixes, size_t n, const struct ip_addr *ip)
{
	for (size_t i = 0; i < n; i++) {
		if (prefix_contains(&prefixes[i], ip))
			return true;
	}
	return false;
}

bool peer_ip_is_tunnel(const struct ip_addr *ip)
{
	return any_contains(tunnels, N_ELEMENTS(tunnels), ip);
}

// The IPv4 address inside `ip`, or family none.
static struct ip_addr embedded_ip(const struct ip_addr *ip)
{
	for (size_t i = 0; i < N_ELEMENTS(embeddings); i++) {
		if (prefix_contains(&embeddings[i].prefix, ip))
			return ip_from_bytes(FAMILY_IPV4, ip->bytes + embeddings[i].offset);
	}
	return (struct ip_addr){0};
}

static bool is_routable(const struct turn_peer_policy *policy, const struct ip_addr *ip)
{
	if (any_contains(never, N_ELEMENTS(never), ip) || peer_ip_is_tunnel(ip))
		return false;
	if (any_contains(policy->allow, policy->n_allow, ip))
		return true;
	if (any_contains(policy->deny, policy->n_deny, ip))
		return false;
	if (!policy->allow_private && any_contains(private, N_ELEMENTS(private), ip))
		return false;
	return !any_contains(special, N_ELEMENTS(special), ip);
}

static bool is_service_ip(const struct turn *turn, const struct ip_addr *ip)
{
	for (size_t i = 0; i < turn->n_services; i++) {
		if (ip_equal(&turn->services[i].ip, ip))
			return true;
	}
	return false;
}

// Another allocation of this relay is reached whatever its network is, unless the operator denies
// it.
static bool is_relay_allowed(const struct turn_peer_policy *policy, const struct ip_addr *ip)
{
	return any_contains(policy->allow, policy->n_allow, ip) ||
		!any_contains(policy->deny, policy->n_deny, ip);
}

// On our own addresses only relayed addresses are peers. The form an IPv4 address comes in does not
// matter.
bool peer_ip_is_allowed(
	const struct turn *turn, const struct realm *realm, const struct ip_addr *ip)
{
	const struct turn_peer_policy *policy = &realm->peers;
	const struct ip_addr inner = embedded_ip(ip);
	const struct ip_addr *plain = inner.family == FAMILY_NONE ? ip : &inner;

	if (ip->family == FAMILY_NONE)
		return false;
	if (ports_contain_ip(&turn->ports, plain))
		return is_relay_allowed(policy, plain);
	if (is_service_ip(turn, plain))
		return false;
	return is_routable(policy, ip) && is_routable(policy, plain);
}

bool peer_is_allowed(const struct turn *turn, const struct realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed)
{
	const struct ip_addr inner = embedded_ip(&peer->ip);
	const struct endpoint plain = {
		.ip = inner.family == FAMILY_NONE ? peer->ip : inner,
		.port = peer->port,
	};

	if (ports_contain_ip(&turn->ports, &plain.ip) && !ports_contain(&turn->ports, &plain))
		return false;
	return peer_ip_is_allowed(turn, realm, &peer->ip) && !endpoint_equal(&plain, relayed);
}
