// From a meant request to bytes, and from the bytes of an answer to what a client reads there. The
// bytes are judged on the way: lengths, padding, signatures, and that nothing else was written.
#ifndef SIM_WIRE_H
#define SIM_WIRE_H

#include "request.h"

#include "turn/turn.h"

#define WIRE_BYTES_MAX 1500

struct wire {
	struct stun_mac *mac;
	uint8_t request[WIRE_BYTES_MAX];
	size_t request_bytes;
	uint8_t reply[WIRE_BYTES_MAX];
	size_t reply_bytes;
	uint8_t poison; // fills `reply` before it is written
	bool checks_signature; // costs an HMAC
	const char *wrong; // of the last answer's bytes, or NULL
};

void wire_write(struct wire *wire, const struct request *request);
// Hand it to `turn`. What is wrong with the bytes stands in `wrong`.
struct answer wire_send(struct wire *wire, struct turn *turn, const struct turn_time *time,
	const struct request *request, struct turn_effects *effects);

#endif
