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

// What a question or an answer takes at most, from the start of the frame on.
#define PKT_NEIGHBOUR_BYTES_MAX (PKT_L2_BYTES_MAX + PKT_IPV6_BYTES + 32)

// The frame becomes its answer, in place: the address that was asked for is at `mac`.
void pkt_question_answer(
	struct pkt *p, const struct pkt_question *question, const uint8_t mac[static 6]);

// Write the untagged frame that asks this, to all who may have the address. Returns its bytes.
size_t pkt_question_write(uint8_t *frame, const struct pkt_question *question);

// Both lie in the frame.
struct pkt_answer {
	uint8_t family; // enum family
	const uint8_t *ip; // 4 or 16 bytes: this address
	const uint8_t *mac; // is here
};

// Read a frame. True where it is an answer, asked for or not, valid by RFC 4861 §7.1.2 and with a
// MAC, of a single host.
bool pkt_answer_parse(struct pkt_answer *out, const struct pkt *p, size_t frame_bytes);

#endif
