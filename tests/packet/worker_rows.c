// What one packet becomes: rows of {name, packet in, verdict, packet out} through the whole
// worker_poll().
#include "rows.h"

#include <criterion/criterion.h>

#define CHANNEL_DATA(length, text) BYTES("\x40\x01" length text)
// XOR-PEER-ADDRESS of 198.18.0.21:6000.
#define XOR_PEER_21 "\x00\x12\x00\x08\x00\x01\x36\x62\xe7\x00\xa4\x57"
#define SHA1               \
	"\x00\x08\x00\x14" \
	"0123456789abcdefghij"
#define SHA256_16          \
	"\x00\x1c\x00\x10" \
	"0123456789abcdef"
#define FINGERPRINT "\x80\x28\x00\x04\xca\xfe\xca\xfe"

static const struct row rows[] = {
	// Up, ChannelData
	{"channel data reaches the peer from the relayed address",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello")}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"an even length too", {CLIENT, SERVICE, CHANNEL_DATA("\x00\x04", "four")}, SENT, 0,
		{RELAYED, PEER, BYTES("four"), .ttl = 63}},
	{"empty channel data is an empty datagram (RFC 8656 12.6)",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x00", "")}, SENT, 0,
		{RELAYED, PEER, BYTES(""), .ttl = 63}},
	{"what lies behind the data is left out, odd",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello\xaa\xbb\xcc")}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"what lies behind the data is left out, even",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x04", "four\xaa\xbb\xcc")}, SENT, 0,
		{RELAYED, PEER, BYTES("four"), .ttl = 63}},
	{"a checksum of zero stays zero",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .no_checksum = true}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63, .no_checksum = true}},
	{"a wrong checksum stays wrong: nothing is laundered",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .bad_checksum = true}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63, .bad_checksum = true}},
	{"DSCP and ECN are kept", {CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .tos = 0xb9},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63, .tos = 0xb9}},
	{"DF is copied",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .dont_fragment = true}, SENT,
		0, {RELAYED, PEER, BYTES("hello"), .ttl = 63, .dont_fragment = true}},
	{"IP options are left out",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .n_options = 8}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"the hop limit ends at one",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .ttl = 1}, DROPPED,
		DROP_TTL_EXPIRED},
	{"a length beyond the datagram", {CLIENT, SERVICE, CHANNEL_DATA("\x00\x06", "hello")},
		DROPPED, DROP_SHORT_CHANNEL_DATA},
	{"the largest length in a small datagram",
		{CLIENT, SERVICE, CHANNEL_DATA("\xff\xff", "hello")}, DROPPED,
		DROP_SHORT_CHANNEL_DATA},
	{"a channel that is not bound", {CLIENT, SERVICE, BYTES("\x40\x02\x00\x05hello")}, DROPPED,
		DROP_NO_CHANNEL},
	{"another client's channel", {CLIENT_B, SERVICE, CHANNEL_DATA("\x00\x05", "hello")},
		DROPPED, DROP_NO_CHANNEL},
	{"a reserved channel number is never bound",
		{CLIENT, SERVICE, BYTES("\x50\x01\x00\x05hello")}, DROPPED, DROP_NO_CHANNEL},
	{"an empty datagram to the service", {CLIENT, SERVICE, BYTES("")}, DROPPED, DROP_NOT_STUN},
	{"three bytes to the service", {CLIENT, SERVICE, BYTES("\x40\x01\x00")}, DROPPED,
		DROP_NOT_STUN},

	// Up, Send
	{"a Send indication reaches the peer",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER DATA_5, "\x00\x18"))}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"the order of its attributes does not matter",
		{CLIENT, SERVICE, BYTES(SEND(DATA_5 XOR_PEER, "\x00\x18"))}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"its padding may hold anything",
		{CLIENT, SERVICE,
			BYTES(SEND(XOR_PEER "\x00\x13\x00\x05hello\xde\xad\xbf", "\x00\x18"))},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"without a checksum",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER DATA_5, "\x00\x18")), .no_checksum = true},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63, .no_checksum = true}},
	{"empty data", {CLIENT, SERVICE, BYTES(SEND(XOR_PEER "\x00\x13\x00\x00", "\x00\x10"))},
		SENT, 0, {RELAYED, PEER, BYTES(""), .ttl = 63}},
	{"an optional attribute is passed over",
		{CLIENT, SERVICE,
			BYTES(SEND("\x80\x22\x00\x02me\x00\x00" XOR_PEER DATA_5, "\x00\x20"))},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"no permission for that peer",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER_21 DATA_5, "\x00\x18"))}, DROPPED,
		DROP_NO_PERMISSION},
	{"no allocation", {"198.18.0.99:5000", SERVICE, BYTES(SEND(XOR_PEER DATA_5, "\x00\x18"))},
		DROPPED, DROP_NO_ALLOCATION},
	{"no data", {CLIENT, SERVICE, BYTES(SEND(XOR_PEER, "\x00\x0c"))}, DROPPED, DROP_BAD_SEND},
	{"no peer", {CLIENT, SERVICE, BYTES(SEND(DATA_5, "\x00\x0c"))}, DROPPED, DROP_BAD_SEND},
	{"DONT-FRAGMENT sets DF (RFC 8656 14)",
		{CLIENT, SERVICE, BYTES(SEND("\x00\x1a\x00\x00" XOR_PEER DATA_5, "\x00\x1c"))},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63, .dont_fragment = true}},
	{"an attribute that must be understood",
		{CLIENT, SERVICE, BYTES(SEND("\x7f\xfe\x00\x00" XOR_PEER DATA_5, "\x00\x1c"))},
		DROPPED, DROP_BAD_SEND},
	{"a length that lies", {CLIENT, SERVICE, BYTES(SEND(XOR_PEER DATA_5, "\x00\x1c"))}, DROPPED,
		DROP_BAD_STUN},
	{"of two peers and two data the first count (RFC 8489 14)",
		{CLIENT, SERVICE,
			BYTES(SEND(XOR_PEER XOR_PEER_21 DATA_5 "\x00\x13\x00\x02hi\x00\x00",
				"\x00\x2c"))},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"what follows MESSAGE-INTEGRITY is ignored (RFC 8489 14.5)",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER DATA_5 SHA1 "\x7f\xfe\x00\x00", "\x00\x34"))},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"data behind MESSAGE-INTEGRITY are none",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER SHA1 DATA_5, "\x00\x30"))}, DROPPED,
		DROP_BAD_SEND},
	{"what follows MESSAGE-INTEGRITY-SHA256 is ignored (RFC 8489 14.6)",
		{CLIENT, SERVICE,
			BYTES(SEND(XOR_PEER DATA_5 SHA256_16 "\x7f\xfe\x00\x00", "\x00\x30"))},
		SENT, 0, {RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"FINGERPRINT may end it",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER DATA_5 FINGERPRINT, "\x00\x20"))}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}},
	{"nothing follows FINGERPRINT (RFC 8489 14.7)",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER FINGERPRINT DATA_5, "\x00\x20"))}, DROPPED,
		DROP_BAD_STUN},
	{"data that end outside",
		{CLIENT, SERVICE, BYTES(SEND(XOR_PEER "\x00\x13\x00\x09helloyou", "\x00\x18"))},
		DROPPED, DROP_BAD_STUN},
	{"a peer address that is too long",
		{CLIENT, SERVICE,
			BYTES(SEND("\x00\x12\x00\x0c\x00\x01\x36\x62\xe7\x00\xa4\x56more" DATA_5,
				"\x00\x1c"))},
		DROPPED, DROP_BAD_SEND},
	{"a peer address that is too short",
		{CLIENT, SERVICE,
			BYTES(SEND("\x00\x12\x00\x04\x00\x01\x36\x62" DATA_5, "\x00\x14"))},
		DROPPED, DROP_BAD_SEND},
	{"a peer of no family",
		{CLIENT, SERVICE,
			BYTES(SEND("\x00\x12\x00\x08\x00\x03\x36\x62\xe7\x00\xa4\x56" DATA_5,
				"\x00\x18"))},
		DROPPED, DROP_BAD_SEND},

	// Down
	{"a bound peer's datagram is channel data", {PEER, RELAYED, BYTES("world")}, SENT, 0,
		{SERVICE, CLIENT, CHANNEL_DATA("\x00\x05", "world"), .ttl = 63}},
	{"an empty one too", {PEER, RELAYED, BYTES("")}, SENT, 0,
		{SERVICE, CLIENT, CHANNEL_DATA("\x00\x00", ""), .ttl = 63}},
	{"down, a checksum of zero stays zero",
		{PEER, RELAYED, BYTES("world"), .no_checksum = true}, SENT, 0,
		{SERVICE, CLIENT, CHANNEL_DATA("\x00\x05", "world"), .ttl = 63,
			.no_checksum = true}},
	{"down, a wrong checksum stays wrong",
		{PEER, RELAYED, BYTES("world"), .bad_checksum = true}, SENT, 0,
		{SERVICE, CLIENT, CHANNEL_DATA("\x00\x05", "world"), .ttl = 63,
			.bad_checksum = true}},
	{"down, options are left out", {PEER, RELAYED, BYTES("world"), .n_options = 40}, SENT, 0,
		{SERVICE, CLIENT, CHANNEL_DATA("\x00\x05", "world"), .ttl = 63}},
	{"a peer without permission", {"198.18.0.21:6000", RELAYED, BYTES("world")}, DROPPED,
		DROP_NO_PERMISSION},
	{"a relayed port that nobody has", {PEER, "198.18.0.2:51000", BYTES("world")}, DROPPED,
		DROP_NO_PERMISSION},
	{"down, the hop limit", {PEER, RELAYED, BYTES("world"), .ttl = 1}, DROPPED,
		DROP_TTL_EXPIRED},

	// Requests and strangers
	{"an Allocate goes to control",
		{CLIENT, SERVICE, BYTES("\x00\x03\x00\x00" STUN_COOKIE TRANSACTION)}, PUNTED},
	{"a Binding request with credentials goes to control",
		{CLIENT, SERVICE,
			BYTES("\x00\x01\x00\x08" STUN_COOKIE TRANSACTION "\x00\x06\x00\x04user")},
		PUNTED},
	{"a STUN response is nobody's",
		{CLIENT, SERVICE, BYTES("\x01\x01\x00\x00" STUN_COOKIE TRANSACTION)}, DROPPED,
		DROP_UNEXPECTED_STUN},
	{"a Data indication from a client",
		{CLIENT, SERVICE, BYTES("\x00\x17\x00\x00" STUN_COOKIE TRANSACTION)}, DROPPED,
		DROP_UNEXPECTED_STUN},
	{"a wrong cookie is not STUN",
		{CLIENT, SERVICE, BYTES("\x00\x01\x00\x00\x21\x12\xa4\x43" TRANSACTION)}, DROPPED,
		DROP_NOT_STUN},
	{"a Binding request whose length lies",
		{CLIENT, SERVICE, BYTES("\x00\x01\x00\x04" STUN_COOKIE TRANSACTION)}, DROPPED,
		DROP_BAD_STUN},
	{"another port of ours is the kernel's", {CLIENT, "198.18.0.2:53", BYTES("dns")}, MIRRORED},
	{"another address is the kernel's", {CLIENT, "198.18.0.9:3478", BYTES("?")}, MIRRORED},
};

Test(worker, rows_on_an_untagged_port)
{
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		run_row(&rig, &rows[i]);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

// The same rows with an 802.1Q tag in, and one out.
Test(worker, rows_on_a_tagged_port)
{
	struct msg hop = {.kind = MSG_HOP_SET, .hop_idx = 1};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){.vlan = RIG_VLAN});
	hop.hop = (struct flow_hop){.kind = FLOW_HOP_WIRE, .mtu_bytes = 1500, .header_bytes = 18};
	memcpy(hop.hop.header, rig_gateway_mac, 6);
	memcpy(hop.hop.header + 6, rig_port_mac, 6);
	memcpy(hop.hop.header + 12, "\x81\x00\x00\x64\x08\x00", 6);
	rig_send(&rig, hop);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		struct row row = rows[i];

		row.in.vlan = RIG_VLAN;
		row.out.vlan = RIG_VLAN;
		run_row(&rig, &row);
	}
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker, frames_of_another_vlan_are_dropped)
{
	struct row row = {"another tag",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .vlan = 7}, DROPPED,
		DROP_WRONG_VLAN};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){.vlan = RIG_VLAN});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	run_row(&rig, &row);
	row.in.vlan = 0;
	row.name = "no tag";
	run_row(&rig, &row);
	rig_close(&rig);
	rig_open(&rig, &(struct rig_options){0});
	row.in.vlan = RIG_VLAN;
	row.name = "a tag on an untagged port";
	run_row(&rig, &row);
	rig_close(&rig);
}

Test(worker, ways_out_of_the_box)
{
	const struct datagram in = {CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello")};
	struct row row = {"no route", in, DROPPED, DROP_NO_ROUTE};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	run_row(&rig, &row);
	rig_hop(&rig, 1, FLOW_HOP_KERNEL);
	row = (struct row){"a neighbour to be found", in, BY_KERNEL};
	run_row(&rig, &row);
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	row = (struct row){"a neighbour that was found", in, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}};
	run_row(&rig, &row);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

// XOR-PEER-ADDRESS of 198.18.0.20:6001: 0x1771 ^ 0x2112.
Test(worker, unbound_port_of_a_permitted_peer_is_a_data_indication)
{
	static const uint8_t head[] = {0x00, 0x17, 0x00, 0x18, 0x21, 0x12, 0xa4, 0x42};
	static const uint8_t tail[] = "\x00\x12\x00\x08\x00\x01\x36\x63\xe7\x00\xa4\x56" DATA_5;
	const struct datagram in = {"198.18.0.20:6001", RELAYED, BYTES("hello")};
	const struct frame frame = frame_udp(&in);
	struct datagram got[2];
	struct frame out[2];
	struct rig rig;
	char from[64];
	char to[64];

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	for (int i = 0; i < 2; i++) {
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		cr_assert(rig_sent(&rig, &out[i]));
		cr_assert(frame_read(&out[i], &got[i], from, to));
		cr_expect_str_eq(from, SERVICE);
		cr_expect_str_eq(to, CLIENT);
		cr_expect_not(got[i].bad_checksum);
		cr_assert_eq(got[i].n, 20 + sizeof(tail) - 1);
		cr_expect_arr_eq(got[i].payload, head, sizeof(head));
		cr_expect_arr_eq((const uint8_t *)got[i].payload + 20, tail, sizeof(tail) - 1);
	}
	cr_expect(memcmp((const uint8_t *)got[0].payload + 8, (const uint8_t *)got[1].payload + 8,
			  12),
		"two indications share a transaction id");
	rig_close(&rig);
}

// Two clients of one box: up through one allocation, round the loop, down through the other.
Test(worker, clients_of_one_box_reach_each_other)
{
	struct flow_spec up = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(CLIENT),
		.channel = CHANNEL,
		.source = rig_endpoint(RELAYED),
		.target = rig_endpoint(RELAYED_B),
		.hop_idx = FLOW_HOP_LOOP_FIRST,
	};
	struct row row = {"through the loop", {CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello")},
		SENT, 0, {SERVICE, CLIENT_B, BYTES("\x40\x02\x00\x05hello"), .ttl = 62}};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_hop(&rig, FLOW_HOP_LOOP_FIRST, FLOW_HOP_LOOP);
	rig_allocation(&rig, CLIENT_B, RELAYED_B, RELAYED, CHANNEL_B);
	rig_flow(&rig, &up);
	run_row(&rig, &row);
	cr_expect_eq(rig_stats(&rig)->n_looped, 1);
	rig_expect_balance(&rig);
	rig_close(&rig);
}

// A client must not reach the box itself through the loop.
Test(worker, loop_reaches_relayed_addresses_only)
{
	static const char *const targets[] = {SERVICE, "198.18.0.2:22"};
	const struct row row = {"round the loop to a service",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello")}, DROPPED,
		DROP_LOOP_NOT_RELAYED};
	struct flow_spec up = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(CLIENT),
		.channel = CHANNEL,
		.source = rig_endpoint(RELAYED),
		.hop_idx = FLOW_HOP_LOOP_FIRST,
	};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, FLOW_HOP_LOOP_FIRST, FLOW_HOP_LOOP);
	for (size_t i = 0; i < N_ELEMENTS(targets); i++) {
		up.target = rig_endpoint(targets[i]);
		rig_flow(&rig, &up);
		run_row(&rig, &row);
	}
	rig_expect_balance(&rig);
	rig_close(&rig);
}

Test(worker, unfinished_checksums_of_a_kernel_wire_are_finished)
{
	struct row row = {"unfinished",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello"), .unfinished = true}, SENT, 0,
		{RELAYED, PEER, BYTES("hello"), .ttl = 63}};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){.kernel_wire = true});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	run_row(&rig, &row);
	cr_expect_eq(rig_stats(&rig)->n_checksums_finished, 1);
	rig_close(&rig);
}

Test(worker, removed_entry_stops_the_next_packet)
{
	const struct flow_spec spec = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE),
		.remote = rig_endpoint(CLIENT),
		.channel = CHANNEL,
		.source = rig_endpoint(RELAYED),
		.target = rig_endpoint(PEER),
	};
	const struct row row = {"after the removal",
		{CLIENT, SERVICE, CHANNEL_DATA("\x00\x05", "hello")}, DROPPED, DROP_NO_CHANNEL};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	rig_send(&rig, msg_flow_remove(&spec, 0));
	run_row(&rig, &row);
	cr_expect_eq(worker_public(rig.worker)->applied_seq, rig.seq);
	rig_close(&rig);
}

Test(worker, too_big_for_the_way_out_is_dropped)
{
	static uint8_t data[1472];
	const struct row row = {"4 bytes over the MTU, with DF",
		{PEER, RELAYED, .payload = data, .n = sizeof(data), .dont_fragment = true}, DROPPED,
		DROP_TOO_BIG};
	struct rig rig;

	rig_open(&rig, &(struct rig_options){0});
	rig_hop(&rig, 1, FLOW_HOP_WIRE);
	rig_allocation(&rig, CLIENT, RELAYED, PEER, CHANNEL);
	run_row(&rig, &row);
	rig_close(&rig);
}
