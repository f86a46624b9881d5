// Everything that runs, opened in order and closed in reverse: guard, EAL, buffers, ports, mirrors,
// routes, allocations, workers, control core.
#ifndef TURNPIKE_BOX_H
#define TURNPIKE_BOX_H

#include "conf/conf.h"
#include "control/control.h"
#include "drivers/drivers.h"
#include "eal.h"
#include "events.h"
#include "msg/msg.h"
#include "own.h"
#include "privileges.h"
#include "records.h"
#include "redis/redis.h"
#include "route/route.h"
#include "trail.h"
#include "turn/turn.h"
#include "worker/worker.h"

#define BOX_ERROR_BYTES 768

struct rte_mempool;

// One worker and its rings.
struct box_worker {
	struct worker *worker;
	struct msg_channel punts;
	struct msg_channel others;
	struct msg_channel inbox;
	struct msg_channel counts;
	struct msg_channel seen;
};

struct box {
	struct conf *conf; // the box's
	const char *conf_path; // where it was read
	struct privileges privileges; // to be dropped once all is open
	struct guard guard;
	struct eal eal;
	struct rte_mempool *pool;
	struct rte_mempool *jumbo_pool;
	struct port ports[CONF_PORTS_MAX];
	struct mirror mirrors[CONF_PORTS_MAX];
	size_t n_ports; // opened
	size_t n_mirrors; // opened
	struct route *route;
	int kernel_fd;
	struct redis *redis; // NULL: none is configured
	int kernel6_fd;
	struct records *records; // NULL: none are written
	struct own own; // what `turn` knows as this box
	struct turn *turn;
	struct events events;
	struct trail trail;
	struct doorbell doorbell;
	struct heartbeat heartbeat; // of the control core
	struct box_worker workers[CONF_WORKERS_MAX];
	size_t n_workers; // created
	struct worker_config worker; // what all of them run by; without its lists
	struct worker_setup *setups[CONF_WORKERS_MAX]; // on their way to the workers and back
	size_t n_setups;
	uint64_t setups_seq; // when the control core has applied it, they are back
	bool places_due; // workers serve what is no longer in use
	struct control *control;
};

// `box->conf`, `conf_path` and `privileges` are set, the rest is zero. Returns 0, or an exit status
// with a line in `error`; box_close() is due in either case.
int box_open(struct box *box, char *const *eal_extra, int n_eal_extra,
	char error[static BOX_ERROR_BYTES]);
void box_close(struct box *box); // with its configuration

// That of one worker, as far as it does not change while it runs: from what is the same for all.
struct worker_config box_worker_config(
	struct box *box, const struct worker_config *common, size_t worker_idx);

#endif
