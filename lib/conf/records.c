// `records`: where the records of allocations that have ended go.
#include "text.h"
#include "values.h"

#include <string.h>

int values_take_records(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place here = {NULL, "records", 0};
	const struct place file = {&here, "file", 0};
	const struct place redis = {&here, "redis", 0};
	const struct place status = {&here, "coturn-status", 0};
	struct conf_records *to = &conf->records;

	to->file = values_steal(&raw->records.file);
	to->redis = values_steal(&raw->records.redis);
	to->observe_percent = values_number(raw->records.observe_percent, "observe-percent");
	to->coturn_status = raw->records.coturn_status == RAW_ON;
	if (to->file && (to->file[0] != '/' || to->file[strlen(to->file) - 1] == '/'))
		return source_fail(source, &file, to->file,
			"is no absolute path of a file; allowed: one like "
			"/var/log/turnpike/records.jsonl");
	if (to->redis && !conf->has_redis)
		return source_fail(source, &redis, NULL,
			"no redis at the top level says where it is; allowed: no such key, or "
			"redis: {server: ...}");
	if (to->coturn_status && !conf->has_redis)
		return source_fail(source, &status, NULL,
			"no redis at the top level says where it is; allowed: off, or redis: "
			"{server: ...}");
	return 0;
}
