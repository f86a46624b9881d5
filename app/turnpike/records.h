// Call records: what is known of an allocation when it ends waits for what it has carried; then
// one line goes to a file, to Redis, or both. And coturn's status of allocations in Redis.
//
// Order: records_open(); what it gives to lib/turn and lib/control; records_start() as the account
// that writes; records_close() when neither lives any more. Control core only; nothing waits.
#ifndef TURNPIKE_RECORDS_H
#define TURNPIKE_RECORDS_H

#include "conf/conf.h"
#include "control/control.h"
#include "redis/redis.h"
#include "turn/turn.h"

#include <stdint.h>

struct records;

struct records_stats {
	uint64_t n_written; // to the file, and not lost there
	uint64_t n_lost; // for want of memory, or of room in the file or before it
	uint64_t n_waiting; // for the workers' counters
	int open_error; // of the file, which was moved away; 0: none
};

// `redis` may be NULL where nothing goes there. Where nothing is to be recorded, `*out` is NULL.
// Returns 0; -ENOMEM; -EAGAIN where there is no thread to be had.
int records_open(struct records **out, const struct conf *conf, struct redis *redis);
// Open the file, if there is to be one. NULL is fine. Returns 0, or why it cannot be opened.
int records_start(struct records *records);
// Where the file was moved away, open it again now and let go of the old one. NULL is fine.
void records_reopen(struct records *records);
// What still waits is lost; the log has all that was lost and not said yet. NULL is fine.
void records_close(struct records *records);
// Tells `next` too. NULL records: that alone.
struct turn_watcher records_watcher(struct records *records, struct turn_watcher next);
struct control_tally_taker records_taker(struct records *records); // of NULL: none
// Names of users are as another configuration has them; NULL is fine.
void records_adjust(struct records *records, const struct conf *conf);
// Once a second: says in the log what was lost since.
void records_tick(struct records *records);
void records_stats_get(struct records *records, struct records_stats *out);

#endif
