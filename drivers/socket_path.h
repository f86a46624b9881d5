// The socket file of a port whose other end is a process.
#ifndef DRIVERS_SOCKET_PATH_H
#define DRIVERS_SOCKET_PATH_H

#include "kind.h"

// For the end that listens: the path is free, or a dead process left its file there, which is
// removed. The file that will appear goes to the journal. Returns 0, or opening_fail().
int socket_path_claim(struct opening *opening);
// For the end that connects: somebody listens there. Returns 0, or opening_fail().
int socket_path_reach(struct opening *opening);

#endif
