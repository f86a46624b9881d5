// Who may be a peer: IPv6, and the forms in which it carries IPv4.
#include "turn/peer.h"
#include "turn/state.h"

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

TestSuite(turn_peer_ipv6, .init = open_rig, .fini = close_rig);

static struct ip_range all_ipv6(void)
{
	struct ip_range range;

	cr_assert_eq(range_parse(&range, "::/0"), 0);
	return range;
}

static bool allows(const char *text)
{
	struct ip_addr ip;

	cr_assert_eq(ip_parse(&ip, text), 0);
	return peer_ip_is_allowed(rig.turn, rig.turn->realms[0], &ip);
}

Test(turn_peer_ipv6, ipv6_ranges)
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

// An address that carries 10.1.2.3, and the same with 11.1.2.3; `nat64` is the operator's prefix.
struct form {
	const char *name;
	const char *nat64;
	const char *private;
	const char *public;
};

static const struct form forms[] = {
	{"mapped", NULL, "::ffff:10.1.2.3", "::ffff:11.1.2.3"},
	{"compatible", NULL, "::10.1.2.3", "::11.1.2.3"},
	{"translated", NULL, "::ffff:0:10.1.2.3", "::ffff:0:11.1.2.3"},
	{"NAT64", NULL, "64:ff9b::10.1.2.3", "64:ff9b::11.1.2.3"},
	{"local NAT64 /48", "64:ff9b:1::/48", "64:ff9b:1:a01:2:300::", "64:ff9b:1:b01:2:300::"},
	{"local NAT64 /56", "64:ff9b:1:100::/56", "64:ff9b:1:10a:1:203::", "64:ff9b:1:10b:1:203::"},
	{"local NAT64 /64", "64:ff9b:1:1::/64", "64:ff9b:1:1:a:102:300:0",
		"64:ff9b:1:1:b:102:300:0"},
	{"local NAT64 /96", "64:ff9b:1::/96", "64:ff9b:1::10.1.2.3", "64:ff9b:1::11.1.2.3"},
	{"own NAT64 /32", "2600:aaaa::/32", "2600:aaaa:a01:203::", "2600:aaaa:b01:203::"},
	{"own NAT64 /40", "2600:aaaa:bb00::/40",
		"2600:aaaa:bb0a:102:3::", "2600:aaaa:bb0b:102:3::"},
	{"own NAT64 /48", "2600:aaaa:bbbb::/48",
		"2600:aaaa:bbbb:a01:2:300::", "2600:aaaa:bbbb:b01:2:300::"},
	{"own NAT64 /56", "2600:aaaa:bbbb:cc00::/56",
		"2600:aaaa:bbbb:cc0a:1:203::", "2600:aaaa:bbbb:cc0b:1:203::"},
	{"own NAT64 /64", "2600:aaaa:bbbb:cccc::/64", "2600:aaaa:bbbb:cccc:a:102:300:0",
		"2600:aaaa:bbbb:cccc:b:102:300:0"},
	{"own NAT64 /96", "2600:aaaa:bbbb:cccc:0:dddd::/96", "2600:aaaa:bbbb:cccc:0:dddd:10.1.2.3",
		"2600:aaaa:bbbb:cccc:0:dddd:11.1.2.3"},
	{"ISATAP", NULL, "2600::5efe:10.1.2.3", "2600::5efe:11.1.2.3"},
	{"ISATAP, universal", NULL, "2600::200:5efe:10.1.2.3", "2600::200:5efe:11.1.2.3"},
	{"4rd", NULL, "2600::300:a01:203:1234", "2600::300:b01:203:1234"},
	// Nobody may use tunnels, whatever they carry.
	{"6to4", NULL, "2002:a01:203::1", NULL},
	{"6to4, public", NULL, "2002:b01:203::1", NULL},
	{"Teredo, the server", NULL, "2001:0:a01:203::", NULL},
	{"Teredo, the client", NULL, "2001:0:b01:203::f5fe:fdfc", NULL},
	{"Teredo, public", NULL, "2001:0:b01:203::f4fe:fdfc", NULL},
};

Test(turn_peer_ipv6, ipv4_inside_is_judged_in_every_form)
{
	// Each of the four bytes counts: no other address of 10.0.0.0/8 is denied.
	const struct ip_range all = all_ipv6();
	const struct ip_range deny = {{FAMILY_IPV4, {10, 1, 2, 3}}, {FAMILY_IPV4, {10, 1, 2, 3}}};

	for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
		struct prefix nat64;

		if (forms[i].nat64)
			cr_assert_eq(prefix_parse(&nat64, forms[i].nat64), 0);
		// Whatever is allowed of the outer address, the inner one decides.
		rig_reopen_for_peers(&rig,
			(struct turn_peer_policy){.allow = &all,
				.n_allow = 1,
				.allow_private = true,
				.deny = &deny,
				.n_deny = 1,
				.nat64 = &nat64,
				.n_nat64 = forms[i].nat64 != NULL});
		cr_expect_not(allows(forms[i].private), "%s", forms[i].name);
		if (forms[i].public)
			cr_expect(allows(forms[i].public), "%s", forms[i].name);
	}
}

Test(turn_peer_ipv6, without_a_list_too)
{
	for (size_t i = 0; i < N_ELEMENTS(forms); i++) {
		if (forms[i].nat64)
			continue;
		cr_expect_not(allows(forms[i].private), "%s", forms[i].name);
		if (forms[i].public)
			cr_expect(allows(forms[i].public), "%s", forms[i].name);
	}
}

Test(turn_peer_ipv6, what_is_never_a_peer_is_none_inside)
{
	static const char *const never[] = {
		"0.0.0.0", "127.0.0.1", "169.254.169.254", "224.0.0.1", "255.255.255.255"};
	static const char *const outer[] = {"::ffff:", "::ffff:0:", "64:ff9b::", "2600::5efe:"};
	const struct ip_range all[] = {
		all_ipv6(), {{FAMILY_IPV4, {0}}, {FAMILY_IPV4, {255, 255, 255, 255}}}};
	char text[64];

	rig_reopen_for_peers(&rig, (struct turn_peer_policy){.allow = all, .n_allow = 2});
	for (size_t f = 0; f < N_ELEMENTS(outer); f++) {
		for (size_t i = 0; i < N_ELEMENTS(never); i++) {
			snprintf(text, sizeof(text), "%s%s", outer[f], never[i]);
			cr_expect_not(allows(text), "%s", text);
		}
	}
}

// Nobody has said which prefix of 64:ff9b:1::/48 is translated, so each may be.
Test(turn_peer_ipv6, local_nat64_of_unknown_length_is_judged_in_all)
{
	static const char *const refused[] = {"64:ff9b:1:a0b:b:b0b:b0b:b0b",
		"64:ff9b:1:b0a:b:b0b:b0b:b0b", "64:ff9b:1:b0b:a:b0b:b0b:b0b",
		"64:ff9b:1:b0b:b:b0b:a0b:b0b", "64:ff9b:1::11.1.2.3"};
	const struct ip_range all = all_ipv6();

	rig_reopen_for_peers(&rig, (struct turn_peer_policy){.allow = &all, .n_allow = 1});
	for (size_t i = 0; i < N_ELEMENTS(refused); i++)
		cr_expect_not(allows(refused[i]), "%s", refused[i]);
	cr_expect(allows("64:ff9b:1:b0b:b:b0b:b0b:b0b"));
}

Test(turn_peer_ipv6, a_translator_of_another_length_cannot_be)
{
	const struct prefix nat64 = {{FAMILY_IPV6, {0x26}}, 80};
	struct turn_config config = rig_config();
	struct turn *turn;

	config.realm.peers = (struct turn_peer_policy){.nat64 = &nat64, .n_nat64 = 1};
	cr_expect_neq(turn_create(&turn, &config), 0);
}

Test(turn_peer_ipv6, our_own_addresses_inside_ipv6_are_ours)
{
	const struct endpoint own = rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
	struct endpoint peer = rig_endpoint("[::ffff:192.0.2.15]:3478");

	cr_expect(!peer_is_allowed(rig.turn, rig.turn->realms[0], &peer, &own));
	peer.port = own.port;
	cr_expect(!peer_is_allowed(rig.turn, rig.turn->realms[0], &peer, &own));
	peer.port = own.port == 50000 ? 50001 : 50000;
	cr_expect(peer_is_allowed(rig.turn, rig.turn->realms[0], &peer, &own));
}

Test(turn_peer_ipv6, allowing_all_ipv6_opens_no_tunnel_and_no_hidden_ipv4)
{
	const struct ip_range all = all_ipv6();

	rig_reopen_for_peers(&rig, (struct turn_peer_policy){.allow = &all, .n_allow = 1});
	cr_expect(allows("fc00::1"));
	cr_expect(!allows("2002:0b00:0001::1"));
	cr_expect(!allows("2001::1"));
	cr_expect(!allows("::ffff:10.0.0.1"));
	cr_expect(!allows("64:ff9b:1::10.0.0.1"));
}
