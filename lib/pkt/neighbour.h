// Who on the link has this address? ARP requests (RFC 826, RFC 5227) and neighbour solicitations
// (RFC 4861), and their answers. Whose the address is, the caller knows.
#ifndef PKT_NEIGHBOUR_H
#define PKT_NEIGHBOUR_H

#include "pkt.h"

// All of it lies in the frame.
struct pkt_question {
	uint8_t family; // enum family
	const uint8_t *target_ip; // 4 or 16 bytes: the address that is asked for
	const uint8_t *source_ip; // who asks; zeros: he would have the address for himself
	const uint8_t *source_mac; // where he hears the answer
};

// Read a frame that is to a group or to us. True where it is a question, valid by RFC 4861 §7.1.1,
// from a single host or from none, whom the owner of the address must answer: one of his addresses,
// and thus no group's, and not asked for by himself, which would be an announcement (RFC 5227 §3).
bool pkt_question_parse(struct pkt_question *out, const struct pkt *p, size_t frame_bytes);

// What pkt_question_answer() writes at most, from the start of the frame on.
#define PKT_ANSWER_FRAME_BYTES_MAX (PKT_L2_BYTES_MAX + PKT_IPV6_BYTES + 32)

// The frame becomes its answer, in place: the address that was asked for is at `mac`.
void pkt_question_answer(
	struct pkt *p, const struct pkt_question *question, const uint8_t mac[static 6]);

#endif
