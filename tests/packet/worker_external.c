// A relay address behind a 1:1 NAT, and two clients of the box that know each other by what it
// shows.
#include "rig.h"
#include "stun/stun.h"

#include <criterion/criterion.h>

#define EXTERNAL "203.0.113.2"
#define OTHER "198.18.0.2:50002" // another relayed address of this box

static struct rig rig;

static void open_with(const char *external)
{
	rig_open(&rig, &(struct rig_options){.external = external});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, RELAYED_B, CHANNEL);
}

static void close_rig(void)
{
	rig_close(&rig);
}

TestSuite(external, .fini = close_rig);

static void expect_peer_of_data(const char *from, const char *want)
{
	struct endpoint peer;
	struct stun_view view;
	const struct datagram in = {from, RELAYED, .payload = "hello", .n = 5};
	struct passed p;
	char text[ADDR_TEXT_BYTES];

	rig_pass(&rig, &in, &p);
	cr_expect_str_eq(p.to, CLIENT);
	cr_assert_eq(stun_parse(&view, p.datagram.payload, p.datagram.n), 0);
	cr_assert_not_null(stun_find(&view, STUN_ATTR_XOR_PEER_ADDRESS));
	cr_assert_eq(stun_get_xor_address(stun_find(&view, STUN_ATTR_XOR_PEER_ADDRESS),
			     view.transaction_id, &peer),
		0);
	cr_expect_str_eq(endpoint_format(&peer, text), want);
}

static void expect_target_of_send(const char *peer, const char *want)
{
	const struct endpoint endpoint = rig_endpoint(peer);
	uint8_t indication[128];
	struct datagram in = {CLIENT, SERVICE, .payload = indication};
	struct stun_writer w;
	struct passed p;

	stun_writer_init(&w, indication, sizeof(indication), STUN_INDICATION, STUN_SEND,
		(const uint8_t *)"0123456789ab");
	stun_put_xor_address(&w, STUN_ATTR_XOR_PEER_ADDRESS, &endpoint);
	stun_put_bytes(&w, STUN_ATTR_DATA, "hello", 5);
	in.n = stun_writer_end(&w);
	rig_pass(&rig, &in, &p);
	cr_expect_str_eq(p.from, RELAYED);
	cr_expect_str_eq(p.to, want);
	cr_assert_eq(p.datagram.n, 5);
	cr_expect_arr_eq(p.datagram.payload, "hello", 5);
}

Test(external, a_neighbour_on_this_box_appears_as_what_the_nat_shows)
{
	open_with(EXTERNAL ":0");
	expect_peer_of_data(OTHER, EXTERNAL ":50002");
}

Test(external, what_is_sent_to_it_goes_to_the_inside)
{
	open_with(EXTERNAL ":0");
	expect_target_of_send(EXTERNAL ":50002", OTHER);
	expect_target_of_send(OTHER, OTHER);
}

Test(external, without_one_addresses_are_as_they_are)
{
	open_with(NULL);
	expect_peer_of_data(OTHER, OTHER);
	expect_target_of_send(OTHER, OTHER);
}
