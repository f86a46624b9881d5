// The hosts on the link of a wire of frames: who has which address, by ARP and neighbour discovery.
//
// Our addresses live in this process alone, so it answers for them itself; it learns where the next
// hop is, and notices who has one of our addresses as well. It makes frames and reads them; to send
// them is the caller's.
#ifndef NEIGHBOURS_H
#define NEIGHBOURS_H

#include "pkt/pkt.h"
#include "wire.h"

struct neighbours {
	const struct wire_slots *slots; // given: whose addresses are ours
	struct ip_addr next_hop; // given: of the family of one of them
	uint8_t mac[6]; // given: ours
	// Given: our addresses of IPv6 are not ours yet, for others are still being asked
	// (RFC 4862 §5.4).
	bool tentative;
	const struct ip_addr *conflict; // the one of ours that another host has as well, or NULL
	bool found_next_hop;
	uint8_t next_hop_mac[6];
};

bool neighbours_have_ipv6(const struct neighbours *neighbours);

// How many addresses are ours.
size_t neighbours_count(const struct neighbours *neighbours);

// Both write a question into `frame` of PKT_NEIGHBOUR_BYTES_MAX and return its bytes: whether
// anybody has the i-th of our addresses (RFC 5227 §2.1.1, RFC 4862 §5.4.2), 0 where it is of IPv6
// and tentative no more; and where the next hop is.
size_t neighbours_probe(const struct neighbours *neighbours, uint8_t *frame, size_t i);
size_t neighbours_ask(const struct neighbours *neighbours, uint8_t *frame);

// Take a frame that pkt_parse() calls PKT_FOREIGN, whose buffer has PKT_NEIGHBOUR_BYTES_MAX.
// Where it asks for one of our addresses it becomes the answer, of as many bytes as are returned;
// else 0.
size_t neighbours_take(struct neighbours *neighbours, struct pkt *p, size_t frame_bytes);

#endif
