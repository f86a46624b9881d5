#include "neighbours.h"

static const uint8_t nobody[IPV6_BYTES];

size_t neighbours_count(const struct neighbours *n)
{
	return n->slots->n_clients + n->slots->n_peers;
}

// The i-th of our addresses.
static const struct ip_addr *our(const struct neighbours *n, size_t i)
{
	return i < n->slots->n_clients ? &n->slots->clients[i]
				       : &n->slots->peers[i - n->slots->n_clients];
}

// The one of ours that is this; NULL where there is none.
static const struct ip_addr *find_ours(const struct neighbours *n, const struct ip_addr *ip)
{
	for (size_t i = 0; i < neighbours_count(n); i++)
		if (ip_equal(ip, our(n, i)))
			return our(n, i);
	return NULL;
}

// The first of ours of a family; NULL where there is none.
static const struct ip_addr *find_of_family(const struct neighbours *n, enum family family)
{
	for (size_t i = 0; i < neighbours_count(n); i++)
		if (our(n, i)->family == family)
			return our(n, i);
	return NULL;
}

bool neighbours_have_ipv6(const struct neighbours *n)
{
	return find_of_family(n, FAMILY_IPV6) != NULL;
}

size_t neighbours_probe(const struct neighbours *n, uint8_t *frame, size_t i)
{
	const struct pkt_question question = {
		.family = our(n, i)->family,
		.target_ip = our(n, i)->bytes,
		.source_ip = nobody,
		.source_mac = n->mac,
	};

	if (question.family == FAMILY_IPV6 && !n->tentative)
		return 0;
	return pkt_question_write(frame, &question);
}

size_t neighbours_ask(const struct neighbours *n, uint8_t *frame)
{
	const struct pkt_question question = {
		.family = n->next_hop.family,
		.target_ip = n->next_hop.bytes,
		.source_ip = find_of_family(n, (enum family)n->next_hop.family)->bytes,
		.source_mac = n->mac,
	};

	return pkt_question_write(frame, &question);
}

// What we said ourselves may come back to us.
static bool is_from_us(const struct neighbours *n, const uint8_t *mac)
{
	return memcmp(mac, n->mac, sizeof(n->mac)) == 0;
}

// Who asks or answers says where he is.
static void learn(struct neighbours *n, const struct ip_addr *ip, const uint8_t *mac)
{
	const struct ip_addr *same = find_ours(n, ip);

	if (same)
		n->conflict = same;
	if (ip_equal(ip, &n->next_hop)) {
		memcpy(n->next_hop_mac, mac, sizeof(n->next_hop_mac));
		n->found_next_hop = true;
	}
}

// Whether a question for this address of ours is to be answered. As long as it is tentative it is
// not, and who asks from nobody would have the same one (RFC 4862 §5.4.3).
static bool is_answered(
	struct neighbours *n, const struct pkt_question *question, const struct ip_addr *target)
{
	if (question->family == FAMILY_IPV4 || !n->tentative)
		return true;
	if (memcmp(question->source_ip, nobody, IPV6_BYTES) == 0)
		n->conflict = target;
	return false;
}

size_t neighbours_take(struct neighbours *n, struct pkt *p, size_t frame_bytes)
{
	struct pkt_question question;
	struct pkt_answer answer;
	const struct ip_addr *target;
	struct ip_addr source;
	struct ip_addr wanted;

	if (pkt_answer_parse(&answer, p, frame_bytes)) {
		source = ip_from_bytes((enum family)answer.family, answer.ip);
		if (!is_from_us(n, answer.mac))
			learn(n, &source, answer.mac);
		return 0;
	}
	if (!pkt_question_parse(&question, p, frame_bytes) || is_from_us(n, question.source_mac))
		return 0;
	source = ip_from_bytes((enum family)question.family, question.source_ip);
	learn(n, &source, question.source_mac);
	wanted = ip_from_bytes((enum family)question.family, question.target_ip);
	target = find_ours(n, &wanted);
	if (!target || find_ours(n, &source) || !is_answered(n, &question, target))
		return 0;
	pkt_question_answer(p, &question, n->mac);
	return pkt_frame_bytes(p);
}
