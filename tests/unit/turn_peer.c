// Who may be a peer: IPv4, through CreatePermission and ChannelBind.
#include "turn_rig.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct rig rig;

static void open_rig(void)
{
	rig_open_default(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(turn_peer, .init = open_rig, .fini = close_rig);

static struct ip_range range(const char *text)
{
	struct ip_range parsed;

	cr_assert_eq(range_parse(&parsed, text), 0, "%s", text);
	return parsed;
}

static void expect_both(const char *ip, int code)
{
	static uint16_t channel = 0x4000;
	char peer[64];

	snprintf(peer, sizeof(peer), "%s:9", ip);
	cr_expect_eq(rig_permit(&rig, ip), code, "CreatePermission %s", ip);
	cr_expect_eq(rig_bind(&rig, channel++, peer), code, "ChannelBind %s", ip);
}

static const char *const never[] = {"0.0.0.0", "0.0.0.1", "0.255.255.255", "127.0.0.1",
	"127.255.255.255", "169.254.0.0", "169.254.169.254", "224.0.0.1", "239.255.255.255",
	"255.255.255.255"};
static const char *const private[] = {"10.0.0.0", "10.255.255.255", "172.16.0.0", "172.31.255.255",
	"192.168.0.0", "192.168.255.255", "100.64.0.0", "100.127.255.255"};
static const char *const special[] = {"192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.0",
	"198.19.255.255", "198.51.100.1", "203.0.113.1", "240.0.0.0", "255.255.255.254"};
static const char *const public[] = {"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255",
	"100.128.0.0", "126.255.255.255", "128.0.0.0", "169.253.255.255", "169.255.0.0",
	"172.15.255.255", "172.32.0.0", "192.0.1.0", "192.0.3.0", "192.167.255.255", "192.169.0.0",
	"198.17.255.255", "198.20.0.0", "223.255.255.255"};

#define EXPECT_ALL(list, code)                           \
	for (size_t i_ = 0; i_ < N_ELEMENTS(list); i_++) \
	expect_both((list)[i_], code)

Test(turn_peer, public_profile)
{
	EXPECT_ALL(never, 403);
	EXPECT_ALL(private, 403);
	EXPECT_ALL(special, 403);
	EXPECT_ALL(public, 0);
}

Test(turn_peer, lan_profile_opens_the_private_ranges_only)
{
	rig_reopen_for_peers(&rig, (struct turn_peer_policy){.allow_private = true});
	EXPECT_ALL(never, 403);
	EXPECT_ALL(private, 0);
	EXPECT_ALL(special, 403);
}

Test(turn_peer, allow_list_wins_over_all_but_the_hard_refusals)
{
	const struct ip_range all = range("0.0.0.0/0");

	rig_reopen_for_peers(&rig,
		(struct turn_peer_policy){.allow = &all, .n_allow = 1, .deny = &all, .n_deny = 1});
	EXPECT_ALL(never, 403);
	EXPECT_ALL(private, 0);
	EXPECT_ALL(special, 0);
	EXPECT_ALL(public, 0);
}

Test(turn_peer, deny_list_wins_over_the_profile)
{
	const struct ip_range deny[] = {
		range("10.1.0.0/16"), range("11.0.0.1"), range("11.0.0.7-11.0.1.3")};

	rig_reopen_for_peers(
		&rig, (struct turn_peer_policy){.allow_private = true, .deny = deny, .n_deny = 3});
	expect_both("10.1.0.1", 403);
	expect_both("10.2.0.1", 0);
	expect_both("11.0.0.1", 403);
	expect_both("11.0.0.2", 0);
	expect_both("11.0.0.6", 0);
	expect_both("11.0.0.7", 403);
	expect_both("11.0.1.3", 403);
	expect_both("11.0.1.4", 0);
}

Test(turn_peer, other_relayed_addresses_are_allowed_its_own_is_not)
{
	const struct endpoint own = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	char text[ADDR_TEXT_BYTES];

	cr_expect_eq(rig_permit(&rig, "192.0.2.15"), 0);
	for (uint16_t port = 50000; port <= 50015; port++) {
		snprintf(text, sizeof(text), "192.0.2.15:%u", port);
		cr_expect_eq(
			rig_bind(&rig, port - 50000 + 0x4000, text), port == own.port ? 403 : 0);
	}
}

Test(turn_peer, nothing_else_on_our_own_addresses_is_allowed)
{
	const struct ip_range all = range("0.0.0.0/0");

	rig_reopen_for_peers(&rig, (struct turn_peer_policy){.allow = &all, .n_allow = 1});
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:3478"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:22"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:49999"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:50016"), 403);
}

Test(turn_peer, relayed_addresses_can_be_denied)
{
	const struct ip_range ours = range("192.0.2.15");

	rig_reopen_for_peers(&rig, (struct turn_peer_policy){.deny = &ours, .n_deny = 1});
	cr_expect_eq(rig_permit(&rig, "192.0.2.15"), 403);
}

Test(turn_peer, an_address_of_services_alone_is_refused)
{
	const struct ip_range all = range("0.0.0.0/0");
	struct turn_config config = rig_config();

	rig_listen(&config, (const char *const[]){"11.0.0.1:3478", "192.0.2.15:3478", NULL});
	config.realm.peers = (struct turn_peer_policy){.allow = &all, .n_allow = 1};
	rig_close(&rig);
	rig_open(&rig, &config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	expect_both("11.0.0.1", 403);
	expect_both("11.0.0.2", 0);
}

// How often the rule decided; the sum where several have that name.
static uint64_t hits(const char *name, const char *of)
{
	struct turn_peer_rule rule;
	char text[RANGE_TEXT_BYTES];
	uint64_t n = 0;

	for (size_t i = 0; turn_peer_rule_get(rig.turn, 0, i, &rule); i++)
		if (strcmp(rule.name, name) == 0 &&
			(!of || strcmp(range_format(&rule.range, text), of) == 0))
			n += rule.n_hits;
	return n;
}

Test(turn_peer, each_rule_counts_what_it_decided)
{
	const struct ip_range allow = range("10.9.0.0/16");
	const struct ip_range deny[] = {range("11.0.0.1-11.0.0.3"), range("11.0.0.0/8")};

	rig_reopen_for_peers(&rig,
		(struct turn_peer_policy){
			.allow = &allow, .n_allow = 1, .deny = deny, .n_deny = 2});
	rig_permit(&rig, "10.9.0.1");
	rig_bind(&rig, 0x4000, "11.0.0.2:9");
	rig_permit(&rig, "11.0.0.2");
	rig_permit(&rig, "11.0.0.4");
	rig_permit(&rig, "10.8.0.1");
	rig_permit(&rig, "127.0.0.1");
	rig_bind(&rig, 0x4000, "192.0.2.15:22");
	rig_permit(&rig, "12.0.0.1");
	cr_expect_eq(hits("allow", "10.9.0.0/16"), 1);
	cr_expect_eq(hits("deny", "11.0.0.1-11.0.0.3"), 2);
	cr_expect_eq(hits("deny", "11.0.0.0/8"), 1);
	cr_expect_eq(hits("private", "10.0.0.0/8"), 1);
	cr_expect_eq(hits("private", NULL), 1);
	cr_expect_eq(hits("loopback", "127.0.0.0/8"), 1);
	cr_expect_eq(hits("own_port", NULL), 1);
	cr_expect_eq(hits("special", NULL), 0);
}

Test(turn_peer, its_own_relayed_address_has_a_rule)
{
	const struct endpoint own = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	char text[ADDR_TEXT_BYTES];

	cr_expect_eq(rig_bind(&rig, 0x4000, endpoint_format(&own, text)), 403);
	cr_expect_eq(hits("own_relayed_address", NULL), 1);
}

Test(turn_peer, a_dry_run_counts_what_it_would_refuse_and_refuses_nothing)
{
	const struct ip_range allow = range("11.1.0.0/16");
	const struct ip_range dry_run[] = {
		range("11.0.0.0/8"), range("10.0.0.0/8"), range("192.0.2.15")};

	rig_reopen_for_peers(&rig,
		(struct turn_peer_policy){
			.allow = &allow, .n_allow = 1, .dry_run = dry_run, .n_dry_run = 3});
	cr_expect_eq(rig_permit(&rig, "11.0.0.1"), 0);
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.1:9"), 0);
	cr_expect_eq(rig_permit(&rig, "12.0.0.1"), 0);
	cr_expect_eq(hits("dry_run", "11.0.0.0/8"), 2);
	// As a deny rule it would lose against the allow list.
	// What is refused anyway is not its doing.
	cr_expect_eq(rig_permit(&rig, "11.1.0.1"), 0);
	cr_expect_eq(rig_permit(&rig, "10.0.0.1"), 403);
	cr_expect_eq(hits("dry_run", "11.0.0.0/8"), 2);
	cr_expect_eq(hits("dry_run", "10.0.0.0/8"), 0);
	// Relayed addresses can be on it too.
	cr_expect_eq(rig_permit(&rig, "192.0.2.15"), 0);
	cr_expect_eq(hits("dry_run", "192.0.2.15/32"), 1);
}

Test(turn_peer, addresses_of_this_box_are_refused_whatever_is_allowed)
{
	const struct ip_range all = range("0.0.0.0/0");
	const struct ip_range own[] = {range("11.0.0.9"), range("192.0.2.15")};

	rig_reopen_for_peers(&rig,
		(struct turn_peer_policy){.allow = &all, .n_allow = 1, .never = own, .n_never = 2});
	expect_both("11.0.0.9", 403);
	expect_both("11.0.0.8", 0);
	cr_expect_eq(hits("own_address", "11.0.0.9/32"), 2);
	// What is relayed there stays reachable.
	cr_expect_eq(rig_permit(&rig, "192.0.2.15"), 0);
}

// One refused address of several refuses all, and nothing is installed.
Test(turn_peer, a_refused_peer_takes_the_others_with_it)
{
	const struct endpoint good = rig_endpoint("11.0.0.1:9");
	const struct endpoint bad = rig_endpoint("10.0.0.1:9");

	rig_begin(&rig, STUN_CREATE_PERMISSION);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &good);
	stun_put_xor_address(&rig.w, STUN_ATTR_XOR_PEER_ADDRESS, &bad);
	cr_expect_eq(rig_send(&rig), 403);
	cr_expect_eq(rig.effects.n, 0);
	cr_expect_eq(rig_stats(&rig).n_permissions, 0);
}
