// A world with callers that each have a channel to one peer.
#ifndef SIM_CROWD_H
#define SIM_CROWD_H

#include "caller.h"

#define N_CALLERS 20
#define PEER_IP "198.18.0.20"

extern struct world world;
extern struct caller callers[N_CALLERS];

void open_crowd(void);
void close_crowd(void);
// Each returns the code of the answer, 0 for success.
int allocate(struct caller *caller);
int bind_channel(struct caller *caller);

#endif
