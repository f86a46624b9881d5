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

enum verdict {
	REFUSED, // whatever the operator says
	DENIED,
	ALLOWED,
	WATCHED, // would be denied
};

static const struct {
	const char *name;
	enum verdict verdict;
	bool listed; // by the operator: holds for relayed addresses too
	bool sourced; // a source said it
} kinds[] = {
	[TURN_PEER_OWN_RELAYED] = {"own_relayed_address", REFUSED},
	[TURN_PEER_OWN_PORT] = {"own_port", REFUSED},
	[TURN_PEER_OWN_ADDRESS] = {"own_address", REFUSED},
	[TURN_PEER_THIS_NETWORK] = {"this_network", REFUSED},
	[TURN_PEER_LOOPBACK] = {"loopback", REFUSED},
	[TURN_PEER_LINK_LOCAL] = {"link_local", REFUSED},
	[TURN_PEER_SITE_LOCAL] = {"site_local", REFUSED},
	[TURN_PEER_MULTICAST] = {"multicast", REFUSED},
	[TURN_PEER_BROADCAST] = {"broadcast", REFUSED},
	[TURN_PEER_UNSPECIFIED] = {"unspecified", REFUSED},
	[TURN_PEER_TUNNEL] = {"tunnel", REFUSED},
	[TURN_PEER_ALLOW] = {"allow", ALLOWED, .listed = true},
	[TURN_PEER_DENY] = {"deny", DENIED, .listed = true},
	[TURN_PEER_SOURCE_ALLOW] = {"source_allow", ALLOWED, .listed = true, .sourced = true},
	[TURN_PEER_SOURCE_DENY] = {"source_deny", DENIED, .listed = true, .sourced = true},
	[TURN_PEER_PRIVATE] = {"private", DENIED},
	[TURN_PEER_SPECIAL] = {"special", DENIED},
	[TURN_PEER_DRY_RUN] = {"dry_run", WATCHED, .listed = true},
};
static_assert(N_ELEMENTS(kinds) == TURN_PEER_KINDS, "each has its line");

struct built_in {
	enum turn_peer_kind kind;
	struct prefix prefix;
};

// Nothing allows these.
static const struct built_in never[] = {
	{TURN_PEER_THIS_NETWORK, V4(8, 0)}, {TURN_PEER_LOOPBACK, V4(8, 127)},
	{TURN_PEER_LINK_LOCAL, V4(16, 169, 254)}, {TURN_PEER_MULTICAST, V4(4, 224)},
	{TURN_PEER_BROADCAST, V4(32, 255, 255, 255, 255)}, {TURN_PEER_UNSPECIFIED, V6(128, 0)},
	{TURN_PEER_LOOPBACK, V6(128, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)},
	{TURN_PEER_LINK_LOCAL, V6(10, 0xfe, 0x80)}, {TURN_PEER_SITE_LOCAL, V6(10, 0xfe, 0xc0)},
	{TURN_PEER_MULTICAST, V6(8, 0xff)}, {TURN_PEER_TUNNEL, V6(32, 0x20, 0x01)}, // Teredo
	{TURN_PEER_TUNNEL, V6(16, 0x20, 0x02)}, // 6to4
};

static const struct built_in private[] = {
	{TURN_PEER_PRIVATE, V4(8, 10)},
	{TURN_PEER_PRIVATE, V4(12, 172, 16)},
	{TURN_PEER_PRIVATE, V4(16, 192, 168)},
	{TURN_PEER_PRIVATE, V4(10, 100, 64)},
	{TURN_PEER_PRIVATE, V6(7, 0xfc)},
};

// Special-purpose ranges (RFC 6890 and later) that the operator's allow list may open.
static const struct built_in special[] = {
	{TURN_PEER_SPECIAL, V4(24, 192, 0, 0)},
	{TURN_PEER_SPECIAL, V4(24, 192, 0, 2)},
	{TURN_PEER_SPECIAL, V4(24, 192, 88, 99)},
	{TURN_PEER_SPECIAL, V4(15, 198, 18)},
	{TURN_PEER_SPECIAL, V4(24, 198, 51, 100)},
	{TURN_PEER_SPECIAL, V4(24, 203, 0, 113)},
	{TURN_PEER_SPECIAL, V4(4, 240)},
	{TURN_PEER_SPECIAL, V6(64, 0x01)},
	{TURN_PEER_SPECIAL, V6(32, 0x20, 0x01, 0x0d, 0xb8)},
	{TURN_PEER_SPECIAL, V6(28, 0x20, 0x01, 0x00, 0x10)},
	{TURN_PEER_SPECIAL, V6(28, 0x20, 0x01, 0x00, 0x20)},
	{TURN_PEER_SPECIAL, V6(20, 0x3f, 0xff)},
	{TURN_PEER_SPECIAL, V6(16, 0x5f)},
	{TURN_PEER_SPECIAL, V6(48, 0x00, 0x64, 0xff, 0x9b, 0x00, 0x01)},
};

static void add(struct peers *peers, enum turn_peer_kind kind, struct ip_range range)
{
	peers->rules[peers->n_rules++] = (struct peer_rule){.range = range, .kind = (uint8_t)kind};
}

static void add_built_in(struct peers *peers, const struct built_in *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(peers, list[i].kind, range_of_prefix(&list[i].prefix));
}

static void add_list(
	struct peers *peers, enum turn_peer_kind kind, const struct ip_range *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		add(peers, kind, list[i]);
}

// The first two stand at their kinds: find_relay_rule() asks them.
static void add_own(struct peers *peers, const struct turn_config *config)
{
	const struct ip_range none = {0};

	add(peers, TURN_PEER_OWN_RELAYED, none);
	add(peers, TURN_PEER_OWN_PORT, none);
	for (size_t i = 0; i < config->n_services; i++) {
		const struct ip_addr *ip = &config->services[i].ip;

		add(peers, TURN_PEER_OWN_ADDRESS, (struct ip_range){*ip, *ip});
	}
}

int peers_init(struct peers *peers, const struct turn_peer_policy *policy,
	const struct turn_config *config)
{
	const size_t n_rules = TURN_PEER_OWN_PORT + 1 + config->n_services + policy->n_never +
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
	peers->never_at = peers->n_rules;
	peers->n_never = policy->n_never;
	add_list(peers, TURN_PEER_OWN_ADDRESS, policy->never, policy->n_never);
	add_built_in(peers, never, N_ELEMENTS(never));
	add_list(peers, TURN_PEER_ALLOW, policy->allow, policy->n_allow);
	add_list(peers, TURN_PEER_DENY, policy->deny, policy->n_deny);
	peers->n_configured = peers->n_rules;
	if (!policy->allow_private)
		add_built_in(peers, private, N_ELEMENTS(private));
	add_built_in(peers, special, N_ELEMENTS(special));
	add_list(peers, TURN_PEER_DRY_RUN, policy->dry_run, policy->n_dry_run);
	return 0;
}

// By what they say.
static int compare_rules(const struct peer_rule *a, const struct peer_rule *b)
{
	const int order = (a->kind > b->kind) - (a->kind < b->kind);

	return order ? order : memcmp(&a->range, &b->range, sizeof(a->range));
}

// The same rule twice is as in the list: the first of them decides.
static int compare_places(const void *a, const void *b)
{
	const struct peer_rule *const *x = a, *const *y = b;
	const int order = compare_rules(*x, *y);

	return order ? order : (*x > *y) - (*x < *y);
}

static struct peer_rule **sort_rules(const struct peers *peers)
{
	struct peer_rule **sorted = calloc(peers->n_rules, sizeof(struct peer_rule *));

	for (size_t i = 0; sorted && i < peers->n_rules; i++)
		sorted[i] = &peers->rules[i];
	if (sorted)
		qsort(sorted, peers->n_rules, sizeof(struct peer_rule *), compare_places);
	return sorted;
}

int peers_carry_counts(struct peers *peers, const struct peers *old)
{
	struct peer_rule **to = sort_rules(peers);
	struct peer_rule **from = sort_rules(old);
	const int rc = to && from ? 0 : -ENOMEM;
	size_t i = 0, k = 0;

	memcpy(peers->n_hits, old->n_hits, sizeof(peers->n_hits));
	while (!rc && i < peers->n_rules && k < old->n_rules) {
		const int order = compare_rules(to[i], from[k]);

		if (order == 0)
			to[i]->n_hits = from[k]->n_hits;
		i += order <= 0;
		k += order >= 0;
	}
	free(to);
	free(from);
	return rc;
}

// Empty, with room for so many rules. Returns 0; -ENOMEM.
static int begin_rules(struct peers *new, const struct peers *old, size_t n_rules)
{
	*new = *old;
	new->n_rules = 0;
	new->rules = calloc(n_rules, sizeof(*new->rules));
	return new->rules ? 0 : -ENOMEM;
}

static void copy_rules(struct peers *to, const struct peers *from, size_t begin, size_t end)
{
	memcpy(&to->rules[to->n_rules], &from->rules[begin], (end - begin) * sizeof(*to->rules));
	to->n_rules += end - begin;
}

// In the place of those of before, unless there is no memory for it.
static int take_rules(struct peers *peers, struct peers *new)
{
	const int rc = peers_carry_counts(new, peers);

	if (rc) {
		free(new->rules);
		return rc;
	}
	free(peers->rules);
	*peers = *new;
	return 0;
}

int peers_update(struct peers *peers, const struct turn_realm_update *update)
{
	struct peers new;
	int rc = begin_rules(&new, peers, peers->n_rules + update->n_allow + update->n_deny);

	if (rc)
		return rc;
	copy_rules(&new, peers, 0, peers->n_configured);
	add_list(&new, TURN_PEER_SOURCE_ALLOW, update->allow, update->n_allow);
	add_list(&new, TURN_PEER_SOURCE_DENY, update->deny, update->n_deny);
	for (size_t i = peers->n_configured; i < peers->n_rules; i++)
		if (!kinds[peers->rules[i].kind].sourced)
			new.rules[new.n_rules++] = peers->rules[i];
	return take_rules(peers, &new);
}

int peers_set_never(struct peers *peers, const struct ip_range *list, size_t n)
{
	const size_t end = peers->never_at + peers->n_never;
	struct peers new;
	int rc = begin_rules(&new, peers, peers->n_rules - peers->n_never + n);

	if (rc)
		return rc;
	copy_rules(&new, peers, 0, peers->never_at);
	add_list(&new, TURN_PEER_OWN_ADDRESS, list, n);
	copy_rules(&new, peers, end, peers->n_rules);
	new.n_never = n;
	new.n_configured = peers->n_configured - peers->n_never + n;
	return take_rules(peers, &new);
}

static size_t collect(struct ip_range *out, const struct peers *peers, enum turn_peer_kind kind)
{
	size_t n = 0;

	for (size_t i = 0; i < peers->n_rules; i++)
		if (peers->rules[i].kind == kind)
			out[n++] = peers->rules[i].range;
	return n;
}

int peers_carry_source(struct peers *peers, const struct peers *old)
{
	struct ip_range *ranges = calloc(old->n_rules, sizeof(*ranges));
	struct turn_realm_update update = {.allow = ranges};
	int rc;

	if (!ranges)
		return -ENOMEM;
	update.n_allow = collect(ranges, old, TURN_PEER_SOURCE_ALLOW);
	update.deny = ranges + update.n_allow;
	update.n_deny = collect(ranges + update.n_allow, old, TURN_PEER_SOURCE_DENY);
	rc = peers_update(peers, &update);
	free(ranges);
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
		if (never[i].kind == TURN_PEER_TUNNEL && prefix_contains(&never[i].prefix, ip))
			return true;
	return false;
}

// The first rule that fits; NULL where none does, and all is well then.
static struct peer_rule *find_rule(
	const struct peers *peers, const struct ip_addr *ip, bool listed_only)
{
	for (size_t i = 0; i < peers->n_rules; i++) {
		struct peer_rule *rule = &peers->rules[i];

		if ((!listed_only || kinds[rule->kind].listed) && range_contains(&rule->range, ip))
			return rule;
	}
	return NULL;
}

// What is asked, and of whom. Port 0: some port.
struct question {
	const struct turn *turn;
	const struct peers *peers;
	uint64_t *n_hits; // of each kind; NULL: it was answered once, and nothing counts
	uint16_t port;
	const struct endpoint *relayed; // who asks; with a port only
};

// On an address of our relays only relayed addresses are peers; these are reached whatever network
// they are in, unless the operator denies it.
static struct peer_rule *find_relay_rule(const struct question *q, const struct ip_addr *ip)
{
	const struct endpoint peer = {*ip, q->port};

	if (q->port && !ports_contain(&q->turn->ports, &peer))
		return &q->peers->rules[TURN_PEER_OWN_PORT];
	if (q->port && endpoint_equal(&peer, q->relayed))
		return &q->peers->rules[TURN_PEER_OWN_RELAYED];
	return find_rule(q->peers, ip, true);
}

static void count(const struct question *q, struct peer_rule *rule)
{
	if (!q->n_hits)
		return;
	rule->n_hits++;
	q->n_hits[rule->kind]++;
}

// One address, as it stands. A rule that only watches is left in `*watched`.
static bool judge(const struct question *q, const struct ip_addr *ip, struct peer_rule **watched)
{
	struct peer_rule *rule = ports_contain_ip(&q->turn->ports, ip)
		? find_relay_rule(q, ip)
		: find_rule(q->peers, ip, false);

	if (!rule)
		return true;
	if (kinds[rule->kind].verdict == WATCHED) {
		*watched = rule;
		return true;
	}
	count(q, rule);
	return kinds[rule->kind].verdict == ALLOWED;
}

// Inner addresses as we know them: translators take packets to the outer one of a 1:1 NAT too.
static bool judge_all(const struct question *q, const struct ip_addr *ip)
{
	const struct peers *peers = q->peers;
	struct ip_addr inner[EMBEDDED_MAX];
	const size_t n_inner = embedded_find(inner, ip, peers->nat64, peers->n_nat64);
	struct peer_rule *watched = NULL;

	if (ip->family == FAMILY_NONE || !judge(q, ip, &watched))
		return false;
	for (size_t i = 0; i < n_inner; i++) {
		const struct ip_addr known = ports_inside(&q->turn->ports, &inner[i]);

		if (!judge(q, &known, &watched))
			return false;
	}
	if (watched)
		count(q, watched);
	return true;
}

bool peer_ip_is_allowed(const struct turn *turn, struct realm *realm, const struct ip_addr *ip)
{
	const struct question question = {turn, &realm->peers, realm->peers.n_hits};

	return judge_all(&question, ip);
}

bool peer_is_allowed(const struct turn *turn, struct realm *realm, const struct endpoint *peer,
	const struct endpoint *relayed)
{
	const struct question question = {
		turn, &realm->peers, realm->peers.n_hits, peer->port, relayed};

	return peer->port != 0 && judge_all(&question, &peer->ip);
}

bool peer_ip_stays_allowed(
	const struct turn *turn, const struct realm *realm, const struct ip_addr *ip)
{
	const struct question question = {turn, &realm->peers};

	return judge_all(&question, ip);
}

bool peer_stays_allowed(const struct turn *turn, const struct realm *realm,
	const struct endpoint *peer, const struct endpoint *relayed)
{
	const struct question question = {turn, &realm->peers, NULL, peer->port, relayed};

	return judge_all(&question, &peer->ip);
}

const char *turn_peer_kind_name(enum turn_peer_kind kind)
{
	return kinds[kind].name;
}

bool turn_peer_kind_refuses(enum turn_peer_kind kind)
{
	return kinds[kind].verdict <= DENIED;
}

bool turn_peer_rule_get(
	const struct turn *turn, size_t realm_idx, size_t idx, struct turn_peer_rule *out)
{
	const struct peer_rule *rule;

	if (realm_idx >= turn->n_realms || idx >= turn->realms[realm_idx]->peers.n_rules)
		return false;
	rule = &turn->realms[realm_idx]->peers.rules[idx];
	*out = (struct turn_peer_rule){
		.name = kinds[rule->kind].name,
		.range = rule->range,
		.refuses = turn_peer_kind_refuses(rule->kind),
		.n_hits = rule->n_hits,
	};
	return true;
}
