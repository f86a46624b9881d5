#include "neighbour.h"

#define MAC_BYTES 6

// | kind of link, of protocol | lengths | operation | sender's MAC, IP | target's MAC, IP |
#define TYPE_ARP 0x0806
#define ARP_BYTES 28
#define ARP_SENDER 8
#define ARP_SENDER_IP 14
#define ARP_TARGET 18
#define ARP_TARGET_IP 24
#define ARP_REPLY 2

// | type, code, checksum | flags | target | options |
#define SOLICITATION 135
#define ADVERTISEMENT 136
#define ND_BYTES 24 // without options
#define ND_TARGET 8
#define ND_HOP_LIMIT 255 // it has not been forwarded
#define ND_SOLICITED 0x40000000u
#define ND_OVERRIDE 0x20000000u
#define OPTION_BYTES 8 // an option's unit of length, and the length of one with a MAC
#define OPTION_SOURCE 1
#define OPTION_TARGET 2

static const uint8_t arp_request[] = {0, 1, 8, 0, MAC_BYTES, IPV4_BYTES, 0, 1};
static const uint8_t solicited_node[13] = {0xff, 0x02, [11] = 0x01, [12] = 0xff};
static const uint8_t all_nodes[IPV6_BYTES] = {0xff, 0x02, [15] = 0x01};
static const uint8_t all_nodes_mac[MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 0x01};
static const uint8_t broadcast_mac[MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static bool is_group(const uint8_t *mac)
{
	return mac[0] & 1;
}

// Or nobody, who looks whether the address is taken (RFC 5227 §1.1).
static bool may_ask_ipv4(const uint8_t *ip)
{
	return load_u32(ip) == 0 || (ip[0] != 0 && ip[0] != 127 && ip[0] < 224);
}

static bool parse_arp(struct pkt_question *out, const struct pkt *p, size_t frame_bytes)
{
	const uint8_t *arp = p->frame + p->l2_bytes;

	if (frame_bytes < (size_t)p->l2_bytes + ARP_BYTES ||
		memcmp(arp, arp_request, sizeof(arp_request)) != 0)
		return false;
	*out = (struct pkt_question){
		.family = FAMILY_IPV4,
		.target_ip = arp + ARP_TARGET_IP,
		.source_ip = arp + ARP_SENDER_IP,
		.source_mac = arp + ARP_SENDER,
	};
	return may_ask_ipv4(out->source_ip) && !is_group(out->source_mac);
}

static bool is_unspecified(const uint8_t *ip)
{
	return (load_u64(ip) | load_u64(ip + 8)) == 0;
}

// RFC 4861 §4.3: to the address itself, or to the group of those that end like it.
static bool is_to_target(const uint8_t *to, const uint8_t *target, bool only_group)
{
	if (memcmp(to, solicited_node, sizeof(solicited_node)) == 0 &&
		memcmp(to + 13, target + 13, 3) == 0)
		return true;
	return !only_group && memcmp(to, target, IPV6_BYTES) == 0;
}

// The MAC that an option of this type gives, or NULL. False where an option is malformed.
static bool read_options(const uint8_t **mac, uint8_t type, const uint8_t *at, const uint8_t *end)
{
	*mac = NULL;
	while (at < end) {
		const size_t n_bytes = end - at < 2 ? 0 : at[1] * (size_t)OPTION_BYTES;

		if (n_bytes == 0 || n_bytes > (size_t)(end - at))
			return false;
		if (at[0] == type && n_bytes != OPTION_BYTES)
			return false;
		if (at[0] == type)
			*mac = at + 2;
		at += n_bytes;
	}
	return true;
}

static bool parse_solicitation(struct pkt_question *out, const struct pkt *p, size_t frame_bytes)
{
	size_t n_bytes = 0;
	const uint8_t *message = pkt_icmp_find(p, frame_bytes, &n_bytes);
	const uint8_t *source = pkt_source_ip(p);
	const bool from_nobody = is_unspecified(source);
	const uint8_t *target;
	const uint8_t *mac;

	if (!message || message[0] != SOLICITATION || message[1] != 0 || n_bytes < ND_BYTES ||
		pkt_ttl(p) != ND_HOP_LIMIT)
		return false;
	target = message + ND_TARGET;
	if (source[0] == 0xff || !is_to_target(pkt_target_ip(p), target, from_nobody) ||
		!read_options(&mac, OPTION_SOURCE, message + ND_BYTES, message + n_bytes) ||
		(from_nobody && mac))
		return false;
	*out = (struct pkt_question){
		.family = FAMILY_IPV6,
		.target_ip = target,
		.source_ip = source,
		.source_mac = mac ? mac : p->frame + MAC_BYTES,
	};
	return !is_group(out->source_mac);
}

bool pkt_question_parse(struct pkt_question *out, const struct pkt *p, size_t frame_bytes)
{
	if (load_be16(p->frame + p->l2_bytes - 2) == TYPE_ARP)
		return parse_arp(out, p, frame_bytes);
	return p->family == FAMILY_IPV6 && parse_solicitation(out, p, frame_bytes);
}

static void write_ether(uint8_t *frame, const uint8_t *to, const uint8_t *from)
{
	memcpy(frame, to, MAC_BYTES);
	memcpy(frame + MAC_BYTES, from, MAC_BYTES);
}

static void write_option(uint8_t *at, uint8_t type, const uint8_t *mac)
{
	at[0] = type;
	at[1] = 1;
	memcpy(at + 2, mac, MAC_BYTES);
}

// | request | sender's MAC, IP | nothing, IP | -> | reply | MAC, IP | sender's MAC, IP |
// RFC 826: the ends swap, and the answer goes to the sender of the question alone.
static void answer_arp(struct pkt *p, const struct pkt_question *question, const uint8_t *mac)
{
	uint8_t *arp = p->frame + p->l2_bytes;
	const uint32_t target_ip = load_u32(question->target_ip);

	write_ether(p->frame, question->source_mac, mac);
	store_be16(arp + ARP_SENDER - 2, ARP_REPLY);
	memcpy(arp + ARP_TARGET, arp + ARP_SENDER, MAC_BYTES + IPV4_BYTES);
	memcpy(arp + ARP_SENDER, mac, MAC_BYTES);
	store_u32(arp + ARP_SENDER_IP, target_ip);
	p->payload = arp;
	p->payload_bytes = ARP_BYTES;
}

// | eth | ip | solicitation | options | -> | eth | ip | advertisement | MAC |
// RFC 4861 §7.2.4: from the address asked for to who asked; where that is nobody, to all nodes. It
// overrides what others hold, for the address is no proxy's and no anycast one.
static void answer_solicitation(
	struct pkt *p, const struct pkt_question *question, const uint8_t *mac)
{
	const bool to_all = is_unspecified(question->source_ip);
	uint8_t *message = p->l3 + PKT_IPV6_BYTES;
	const uint16_t n_bytes = ND_BYTES + OPTION_BYTES;

	write_ether(p->frame, to_all ? all_nodes_mac : question->source_mac, mac);
	store_be32(p->l3, 6u << 28);
	store_be16(p->l3 + 4, n_bytes);
	memcpy(p->l3 + 24, to_all ? all_nodes : question->source_ip, IPV6_BYTES);
	memcpy(p->l3 + 8, question->target_ip, IPV6_BYTES);
	message[0] = ADVERTISEMENT;
	store_be32(message + 4, ND_OVERRIDE | (to_all ? 0 : ND_SOLICITED));
	write_option(message + ND_BYTES, OPTION_TARGET, mac);
	pkt_icmp_finish(p->l3, message, n_bytes);
	p->payload = message;
	p->payload_bytes = n_bytes;
}

void pkt_question_answer(
	struct pkt *p, const struct pkt_question *question, const uint8_t mac[static 6])
{
	if (question->family == FAMILY_IPV4)
		answer_arp(p, question, mac);
	else
		answer_solicitation(p, question, mac);
}

// RFC 5227 §1.1: the target's MAC is what is asked for, so zero.
static size_t write_request(uint8_t *frame, const struct pkt_question *question)
{
	uint8_t *arp = frame + PKT_ETHER_BYTES;

	write_ether(frame, broadcast_mac, question->source_mac);
	store_be16(frame + PKT_ETHER_BYTES - 2, TYPE_ARP);
	memset(arp, 0, ARP_BYTES);
	memcpy(arp, arp_request, sizeof(arp_request));
	memcpy(arp + ARP_SENDER, question->source_mac, MAC_BYTES);
	memcpy(arp + ARP_SENDER_IP, question->source_ip, IPV4_BYTES);
	memcpy(arp + ARP_TARGET_IP, question->target_ip, IPV4_BYTES);
	return PKT_ETHER_BYTES + ARP_BYTES;
}

// RFC 4861 §7.2.2: to the group of those that end like the target; who asks says where he is, but
// for nobody.
static size_t write_solicitation(uint8_t *frame, const struct pkt_question *question)
{
	const bool from_nobody = is_unspecified(question->source_ip);
	const uint16_t n_bytes = ND_BYTES + (from_nobody ? 0 : OPTION_BYTES);
	const uint8_t *ending = question->target_ip + sizeof(solicited_node);
	const uint8_t group_mac[MAC_BYTES] = {0x33, 0x33, 0xff, ending[0], ending[1], ending[2]};
	uint8_t *l3 = frame + PKT_ETHER_BYTES;
	uint8_t *message = l3 + PKT_IPV6_BYTES;

	write_ether(frame, group_mac, question->source_mac);
	store_u16(frame + PKT_ETHER_BYTES - 2, PKT_TYPE_IPV6);
	memset(l3, 0, PKT_IPV6_BYTES + ND_BYTES);
	l3[0] = 6 << 4;
	store_be16(l3 + 4, n_bytes);
	l3[6] = PKT_PROTOCOL_ICMPV6;
	l3[7] = ND_HOP_LIMIT;
	memcpy(l3 + 8, question->source_ip, IPV6_BYTES);
	memcpy(l3 + 24, solicited_node, sizeof(solicited_node));
	memcpy(l3 + 24 + sizeof(solicited_node), ending, IPV6_BYTES - sizeof(solicited_node));
	message[0] = SOLICITATION;
	memcpy(message + ND_TARGET, question->target_ip, IPV6_BYTES);
	if (!from_nobody)
		write_option(message + ND_BYTES, OPTION_SOURCE, question->source_mac);
	pkt_icmp_finish(l3, message, n_bytes);
	return PKT_ETHER_BYTES + PKT_IPV6_BYTES + (size_t)n_bytes;
}

size_t pkt_question_write(uint8_t *frame, const struct pkt_question *question)
{
	return question->family == FAMILY_IPV4 ? write_request(frame, question)
					       : write_solicitation(frame, question);
}

static bool parse_reply(struct pkt_answer *out, const struct pkt *p, size_t frame_bytes)
{
	const uint8_t *arp = p->frame + p->l2_bytes;

	// All but the operation is as in a request.
	if (frame_bytes < (size_t)p->l2_bytes + ARP_BYTES ||
		memcmp(arp, arp_request, sizeof(arp_request) - 2) != 0 ||
		load_be16(arp + ARP_SENDER - 2) != ARP_REPLY)
		return false;
	*out = (struct pkt_answer){
		.family = FAMILY_IPV4,
		.ip = arp + ARP_SENDER_IP,
		.mac = arp + ARP_SENDER,
	};
	return may_ask_ipv4(out->ip) && !is_group(out->mac);
}

static bool parse_advertisement(struct pkt_answer *out, const struct pkt *p, size_t frame_bytes)
{
	size_t n_bytes = 0;
	const uint8_t *message = pkt_icmp_find(p, frame_bytes, &n_bytes);
	const bool to_group = pkt_target_ip(p)[0] == 0xff;
	const uint8_t *mac;

	if (!message || message[0] != ADVERTISEMENT || message[1] != 0 || n_bytes < ND_BYTES ||
		pkt_ttl(p) != ND_HOP_LIMIT)
		return false;
	if (message[ND_TARGET] == 0xff || (to_group && load_be32(message + 4) & ND_SOLICITED) ||
		!read_options(&mac, OPTION_TARGET, message + ND_BYTES, message + n_bytes) || !mac)
		return false;
	*out = (struct pkt_answer){
		.family = FAMILY_IPV6,
		.ip = message + ND_TARGET,
		.mac = mac,
	};
	return !is_group(mac);
}

bool pkt_answer_parse(struct pkt_answer *out, const struct pkt *p, size_t frame_bytes)
{
	if (load_be16(p->frame + p->l2_bytes - 2) == TYPE_ARP)
		return parse_reply(out, p, frame_bytes);
	return p->family == FAMILY_IPV6 && parse_advertisement(out, p, frame_bytes);
}
