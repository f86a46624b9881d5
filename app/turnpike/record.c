#include "record.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct record *record_make(const struct turn_event *event, int64_t now_unix_ms)
{
	const struct turn_allocation_view *view = &event->allocation;
	struct record *record = calloc(1, sizeof(*record));

	if (!record)
		return NULL;
	record->view = *view;
	record->reason = event->reason;
	record->lived_ms = event->time.now_ms - view->created_ms;
	record->ended_unix_ms = now_unix_ms;
	record->realm = strdup(view->realm);
	record->user = malloc(view->user_bytes + 1);
	if (!record->realm || !record->user) {
		record_free(record);
		return NULL;
	}
	memcpy(record->user, view->user, view->user_bytes);
	record->view.realm = record->realm;
	record->view.user = record->user;
	return record;
}

void record_free(struct record *record)
{
	if (!record)
		return;
	free(record->realm);
	free(record->user);
	free(record);
}

const char *record_time(char out[static RECORD_TIME_BYTES], int64_t unix_ms)
{
	const time_t seconds = unix_ms / 1000;
	char text[24];
	struct tm tm;

	gmtime_r(&seconds, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out, RECORD_TIME_BYTES, "%s.%03dZ", text, (int)(unix_ms % 1000));
	return out;
}

static json_t *address(const struct endpoint *endpoint)
{
	char text[ADDR_TEXT_BYTES];

	return json_string(endpoint_format(endpoint, text));
}

// A peer that was reached at any of its ports has none.
static json_t *peer_address(const struct endpoint *peer)
{
	char text[ADDR_TEXT_BYTES];

	return peer->port ? address(peer) : json_string(ip_format(&peer->ip, text));
}

static json_t *both_ways(const uint64_t n[static CONTROL_WAYS])
{
	return json_pack(
		"{s:I, s:I}", "up", (json_int_t)n[CONTROL_UP], "down", (json_int_t)n[CONTROL_DOWN]);
}

static json_t *figures(const struct quality_figures *from)
{
	return json_pack("{s:I, s:I, s:I, s:f, s:f, s:I, s:f, s:f, s:f}", "packets",
		(json_int_t)from->n_packets, "lost", (json_int_t)from->n_lost, "reordered",
		(json_int_t)from->n_reordered, "jitter_ms", from->jitter_us / 1e3, "jitter_max_ms",
		from->jitter_max_us / 1e3, "trips", (json_int_t)from->n_trips, "trip_min_ms",
		from->trip_min_us / 1e3, "trip_mean_ms", from->trip_mean_us / 1e3, "trip_max_ms",
		from->trip_max_us / 1e3);
}

static json_t *peers(const struct control_tally *tally)
{
	json_t *list = json_array();

	for (size_t i = 0; i < tally->n_peers; i++) {
		const struct control_peer *peer = &tally->peers[i];

		json_array_append_new(list,
			json_pack("{s:o, s:o, s:o}", "peer", peer_address(&peer->peer), "packets",
				both_ways(peer->traffic.n_packets), "bytes",
				both_ways(peer->traffic.n_bytes)));
	}
	return list;
}

static json_t *relayed(const struct turn_allocation_view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; i < N_ELEMENTS(view->outside); i++)
		if (view->outside[i].ip.family != FAMILY_NONE)
			json_array_append_new(list, address(&view->outside[i]));
	return list;
}

char *record_write(const struct record *record, const struct control_tally *tally)
{
	const struct turn_allocation_view *view = &record->view;
	char id[TURN_ID_TEXT_BYTES];
	char user[LOG_USER_BYTES];
	char start[RECORD_TIME_BYTES];
	char end[RECORD_TIME_BYTES];
	char *text;
	json_t *line;

	line = json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:s, s:s, s:I, s:s, s:i, s:o, s:o, s:o, "
			 "s:b}",
		"id", turn_id_format(view->id, id), "realm", view->realm, "user",
		log_user(user, view->realm, view->user, view->user_bytes), "client",
		address(&view->client), "service", address(&view->service), "relayed",
		relayed(view), "start",
		record_time(start, record->ended_unix_ms - (int64_t)record->lived_ms), "end",
		record_time(end, record->ended_unix_ms), "duration_ms",
		(json_int_t)record->lived_ms, "reason", turn_reason_name(record->reason), "moves",
		view->n_moves, "packets", both_ways(tally->sum.n_packets), "bytes",
		both_ways(tally->sum.n_bytes), "peers", peers(tally), "more_peers",
		tally->more_peers);
	if (line && tally->observed)
		json_object_set_new(line, "quality",
			json_pack("{s:o, s:o}", "up", figures(&tally->quality[QUALITY_UP]), "down",
				figures(&tally->quality[QUALITY_DOWN])));
	text = line ? json_dumps(line, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9))
		    : NULL;
	json_decref(line);
	return text;
}
