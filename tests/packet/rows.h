// What one packet becomes: rows of {name, packet in, verdict, packet out} through the whole
// worker_poll().
#ifndef PACKET_ROWS_H
#define PACKET_ROWS_H

#include "rig.h"

enum verdict { SENT, PUNTED, MIRRORED, BY_KERNEL, DROPPED };

struct row {
	const char *name;
	struct datagram in;
	enum verdict verdict;
	enum drop drop;
	struct datagram out;
};

#define BYTES(text) .payload = text, .n = sizeof(text) - 1
#define STUN_COOKIE "\x21\x12\xa4\x42"
#define TRANSACTION "0123456789ab"

// Let the first worker have the packet, and check all that came of it.
void run_row(struct rig *rig, const struct row *row);
// Every packet that came in went somewhere that is counted.
void rig_expect_balance(const struct rig *rig);

#endif
