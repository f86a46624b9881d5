// Between whom a frame is, whatever else is wrong with it.
#ifndef PKT_ENDS_H
#define PKT_ENDS_H

#include "pkt.h"

// Of a frame that is not IP, or too short to tell, `family` is none. Ports are those of UDP where
// its header stands right behind that of IP; else 0.
struct pkt_ends {
	const uint8_t *from_ip; // 4 or 16 bytes in the frame
	const uint8_t *to_ip;
	uint16_t from_port_be;
	uint16_t to_port_be;
	uint8_t family;
};

// `frame_bytes` are all that is read; a tag is skipped.
struct pkt_ends pkt_ends_peek(const uint8_t *frame, size_t frame_bytes);

#endif
