// A view of one frame, and the rewriting that a relay does to it.
//
// pkt_parse() is the only judge of lengths: after it says PKT_UDP, headers and payload lie inside
// the frame. pkt_relay*() and pkt_reply() move the front of the frame; they need PKT_HEADROOM_BYTES
// in front of it where the frame may grow. Nothing here allocates, and nothing knows DPDK. Safe
// from any core.
#ifndef PKT_H
#define PKT_H

#include "base/base.h"
#include "csum.h"

#include <stdbool.h>
#include <stdint.h>

#define PKT_ETHER_BYTES 14
#define PKT_VLAN_BYTES 4
#define PKT_L2_BYTES_MAX (PKT_ETHER_BYTES + PKT_VLAN_BYTES)
#define PKT_IPV4_BYTES 20
#define PKT_UDP_BYTES 8
#define PKT_CHANNEL_BYTES 4
// What a Data indication puts before the data: header, XOR-PEER-ADDRESS, DATA's header.
#define PKT_DATA_INDICATION_BYTES (20 + 12 + 4)
#define PKT_HEADROOM_BYTES 64
#define PKT_TTL_DEFAULT 64

enum pkt_kind {
	PKT_UDP, // a whole IPv4 UDP datagram
	PKT_FOREIGN, // not ours to read: ARP, TCP, ICMP, IPv6 ...
	PKT_FRAGMENT, // a fragment of an IPv4 UDP datagram
	PKT_TRUNCATED, // the frame is shorter than its IP header says
	PKT_MALFORMED, // header lengths that cannot be
	PKT_WRONG_VLAN,
};

struct pkt {
	uint8_t *frame; // the Ethernet header
	uint8_t *l3; // the IPv4 header
	uint8_t *l4; // the UDP header
	uint8_t *payload; // what follows it
	uint16_t l2_bytes;
	uint16_t l3_bytes; // with options
	uint16_t payload_bytes;
};

// Read a frame. `vlan` is the tag that every frame of this port carries, or 0 for a port of
// untagged frames; the priority tag 0 counts as untagged (802.1Q). l3 and l2_bytes are also right
// for PKT_FOREIGN and PKT_FRAGMENT where the frame is IPv4.
enum pkt_kind pkt_parse(struct pkt *out, uint8_t *frame, size_t frame_bytes, uint16_t vlan);

// Bytes from the Ethernet header to the end of the payload.
static inline uint16_t pkt_frame_bytes(const struct pkt *p)
{
	return (uint16_t)(p->payload + p->payload_bytes - p->frame);
}

// Addresses and ports in the order of the packet: source first. Network byte order.
struct pkt_addresses {
	uint32_t source_ip;
	uint32_t target_ip;
	uint16_t source_port;
	uint16_t target_port;
};

struct pkt_rewrite {
	struct pkt_addresses to;
	uint16_t ip_delta; // sum of new addresses minus old ones
	uint16_t ip_id; // of the new packet, any byte order
	uint64_t udp_delta; // all that changes under the UDP checksum but the two lengths
	uint8_t *payload; // the new payload, inside the frame's buffer
	uint16_t payload_bytes;
	bool dont_fragment; // set DF; otherwise DF is copied (RFC 8656 §14)
	uint8_t l2_bytes;
	const uint8_t *l2; // the new Ethernet header
};

// What a relayed packet takes over from the one that came in. Read it before anything is written in
// front of the payload: the new headers and a TURN header overlap the old ones.
struct pkt_origin {
	uint16_t ip_bytes; // all as they lie in memory
	uint16_t ip_id;
	uint16_t fragment;
	uint16_t ttl_protocol;
	uint16_t ip_csum;
	uint16_t udp_bytes;
	uint16_t udp_csum;
	uint8_t tos;
	bool has_options;
};

static inline struct pkt_origin pkt_origin_load(const struct pkt *p)
{
	return (struct pkt_origin){
		.ip_bytes = load_u16(p->l3 + 2),
		.ip_id = load_u16(p->l3 + 4),
		.fragment = load_u16(p->l3 + 6),
		.ttl_protocol = load_u16(p->l3 + 8),
		.ip_csum = load_u16(p->l3 + 10),
		.udp_bytes = load_u16(p->l4 + 4),
		.udp_csum = load_u16(p->l4 + 6),
		.tos = p->l3[1],
		.has_options = p->l3_bytes != PKT_IPV4_BYTES,
	};
}

// Turn the datagram into another one around the new payload, whose bytes are in place: new
// addresses, lengths, checksums by difference, hop limit one less, DSCP and ECN kept, IP options
// left out (RFC 8656 §14). The hop limit must be above 1.
void pkt_relay(struct pkt *p, const struct pkt_origin *origin, const struct pkt_rewrite *rewrite);

// Turn the datagram around: swap MACs, addresses and ports, take `payload_bytes` at p->payload as
// the new payload, fresh hop limit, checksums computed.
void pkt_reply(struct pkt *p, uint16_t payload_bytes, uint16_t ip_id);

// True where the UDP checksum is the bare sum of the pseudo header: a kernel left it to hardware
// that was not there (veth). By chance one honest datagram in 65,536 looks so too; finishing that
// one is harmless.
bool pkt_checksum_unfinished(const struct pkt *p);
void pkt_checksum_finish(struct pkt *p);
// The same for TCP and UDP in a frame on its way to the kernel.
void pkt_foreign_checksum_finish(struct pkt *p, size_t frame_bytes);

// Remove or insert the 802.1Q tag of a frame; give the new start of the frame.
uint8_t *pkt_vlan_strip(uint8_t *frame);
uint8_t *pkt_vlan_insert(uint8_t *frame, uint16_t vlan);

static inline uint8_t pkt_ttl(const struct pkt *p)
{
	return p->l3[8];
}

static inline uint16_t pkt_udp_checksum(const struct pkt *p)
{
	return load_u16(p->l4 + 6);
}

static inline uint32_t pkt_source_ip(const struct pkt *p)
{
	return load_u32(p->l3 + 12);
}

static inline uint32_t pkt_target_ip(const struct pkt *p)
{
	return load_u32(p->l3 + 16);
}

#endif
