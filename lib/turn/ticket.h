// A number that only we can read and nobody else can make: one block of AES-256, half of it zero
// (encode, then encipher). To guess another one takes 2^64 tries, each with the owner's password.
//
// Written as hex digits, and no more than 32 of them, for coturn's client takes a ticket as a C
// string of at most that length.
#ifndef TURN_TICKET_H
#define TURN_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#define TICKET_TEXT_BYTES 32
#define TICKET_KEY_BYTES 32

struct ticketer;

int ticketer_create(
	struct ticketer **out, const uint8_t key[static TICKET_KEY_BYTES]); // 0; -ENOMEM
void ticketer_destroy(struct ticketer *ticketer); // NULL is fine

void ticket_write(struct ticketer *ticketer, uint64_t number, char out[static TICKET_TEXT_BYTES]);
// False where it is none of ours.
bool ticket_read(
	struct ticketer *ticketer, const uint8_t text[static TICKET_TEXT_BYTES], uint64_t *number);

#endif
