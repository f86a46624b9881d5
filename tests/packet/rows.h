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
// ChannelData of "hello" on CHANNEL.
#define HELLO "\x40\x01\x00\x05hello"
#define DATA_5 "\x00\x13\x00\x05hello\x00\x00\x00"
// XOR-PEER-ADDRESS of PEER, port 6000 = 0x1770 ^ 0x2112, c6.12.00.14 ^ 21.12.a4.42; and of PEER6
// under TRANSACTION.
#define XOR_PEER "\x00\x12\x00\x08\x00\x01\x36\x62\xe7\x00\xa4\x56"
#define XOR_PEER6                          \
	"\x00\x12\x00\x14\x00\x02\x36\x62" \
	"\x01\x13\xa9\xfa\x30\x33\x32\x33\x34\x35\x36\x37\x38\x39\x61\x42"
// A Send indication; `length` of its attributes.
#define SEND(attributes, length) "\x00\x16" length STUN_COOKIE TRANSACTION attributes
#define SEND_HELLO SEND(XOR_PEER DATA_5, "\x00\x18")
#define SEND_HELLO6 SEND(XOR_PEER6 DATA_5, "\x00\x24")

// Let the first worker have the packet, and check all that came of it.
void run_row(struct rig *rig, const struct row *row);
// It is handed to the control core for the kernel, as it came.
void rig_expect_mirrored(struct rig *rig, const struct frame *frame, const char *what);
// Every packet that came in went somewhere that is counted.
void rig_expect_balance(const struct rig *rig);

#endif
