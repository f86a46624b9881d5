// A caller in a world, and what is told of his flows when they end and on demand.
#ifndef SIM_COUNTED_H
#define SIM_COUNTED_H

#include "caller.h"

#define CLIENT_IP "198.18.1.1"
#define PEER_PORT 4000
#define TALLIES_MAX 64

extern struct world world;
extern struct caller caller;
extern struct control_tally tallies[TALLIES_MAX]; // told at ends
extern unsigned n_tallies;
extern struct control_tally answer; // of the last question
extern unsigned n_answers;

// For the world: what an ended allocation's flows have carried.
void on_ended(void *context, const struct control_tally *tally);
// For a question, whose context is the caller.
void on_answer(void *context, const struct control_tally *tally);

void run(void);
// What follows is done by another, who was not opened yet at first; called again, by the first.
void change_callers(void);
// Each returns the code of the answer, 0 for success.
int send_request(const struct datagram *d);
int allocate(void);
struct endpoint peer(unsigned i);
void bind_peer(unsigned i); // to channel CALLER_CHANNEL + i
void release(void);

#endif
