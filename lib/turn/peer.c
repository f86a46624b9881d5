#include "turn/peer.h"

#include "turn/embedded.h"
#include "turn/state.h"

#include <errno.h>
#include <stdlib.h>

#define V4(n, ...)                                                                   \
	{                                                                            \
		.ip = {.family = FAMILY_IPV4, .bytes = {__VA_ARGS__}}, .n_bits = (n) \
	}
#define V6(n, ...)                                                                   \
	{                                                                            \
		.ip = {.family = FAMILY_IPV6, .bytes = {__VA_ARGS__}}, .n_bits = (n) \
	}

struct built_in {
	const char *name;
	struct prefix prefix;
};

#define NAME_TUNNEL "tunnel"

// Nothing allows these.
static const struct built_in never[] = {
	{"this_network", V4(8, 0)}, {"loopback", V4(8, 127)}, {"link_local", V4(16, 169, 254)},
	{"multicast", V4(4, 224)}, {"broadcast", V4(32, 255, 255, 255, 255)},
	{"unspecified", V6(128, 0)},
	{"loopback", V6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
	{"link_local", V6(10, 0xfe, 0x80)}, {"site_local", V6(10, 0xfe, 0xc0)},
	{"multicast", V6(8, 0xff)}, {NAME_TUNNEL, V6(32, 0x20, 0x01)}, // Teredo
	{NAME_TUNNEL, V6(16, 0x20, 0x02)}, // 6to4
};

static const struct built_in private[] = {
	{"private", V4(8, 10)},
	{"private", V4(12, 172, 16)},
	{"private", V4(16, 192, 168)},
	{"private", V4(10, 100, 64)},
	{"private", V6(7, 0xfc)},
};

// Special-purpose ranges (RFC 6890 and later) that the operator's allow list may open.
static const struct built_in special[] = {
	{"special", V4(24, 192, 0, 0)},
	{"special", V4(24, 192, 0, 2)},
	{"special", V4(24, 192, 88, 99)},
	{"special", V4(15, 198, 18)},
	{"special", V4(24, 198, 51, 100)},
	{"special", V4(24, 203, 0, 113)},
	{"special", V4(4, 240)},
	{"special", V6(64, 0x01)},
	{"special", V6(32, 0x20, 0x01, 0x0d, 0xb8)},
	{"special", V6(28, 0x20, 0x01, 0x00, 0x10)},
	{"special", V6(28, 0x20, 0x01, 0x00, 0x20)},
	{"special", V6(20, 0x3f, 0xff)},
	{"special", V6(16, 0x5f)},
	{"special", V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01)},
};

// Of our own addresses: the relayed address that asks, and ports that are not relayed.
enum own_rule {
	OWN_RELAYED,
	OWN_PORT,
	OWN_RULES,
};

static const char *const own_names[] = {
	[OWN_RELAYED] = "own_relayed_address",
	[OWN_PORT] = "own_port",
};

static void add(struct peers *peers, const struct peer_rule *rule)
{
	peers->rules[peers->n_rules++] = *rule;
}

static void add_built_in(
	struct peers *peers, const struct built_in *list, size_t n, enum peer_verdict verdict)
{
	for (size_t i = 0; i < n; i++)
		add(peers,
			&(struct peer_rule){
				.range = range_of_prefix(&list[i].prefix),
				.name = list[i].name,
				.verdict = (uint8_t)verdict,
			});
}

static void add_list(struct peers *peers, const struct ip_range *list, size_t n,
	const struct peer_rule *prototype)
{
	struct peer_rule rule = *prototype;

	for (size_t i = 0; i < n; i++) {
		rule.range = list[i];
		add(peers, &rule);
	}
}

static void add_own(struct peers *peers, const struct turn_config *config)
{
	for (size_t i = 0; i < OWN_RULES; i++)
		add(peers, &(struct peer_rule){.name = own_names[i], .verdict = PEER_REFUSED});
	for (size_t i = 0; i < config->n_services; i++) {
		const struct ip_addr *ip = &config->services[i].ip;

		add(peers,
			&(struct peer_rule){.range = {*ip, *ip},
				.name = "own_address",
				.verdict = PEER_REFUSED});
	}
}

int peers_init(struct peers *peers, const struct turn_peer_policy *policy,
	const struct turn_config *config)
{
	const size_t n_rules = OWN_RULES + config->n_services + policy->n_never +
		N_ELEMENTS(never) + policy->n_allow + policy->n_deny + N_ELEMENTS(private) +
		N_ELEMENTS(special) + policy->n_dry_run;

	peers->rules = calloc(n_rules, sizeof(*peers->rules));
	peers->nat64 = calloc(policy->n_nat64 + 1, sizeof(*peers->nat64));
	if (!peers->rules || !peers->nat64)
		return -ENOMEM;
	for (size_t i = 0; i < policy->n_nat64; i++) {
		if (!embedded_nat64_fits(&policy->nat64[i]))
			return -EINVAL;
		peers->nat64[peers->n_nat64++] = policy->nat64[i];
	}
	add_own(peers, config);
	add_list(peers, policy->never, policy->n_never,
		&(struct peer_rule){.name = "own_address", .verdict = PEER_REFUSED});
	add_built_in(peers, never, N_ELEMENTS(never), PEER_REFUSED);
	add_list(peers, policy->allow, policy->n_allow,
		&(struct peer_rule){.name = "allow", .verdict = PEER_ALLOWED, .listed = true});
	add_list(peers, policy->deny, policy->n_deny,
		&(struct peer_rule){.name = "deny", .verdict = PEER_DENIED, .listed = true});
	peers->n_configured = peers->n_rules;
	if (!policy->allow_private)
		add_built_in(peers, private, N_ELEMENTS(private), PEER_DENIED);
	add_built_in(peers, special, N_ELEMENTS(special), PEER_DENIED);
	add_list(peers, policy->dry_run, policy->n_dry_run,
		&(struct peer_rule){.name = "dry_run", .verdict = PEER_WATCHED, .listed = true});
	return 0;
}

int peers_update(struct peers *peers, const struct turn_realm_update *update)
{
	struct peers new = *peers;

	new.n_rules = 0;
	new.rules = calloc(peers->n_rules + update->n_allow + update->n_deny, sizeof(*new.rules));
	if (!new.rules)
		return -ENOMEM;
	for (size_t i = 0; i < peers->n_configured; i++)
		add(&new, &peers->rules[i]);
	add_list(&new, update->allow, update->n_allow,
		&(struct peer_rule){.name = "source_allow",
			.verdict = PEER_ALLOWED,
			.listed = true,
			.sourced = true});
	add_list(&new, update->deny, update->n_deny,
		&(struct peer_rule){.name = "source_deny",
			.verdict = PEER_DENIED,
			.listed = true,
			.sourced = true});
	for (size_t i = peers->n_configured; i < peers->n_rules; i++)
		if (!peers->rules[i].sourced)
			add(&new, &peers->rules[i]);
	free(peers->rules);
	*peers = new;
	return 0;
}

static size_t collect_sourced(
	struct ip_range *out, const struct peers *peers, enum peer_verdict verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < peers->n_rules; i++)
		if (peers->rules[i].sourced && peers->rules[i].verdict == verdict)
			out[n++] = peers->rules[i].range;
	return n;
}

static bool is_same_rule(const struct peer_rule *a, const struct peer_rule *b)
{
	return a->verdict == b->verdict && strcmp(a->name, b->name) == 0 &&
		ip_equal(&a->range.first, &b->range.first) &&
		ip_equal(&a->range.last, &b->range.last);
}

// Most rules stand where they stood, but for those that came or went before them.
static void carry_counts(struct peers *peers, const struct peers *old)
{
	size_t at = 0;

	for (size_t i = 0; i < peers->n_rules; i++) {
		size_t tries = 0;

		for (; tries < old->n_rules; tries++, at++)
			if (is_same_rule(&peers->rules[i], &old->rules[at % old->n_rules]))
				break;
		if (tries < old->n_rules)
			peers->rules[i].n_hits = old->rules[at++ % old->n_rules].n_hits;
	}
}

int peers_carry(struct peers *peers, const struct peers *old)
{
	struct ip_range *ranges = calloc(2 * old->n_rules + 1, sizeof(*ranges));
	struct turn_realm_update update = {.allow = ranges};
	int rc;

	if (!ranges)
		return -ENOMEM;
	update.n_allow = collect_sourced(ranges, old, PEER_ALLOWED);
	update.deny = ranges + update.n_allow;
	update.n_deny = collect_sourced(ranges + update.n_allow, old, PEER_DENIED);
	rc = peers_update(peers, &update);
	free(ranges);
	if (!rc)
		carry_counts(peers, old);
	return rc;
}

void peers_fini(struct peers *peers)
{
	free(peers->rules);
	free(peers->nat64);
}

bool peer_ip_is_tunnel(const struct ip_addr *ip)
{
	for (size_t i = 0; i < N_ELEMENTS(never); i++)
		if (strcmp(never[i].name, NAME_TUNNEL) == 0 &&
			prefix_contains(&never[i].prefix, ip))
			return true;
	return false;
}

// The first rule that fits; NULL where none does, and all is well then.
static struct peer_rule *find_rule(
	const struct peers *peers, const struct ip_addr *ip, bool listed_only)
{
	for (size_t i = 0; i < peers->n_rules; i++) {
		struct peer_rule *rule = &peers->rules[i];

		if ((rule->listed || !listed_only) && range_contains(&rule->range, ip))
			return rule;
	}
	return NULL;
}

// What is asked, and of whom. Port 0: some port.
struct question {
	const struct turn *turn;
	const struct peers *peers;
	uint16_t port;
	const struct endpoint *relayed; // who asks; with a port only
	bool again; // it was answered once: nothing counts
};

// On an address of our relays only relayed addresses are peers; these are reached whatever network
// they are in, unless the operator denies it.
static struct peer_rule *find_relay_rule(const struct question *q, const struct ip_addr *ip)
{
	const struct endpoint peer = {*ip, q->port};

	if (q->port && !ports_contain(&q->turn->ports, &peer))
		return &q->peers->rules[OWN_PORT];
	if (q->port && endpoint_equal(&peer, q->relayed))
		return &q->peers->rules[OWN_RELAYED];
	return find_rule(q->peers, ip, true);
}

// One address, as it stands. A rule that only watches is left in `*watched`.
static bool judge(const struct question *q, const struct ip_addr *ip, struct peer_rule **watched)
{
	struct peer_rule *rule = ports_contain_ip(&q->turn->ports, ip)
		? find_relay_rule(q, ip)
		: find_rule(q->peers, ip, false);

	if (!rule)
		return true;
	if (rule->verdict == PEER_WATCHED) {
		*watched = rule;
		return true;
	}
	rule->n_hits += !q->again;
	return rule->verdict == PEER_ALLOWED;
}

static bool judge_all(const struct question *q, const struct ip_addr *ip)
{
	const struct peers *peers = q->peers;
	struct ip_addr inner[EMBEDDED_MAX];
	const size_t n_inner = embedded_find(inner, ip, peers->nat64, peers->n_nat64);
	struct peer_rule *watched = NULL;

	if (ip->family == FAMILY_NONE || !judge(q, ip, &watched))
		return false;
	for (size_t i = 0; i < n_inner; i++)
		if (!judge(q, &inner[i], &watched))
			return false;
	if (watched)
		watched->n_hits += !q->again;
	return true;
}

bool peer_ip_is_allowed(
	const struct turn *turn, const struct realm *realm, const struct ip_addr *ip)
{
	const struct question question = {.turn = turn, .peers = &realm->peers};

	return judge_all(&question, ip);
}

bool peer_is_allowed(const struct turn *turn, const struct realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed)
{
	const struct question question = {turn, &realm->peers, peer->port, relayed, false};

	return peer->port != 0 && judge_all(&question, &peer->ip);
}

bool peer_ip_stays_allowed(
	const struct turn *turn, const struct realm *realm, const struct ip_addr *ip)
{
	const struct question question = {.turn = turn, .peers = &realm->peers, .again = true};

	return judge_all(&question, ip);
}

bool peer_stays_allowed(const struct turn *turn, const struct realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed)
{
	const struct question question = {turn, &realm->peers, peer->port, relayed, true};

	return judge_all(&question, &peer->ip);
}

bool turn_peer_rule_get(
	const struct turn *turn, size_t realm_idx, size_t idx, struct turn_peer_rule *out)
{
	const struct peers *peers;

	if (realm_idx >= turn->n_realms || idx >= turn->realms[realm_idx]->peers.n_rules)
		return false;
	peers = &turn->realms[realm_idx]->peers;
	*out = (struct turn_peer_rule){
		.name = peers->rules[idx].name,
		.range = peers->rules[idx].range,
		.refuses = peers->rules[idx].verdict <= PEER_DENIED,
		.n_hits = peers->rules[idx].n_hits,
	};
	return true;
}
