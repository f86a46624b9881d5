// Who is on the link of a wire of frames: what another host asks, answers and claims.
#include "app/turnpike-load/neighbours.h"

#include <criterion/criterion.h>

#define ROOM 128

static const uint8_t our_mac[6] = {0x02, 0, 0, 0, 0, 0x01};
static const uint8_t other_mac[6] = {0x02, 0, 0, 0, 0, 0x02};
static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 0x01};
static const struct ip_addr ipv4[] = {{FAMILY_IPV4, {192, 0, 2, 1}}, {FAMILY_IPV4, {192, 0, 2, 2}}};
static const struct ip_addr ipv6[] = {
	{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [13] = 1, 2, 3}},
	{FAMILY_IPV6, {0x20, 0x01, 0x0d, 0xb8, [13] = 4, 5, 6}},
};
static const struct ip_addr next_hop4 = {FAMILY_IPV4, {192, 0, 2, 9}};
static const struct ip_addr next_hop6 = {FAMILY_IPV6, {0xfe, 0x80, [15] = 9}};
static const struct ip_addr nobody4 = {.family = FAMILY_IPV4};
static const struct ip_addr nobody6 = {.family = FAMILY_IPV6};

// Clients are of IPv4, peers of IPv6.
static const struct wire_slots slots = {
	.clients = ipv4, .n_clients = 2, .peers = ipv6, .n_peers = 2};
static struct neighbours ours;
static uint8_t frame[ROOM];
static size_t n_bytes;

static void setup(void)
{
	ours = (struct neighbours){.slots = &slots, .next_hop = next_hop6};
	memcpy(ours.mac, our_mac, sizeof(our_mac));
}

TestSuite(load_neighbours, .init = setup);

// The other host asks for an address of its family.
static void ask(const struct ip_addr *source, const struct ip_addr *target)
{
	const struct pkt_question question = {
		.family = target->family,
		.target_ip = target->bytes,
		.source_ip = source->bytes,
		.source_mac = other_mac,
	};

	n_bytes = pkt_question_write(frame, &question);
}

// The other host answers, or claims, that it has an address.
static void tell(const struct ip_addr *asker, const struct ip_addr *target)
{
	struct pkt_question question;
	struct pkt p;

	ask(asker, target);
	cr_assert_eq(pkt_parse(&p, frame, n_bytes, 0), PKT_FOREIGN);
	cr_assert(pkt_question_parse(&question, &p, n_bytes));
	pkt_question_answer(&p, &question, other_mac);
	n_bytes = pkt_frame_bytes(&p);
}

// Take the frame; what it became is in its place. Returns whether it is an answer.
static bool take(void)
{
	struct pkt p;

	cr_assert_eq(pkt_parse(&p, frame, n_bytes, 0), PKT_FOREIGN);
	n_bytes = neighbours_take(&ours, &p, n_bytes);
	return n_bytes > 0;
}

static void expect_answer(const uint8_t to[6], const struct ip_addr *ip)
{
	struct pkt_answer answer;
	struct ip_addr told;
	struct pkt p;

	cr_assert(take());
	cr_assert_eq(memcmp(frame, to, 6), 0);
	cr_assert_eq(pkt_parse(&p, frame, n_bytes, 0), PKT_FOREIGN);
	cr_assert(pkt_answer_parse(&answer, &p, n_bytes));
	cr_assert_eq(memcmp(answer.mac, our_mac, 6), 0);
	told = ip_from_bytes((enum family)answer.family, answer.ip);
	cr_assert(ip_equal(&told, ip));
}

static void expect_no_news(const char *what)
{
	cr_expect_not(take(), "%s", what);
	cr_expect_not(ours.found_next_hop, "%s", what);
	cr_expect_not(ours.conflict, "%s", what);
}

// A byte of the message is another, and its checksum right again. Offsets are of ICMPv6.
static void change(size_t offset, uint8_t byte)
{
	uint8_t *l3 = frame + PKT_ETHER_BYTES;

	l3[PKT_IPV6_BYTES + offset] = byte;
	pkt_icmp_finish(l3, l3 + PKT_IPV6_BYTES, load_be16(l3 + 4));
}

Test(load_neighbours, each_of_our_addresses_is_answered_for)
{
	for (size_t i = 0; i < 2; i++) {
		ask(&next_hop4, &ipv4[i]);
		expect_answer(other_mac, &ipv4[i]);
		ask(&next_hop6, &ipv6[i]);
		expect_answer(other_mac, &ipv6[i]);
	}
	cr_assert_not(ours.conflict);
}

Test(load_neighbours, who_would_have_our_address_is_told_as_all_are)
{
	ask(&nobody4, &ipv4[0]);
	expect_answer(other_mac, &ipv4[0]);
	ask(&nobody6, &ipv6[0]);
	expect_answer(all_nodes_mac, &ipv6[0]);
	cr_assert_not(ours.conflict);
}

Test(load_neighbours, addresses_of_others_get_no_answer)
{
	ask(&ipv4[0], &next_hop4);
	cr_expect_not(take());
	ask(&next_hop6, &next_hop6);
	cr_expect_not(take());
}

Test(load_neighbours, next_hop_is_learned_from_its_answer_and_its_questions)
{
	tell(&ipv6[0], &next_hop6);
	cr_assert_not(take());
	cr_assert(ours.found_next_hop);
	cr_assert_eq(memcmp(ours.next_hop_mac, other_mac, 6), 0);
	setup();
	ask(&next_hop6, &ipv6[1]);
	cr_assert(take());
	cr_assert(ours.found_next_hop);
	setup();
	ours.next_hop = next_hop4;
	tell(&ipv4[0], &next_hop4);
	cr_assert_not(take());
	cr_assert(ours.found_next_hop);
	cr_assert_not(ours.conflict);
}

Test(load_neighbours, another_host_with_our_address_is_a_conflict)
{
	for (size_t i = 0; i < 2; i++) {
		setup();
		tell(&nobody4, &ipv4[i]);
		take();
		cr_expect_eq(ours.conflict, &ipv4[i], "IPv4 %zu", i);
		setup();
		tell(&nobody6, &ipv6[i]);
		take();
		cr_expect_eq(ours.conflict, &ipv6[i], "IPv6 %zu", i);
		setup();
		ask(&ipv6[i], &next_hop6);
		take();
		cr_expect_eq(ours.conflict, &ipv6[i], "it asks, %zu", i);
	}
}

// RFC 5227 §3
Test(load_neighbours, announcement_of_our_address_gets_no_answer)
{
	ask(&ipv4[0], &ipv4[0]);
	cr_assert_not(take());
	cr_assert_eq(ours.conflict, &ipv4[0]);
}

// RFC 4862 §5.4.3
Test(load_neighbours, tentative_address_is_silent_and_lost_to_who_wants_it_as_well)
{
	ours.tentative = true;
	ask(&next_hop6, &ipv6[0]);
	cr_assert_not(take());
	cr_assert_not(ours.conflict);
	ask(&next_hop4, &ipv4[0]);
	cr_assert(take());
	ask(&nobody6, &ipv6[0]);
	cr_assert_not(take());
	cr_assert_eq(ours.conflict, &ipv6[0]);
}

Test(load_neighbours, own_words_that_come_back_say_nothing)
{
	ours.tentative = true;
	n_bytes = neighbours_probe(&ours, frame, 2);
	expect_no_news("a probe");
	ours.tentative = false;
	n_bytes = neighbours_probe(&ours, frame, 0);
	expect_no_news("a probe of IPv4");
	n_bytes = neighbours_ask(&ours, frame);
	expect_no_news("a question");
	ask(&next_hop4, &ipv4[0]);
	cr_assert(take());
	expect_no_news("an answer");
}

// The bytes by hand: RFC 4861 §4.3, RFC 4291 §2.7.1, RFC 2464 §7.
Test(load_neighbours, question_of_ipv6_goes_to_the_group_of_the_address)
{
	static const uint8_t head[] = {0x33, 0x33, 0xff, 0, 0, 9, 0x02, 0, 0, 0, 0, 1, 0x86, 0xdd,
		0x60, 0, 0, 0, 0, 32, 58, 255};
	static const uint8_t group[IPV6_BYTES] = {0xff, 0x02, [11] = 1, 0xff, 0, 0, 9};
	static const uint8_t option[] = {1, 1, 0x02, 0, 0, 0, 0, 1};

	n_bytes = neighbours_ask(&ours, frame);
	cr_assert_eq(n_bytes, 14 + 40 + 32);
	cr_assert_eq(memcmp(frame, head, sizeof(head)), 0);
	cr_assert_eq(memcmp(frame + 22, ipv6[0].bytes, IPV6_BYTES), 0);
	cr_assert_eq(memcmp(frame + 38, group, IPV6_BYTES), 0);
	cr_assert_eq(load_be16(frame + 54), 135 << 8);
	cr_assert_eq(memcmp(frame + 62, next_hop6.bytes, IPV6_BYTES), 0);
	cr_assert_eq(memcmp(frame + 78, option, sizeof(option)), 0);
	// From nobody, there is no option (RFC 4861 §7.1.1).
	ours.tentative = true;
	n_bytes = neighbours_probe(&ours, frame, 3);
	cr_assert_eq(n_bytes, 14 + 40 + 24);
	cr_assert_eq(memcmp(frame + 22, nobody6.bytes, IPV6_BYTES), 0);
	cr_assert_eq(memcmp(frame + 62, ipv6[1].bytes, IPV6_BYTES), 0);
	// And no question, once it is ours.
	ours.tentative = false;
	cr_assert_eq(neighbours_probe(&ours, frame, 3), 0);
}

// RFC 5227 §2.1.1
Test(load_neighbours, probe_of_ipv4_comes_from_nobody)
{
	static const uint8_t wanted[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02, 0, 0, 0, 0, 1, 8,
		6, 0, 1, 8, 0, 6, 4, 0, 1, 0x02, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 192,
		0, 2, 2};

	memset(frame, 0x55, sizeof(frame));
	n_bytes = neighbours_probe(&ours, frame, 1);
	cr_assert_eq(n_bytes, sizeof(wanted));
	cr_assert_eq(memcmp(frame, wanted, sizeof(wanted)), 0);
}

// RFC 4861 §7.1.2: offsets 0 type, 1 code, 4 flags, 8 target, 24 option, 25 its length, 26 MAC.
Test(load_neighbours, invalid_advertisement_is_none)
{
	static const struct {
		const char *what;
		size_t offset;
		uint8_t byte;
	} rows[] = {
		{"another type", 0, 137},
		{"a code", 1, 1},
		{"another option", 24, 1},
		{"an option without length", 25, 0},
		{"an option beyond the end", 25, 2},
		{"the MAC of a group", 26, 0x33},
	};

	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		tell(&ipv6[0], &next_hop6);
		change(rows[i].offset, rows[i].byte);
		expect_no_news(rows[i].what);
	}
	tell(&ipv6[0], &next_hop6);
	change(8, 0xff);
	ours.next_hop.bytes[0] = 0xff;
	expect_no_news("the target is a group");
	ours.next_hop = next_hop6;
	tell(&nobody6, &next_hop6);
	change(4, 0x60);
	expect_no_news("solicited, but to a group");
	tell(&ipv6[0], &next_hop6);
	frame[PKT_ETHER_BYTES + 7] = 254;
	expect_no_news("forwarded by a router");
	tell(&ipv6[0], &next_hop6);
	frame[PKT_ETHER_BYTES + PKT_IPV6_BYTES + 2] ^= 1;
	expect_no_news("a wrong checksum");
	for (uint8_t n = 8; n < 32; n += 8) {
		tell(&ipv6[0], &next_hop6);
		store_be16(frame + PKT_ETHER_BYTES + 4, n);
		change(0, 136);
		n_bytes = (size_t)PKT_ETHER_BYTES + PKT_IPV6_BYTES + n;
		expect_no_news("too short");
	}
}

Test(load_neighbours, reply_that_is_none_is_not_taken)
{
	static const struct {
		const char *what;
		size_t offset; // of ARP
		uint8_t byte;
	} rows[] = {
		{"another link", 1, 6},
		{"another protocol", 2, 9},
		{"another length", 4, 8},
		{"another operation", 7, 4},
		{"the MAC of a group", 8, 1},
	};

	ours.next_hop = next_hop4;
	for (size_t i = 0; i < N_ELEMENTS(rows); i++) {
		tell(&ipv4[0], &next_hop4);
		frame[PKT_ETHER_BYTES + rows[i].offset] = rows[i].byte;
		expect_no_news(rows[i].what);
	}
	tell(&ipv4[0], &next_hop4);
	n_bytes--;
	expect_no_news("too short");
}
