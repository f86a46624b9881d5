// Another configuration without a restart: the file is read and judged as a whole, told apart from
// what runs, and applied as one step or not at all.
//
// Workers get what changes for them by a message and give back what they had; until they have, the
// next reload waits. What is closed (listeners, relayed ports, realms) and still in use is looked
// at again by reload_settle(), and forgotten when its last allocation has ended.
#ifndef TURNPIKE_RELOAD_H
#define TURNPIKE_RELOAD_H

#include "box.h"
#include "conf/conf.h"

struct loop;

enum reload_status {
	RELOAD_DONE, // it is in force, whether anything differed or not
	RELOAD_REFUSED, // all is as it was; `reason` says why
	RELOAD_BUSY, // all is as it was; a worker has not taken the last one yet: again in a moment
};

#define RELOAD_REASON_BYTES 1024

struct reload_result {
	enum reload_status status;
	struct conf_diff diff; // what the file has other than what ran, applied or not
	char reason[RELOAD_REASON_BYTES]; // one line, of RELOAD_REFUSED and RELOAD_BUSY
};

// Read the file that turnpike was started with again, and apply it. It says in the log what came of
// it; reload_result_free() is due in any case. Control thread only.
void reload(struct loop *loop, struct reload_result *out);
void reload_result_free(struct reload_result *result);

// Now and then: take back what workers have given back, and tell them of what is no longer in use.
void reload_settle(struct loop *loop);

#endif
