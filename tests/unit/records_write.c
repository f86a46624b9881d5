// The record as it is written, and when.
#include "../../app/turnpike/record.h"
#include "../../app/turnpike/records.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ENDED_MS 1764165600123LL // 2025-11-26T14:00:00.123Z

static struct endpoint endpoint(const char *text)
{
	struct endpoint out;

	cr_assert_eq(endpoint_parse(&out, text), 0);
	return out;
}

static struct turn_event an_end(uint64_t id)
{
	return (struct turn_event){
		.kind = TURN_ENDED,
		.reason = TURN_RELEASED,
		.time.now_ms = 71500,
		.allocation =
			{
				.id = id,
				.realm = "blue",
				.user = (const uint8_t *)"a\"b",
				.user_bytes = 3,
				.client = endpoint("198.51.100.2:7000"),
				.service = endpoint("192.0.2.1:3478"),
				.relayed = {endpoint("192.0.2.9:50000")},
				.outside = {endpoint("203.0.113.9:50000")},
				.created_ms = 10000,
			},
	};
}

Test(records, line_says_all)
{
	const struct turn_event event = an_end(0x6926f0e100000001);
	const struct control_tally tally = {
		.allocation_id = 0x6926f0e100000001,
		.sum = {{43, 35}, {4300, 1750}},
		.n_peers = 2,
		.more_peers = true,
		.peers =
			{
				{endpoint("203.0.113.7:4000"), {{40, 30}, {4000, 1500}}},
				{endpoint("[2001:db8::7]:0"), {{0, 5}, {0, 250}}},
			},
	};
	struct record *record = record_make(&event, ENDED_MS);
	char *line = record_write(record, &tally);

	cr_expect_str_eq(line,
		"{\"id\":\"6926f0e100000001\",\"realm\":\"blue\",\"user\":\"a\\\\x22b\","
		"\"client\":\"198.51.100.2:7000\",\"service\":\"192.0.2.1:3478\","
		"\"relayed\":[\"203.0.113.9:50000\"],\"start\":\"2025-11-26T13:58:58.623Z\","
		"\"end\":\"2025-11-26T14:00:00.123Z\",\"duration_ms\":61500,"
		"\"reason\":\"released\",\"moves\":0,\"packets\":{\"up\":43,\"down\":35},"
		"\"bytes\":{\"up\":4300,\"down\":1750},"
		"\"peers\":[{\"peer\":\"203.0.113.7:4000\",\"packets\":{\"up\":40,\"down\":30},"
		"\"bytes\":{\"up\":4000,\"down\":1500}},"
		"{\"peer\":\"2001:db8::7\",\"packets\":{\"up\":0,\"down\":5},"
		"\"bytes\":{\"up\":0,\"down\":250}}],\"more_peers\":true}");
	free(line);
	record_free(record);
}

Test(records, names_are_as_the_log_has_them)
{
	const struct turn_event event = an_end(1);
	const struct log_config hidden = {.level = LOG_INFO, .users = LOG_USERS_OFF};
	const struct control_tally tally = {.allocation_id = 1};
	struct record *record = record_make(&event, ENDED_MS);
	char *line;

	log_open(&hidden);
	line = record_write(record, &tally);
	cr_expect_not_null(strstr(line, "\"user\":\"-\""));
	free(line);
	record_free(record);
}

// Of the file that records wrote, the ids in order.
static const char *ids_in(const char *path)
{
	static char ids[512];
	FILE *file = fopen(path, "r");
	char line[2048];
	unsigned long id;

	ids[0] = '\0';
	cr_assert_not_null(file);
	while (fgets(line, sizeof(line), file)) {
		cr_assert_eq(sscanf(line, "{\"id\":\"%lx\"", &id), 1);
		snprintf(ids + strlen(ids), sizeof(ids) - strlen(ids), "%lu ", id);
	}
	fclose(file);
	return ids;
}

static unsigned n_passed_on;

static void pass_on(void *context, const struct turn_event *event)
{
	(void)context;
	(void)event;
	n_passed_on++;
}

Test(records, each_end_waits_for_what_it_carried)
{
	char path[64];
	struct conf conf = {.records.file = path};
	struct records_stats stats;
	struct records *records;
	struct turn_watcher watcher;
	struct control_tally_taker taker;

	snprintf(path, sizeof(path), "/tmp/records_write-%d", (int)getpid());
	unlink(path);
	cr_assert_eq(records_open(&records, &conf, NULL), 0);
	watcher = records_watcher(records, (struct turn_watcher){.notify = pass_on});
	taker = records_taker(records);
	for (uint64_t id = 1; id <= 4; id++) {
		struct turn_event event = an_end(id);

		event.kind = TURN_CREATED;
		watcher.notify(watcher.context, &event);
		event.kind = TURN_ENDED;
		watcher.notify(watcher.context, &event);
	}
	watcher.judged(watcher.context, NULL);
	cr_expect_eq(n_passed_on, 8);
	records_stats_get(records, &stats);
	cr_expect_eq(stats.n_waiting, 4);
	// In another order too, and one that nobody has heard of.
	for (size_t i = 0; i < 4; i++) {
		static const uint64_t order[] = {1, 4, 99, 2};
		const struct control_tally tally = {.allocation_id = order[i]};

		taker.take(taker.context, &tally);
	}
	records_stats_get(records, &stats);
	cr_expect_eq(stats.n_waiting, 1);
	watcher.notify(watcher.context,
		&(struct turn_event){.kind = TURN_ENDED, .allocation = an_end(5).allocation});
	taker.take(taker.context, &(struct control_tally){.allocation_id = 3});
	taker.take(taker.context, &(struct control_tally){.allocation_id = 5});
	records_close(records);
	cr_expect_str_eq(ids_in(path), "1 4 2 3 5 ");
	unlink(path);
}

Test(records, what_waits_at_the_end_is_lost_and_said)
{
	const struct conf conf = {.records.redis = "calls"};
	struct turn_event event = an_end(1);
	struct records *records;
	struct turn_watcher watcher;
	char line[256] = {0};
	FILE *log = tmpfile();

	cr_assert_eq(records_open(&records, &conf, NULL), 0);
	watcher = records_watcher(records, (struct turn_watcher){0});
	watcher.notify(watcher.context, &event);
	watcher.notify(watcher.context, &event);
	dup2(fileno(log), STDERR_FILENO);
	log_reopen();
	records_close(records);
	rewind(log);
	cr_assert_not_null(fgets(line, sizeof(line), log));
	cr_expect_not_null(strstr(line, "warning records.lost n=2 written=0"), "%s", line);
	fclose(log);
}

Test(records, none_are_wanted)
{
	const struct conf conf = {0};
	struct records *records = (struct records *)&conf;
	const struct turn_watcher next = {.notify = pass_on};

	cr_expect_eq(records_open(&records, &conf, NULL), 0);
	cr_expect_null(records);
	cr_expect_eq(records_watcher(records, next).notify, pass_on);
	cr_expect_null(records_taker(records).take);
}
