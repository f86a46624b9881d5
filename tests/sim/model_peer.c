// Whom one may talk to, and which rule says so: the first that fits.
#include "model_parts.h"

#include <string.h>

static const char *const names[MODEL_RULES] = {
	[MODEL_OWN_RELAYED] = "own_relayed_address",
	[MODEL_OWN_PORT] = "own_port",
	[MODEL_OWN_ADDRESS] = "own_address",
	[MODEL_THIS_NETWORK] = "this_network",
	[MODEL_LOOPBACK] = "loopback",
	[MODEL_LINK_LOCAL] = "link_local",
	[MODEL_MULTICAST] = "multicast",
	[MODEL_BROADCAST] = "broadcast",
	[MODEL_TUNNEL] = "tunnel",
	[MODEL_ALLOW] = "allow",
	[MODEL_DENY] = "deny",
	[MODEL_SOURCE_ALLOW] = "source_allow",
	[MODEL_SOURCE_DENY] = "source_deny",
	[MODEL_PRIVATE] = "private",
	[MODEL_SPECIAL] = "special",
	[MODEL_DRY_RUN] = "dry_run",
};

const char *model_rule_name(enum model_rule rule)
{
	return names[rule];
}

bool model_rule_allows(enum model_rule rule)
{
	return rule == MODEL_NO_RULE || rule == MODEL_ALLOW || rule == MODEL_SOURCE_ALLOW ||
		rule == MODEL_DRY_RUN;
}

static bool is_relay_ip(const struct model *model, const struct ip_addr *ip)
{
	for (size_t i = 0; i < model->rules.n_relays; i++)
		if (model->known[i] && ip_equal(&model->rules.relays[i].ip, ip))
			return true;
	return false;
}

static bool is_in(const struct ip_range *range, const struct ip_addr *ip)
{
	return range->first.family == ip->family &&
		memcmp(range->first.bytes, ip->bytes, sizeof(ip->bytes)) <= 0 &&
		memcmp(ip->bytes, range->last.bytes, sizeof(ip->bytes)) <= 0;
}

// What nobody can allow. By the first two bytes, here and below, for the few addresses that are
// ever drawn: none of the lists under test.
static enum model_rule never(const struct model *model, const struct ip_addr *ip)
{
	const unsigned a = ip->bytes[0], b = ip->bytes[1];

	for (size_t i = 0; i < N_ELEMENTS(model->rules.services); i++)
		if (ip_equal(&model->rules.services[i].ip, ip))
			return MODEL_OWN_ADDRESS;
	if (ip->family == FAMILY_IPV6) {
		if (a == 0xfe)
			return MODEL_LINK_LOCAL;
		if (a == 0xff)
			return MODEL_MULTICAST;
		if (a == 0) // of those that are drawn, all carry a loopback address or are one
			return MODEL_LOOPBACK;
		return a == 0x20 && (b == 2 || (b == 1 && ip->bytes[2] == 0)) ? MODEL_TUNNEL
									      : MODEL_NO_RULE;
	}
	if (a == 0)
		return MODEL_THIS_NETWORK;
	if (a == 127)
		return MODEL_LOOPBACK;
	if (a == 169 && b == 254)
		return MODEL_LINK_LOCAL;
	if (a >= 224 && a < 240)
		return MODEL_MULTICAST;
	return a == 255 ? MODEL_BROADCAST : MODEL_NO_RULE;
}

// What lists may open.
static enum model_rule by_default(const struct model_realm *realm, const struct ip_addr *ip)
{
	const unsigned a = ip->bytes[0], b = ip->bytes[1];
	const bool private = ip->family == FAMILY_IPV6
		? (a & 0xfe) == 0xfc
		: a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
			(a == 100 && b >= 64 && b < 128);
	const bool special = ip->family == FAMILY_IPV6
		? a == 0x20
		: a >= 240 || (a == 198 && (b == 18 || b == 19 || b == 51)) ||
			(a == 192 && b == 0) || (a == 203 && b == 0);

	if (private)
		return realm->allow_private ? MODEL_NO_RULE : MODEL_PRIVATE;
	return special ? MODEL_SPECIAL : MODEL_NO_RULE;
}

static enum model_rule listed(const struct model_realm *realm, const struct ip_addr *ip)
{
	if (is_in(&realm->allow[0], ip))
		return MODEL_ALLOW;
	if (is_in(&realm->deny[0], ip))
		return MODEL_DENY;
	if (is_in(&realm->allow[1], ip))
		return MODEL_SOURCE_ALLOW;
	return is_in(&realm->deny[1], ip) ? MODEL_SOURCE_DENY : MODEL_NO_RULE;
}

enum model_rule model_rule_of_ip(
	const struct model *model, const struct model_realm *realm, const struct ip_addr *ip)
{
	const bool relay = is_relay_ip(model, ip);
	enum model_rule rule = relay ? MODEL_NO_RULE : never(model, ip);

	rule = rule ? rule : listed(realm, ip);
	if (!rule && !relay)
		rule = by_default(realm, ip);
	return !rule && is_in(&realm->dry_run, ip) ? MODEL_DRY_RUN : rule;
}

enum model_rule model_rule_of_peer(const struct model *model, const struct model_realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed)
{
	if (is_relay_ip(model, &peer->ip) && !model_is_relayed(model, peer))
		return MODEL_OWN_PORT;
	if (endpoint_equal(peer, relayed))
		return MODEL_OWN_RELAYED;
	return model_rule_of_ip(model, realm, &peer->ip);
}
