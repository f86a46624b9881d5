// A queue of an interface as the kernel lends it to an AF_XDP socket.
#ifndef DRIVERS_XDP_QUEUE_H
#define DRIVERS_XDP_QUEUE_H

#include <stdint.h>

// Wait until a socket can bind to the queue. The kernel takes a queue from a dead process's socket
// in its own time, after an RCU grace period and on a work queue: tens of milliseconds, in which a
// bind fails. Takes less than 0.1 s itself where the queue is free, and leaves it free.
//
// Returns 0; -EBUSY where a socket kept it for 5 s; -errno of what the kernel refuses.
int xdp_queue_wait_free(int ifindex, uint32_t queue);

#endif
