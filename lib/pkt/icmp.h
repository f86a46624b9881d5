// ICMP messages; and errors about the packets of a relay, of both families: reading those that come
// in, writing those that a relay owes (RFC 792, RFC 4443).
#ifndef PKT_ICMP_H
#define PKT_ICMP_H

#include "pkt.h"

#define PKT_PROTOCOL_ICMPV6 58

// The ICMP or ICMPv6 message, checksum right, of a packet that pkt_parse() calls PKT_FOREIGN, where
// no extension header stands before it; else NULL.
const uint8_t *pkt_icmp_find(const struct pkt *p, size_t frame_bytes, size_t *n_bytes);
// Write the checksum of a message of `n_bytes` behind the IP header, which is written already.
void pkt_icmp_finish(const uint8_t *l3, uint8_t *message, size_t n_bytes);

// What an error says, and of which datagram of ours.
struct pkt_icmp {
	uint8_t type; // by the family of the packet
	uint8_t code;
	uint8_t family; // enum family
	uint16_t source_port_be; // of the datagram that the error is about
	uint16_t target_port_be;
	const uint8_t *source_ip; // 4 or 16 bytes in the frame
	const uint8_t *target_ip;
	uint32_t mtu_bytes; // of "packet too big" and "fragmentation needed"; else 0
};

// Read a frame that pkt_parse() calls PKT_FOREIGN. True where it is an error that RFC 8656 §11.5
// relays: types 3 and 11 of ICMP, 1, 2 and 3 of ICMPv6, with a right checksum, to whom sent the UDP
// datagram that it is about and whose headers are there.
bool pkt_icmp_parse(struct pkt_icmp *out, const struct pkt *p, size_t frame_bytes);

enum pkt_icmp_reason {
	PKT_ICMP_TOO_BIG,
	PKT_ICMP_HOP_LIMIT,
};

// The most that pkt_icmp_write() writes.
#define PKT_ICMP_FRAME_BYTES_MAX (PKT_ETHER_BYTES + PKT_VLAN_BYTES + 1280)

// Write the error that `about` earns, back to where it came from, into `frame` of
// PKT_ICMP_FRAME_BYTES_MAX. `mtu_bytes` is for PKT_ICMP_TOO_BIG. Returns the bytes of the frame; 0
// where none may be sent: its source is no single host (RFC 1122 §3.2.2, RFC 4443 §2.4).
size_t pkt_icmp_write(uint8_t *frame, const struct pkt *about, enum pkt_icmp_reason reason,
	uint16_t mtu_bytes, uint16_t ip_id);

#endif
