// A view of one frame, and the rewriting that a relay does to it.
//
// pkt_parse() (parse.h) is the only judge of lengths: after it says PKT_UDP, headers and payload
// lie inside the frame. pkt_relay*() and pkt_reply() move the front of the frame; they need
// PKT_HEADROOM_BYTES in front of it where the frame may grow. Nothing here allocates, and nothing
// knows DPDK. Safe from any core.
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
#define PKT_IPV6_BYTES 40
#define PKT_UDP_BYTES 8
#define PKT_CHANNEL_BYTES 4
// What a Data indication puts before the data: header, XOR-PEER-ADDRESS, DATA's header.
#define PKT_DATA_INDICATION_BYTES (20 + 12 + 4)
#define PKT_DATA_INDICATION_IPV6_BYTES (20 + 24 + 4)
#define PKT_HEADROOM_BYTES 64
#define PKT_TTL_DEFAULT 64

enum pkt_kind {
	PKT_UDP, // a whole UDP datagram, IPv4 or IPv6
	PKT_FOREIGN, // not ours to read: ARP, TCP, ICMP ...
	PKT_FRAGMENT, // a fragment of a UDP datagram
	PKT_TRUNCATED, // the frame is shorter than its IP header says
	PKT_MALFORMED, // header lengths that cannot be
	PKT_WRONG_VLAN,
};

struct pkt {
	uint8_t *frame; // the Ethernet header
	uint8_t *l3; // the IP header
	uint8_t *l4; // the UDP header
	uint8_t *payload; // what follows it
	uint16_t l2_bytes;
	uint16_t l3_bytes; // with options or extension headers
	uint16_t payload_bytes;
	uint8_t family; // enum family; none where the frame is neither
};

// Of the IP header that we write.
static inline uint16_t pkt_ip_bytes(uint8_t family)
{
	return family == FAMILY_IPV4 ? PKT_IPV4_BYTES : PKT_IPV6_BYTES;
}

// Bytes from the Ethernet header to the end of the payload.
static inline uint16_t pkt_frame_bytes(const struct pkt *p)
{
	return (uint16_t)(p->payload + p->payload_bytes - p->frame);
}

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

// The hop limit is IPv6's name for it.
static inline uint8_t pkt_ttl(const struct pkt *p)
{
	return p->family == FAMILY_IPV4 ? p->l3[8] : p->l3[7];
}

static inline uint16_t pkt_udp_checksum(const struct pkt *p)
{
	return load_u16(p->l4 + 6);
}

// 4 or 16 bytes, as the packet has them.
static inline const uint8_t *pkt_source_ip(const struct pkt *p)
{
	return p->family == FAMILY_IPV4 ? p->l3 + 12 : p->l3 + 8;
}

static inline const uint8_t *pkt_target_ip(const struct pkt *p)
{
	return p->family == FAMILY_IPV4 ? p->l3 + 16 : p->l3 + 24;
}

// False where an answer would reach nobody, or many (RFC 1122 §3.2.1.3).
static inline bool pkt_is_from_host(const struct pkt *p)
{
	const uint8_t *ip = pkt_source_ip(p);
	const uint64_t but_loopback = 0xfeffffffffffffffULL; // as the last 8 bytes lie in memory

	if (p->family == FAMILY_IPV6)
		return ip[0] != 0xff && (load_u64(ip) | (load_u64(ip + 8) & but_loopback)) != 0;
	return ip[0] != 0 && ip[0] != 127 && ip[0] >> 4 != 14 && load_u32(ip) != UINT32_MAX;
}

static inline struct endpoint pkt_source(const struct pkt *p)
{
	return (struct endpoint){
		.ip = ip_from_bytes((enum family)p->family, pkt_source_ip(p)),
		.port = load_be16(p->l4),
	};
}

static inline struct endpoint pkt_target(const struct pkt *p)
{
	return (struct endpoint){
		.ip = ip_from_bytes((enum family)p->family, pkt_target_ip(p)),
		.port = load_be16(p->l4 + 2),
	};
}

#include "ends.h"
#include "fragment.h"
#include "icmp.h"
#include "neighbour.h"
#include "parse.h"
#include "relay.h"

#endif
