// Relay addresses that a 1:1 NAT shows as others.
#include "turn/peer.h"
#include "turn/state.h"

#include "turn_rig.h"

#include <criterion/criterion.h>

static struct rig rig;

static void open_rig(void)
{
	static const struct relay_range relay = {
		{FAMILY_IPV4, {192, 0, 2, 15}},
		50000,
		50015,
		{FAMILY_IPV4, {11, 0, 0, 15}},
	};
	struct turn_config config = rig_config();

	config.relays = &relay;
	rig_open(&rig, &config);
	rig_challenge(&rig);
}

static void close_rig(void)
{
	cr_expect_null(turn_check(rig.turn));
	cr_expect(rig_walk_matches(&rig));
	rig_close(&rig);
}

TestSuite(turn_external, .init = open_rig, .fini = close_rig);

static struct endpoint allocate_at(uint16_t port)
{
	rig.client.port = port;
	rig_challenge(&rig);
	cr_assert_eq(rig_allocate(&rig), 0);
	return rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS);
}

Test(turn_external, clients_are_told_the_outer_address_and_workers_the_inner)
{
	const struct endpoint told = allocate_at(7000);
	struct endpoint inner = rig_endpoint("192.0.2.15:1");

	inner.port = told.port;
	cr_expect_eq(told.ip.bytes[0], 11);
	cr_assert_eq(rig.n_entries, 1);
	cr_expect(endpoint_equal(&rig.entries[0].relayed, &inner));
	cr_expect_eq(rig_repeat(&rig), 0);
	cr_expect_eq(rig_address(&rig, STUN_ATTR_XOR_RELAYED_ADDRESS).ip.bytes[0], 11);
}

// Two clients of one box, who know each other only by what they were told.
Test(turn_external, a_peer_at_the_outer_address_is_the_inner_one)
{
	struct endpoint other = allocate_at(7000);
	char text[ADDR_TEXT_BYTES];

	allocate_at(7001);
	cr_assert_eq(rig_permit(&rig, "11.0.0.15"), 0);
	cr_expect_str_eq(rig_effects(&rig), "PERMISSION_ADD/192.0.2.15");
	cr_assert_eq(rig_permit(&rig, "192.0.2.15"), 0);
	cr_expect_eq(rig.effects.n, 0, "the same peer");
	cr_assert_eq(rig_bind(&rig, 0x4000, endpoint_format(&other, text)), 0);
	cr_assert_eq(rig.effects.n, 2);
	cr_expect_eq(rig.items[0].peer.ip.bytes[0], 192);
	cr_expect_eq(rig.items[0].peer.port, other.port);
}

// A NAT that turns back what our relayed addresses send to its outer address.
Test(turn_external, an_allocation_is_not_made_through_another_by_way_of_the_outer_address)
{
	rig.client = allocate_at(7000);
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 403);
	rig.client.port = 49999;
	rig_challenge(&rig);
	cr_expect_eq(rig_allocate(&rig), 0, "that is none of ours");
}

Test(turn_external, only_relayed_ports_of_it_are_peers)
{
	struct endpoint own = allocate_at(7000);
	char text[ADDR_TEXT_BYTES];

	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.15:3478"), 403, "our listener");
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.15:22"), 403);
	cr_expect_eq(rig_bind(&rig, 0x4000, endpoint_format(&own, text)), 403, "itself");
	cr_expect_eq(rig_bind(&rig, 0x4000, "11.0.0.16:22"), 0, "a neighbour of the NAT");
}

// A translator on the way takes IPv6 to the outer address, and the NAT from there to us.
Test(turn_external, the_outer_address_inside_ipv6_is_ours_too)
{
	const struct endpoint own = rig_endpoint("192.0.2.15:50000");
	struct endpoint peer = rig_endpoint("[64:ff9b::11.0.0.15]:3478");

	cr_expect_not(peer_is_allowed(rig.turn, rig.turn->realms[0], &peer, &own), "our listener");
	peer.port = own.port;
	cr_expect_not(peer_is_allowed(rig.turn, rig.turn->realms[0], &peer, &own), "itself");
	peer.port++;
	cr_expect(peer_is_allowed(rig.turn, rig.turn->realms[0], &peer, &own), "another's");
	peer = rig_endpoint("[64:ff9b::11.0.0.16]:22");
	cr_expect(peer_is_allowed(rig.turn, rig.turn->realms[0], &peer, &own), "a neighbour");
}
