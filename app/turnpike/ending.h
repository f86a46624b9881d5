// The end of the daemon: the workers come back, and what lives gets its records. It takes ten
// seconds at most.
//
// Order of calls, after loop_stop(): ending_join(); ending_record(), once no door asks for anything
// any more; ending_leave() in place of all that follows where a worker stands.
#ifndef TURNPIKE_ENDING_H
#define TURNPIKE_ENDING_H

#include <stdbool.h>

struct box;
struct loop;

// Wait for the workers, five seconds at most. One that has not come back by then stands: it is
// named in the log, and control leaves it out. False where one does: then nothing of a worker may
// be taken away.
bool ending_join(struct loop *loop);
// Every allocation that still lives ends with a record of its own, within five seconds, and nobody
// new comes. Events are served meanwhile. Does nothing where no records are kept.
void ending_record(struct loop *loop);
// Leave the process with EXIT_FAULT. A worker that stands may move again, so devices, buffers and
// tables are left to it: the guard gives the interfaces back, as after a crash.
_Noreturn void ending_leave(const struct box *box);

#endif
