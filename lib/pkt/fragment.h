// Fragments of UDP datagrams: reading one, and cutting a datagram into some (RFC 791 §3.2, RFC 8200
// §4.5).
#ifndef PKT_FRAGMENT_H
#define PKT_FRAGMENT_H

#include "pkt.h"

// Where a fragment's bytes belong in the payload of the IP packet it is a part of.
struct pkt_fragment {
	uint32_t id; // network byte order
	uint32_t offset; // a multiple of 8
	uint32_t n_bytes; // a multiple of 8 where `more`
	const uint8_t *bytes;
	bool more;
};

// Read what pkt_parse() calls PKT_FRAGMENT. False where its length cannot be. Its end may lie
// beyond 64 KiB.
bool pkt_fragment_parse(struct pkt_fragment *out, const struct pkt *p);

// Write, around `n_bytes` of IP payload that begin with a UDP header at p->l4, the headers of the
// whole packet they came in: those of `first`, the fragment with offset 0, without options or
// extension headers. p->l4 needs PKT_HEADROOM_BYTES in front; `first` may be `p` of an earlier
// call. Afterwards pkt_parse() takes p->frame.
void pkt_reassemble(struct pkt *p, const struct pkt *first, uint16_t n_bytes);

// The IP payload that each fragment carries but the last, in packets of up to `ip_bytes`.
uint16_t pkt_fragment_room(const struct pkt *whole, uint16_t ip_bytes);

// Write the fragment that carries `n_bytes` of the IP payload of `whole` from `offset`, into
// `frame` of at least pkt_fragment_bytes(). `whole` has no options or extension headers. Returns
// the bytes of the frame.
size_t pkt_fragment_write(
	uint8_t *frame, const struct pkt *whole, uint32_t offset, uint16_t n_bytes, uint32_t id);
size_t pkt_fragment_bytes(const struct pkt *whole, uint16_t n_bytes);

// Of the IP payload: UDP's header and what it carries.
static inline uint16_t pkt_l4_bytes(const struct pkt *p)
{
	return (uint16_t)(PKT_UDP_BYTES + p->payload_bytes);
}

#endif
