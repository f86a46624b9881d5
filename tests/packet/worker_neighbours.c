// Who asks on the link for our MAC: Linux answers, and a worker where Linux would not hear it. The
// frames are made by hand; so are those that must come out.
#include "rows.h"

#include <criterion/criterion.h>

#define OURS "198.18.0.2"
#define OURS_TOO "198.18.0.3"
// What is cut of a question for one is read as it was, if it is read.
#define OURS_ENDING_IN_0 "198.18.0.0"
#define OURS6_ENDING_IN_0 "2001:db8::"
#define NO_LENGTH 255
#define OTHERS "198.18.0.20" // nobody's here
#define ASKER "198.18.0.10"
#define NOBODY "0.0.0.0"
#define OURS6 "2001:db8::2"
#define ASKER6 "2001:db8::10"
#define NOBODY6 "::"
#define GROUP6 "ff02::1:ff00:2" // of OURS6

static const uint8_t asker_mac[6] = {0x02, 0, 0, 0, 0, 0x10};
static const uint8_t virtual_mac[6] = {0x02, 0, 0x5e, 0, 1, 0x10}; // in what the asker says
static const uint8_t broadcast_mac[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
static const uint8_t group6_mac[6] = {0x33, 0x33, 0xff, 0, 0, 0x02};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 0x01};

static struct rig rig;
static uint64_t now_ms;
static struct heartbeat heartbeat;

static void set_address(uint16_t idx, const char *text, uint8_t port_idx)
{
	struct msg msg = {.kind = MSG_ADDRESS_SET, .address_idx = idx, .port_idx = port_idx};

	if (text)
		cr_assert_eq(ip_parse(&msg.ip, text), 0);
	rig_send(&rig, msg);
}

static void open_with(uint16_t vlan)
{
	const struct rig_options options = {
		.virtual_ms = &now_ms, .heartbeat = &heartbeat, .vlan = vlan};

	now_ms = 1000000;
	heartbeat.ticks = now_ms - 1001;
	rig_open(&rig, &options);
	set_address(0, OURS, 0);
	set_address(1, OURS6, 0);
	set_address(2, OURS_TOO, 0);
	set_address(3, "198.18.0.4", 1);
	set_address(4, OURS_ENDING_IN_0, 0);
	set_address(5, OURS6_ENDING_IN_0, 0);
	worker_poll(rig.worker);
}

static void open_rig(void)
{
	open_with(0);
}

static void open_tagged(void)
{
	open_with(RIG_VLAN);
}

static void close_rig(void)
{
	rig_expect_balance(&rig);
	rig_close(&rig);
}

TestSuite(neighbours, .init = open_rig, .fini = close_rig);
TestSuite(neighbours_tagged, .init = open_tagged, .fini = close_rig);

// A question: how it differs from the plainest there is. Its answer is at the same places.
struct question {
	const char *name;
	const char *source;
	const char *target;
	const char *to; // of IPv6; NULL: the group
	const uint8_t *mac_to; // NULL: broadcast, or the group's
	const uint8_t *mac_inside; // ARP's sender, or the option's; NULL: the asker's, or no option
	uint16_t vlan;
	uint16_t operation; // of ARP; 0: a request
	uint8_t hop_limit; // 0: 255
	uint8_t type; // of ICMPv6; 0: a solicitation
	uint8_t code;
	uint8_t option_type; // 0: the source's MAC
	uint8_t option_units; // 0: one; NO_LENGTH: none
	uint8_t n_cut; // bytes that are missing at the end
	uint8_t n_padding; // bytes behind it
	bool bad_checksum;
	bool broken; // the kind of link or the lengths of ARP
};

static void put_ip(uint8_t *at, const char *text)
{
	struct ip_addr ip;

	cr_assert_eq(ip_parse(&ip, text), 0, "%s", text);
	memcpy(at, ip.bytes, family_bytes((enum family)ip.family));
}

static uint8_t *begin(
	struct frame *frame, const uint8_t *to, const uint8_t *from, uint16_t vlan, uint16_t type)
{
	uint8_t *at = frame->bytes + 12;

	*frame = (struct frame){0};
	memcpy(frame->bytes, to, 6);
	memcpy(frame->bytes + 6, from, 6);
	if (vlan) {
		store_be16(at, 0x8100);
		store_be16(at + 2, vlan);
		at += 4;
	}
	store_be16(at, type);
	return at + 2;
}

static void end(struct frame *frame, const uint8_t *at)
{
	frame->n = (size_t)(at - frame->bytes);
}

static struct frame make_arp(const struct question *q)
{
	struct frame frame;
	uint8_t *arp =
		begin(&frame, q->mac_to ? q->mac_to : broadcast_mac, asker_mac, q->vlan, 0x0806);

	memcpy(arp, "\x00\x01\x08\x00\x06\x04", 6);
	arp[4] ^= q->broken;
	store_be16(arp + 6, q->operation ? q->operation : 1);
	memcpy(arp + 8, q->mac_inside ? q->mac_inside : asker_mac, 6);
	put_ip(arp + 14, q->source);
	put_ip(arp + 24, q->target);
	end(&frame, arp + 28 - q->n_cut + q->n_padding);
	return frame;
}

static void write_checksum(uint8_t *ip)
{
	const size_t n = load_be16(ip + 4);
	uint32_t sum = 58 + (uint32_t)n;

	for (size_t i = 0; i < 32; i += 2)
		sum += load_be16(ip + 8 + i);
	for (size_t i = 0; i < n; i += 2)
		sum += load_be16(ip + 40 + i);
	sum = (sum & 0xffff) + (sum >> 16);
	store_be16(ip + 42, (uint16_t) ~((sum & 0xffff) + (sum >> 16)));
}

static struct frame make_solicitation(const struct question *q)
{
	struct frame frame;
	uint8_t *ip = begin(&frame, q->mac_to ? q->mac_to : group6_mac, asker_mac, q->vlan, 0x86dd);
	uint8_t *icmp = ip + 40;
	const uint16_t n = (uint16_t)(24 + (q->mac_inside ? 8 : 0) - q->n_cut);

	store_be32(ip, 0x6c0abcde); // of a class and a flow
	store_be16(ip + 4, n);
	ip[6] = 58;
	ip[7] = q->hop_limit ? q->hop_limit : 255;
	put_ip(ip + 8, q->source);
	put_ip(ip + 24, q->to ? q->to : GROUP6);
	icmp[0] = q->type ? q->type : 135;
	icmp[1] = q->code;
	put_ip(icmp + 8, q->target);
	if (q->mac_inside) {
		icmp[24] = q->option_type ? q->option_type : 1;
		icmp[25] = q->option_units == NO_LENGTH ? 0 : q->option_units ? q->option_units : 1;
		memcpy(icmp + 26, q->mac_inside, 6);
	}
	write_checksum(ip);
	icmp[3] ^= q->bad_checksum;
	end(&frame, icmp + n + q->n_padding);
	return frame;
}

static struct frame make(const struct question *q)
{
	return strchr(q->target, ':') ? make_solicitation(q) : make_arp(q);
}

static struct frame arp_reply(const struct question *q)
{
	const uint8_t *to = q->mac_inside ? q->mac_inside : asker_mac;
	struct frame frame;
	uint8_t *arp = begin(&frame, to, rig_port_mac, q->vlan, 0x0806);

	memcpy(arp, "\x00\x01\x08\x00\x06\x04\x00\x02", 8);
	memcpy(arp + 8, rig_port_mac, 6);
	put_ip(arp + 14, q->target);
	memcpy(arp + 18, to, 6);
	put_ip(arp + 24, q->source);
	end(&frame, arp + 28);
	return frame;
}

static struct frame advertisement(const struct question *q)
{
	const bool to_all = strcmp(q->source, NOBODY6) == 0;
	const uint8_t *to = to_all ? all_nodes_mac : q->mac_inside ? q->mac_inside : asker_mac;
	struct frame frame;
	uint8_t *ip = begin(&frame, to, rig_port_mac, q->vlan, 0x86dd);
	uint8_t *icmp = ip + 40;

	store_be32(ip, 0x60000000);
	store_be16(ip + 4, 32);
	ip[6] = 58;
	ip[7] = 255;
	put_ip(ip + 8, q->target);
	put_ip(ip + 24, to_all ? "ff02::1" : q->source);
	icmp[0] = 136;
	icmp[4] = to_all ? 0x20 : 0x60; // override, and solicited
	put_ip(icmp + 8, q->target);
	icmp[24] = 2;
	icmp[25] = 1;
	memcpy(icmp + 26, rig_port_mac, 6);
	write_checksum(ip);
	end(&frame, icmp + 32);
	return frame;
}

static void expect_answered(const struct question *q)
{
	const struct frame in = make(q);
	const struct frame expected = strchr(q->target, ':') ? advertisement(q) : arp_reply(q);
	const uint64_t n_before = rig_stats(&rig)->n_neighbours_answered;
	struct frame out;

	rig_receive(&rig, &in);
	worker_poll(rig.worker);
	cr_assert(rig_sent(&rig, &out), "%s: no answer", q->name);
	cr_expect_eq(out.n, expected.n, "%s: %zu bytes", q->name, out.n);
	for (size_t i = 0; i < expected.n; i++)
		cr_expect_eq(out.bytes[i], expected.bytes[i], "%s: byte %zu is %02x, not %02x",
			q->name, i, out.bytes[i], expected.bytes[i]);
	cr_expect_not(rig_sent(&rig, &out), "%s: two answers", q->name);
	cr_expect_eq(rig_stats(&rig)->n_neighbours_answered, n_before + 1, "%s", q->name);
}

// It is Linux's, as it came.
static void expect_mirrored(const struct question *q)
{
	const struct frame in = make(q);
	struct frame out;

	rig_expect_mirrored(&rig, &in, q->name);
	cr_expect_not(rig_sent(&rig, &out), "%s: an answer", q->name);
}

static const struct question answered[] = {
	{"by broadcast", ASKER, OURS},
	{"in a whole frame", ASKER, OURS, .n_padding = 18},
	{"by unicast", ASKER, OURS, .mac_to = rig_port_mac},
	{"for another address", ASKER, OURS_TOO},
	{"whose sender has another MAC", ASKER, OURS, .mac_inside = virtual_mac},
	{"a probe", NOBODY, OURS},
	{"from far away", "8.8.8.8", OURS},
	{"by multicast", ASKER6, OURS6, .mac_inside = asker_mac},
	{"by multicast for another's MAC", ASKER6, OURS6, .mac_inside = virtual_mac},
	{"by multicast without an option", ASKER6, OURS6},
	{"with an option that is not known", ASKER6, OURS6, .mac_inside = asker_mac,
		.option_type = 14},
	{"by unicast", ASKER6, OURS6, OURS6, rig_port_mac, asker_mac},
	{"by unicast without an option", ASKER6, OURS6, OURS6, rig_port_mac},
	{"from a link-local address", "fe80::10", OURS6, .mac_inside = asker_mac},
	{"a probe", NOBODY6, OURS6},
	{"a probe in a whole frame", NOBODY6, OURS6, .n_padding = 4},
};

static const struct question mirrored[] = {
	{"for nobody's address", ASKER, OTHERS},
	{"for an address of another port", ASKER, "198.18.0.4"},
	{"an announcement", OTHERS, OTHERS},
	{"an announcement of ours", OURS, OURS},
	{"from our other address", OURS_TOO, OURS},
	{"from a group", "224.0.0.5", OURS},
	{"from broadcast", "255.255.255.255", OURS},
	{"from loopback", "127.0.0.1", OURS},
	{"from a network of none", "0.0.0.9", OURS},
	{"whose answer would be broadcast", ASKER, OURS, .mac_inside = broadcast_mac},
	{"a reply", ASKER, OURS, .operation = 2},
	{"a reverse request", ASKER, OURS, .operation = 3},
	{"of other lengths", ASKER, OURS, .broken = true},
	{"too short", ASKER, OURS_ENDING_IN_0, .n_cut = 1},
	{"for nobody's address", ASKER6, "2001:db8::1:2", .mac_inside = asker_mac},
	{"for a group", ASKER6, GROUP6, .mac_inside = asker_mac},
	{"from our own address", OURS6, OURS6, .mac_inside = asker_mac},
	{"from a group", "ff02::5", OURS6, .mac_inside = asker_mac},
	{"to another group", ASKER6, OURS6, "ff02::1:ff00:3", .mac_inside = asker_mac},
	{"to all nodes", ASKER6, OURS6, "ff02::1", .mac_inside = asker_mac},
	{"to another address", ASKER6, OURS6, "2001:db8::3", .mac_inside = asker_mac},
	{"that was forwarded", ASKER6, OURS6, .mac_inside = asker_mac, .hop_limit = 254},
	{"of a wrong checksum", ASKER6, OURS6, .mac_inside = asker_mac, .bad_checksum = true},
	{"of another code", ASKER6, OURS6, .mac_inside = asker_mac, .code = 1},
	{"an advertisement", ASKER6, OURS6, .mac_inside = asker_mac, .type = 136},
	{"for a router", ASKER6, OURS6, .mac_inside = asker_mac, .type = 133},
	{"of an option without length", ASKER6, OURS6, .mac_inside = asker_mac, .option_type = 14,
		.option_units = NO_LENGTH},
	{"of an option that is too long", ASKER6, OURS6, .mac_inside = asker_mac,
		.option_units = 2},
	{"of half an option", ASKER6, OURS6, .mac_inside = asker_mac, .n_cut = 4},
	{"whose answer would be to a group", ASKER6, OURS6, .mac_inside = all_nodes_mac},
	{"too short", ASKER6, OURS6_ENDING_IN_0, "ff02::1:ff00:0", .n_cut = 2},
	{"a probe with an option", NOBODY6, OURS6, .mac_inside = asker_mac},
	{"a probe by unicast", NOBODY6, OURS6, OURS6, rig_port_mac},
};

Test(neighbours, are_answered_while_control_stands)
{
	for (size_t i = 0; i < N_ELEMENTS(answered); i++)
		expect_answered(&answered[i]);
}

Test(neighbours, who_must_not_be_answered_is_left_to_linux)
{
	for (size_t i = 0; i < N_ELEMENTS(mirrored); i++)
		expect_mirrored(&mirrored[i]);
}

Test(neighbours, are_left_to_linux_while_control_moves)
{
	for (size_t i = 0; i < N_ELEMENTS(answered); i++) {
		heartbeat.ticks = now_ms - 1000;
		expect_mirrored(&answered[i]);
		heartbeat.ticks = now_ms + 5; // the clocks of two CPUs
		expect_mirrored(&answered[i]);
	}
}

Test(neighbours_tagged, are_answered_with_the_ports_tag)
{
	for (size_t i = 0; i < N_ELEMENTS(answered); i++) {
		struct question tagged = answered[i];

		tagged.vlan = RIG_VLAN;
		expect_answered(&tagged);
	}
}

// Its frames are those of another network, or of the same wire's untagged one.
Test(neighbours_tagged, of_another_tag_are_not_answered)
{
	struct question question = answered[0];
	struct frame frame;
	struct frame out;

	for (uint16_t vlan = 0; vlan < 2; vlan++) {
		question.vlan = vlan;
		frame = make(&question);
		rig_receive(&rig, &frame);
	}
	worker_poll(rig.worker);
	cr_expect_not(rig_sent(&rig, &out));
	cr_expect_eq(rig_stats(&rig)->n_drops[DROP_WRONG_VLAN], 2);
}

Test(neighbours, are_answered_for_what_linux_has_now)
{
	set_address(0, NULL, 0);
	expect_mirrored(&answered[0]);
	set_address(0, OTHERS, 0);
	expect_answered(&mirrored[0]);
	for (uint16_t i = 0; i < 6; i++)
		set_address(i, NULL, 0);
	expect_mirrored(&mirrored[0]);
	expect_mirrored(&(struct question){"a probe", NOBODY, OURS});
	expect_mirrored(&(struct question){"a probe of IPv6", NOBODY6, OURS6});
	set_address(MSG_ADDRESSES_MAX - 1, OURS, 0);
	expect_answered(&answered[0]);
}

// A flood to Linux fills its ring: questions would be lost among it.
Test(neighbours, are_answered_while_the_kernels_ring_is_full)
{
	const struct frame foreign = make(&mirrored[0]);
	struct msg msg;

	heartbeat.ticks = now_ms;
	for (int i = 0; i < 96; i++) {
		rig_receive(&rig, &foreign);
		worker_poll(rig.worker);
	}
	for (size_t i = 0; i < N_ELEMENTS(answered); i++)
		expect_answered(&answered[i]);
	while (rig_control(&rig, &rig.workers[0].others, &msg))
		rte_pktmbuf_free(msg.mbuf);
	expect_mirrored(&answered[0]);
}

// 100 at once, 1,000 a second; what is above is Linux's.
Test(neighbours, answers_have_a_budget)
{
	const struct frame frame = make(&answered[0]);
	struct frame out;
	struct msg msg;
	unsigned n_sent = 0;

	for (unsigned i = 0; i < 400; i++) {
		now_ms += i == 200 ? 5 : 0;
		rig_receive(&rig, &frame);
		worker_poll(rig.worker);
		n_sent += rig_sent(&rig, &out);
		if (rig_control(&rig, &rig.workers[0].others, &msg))
			rte_pktmbuf_free(msg.mbuf);
	}
	cr_expect_eq(n_sent, 105);
	cr_expect_eq(rig_stats(&rig)->n_mirrored, 295);
}
