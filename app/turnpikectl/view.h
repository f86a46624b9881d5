// JSON for people: an object as lines of `key  value`, many as a table.
#ifndef TURNPIKECTL_VIEW_H
#define TURNPIKECTL_VIEW_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

struct column {
	const char *key; // "relayed.up_channel" is a member of a member
	const char *title;
};

// One line of JSON; one for each element.
void view_json(const json_t *value);
void view_lines(const json_t *array);
// Nested objects are indented, arrays stand in one line.
void view_object(const json_t *object);
// A line of titles and one for each object of the array; columns that no object has are left out.
void view_table(FILE *out, const json_t *rows, const struct column *columns, size_t n_columns);
// The text of a value, whatever it is, without control characters; "" for NULL. `n_bytes` of at
// least 32.
const char *view_text(const json_t *value, char *out, size_t n_bytes);
// A member, by a path with dots; NULL where it is not there.
const json_t *view_member(const json_t *object, const char *path);
// Of what is not negative, three digits and a unit, to hundredths: "0.53", "999", "12.3k", "1.25M".
const char *view_scaled(double value, char out[static 16]);

#endif
