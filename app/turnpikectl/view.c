#include "view.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>
#include <uniwidth.h>

#define VALUE_BYTES 512
#define CHARACTER_BYTES 4 // at most, escaped or not
#define COLUMNS_MAX 24
#define INDENT 2
#define KEY_COLUMNS 24
#define COLUMN_GAP 2

void view_json(const json_t *value)
{
	json_dumpf(value, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
}

void view_lines(const json_t *array)
{
	json_t *value;
	size_t i;

	json_array_foreach((json_t *)array, i, value)
	{
		view_json(value);
	}
}

// Elements in a line, with commas.
static void array_text(const json_t *array, char *out, size_t n_bytes)
{
	char element[VALUE_BYTES];
	size_t n = 0;
	size_t i;
	json_t *value;

	out[0] = 0;
	json_array_foreach((json_t *)array, i, value)
	{
		const int more = snprintf(out + n, n_bytes - n, "%s%s", i ? ", " : "",
			view_text(value, element, sizeof(element)));

		n += more > 0 ? (size_t)more : 0;
		if (n >= n_bytes)
			return;
	}
}

// Members in a line, as `key=value`.
static void object_text(const json_t *object, char *out, size_t n_bytes)
{
	char member[VALUE_BYTES];
	const char *key;
	json_t *value;
	size_t n = 0;

	out[0] = 0;
	json_object_foreach((json_t *)object, key, value)
	{
		const int more = snprintf(out + n, n_bytes - n, "%s%s=%s", n ? " " : "", key,
			view_text(value, member, sizeof(member)));

		n += more > 0 ? (size_t)more : 0;
		if (n >= n_bytes)
			return;
	}
}

static bool is_control(ucs4_t character)
{
	return character < 0x20 || (character >= 0x7f && character < 0xa0);
}

// What strangers chose may hold what a terminal obeys.
static void string_text(const char *text, char *out, size_t n_bytes)
{
	const uint8_t *next = (const uint8_t *)text;
	ucs4_t character;
	size_t n = 0;
	int n_next;

	while ((n_next = u8_strmbtouc(&character, next)) > 0 && n + CHARACTER_BYTES < n_bytes) {
		if (is_control(character)) {
			snprintf(out + n, CHARACTER_BYTES + 1, "\\x%02x", character & 0xffU);
			n += CHARACTER_BYTES;
		} else {
			memcpy(out + n, next, (size_t)n_next);
			n += (size_t)n_next;
		}
		next += n_next;
	}
	out[n] = 0;
}

const char *view_text(const json_t *value, char *out, size_t n_bytes)
{
	out[0] = 0;
	if (json_is_string(value))
		string_text(json_string_value(value), out, n_bytes);
	else if (json_is_integer(value))
		snprintf(out, n_bytes, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_real(value))
		view_scaled(json_real_value(value), out);
	else if (json_is_boolean(value))
		snprintf(out, n_bytes, "%s", json_is_true(value) ? "yes" : "no");
	else if (json_is_array(value))
		array_text(value, out, n_bytes);
	else if (json_is_object(value))
		object_text(value, out, n_bytes);
	return out;
}

// A line each.
static void print_objects(const json_t *array, int indent)
{
	char text[VALUE_BYTES];
	json_t *value;
	size_t i;

	json_array_foreach((json_t *)array, i, value)
	{
		printf("%*s%s\n", indent, "", view_text(value, text, sizeof(text)));
	}
}

static void print_members(const json_t *object, int indent)
{
	char text[VALUE_BYTES];
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		if (json_is_object(value)) {
			printf("%*s%s\n", indent, "", key);
			print_members(value, indent + INDENT);
		} else if (json_is_object(json_array_get(value, 0))) {
			printf("%*s%s\n", indent, "", key);
			print_objects(value, indent + INDENT);
		} else {
			view_text(value, text, sizeof(text));
			printf("%*s%-*s %s\n", indent, "", KEY_COLUMNS - indent, key,
				*text ? text : "none");
		}
	}
}

void view_object(const json_t *object)
{
	print_members(object, 0);
}

const json_t *view_member(const json_t *object, const char *path)
{
	char key[64];

	while (object && *path) {
		const size_t n = strcspn(path, ".");

		snprintf(key, sizeof(key), "%.*s", (int)n, path);
		object = json_object_get(object, key);
		path += n + (path[n] == '.');
	}
	return object;
}

static size_t width_of(const char *text)
{
	return (size_t)u8_strwidth((const uint8_t *)text, "UTF-8");
}

// 0: no object has it.
static size_t column_width(const json_t *rows, const struct column *column)
{
	char text[VALUE_BYTES];
	size_t width = 0;
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
	{
		const size_t n =
			width_of(view_text(view_member(row, column->key), text, sizeof(text)));

		if (n > width)
			width = n;
	}
	if (width == 0)
		return 0;
	return width < strlen(column->title) ? strlen(column->title) : width;
}

// Padding waits for the next cell, so that no line ends in blanks.
static void print_cell(FILE *out, const char *text, size_t width, bool is_number, size_t *n_blanks)
{
	const size_t n_missing = width - width_of(text);

	fprintf(out, "%*s%s", (int)(*n_blanks + (is_number ? n_missing : 0)), "", text);
	*n_blanks = COLUMN_GAP + (is_number ? 0 : n_missing);
}

void view_table(FILE *out, const json_t *rows, const struct column *columns, size_t n_columns)
{
	size_t widths[COLUMNS_MAX];
	bool numbers[COLUMNS_MAX];
	size_t n_blanks = 0;
	char text[VALUE_BYTES];
	json_t *row;
	size_t i;

	for (size_t c = 0; c < n_columns; c++) {
		widths[c] = column_width(rows, &columns[c]);
		numbers[c] = json_is_number(view_member(json_array_get(rows, 0), columns[c].key));
		if (widths[c])
			print_cell(out, columns[c].title, widths[c], numbers[c], &n_blanks);
	}
	fputc('\n', out);
	json_array_foreach((json_t *)rows, i, row)
	{
		n_blanks = 0;
		for (size_t c = 0; c < n_columns; c++)
			if (widths[c])
				print_cell(out,
					view_text(view_member(row, columns[c].key), text,
						sizeof(text)),
					widths[c], numbers[c], &n_blanks);
		fputc('\n', out);
	}
}

const char *view_scaled(double value, char out[static 16])
{
	static const char units[] = " kMGT";
	size_t unit = 0;

	while (value >= 999.5 && units[unit + 1]) {
		value /= 1000;
		unit++;
	}
	if (unit == 0 && value >= 0.005 && value < 0.995)
		snprintf(out, 16, "%.2f", value);
	else if (unit == 0)
		snprintf(out, 16, "%.3g", value < 0.005 ? 0 : value);
	else
		snprintf(out, 16, "%.*f%c",
			value < 9.995           ? 2
				: value < 99.95 ? 1
						: 0,
			value, units[unit]);
	return out;
}
