// Who may be a peer. IPv4 through CreatePermission and ChannelBind; IPv6, which no relay has yet,
// at the function that decides.
#include "turn/peer.h"
#include "turn/realm.h"

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

static void reopen(struct turn_peer_policy policy)
{
	struct turn_config config = rig_config();

	config.realm.peers = policy;
	rig_close(&rig);
	rig_open(&rig, &config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
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
	reopen((struct turn_peer_policy){.allow_private = true});
	EXPECT_ALL(never, 403);
	EXPECT_ALL(private, 0);
	EXPECT_ALL(special, 403);
}

Test(turn_peer, allow_list_wins_over_all_but_the_hard_refusals)
{
	const struct prefix all = {{FAMILY_IPV4, {0}}, 0};

	reopen((struct turn_peer_policy){.allow = &all, .n_allow = 1, .deny = &all, .n_deny = 1});
	EXPECT_ALL(never, 403);
	EXPECT_ALL(private, 0);
	EXPECT_ALL(special, 0);
	EXPECT_ALL(public, 0);
}

Test(turn_peer, deny_list_wins_over_the_profile)
{
	const struct prefix deny[] = {
		{{FAMILY_IPV4, {10, 1}}, 16}, {{FAMILY_IPV4, {11, 0, 0, 1}}, 32}};

	reopen((struct turn_peer_policy){.allow_private = true, .deny = deny, .n_deny = 2});
	expect_both("10.1.0.1", 403);
	expect_both("10.2.0.1", 0);
	expect_both("11.0.0.1", 403);
	expect_both("11.0.0.2", 0);
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
	const struct prefix all = {{FAMILY_IPV4, {0}}, 0};

	reopen((struct turn_peer_policy){.allow = &all, .n_allow = 1});
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:3478"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:22"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:49999"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, "192.0.2.15:50016"), 403);
}

Test(turn_peer, relayed_addresses_can_be_denied)
{
	const struct prefix ours = {{FAMILY_IPV4, {192, 0, 2, 15}}, 32};

	reopen((struct turn_peer_policy){.deny = &ours, .n_deny = 1});
	cr_expect_eq(rig_permit(&rig, "192.0.2.15"), 403);
}

Test(turn_peer, an_address_of_services_alone_is_refused)
{
	const struct prefix all = {{FAMILY_IPV4, {0}}, 0};
	const struct endpoint service = rig_endpoint("11.0.0.1:3478");
	struct turn_config config = rig_config();

	config.services = &service;
	config.realm.peers = (struct turn_peer_policy){.allow = &all, .n_allow = 1};
	rig_close(&rig);
	rig_open(&rig, &config);
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	expect_both("11.0.0.1", 403);
	expect_both("11.0.0.2", 0);
}

static bool allows(const char *text)
{
	struct ip_addr ip;

	cr_assert_eq(ip_parse(&ip, text), 0);
	return peer_ip_is_allowed(rig.turn, realm_of(rig.turn, &rig.service), &ip);
}

Test(turn_peer, ipv6_ranges)
{
	static const char *const refused[] = {"::", "::1", "fe80::1", "febf::1", "fec0::1",
		"feff::1", "ff02::1", "fc00::1", "fdff::1", "100::1", "2001:db8::1", "2001:10::1",
		"2001:2f::1", "3fff:0fff::1", "5f00::1", "64:ff9b:1::11.0.0.1", "2001::1",
		"2001:0:ffff::1", "2002::1", "2002:0b00:0001::1"};
	static const char *const allowed[] = {
		"2600::1", "2001:4860::1", "2001:1::1", "2003::1", "fe00::1", "101::1", "3ffe::1"};

	for (size_t i = 0; i < N_ELEMENTS(refused); i++)
		cr_expect(!allows(refused[i]), "%s", refused[i]);
	for (size_t i = 0; i < N_ELEMENTS(allowed); i++)
		cr_expect(allows(allowed[i]), "%s", allowed[i]);
}

Test(turn_peer, ipv4_inside_ipv6_is_judged_as_ipv4)
{
	static const char *const forms[] = {"::ffff:", "::", "64:ff9b::"};
	char text[64];

	for (size_t f = 0; f < N_ELEMENTS(forms); f++) {
		for (size_t i = 0; i < N_ELEMENTS(never); i++) {
			snprintf(text, sizeof(text), "%s%s", forms[f], never[i]);
			cr_expect(!allows(text), "%s", text);
		}
		for (size_t i = 0; i < N_ELEMENTS(private); i++) {
			snprintf(text, sizeof(text), "%s%s", forms[f], private[i]);
			cr_expect(!allows(text), "%s", text);
		}
		snprintf(text, sizeof(text), "%s11.0.0.1", forms[f]);
		cr_expect(allows(text), "%s", text);
	}
}

Test(turn_peer, our_own_addresses_inside_ipv6_are_ours)
{
	const struct endpoint own = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	struct endpoint peer = rig_endpoint("[::ffff:192.0.2.15]:3478");

	cr_expect(!peer_is_allowed(rig.turn, realm_of(rig.turn, &rig.service), &peer, &own));
	peer.port = own.port;
	cr_expect(!peer_is_allowed(rig.turn, realm_of(rig.turn, &rig.service), &peer, &own));
	peer.port = own.port == 50000 ? 50001 : 50000;
	cr_expect(peer_is_allowed(rig.turn, realm_of(rig.turn, &rig.service), &peer, &own));
}

Test(turn_peer, allowing_all_ipv6_opens_no_tunnel_and_no_hidden_ipv4)
{
	const struct prefix all = {{FAMILY_IPV6, {0}}, 0};

	reopen((struct turn_peer_policy){.allow = &all, .n_allow = 1});
	cr_expect(allows("fc00::1"));
	cr_expect(!allows("2002:0b00:0001::1"));
	cr_expect(!allows("2001::1"));
	cr_expect(!allows("::ffff:10.0.0.1"));
	cr_expect(!allows("64:ff9b:1::10.0.0.1"));
	cr_expect(allows("64:ff9b:1::11.0.0.1"));
}
