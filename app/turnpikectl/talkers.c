#include "talkers.h"
#include "view.h"

#include "base/base.h"

#include <stdlib.h>

#define BITS 8
#define MS_PER_S 1000.0
#define KEPT_MAX 32 // of those whose rates are known

// {id: row}
static json_t *index_of(const json_t *rows)
{
	json_t *index = json_object();
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)rows, i, row)
		json_object_set(index, json_string_value(json_object_get(row, "id")), row);
	return index;
}

json_t *talkers_request(const json_t *answer, const json_t *rates)
{
	json_t *known = index_of(rates);
	json_t *ids = json_array();
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)rates, i, row)
	{
		if (i == KEPT_MAX)
			break;
		json_array_append(ids, json_object_get(row, "id"));
	}
	json_array_foreach((json_t *)answer, i, row)
	{
		json_t *id = json_object_get(row, "id");

		if (!json_object_get(known, json_string_value(id)))
			json_array_append(ids, id);
	}
	json_decref(known);
	return json_pack("{s:s,s:o}", "verb", "talkers", "ids", ids);
}

static double count(const json_t *row, const char *path)
{
	return (double)json_integer_value(view_member(row, path));
}

static json_t *row_of(const json_t *before, const json_t *after)
{
	const double seconds = (count(after, "at_ms") - count(before, "at_ms")) / MS_PER_S;
	static const struct {
		const char *key;
		const char *path;
		double factor;
	} rates[] = {
		{"up", "traffic.packets_up", 1},
		{"up_bits", "traffic.bytes_up", BITS},
		{"down", "traffic.packets_down", 1},
		{"down_bits", "traffic.bytes_down", BITS},
	};
	static const char *const names[] = {"id", "realm", "user", "client", "relayed"};
	json_t *row = json_object();

	for (size_t i = 0; i < N_ELEMENTS(names); i++)
		json_object_set(row, names[i], json_object_get(after, names[i]));
	for (size_t i = 0; i < N_ELEMENTS(rates); i++)
		json_object_set_new(row, rates[i].key,
			json_real(rates[i].factor *
				(count(after, rates[i].path) - count(before, rates[i].path)) /
				seconds));
	return row;
}

double talkers_packets(const json_t *row)
{
	return json_real_value(json_object_get(row, "up")) +
		json_real_value(json_object_get(row, "down"));
}

static int compare(const void *a, const void *b)
{
	const double x = talkers_packets(*(json_t *const *)a);
	const double y = talkers_packets(*(json_t *const *)b);

	return (x < y) - (x > y);
}

static void sort(json_t *rows)
{
	const size_t n = json_array_size(rows);
	json_t **all = calloc(n + 1, sizeof(*all));

	for (size_t i = 0; all && i < n; i++)
		all[i] = json_incref(json_array_get(rows, i));
	if (all)
		qsort(all, n, sizeof(*all), compare);
	for (size_t i = 0; all && i < n; i++)
		json_array_set_new(rows, i, all[i]);
	free(all);
}

json_t *talkers_rates(const json_t *before, const json_t *after)
{
	json_t *index = index_of(before);
	json_t *rows = json_array();
	json_t *row;
	size_t i;

	json_array_foreach((json_t *)after, i, row)
	{
		const json_t *was =
			json_object_get(index, json_string_value(json_object_get(row, "id")));

		if (was && count(row, "at_ms") > count(was, "at_ms"))
			json_array_append_new(rows, row_of(was, row));
	}
	json_decref(index);
	sort(rows);
	return rows;
}
