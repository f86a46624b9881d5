#include "records.h"

#include "record.h"
#include "spool.h"
#include "status.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Ends come in the order of their tallies.
struct waiting {
	struct waiting *next;
	struct record *record;
};

struct records {
	struct turn_watcher next;
	struct spool *spool; // NULL: no file
	struct redis *redis;
	char *redis_key; // NULL: no records there
	bool coturn_status;
	bool plain_users;
	struct waiting *first;
	struct waiting **end;
	uint64_t n_waiting;
	uint64_t n_lost; // for want of memory, or at the end of time
	uint64_t n_told_lost; // already in the log, as is:
	int told_open_error;
};

static int64_t unix_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void keep(struct records *records, const struct turn_event *event)
{
	struct waiting *waiting = calloc(1, sizeof(*waiting));

	if (waiting)
		waiting->record = record_make(event, unix_ms());
	if (!waiting || !waiting->record) {
		free(waiting);
		records->n_lost++;
		return;
	}
	*records->end = waiting;
	records->end = &waiting->next;
	records->n_waiting++;
}

static void on_event(void *context, const struct turn_event *event)
{
	struct records *records = context;

	if (records->next.notify)
		records->next.notify(records->next.context, event);
	if (records->coturn_status)
		status_tell_event(records->redis, event, records->plain_users);
	if (event->kind == TURN_ENDED)
		keep(records, event);
}

static void on_judged(void *context, const struct turn_verdict *verdict)
{
	const struct records *records = context;

	if (records->next.judged)
		records->next.judged(records->next.context, verdict);
}

static void push(const struct records *records, const char *line)
{
	const struct redis_word words[] = {
		{"RPUSH", strlen("RPUSH")},
		{records->redis_key, strlen(records->redis_key)},
		{line, strlen(line)},
	};

	redis_tell(records->redis, words, N_ELEMENTS(words));
}

static void write_record(
	struct records *records, const struct record *record, const struct control_tally *tally)
{
	char *line;

	if (records->coturn_status)
		status_tell_total(records->redis, &record->view, &tally->sum, records->plain_users);
	if (!records->spool && !records->redis_key)
		return;
	line = record_write(record, tally);
	if (!line) {
		records->n_lost++;
		return;
	}
	if (records->spool)
		spool_put(records->spool, line, strlen(line));
	if (records->redis_key)
		push(records, line);
	free(line);
}

// Nearly always the first; not where memory was short.
static struct record *take_waiting(struct records *records, uint64_t id)
{
	struct waiting **link = &records->first;
	struct waiting *found;
	struct record *record;

	while (*link && (*link)->record->view.id != id)
		link = &(*link)->next;
	found = *link;
	if (!found)
		return NULL;
	*link = found->next;
	if (records->end == &found->next)
		records->end = link;
	record = found->record;
	free(found);
	records->n_waiting--;
	return record;
}

static void on_tally(void *context, const struct control_tally *tally)
{
	struct records *records = context;
	struct record *record = take_waiting(records, tally->allocation_id);

	if (record)
		write_record(records, record, tally);
	record_free(record);
}

void records_adjust(struct records *records, const struct conf *conf)
{
	if (records)
		records->plain_users = conf->log.users == LOG_USERS_PLAIN;
}

int records_open(struct records **out, const struct conf *conf, struct redis *redis)
{
	const struct conf_records *from = &conf->records;
	struct records *records;
	int rc = 0;

	*out = NULL;
	if (!from->file && !from->redis && !from->coturn_status)
		return 0;
	records = calloc(1, sizeof(*records));
	if (!records)
		return -ENOMEM;
	records->end = &records->first;
	records->redis = redis;
	records->coturn_status = from->coturn_status;
	records_adjust(records, conf);
	if (from->redis) {
		records->redis_key = strdup(from->redis);
		rc = records->redis_key ? 0 : -ENOMEM;
	}
	if (!rc && from->file)
		rc = spool_create(&records->spool, from->file);
	if (rc) {
		records_close(records);
		return rc;
	}
	*out = records;
	return 0;
}

int records_start(struct records *records)
{
	return records && records->spool ? spool_open(records->spool) : 0;
}

void records_reopen(struct records *records)
{
	if (records && records->spool)
		spool_reopen(records->spool);
}

void records_close(struct records *records)
{
	struct waiting *next;

	if (!records)
		return;
	for (struct waiting *waiting = records->first; waiting; waiting = next) {
		next = waiting->next;
		record_free(waiting->record);
		free(waiting);
		records->n_lost++;
	}
	if (records->spool)
		spool_finish(records->spool);
	records_tick(records);
	spool_close(records->spool);
	free(records->redis_key);
	free(records);
}

struct turn_watcher records_watcher(struct records *records, struct turn_watcher next)
{
	if (!records)
		return next;
	records->next = next;
	return (struct turn_watcher){on_event, on_judged, records};
}

struct control_tally_taker records_taker(struct records *records)
{
	return (struct control_tally_taker){records ? on_tally : NULL, records};
}

void records_stats_get(struct records *records, struct records_stats *out)
{
	struct spool_stats spool = {0};

	if (records->spool)
		spool_stats_get(records->spool, &spool);
	*out = (struct records_stats){
		.n_written = spool.n_lines,
		.n_lost = records->n_lost + spool.n_lost,
		.n_waiting = records->n_waiting,
		.open_error = spool.open_error,
	};
}

void records_tick(struct records *records)
{
	struct records_stats stats;

	if (!records)
		return;
	records_stats_get(records, &stats);
	if (stats.n_lost > records->n_told_lost)
		log_event(LOG_WARNING, "records.lost", "n=%" PRIu64 " written=%" PRIu64,
			stats.n_lost - records->n_told_lost, stats.n_written);
	if (stats.open_error && stats.open_error != records->told_open_error)
		log_event(
			LOG_WARNING, "records.moved", "reason=\"%s\"", strerror(-stats.open_error));
	records->n_told_lost = stats.n_lost;
	records->told_open_error = stats.open_error;
}
