#include "base/line.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <string.h>

// 2026-11-26T14:00:00.123Z
#define AT                            \
	{                             \
		1795701600, 123999999 \
	}
#define STAMP "2026-11-26T14:00:00.123Z"

struct row {
	const char *name;
	enum log_level level;
	const char *fields;
	const char *text;
	const char *journal;
	const char *json; // behind the event
};

static const struct row rows[] = {
	{"no field", LOG_ERROR, "", "error e", "<3>error e", ""},
	{"a number", LOG_WARNING, "n=5", "warning e n=5", "<4>warning e n=5", ",\"n\":5"},
	{"an address", LOG_INFO, "client=192.0.2.1:5", "info e client=192.0.2.1:5",
		"<6>info e client=192.0.2.1:5", ",\"client\":\"192.0.2.1:5\""},
	{"two fields", LOG_DEBUG, "a=x b=-7", "debug e a=x b=-7", "<7>debug e a=x b=-7",
		",\"a\":\"x\",\"b\":-7"},
	{"blanks in quotes", LOG_INFO, "r=\"a b=c d\" n=1", "info e r=\"a b=c d\" n=1",
		"<6>info e r=\"a b=c d\" n=1", ",\"r\":\"a b=c d\",\"n\":1"},
	{"digits in quotes", LOG_INFO, "user=\"17\"", "info e user=\"17\"", "<6>info e user=\"17\"",
		",\"user\":\"17\""},
	{"an empty value", LOG_INFO, "a= b=\"\"", "info e a= b=\"\"", "<6>info e a= b=\"\"",
		",\"a\":\"\",\"b\":\"\""},
	{"escapes of ours", LOG_INFO, "a=x\\x20y", "info e a=x\\x20y", "<6>info e a=x\\x20y",
		",\"a\":\"x\\\\x20y\""},
	{"a quote within", LOG_INFO, "a=x\"y b=\"p\"q\"", "info e a=x\"y b=\"p\"q\"",
		"<6>info e a=x\"y b=\"p\"q\"", ",\"a\":\"x\\\"y\",\"b\":\"p\\\"q\""},
	{"a quote without end", LOG_INFO, "a=\"x y", "info e a=\"x y", "<6>info e a=\"x y",
		",\"a\":\"\\\"x y\""},
	{"no pair", LOG_INFO, "n=1 hello there", "info e n=1 hello there",
		"<6>info e n=1 hello there", ",\"n\":1,\"text\":\"hello there\""},
	{"no name", LOG_INFO, "=x", "info e =x", "<6>info e =x", ",\"text\":\"=x\""},
	{"no JSON number", LOG_INFO, "a=007 b=0 c=- d=1.5 e=1234567890123456",
		"info e a=007 b=0 c=- d=1.5 e=1234567890123456",
		"<6>info e a=007 b=0 c=- d=1.5 e=1234567890123456",
		",\"a\":\"007\",\"b\":0,\"c\":\"-\",\"d\":\"1.5\",\"e\":\"1234567890123456\""},
	{"control and foreign bytes", LOG_INFO, "a=x\n<3>\x1b[2J\x7f\xc3\xbc",
		"info e a=x?<3>?[2J???", "<6>info e a=x?<3>?[2J???", ",\"a\":\"x?<3>?[2J???\""},
};

static const char *written(const struct row *row, enum log_format format, bool for_journal)
{
	static char out[LINE_BYTES + 1];
	const struct line line = {row->level, "e", AT, row->fields};
	const size_t n = line_write(out, format, for_journal, &line);

	cr_assert_leq(n, LINE_BYTES);
	cr_assert_eq(out[n - 1], '\n');
	out[n - 1] = 0;
	cr_assert_null(strchr(out, '\n'), "%s", row->name);
	return out;
}

Test(base_line, every_format_says_the_same)
{
	static const char *const levels[] = {"error", "warning", "info", "debug"};
	char want[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *row = &rows[i];

		snprintf(want, sizeof(want), STAMP " %s", row->text);
		cr_expect_str_eq(written(row, LOG_TEXT, false), want, "%s", row->name);
		cr_expect_str_eq(written(row, LOG_JOURNAL, true), row->journal, "%s", row->name);
		snprintf(want, sizeof(want),
			"{\"time\":\"" STAMP "\",\"level\":\"%s\",\"event\":\"e\"%s}",
			levels[row->level], row->json);
		cr_expect_str_eq(written(row, LOG_JSON, false), want, "%s", row->name);
		cr_expect_str_eq(written(row, LOG_JSON, true) + 3, want, "%s", row->name);
	}
}

Test(base_line, another_reader_of_json_agrees)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		json_error_t error;
		json_t *object = json_loads(
			written(&rows[i], LOG_JSON, false), JSON_REJECT_DUPLICATES, &error);

		cr_expect(object && json_is_object(object), "%s: %s", rows[i].name, error.text);
		cr_expect_str_eq(json_string_value(json_object_get(object, "time")), STAMP);
		json_decref(object);
	}
}

// Of any length, the line stays one that can be read, and within its room.
Test(base_line, what_does_not_fit_is_left_out)
{
	static char fields[2 * LINE_BYTES];
	struct row row = {"long", LOG_INFO, fields, NULL, NULL, NULL};

	for (size_t n = LINE_BYTES - 200; n < LINE_BYTES + 200; n++) {
		json_t *object;

		memcpy(fields, "n=1 k=", 6);
		memset(fields + 6, '"', n);
		fields[6 + n / 2] = 0; // each quote becomes two bytes of JSON
		cr_assert_leq(strlen(written(&row, LOG_TEXT, false)), LINE_BYTES - 1);
		object = json_loads(written(&row, LOG_JSON, false), 0, NULL);
		cr_assert_not_null(object, "%zu", n);
		cr_assert_eq(json_integer_value(json_object_get(object, "n")), 1);
		json_decref(object);
	}
	cr_assert_null(strstr(written(&row, LOG_JSON, false), "\"k\""));
	memset(fields + 6, 'x', LINE_BYTES);
	fields[6 + LINE_BYTES] = 0;
	cr_assert_eq(strlen(written(&row, LOG_TEXT, false)), LINE_BYTES - 2);
}
