// The pairs of families with IPv6 (RFC 8656 §13): what one packet becomes, for a client and a
// relayed address of each, by rows as in worker_rows.c.
#include "rows.h"
#include "stun/stun.h"

#include <criterion/criterion.h>

#define SEND_BYTES BYTES(SEND_HELLO)
#define SEND6_BYTES BYTES(SEND_HELLO6)
#define CHANNEL_BYTES BYTES(HELLO)
#define HELLO_BYTES BYTES("hello")
#define LABEL .has_flow_label = true

static const struct row rows[] = {
	// IPv6 to IPv6, §13.2
	{"6 to 6 up", {CLIENT_66, SERVICE6, CHANNEL_BYTES}, SENT, 0,
		{RELAYED_66, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"6 to 6 down", {PEER6, RELAYED_66, HELLO_BYTES}, SENT, 0,
		{SERVICE6, CLIENT_66, CHANNEL_BYTES, .ttl = 63, LABEL}},
	{"6 to 6 by a Send indication", {CLIENT_66, SERVICE6, SEND6_BYTES}, SENT, 0,
		{RELAYED_66, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"6 to 6 keeps the traffic class", {CLIENT_66, SERVICE6, CHANNEL_BYTES, .tos = 0xb9}, SENT,
		0, {RELAYED_66, PEER6, HELLO_BYTES, .ttl = 63, .tos = 0xb9, LABEL}},
	{"6 to 6 leaves extension headers out",
		{CLIENT_66, SERVICE6, CHANNEL_BYTES, .n_options = 16}, SENT, 0,
		{RELAYED_66, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"6 to 6 leaves what lies behind the data out",
		{CLIENT_66, SERVICE6, BYTES(HELLO "\xaa\xbb\xcc")}, SENT, 0,
		{RELAYED_66, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"6 to 6: a wrong checksum stays wrong",
		{CLIENT_66, SERVICE6, CHANNEL_BYTES, .bad_checksum = true}, SENT, 0,
		{RELAYED_66, PEER6, HELLO_BYTES, .ttl = 63, .bad_checksum = true, LABEL}},
	{"6 to 6: the hop limit ends", {CLIENT_66, SERVICE6, CHANNEL_BYTES, .ttl = 1}, DROPPED,
		DROP_TTL_EXPIRED},
	{"6 without a checksum is no datagram (RFC 8200 8.1)",
		{CLIENT_66, SERVICE6, CHANNEL_BYTES, .no_checksum = true}, DROPPED,
		DROP_BAD_CHECKSUM},
	// IPv4 client, IPv6 peer, §13.1 up and §13.3 down
	{"4 to 6 up", {CLIENT_46, SERVICE, CHANNEL_BYTES}, SENT, 0,
		{RELAYED_46, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"4 to 6 down", {PEER6, RELAYED_46, HELLO_BYTES}, SENT, 0,
		{SERVICE, CLIENT_46, CHANNEL_BYTES, .ttl = 63}},
	{"4 to 6 by a Send indication", {CLIENT_46, SERVICE, SEND6_BYTES}, SENT, 0,
		{RELAYED_46, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"4 to 6 makes TOS the traffic class", {CLIENT_46, SERVICE, CHANNEL_BYTES, .tos = 0xb9},
		SENT, 0, {RELAYED_46, PEER6, HELLO_BYTES, .ttl = 63, .tos = 0xb9, LABEL}},
	{"6 to 4 makes the traffic class TOS", {PEER6, RELAYED_46, HELLO_BYTES, .tos = 0xb9}, SENT,
		0, {SERVICE, CLIENT_46, CHANNEL_BYTES, .ttl = 63, .tos = 0xb9}},
	{"4 to 6 takes the hop limit over", {CLIENT_46, SERVICE, CHANNEL_BYTES, .ttl = 9}, SENT, 0,
		{RELAYED_46, PEER6, HELLO_BYTES, .ttl = 8, LABEL}},
	{"4 to 6 computes the checksum that was not there",
		{CLIENT_46, SERVICE, CHANNEL_BYTES, .no_checksum = true}, SENT, 0,
		{RELAYED_46, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"4 to 6: a wrong checksum stays wrong",
		{CLIENT_46, SERVICE, CHANNEL_BYTES, .bad_checksum = true}, SENT, 0,
		{RELAYED_46, PEER6, HELLO_BYTES, .ttl = 63, .bad_checksum = true, LABEL}},
	{"4 to 6 with options", {CLIENT_46, SERVICE, CHANNEL_BYTES, .n_options = 8}, SENT, 0,
		{RELAYED_46, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	{"a Send indication to the family without a relayed address",
		{CLIENT_46, SERVICE, SEND_BYTES}, DROPPED, DROP_NO_ALLOCATION},
	// IPv6 client, IPv4 peer
	{"6 to 4 up", {CLIENT_64, SERVICE6, CHANNEL_BYTES}, SENT, 0,
		{RELAYED_64, PEER, HELLO_BYTES, .ttl = 63}},
	{"6 to 4 down", {PEER, RELAYED_64, HELLO_BYTES}, SENT, 0,
		{SERVICE6, CLIENT_64, CHANNEL_BYTES, .ttl = 63, LABEL}},
	{"6 to 4 by a Send indication", {CLIENT_64, SERVICE6, SEND_BYTES}, SENT, 0,
		{RELAYED_64, PEER, HELLO_BYTES, .ttl = 63}},
	{"6 to 4 ignores DONT-FRAGMENT (§13)",
		{CLIENT_64, SERVICE6, BYTES(SEND("\x00\x1a\x00\x00" XOR_PEER DATA_5, "\x00\x1c"))},
		SENT, 0, {RELAYED_64, PEER, HELLO_BYTES, .ttl = 63}},
	{"4 to 6 down of a datagram without checksum",
		{PEER, RELAYED_64, HELLO_BYTES, .no_checksum = true}, SENT, 0,
		{SERVICE6, CLIENT_64, CHANNEL_BYTES, .ttl = 63, LABEL}},
	// The other families' addresses and the unknown
	{"6: an unbound channel", {CLIENT_66, SERVICE6, BYTES("\x40\x02\x00\x05hello")}, DROPPED,
		DROP_NO_CHANNEL},
	{"6: a client without an allocation", {CLIENT6, SERVICE6, SEND6_BYTES}, DROPPED,
		DROP_NO_ALLOCATION},
	{"6: a peer without a permission", {"[2001:db8:2::21]:6000", RELAYED_66, HELLO_BYTES},
		DROPPED, DROP_NO_PERMISSION},
	{"6: a request goes to the control core",
		{CLIENT6, SERVICE6, BYTES("\x00\x03\x00\x00" STUN_COOKIE TRANSACTION)}, PUNTED},
	{"6: another port of ours is the kernel's", {CLIENT6, "[2001:db8::2]:53", BYTES("dns")},
		MIRRORED},
	{"6: another address is the kernel's", {CLIENT6, "[2001:db8::3]:3478", BYTES("?")},
		MIRRORED},
	{"a Send indication whose peer has the length of the other family",
		{CLIENT_66, SERVICE6,
			BYTES(SEND("\x00\x12\x00\x08\x00\x02\x36\x62\xe7\x00\xa4\x56" DATA_5,
				"\x00\x18"))},
		DROPPED, DROP_BAD_SEND},
};

static struct rig rig;

static void open_rig(void)
{
	rig_open_families(&rig, &(struct rig_options){0});
}

static void close_rig(void)
{
	rig_expect_balance(&rig);
	rig_close(&rig);
}

TestSuite(families, .init = open_rig, .fini = close_rig);

Test(families, rows)
{
	for (size_t i = 0; i < N_ELEMENTS(rows); i++)
		run_row(&rig, &rows[i]);
}

// The same again while IPv4 flows next to them: neither table hides the other.
Test(families, all_four_in_one_burst)
{
	static const struct datagram in[] = {
		{CLIENT, SERVICE, CHANNEL_BYTES},
		{CLIENT_46, SERVICE, CHANNEL_BYTES},
		{CLIENT_64, SERVICE6, CHANNEL_BYTES},
		{CLIENT_66, SERVICE6, CHANNEL_BYTES},
	};
	static const char *const sources[] = {RELAYED, RELAYED_46, RELAYED_64, RELAYED_66};
	bool seen[N_ELEMENTS(in)] = {false};
	struct datagram got;
	struct frame frame;
	char from[64];
	char to[64];

	for (size_t i = 0; i < N_ELEMENTS(in); i++) {
		frame = frame_udp(&in[i]);
		rig_receive(&rig, &frame);
	}
	worker_poll(rig.worker);
	for (size_t i = 0; i < N_ELEMENTS(in); i++) {
		cr_assert(rig_sent(&rig, &frame));
		cr_assert(frame_read(&frame, &got, from, to));
		for (size_t k = 0; k < N_ELEMENTS(in); k++)
			seen[k] |= strcmp(from, sources[k]) == 0;
	}
	for (size_t i = 0; i < N_ELEMENTS(in); i++)
		cr_expect(seen[i], "nothing from %s", sources[i]);
}

// From a port that has no channel: header, XOR-PEER-ADDRESS of the peer's family, DATA.
static void expect_data_indication(
	const char *peer, const char *relayed, const char *service, const char *client)
{
	const struct datagram in = {peer, relayed, HELLO_BYTES};
	const struct stun_attr *attr;
	struct endpoint named;
	struct stun_view view;
	struct passed out;
	char text[64];

	rig_pass(&rig, &in, &out);
	cr_expect_str_eq(out.from, service);
	cr_expect_str_eq(out.to, client);
	cr_expect_not(out.datagram.no_checksum);
	cr_assert_eq(stun_parse(&view, out.datagram.payload, out.datagram.n), 0);
	cr_expect_eq(view.method, STUN_DATA);
	attr = stun_find(&view, STUN_ATTR_XOR_PEER_ADDRESS);
	cr_assert_not_null(attr);
	cr_assert_eq(stun_get_xor_address(attr, view.transaction_id, &named), 0);
	cr_expect_str_eq(endpoint_format(&named, text), peer);
	attr = stun_find(&view, STUN_ATTR_DATA);
	cr_assert_not_null(attr);
	cr_assert_eq(attr->n_bytes, 5);
	cr_expect_arr_eq(attr->value, "hello", 5);
}

Test(families, unbound_port_of_a_permitted_peer_is_a_data_indication)
{
	expect_data_indication("[2001:db8:2::20]:7000", RELAYED_66, SERVICE6, CLIENT_66);
	expect_data_indication("[2001:db8:2::20]:7000", RELAYED_46, SERVICE, CLIENT_46);
	expect_data_indication("198.18.0.20:7000", RELAYED_64, SERVICE6, CLIENT_64);
}

// RFC 6437 §3: one label a flow, whichever way its packets are asked for.
Test(families, flow_label_belongs_to_the_flow)
{
	static const struct datagram in[] = {
		{CLIENT_66, SERVICE6, CHANNEL_BYTES},
		{CLIENT_66, SERVICE6, SEND6_BYTES},
		{CLIENT_46, SERVICE, CHANNEL_BYTES},
	};
	uint32_t labels[N_ELEMENTS(in)];
	struct passed out;

	for (size_t i = 0; i < N_ELEMENTS(in); i++) {
		rig_pass(&rig, &in[i], &out);
		labels[i] = load_be32(out.frame.bytes + 14) & 0xfffff;
	}
	cr_expect_eq(labels[0], labels[1], "channel and Send indication differ");
	cr_expect_neq(labels[0], labels[2], "two flows share a label");
}

// One client with a relayed address of each family (RFC 8656 §7.2, ADDITIONAL-ADDRESS-FAMILY).
Test(families, two_relayed_addresses_of_one_client)
{
	static const struct row both[] = {
		{"its IPv4 one", {CLIENT6, SERVICE6, SEND_BYTES}, SENT, 0,
			{RELAYED_B, PEER, HELLO_BYTES, .ttl = 63}},
		{"its IPv6 one", {CLIENT6, SERVICE6, SEND6_BYTES}, SENT, 0,
			{RELAYED6, PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
		{"its IPv4 one, down", {PEER, RELAYED_B, HELLO_BYTES}, SENT, 0,
			{SERVICE6, CLIENT6, CHANNEL_BYTES, .ttl = 63, LABEL}},
		{"its IPv6 one, down", {PEER6, RELAYED6, HELLO_BYTES}, SENT, 0,
			{SERVICE6, CLIENT6, BYTES("\x40\x02\x00\x05hello"), .ttl = 63, LABEL}},
		{"an IPv4 client's IPv4 one", {CLIENT, SERVICE, SEND_BYTES}, SENT, 0,
			{RELAYED, PEER, HELLO_BYTES, .ttl = 63}},
		{"an IPv4 client's IPv6 one", {CLIENT, SERVICE, SEND6_BYTES}, SENT, 0,
			{"[2001:db8::2]:50099", PEER6, HELLO_BYTES, .ttl = 63, LABEL}},
	};

	rig_allocation(&rig, CLIENT6, RELAYED_B, PEER, CHANNEL);
	rig_allocation(&rig, CLIENT6, RELAYED6, PEER6, 0x4002);
	rig_allocation(&rig, CLIENT, "[2001:db8::2]:50099", PEER6, 0x4002);
	for (size_t i = 0; i < N_ELEMENTS(both); i++)
		run_row(&rig, &both[i]);
}

// RFC 7915 §5.1: what is larger than IPv6's least MTU must not be fragmented on.
Test(families, df_of_what_was_ipv6_goes_by_its_size)
{
	static uint8_t data[1400];
	struct row row = {"1,260 bytes", {PEER6, RELAYED_46, .payload = data, .n = 1228}, SENT, 0,
		{SERVICE, CLIENT_46, .ttl = 63}};
	static uint8_t out[1404] = {0x40, 0x01};

	for (size_t n = 1228; n <= 1232; n += 4) {
		store_be16(out + 2, (uint16_t)n);
		row.in.n = n;
		row.out.payload = out;
		row.out.n = n + 4;
		row.out.dont_fragment = n > 1228;
		run_row(&rig, &row);
	}
}

Test(families, binding_is_answered_in_place)
{
	const struct datagram in = {
		CLIENT6, SERVICE6, BYTES("\x00\x01\x00\x00" STUN_COOKIE TRANSACTION)};
	const struct stun_attr *attr;
	struct endpoint mapped;
	struct stun_view view;
	struct passed out;
	char text[64];

	rig_pass(&rig, &in, &out);
	cr_expect_str_eq(out.from, SERVICE6);
	cr_expect_str_eq(out.to, CLIENT6);
	cr_assert_eq(stun_parse(&view, out.datagram.payload, out.datagram.n), 0);
	attr = stun_find(&view, STUN_ATTR_XOR_MAPPED_ADDRESS);
	cr_assert_not_null(attr);
	cr_assert_eq(stun_get_xor_address(attr, view.transaction_id, &mapped), 0);
	cr_expect_str_eq(endpoint_format(&mapped, text), CLIENT6);
}

// Two clients of one box over IPv6: up through one allocation, round the loop, down the other.
Test(families, clients_of_one_box_reach_each_other)
{
	static const struct row row = {"through the loop", {CLIENT6, SERVICE6, CHANNEL_BYTES}, SENT,
		0, {SERVICE, CLIENT_46, BYTES("\x40\x03\x00\x05hello"), .ttl = 62}};
	struct flow_spec up = {
		.kind = FLOW_UP,
		.local = rig_endpoint(SERVICE6),
		.remote = rig_endpoint(CLIENT6),
		.channel = CHANNEL,
		.source = rig_endpoint(RELAYED6),
		.target = rig_endpoint(RELAYED_46),
		.hop_idx = FLOW_HOP_LOOP_FIRST + 1,
	};

	rig_hop(&rig, FLOW_HOP_LOOP_FIRST, FLOW_HOP_LOOP);
	rig_allocation(&rig, CLIENT_46, RELAYED_46, RELAYED6, 0x4003);
	rig_flow(&rig, &up);
	run_row(&rig, &row);
	cr_expect_eq(rig_stats(&rig)->n_looped, 1);
}
