// Every value of the traffic class, every hop limit and both of DF, on each of the sixteen ways
// through the relay: four pairs of families, ChannelData and indications, up and down (RFC 8656
// §13, §14).
#include "rows.h"

#include <criterion/criterion.h>

#define DONT_FRAGMENT "\x00\x1a\x00\x00"

#define ODD_PEER "198.18.0.20:7000" // permitted, on no channel
#define ODD_PEER6 "[2001:db8:2::20]:7000"

enum df {
	DF_COPIED, // §14
	DF_SET, // by the attribute
	DF_BY_SIZE, // RFC 7915 §5.1: never of what is small
	DF_NONE, // IPv6
};

static const struct {
	const char *name;
	struct datagram in;
	const char *from; // of what leaves
	const char *to;
	enum df df;
} ways[] = {
	{"4 to 4, ChannelData up", {CLIENT, SERVICE, BYTES(HELLO)}, RELAYED, PEER, DF_COPIED},
	{"4 to 4, Send", {CLIENT, SERVICE, BYTES(SEND_HELLO)}, RELAYED, PEER, DF_COPIED},
	{"4 to 4, Send with DONT-FRAGMENT",
		{CLIENT, SERVICE, BYTES(SEND(DONT_FRAGMENT XOR_PEER DATA_5, "\x00\x1c"))}, RELAYED,
		PEER, DF_SET},
	{"4 to 4, ChannelData down", {PEER, RELAYED, BYTES("hello")}, SERVICE, CLIENT, DF_COPIED},
	{"4 to 4, Data", {ODD_PEER, RELAYED, BYTES("hello")}, SERVICE, CLIENT, DF_COPIED},
	{"4 to 6, ChannelData up", {CLIENT_46, SERVICE, BYTES(HELLO)}, RELAYED_46, PEER6, DF_NONE},
	{"4 to 6, Send", {CLIENT_46, SERVICE, BYTES(SEND_HELLO6)}, RELAYED_46, PEER6, DF_NONE},
	{"6 to 4, ChannelData down", {PEER6, RELAYED_46, BYTES("hello")}, SERVICE, CLIENT_46,
		DF_BY_SIZE},
	{"6 to 4, Data", {ODD_PEER6, RELAYED_46, BYTES("hello")}, SERVICE, CLIENT_46, DF_BY_SIZE},
	{"6 to 4, ChannelData up", {CLIENT_64, SERVICE6, BYTES(HELLO)}, RELAYED_64, PEER,
		DF_BY_SIZE},
	{"6 to 4, Send", {CLIENT_64, SERVICE6, BYTES(SEND_HELLO)}, RELAYED_64, PEER, DF_BY_SIZE},
	{"6 to 4, Send with DONT-FRAGMENT, which is ignored",
		{CLIENT_64, SERVICE6, BYTES(SEND(DONT_FRAGMENT XOR_PEER DATA_5, "\x00\x1c"))},
		RELAYED_64, PEER, DF_BY_SIZE},
	{"4 to 6, ChannelData down", {PEER, RELAYED_64, BYTES("hello")}, SERVICE6, CLIENT_64,
		DF_NONE},
	{"4 to 6, Data", {ODD_PEER, RELAYED_64, BYTES("hello")}, SERVICE6, CLIENT_64, DF_NONE},
	{"6 to 6, ChannelData up", {CLIENT_66, SERVICE6, BYTES(HELLO)}, RELAYED_66, PEER6, DF_NONE},
	{"6 to 6, Send", {CLIENT_66, SERVICE6, BYTES(SEND_HELLO6)}, RELAYED_66, PEER6, DF_NONE},
	{"6 to 6, ChannelData down", {PEER6, RELAYED_66, BYTES("hello")}, SERVICE6, CLIENT_66,
		DF_NONE},
	{"6 to 6, Data", {ODD_PEER6, RELAYED_66, BYTES("hello")}, SERVICE6, CLIENT_66, DF_NONE},
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

TestSuite(fields, .init = open_rig, .fini = close_rig);

static bool expected_df(enum df df, bool was)
{
	return df == DF_SET || (df == DF_COPIED && was);
}

// DSCP and ECN as they were, the hop limit one less, DF by the way's rule.
static void run_way(size_t i, uint8_t tos, uint8_t ttl, bool dont_fragment)
{
	struct datagram in = ways[i].in;
	const struct datagram *out;
	struct passed passed;

	in.tos = tos;
	in.ttl = ttl;
	in.dont_fragment = dont_fragment;
	rig_pass(&rig, &in, &passed);
	out = &passed.datagram;
	cr_assert_str_eq(passed.from, ways[i].from, "%s: from %s", ways[i].name, passed.from);
	cr_assert_str_eq(passed.to, ways[i].to, "%s: to %s", ways[i].name, passed.to);
	cr_expect_eq(out->tos, tos, "%s: %#x becomes %#x", ways[i].name, tos, out->tos);
	cr_expect_eq(out->ttl, ttl - 1, "%s: hop limit %u becomes %u", ways[i].name, ttl, out->ttl);
	cr_expect_eq(
		out->dont_fragment, expected_df(ways[i].df, dont_fragment), "%s: DF", ways[i].name);
}

Test(fields, traffic_class_is_kept_on_every_way)
{
	for (size_t i = 0; i < N_ELEMENTS(ways); i++)
		for (unsigned tos = 0; tos < 256; tos++)
			run_way(i, (uint8_t)tos, 64, tos & 1);
}

Test(fields, hop_limit_is_one_less_on_every_way)
{
	for (size_t i = 0; i < N_ELEMENTS(ways); i++)
		for (unsigned ttl = 2; ttl < 256; ttl++)
			run_way(i, 0xb8, (uint8_t)ttl, ttl & 1);
}
