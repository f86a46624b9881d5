#include "status.h"

#include <inttypes.h>
#include <stdio.h>

#define KEY_BYTES (256 + TURN_USERNAME_BYTES_MAX + 96)
#define TEXT_BYTES 256
#define KEEP_S 60 // a key outlives its allocation by so much where nobody removes it

// Names may hold any bytes, so the key has a length.
struct topic {
	char bytes[KEY_BYTES];
	size_t n_bytes;
};

static void add(struct topic *topic, const void *bytes, size_t n_bytes)
{
	const size_t room = sizeof(topic->bytes) - topic->n_bytes;

	n_bytes = n_bytes < room ? n_bytes : room;
	memcpy(topic->bytes + topic->n_bytes, bytes, n_bytes);
	topic->n_bytes += n_bytes;
}

static void add_text(struct topic *topic, const char *text)
{
	add(topic, text, strlen(text));
}

static void make_topic(
	struct topic *topic, const struct turn_allocation_view *view, bool plain, const char *what)
{
	char user[LOG_USER_BYTES];
	char id[64];

	topic->n_bytes = 0;
	add_text(topic, "turn/realm/");
	add_text(topic, view->realm);
	add_text(topic, "/user/");
	if (plain)
		add(topic, view->user, view->user_bytes);
	else
		add_text(topic, log_user(user, view->realm, view->user, view->user_bytes));
	snprintf(id, sizeof(id), "/allocation/%018" PRIu64 "/", view->id);
	add_text(topic, id);
	add_text(topic, what);
}

static void publish(struct redis *redis, const struct topic *topic, const char *text)
{
	const struct redis_word words[] = {
		{"PUBLISH", strlen("PUBLISH")},
		{topic->bytes, topic->n_bytes},
		{text, strlen(text)},
	};

	redis_tell(redis, words, N_ELEMENTS(words));
}

static void set(struct redis *redis, const struct topic *topic, const char *text, uint32_t keep_s)
{
	char seconds[16];
	const struct redis_word words[] = {
		{"SET", strlen("SET")},
		{topic->bytes, topic->n_bytes},
		{text, strlen(text)},
		{"EX", strlen("EX")},
		{seconds, (size_t)snprintf(seconds, sizeof(seconds), "%u", keep_s)},
	};

	redis_tell(redis, words, N_ELEMENTS(words));
}

static void del(struct redis *redis, const struct topic *topic)
{
	const struct redis_word words[] = {{"DEL", strlen("DEL")}, {topic->bytes, topic->n_bytes}};

	redis_tell(redis, words, N_ELEMENTS(words));
}

void status_tell_event(struct redis *redis, const struct turn_event *event, bool plain)
{
	const struct turn_allocation_view *view = &event->allocation;
	char service[ADDR_TEXT_BYTES];
	char client[ADDR_TEXT_BYTES];
	char text[TEXT_BYTES];
	struct topic topic;

	make_topic(&topic, view, plain, "status");
	if (event->kind == TURN_ENDED) {
		del(redis, &topic);
		publish(redis, &topic, "deleted");
		return;
	}
	snprintf(text, sizeof(text),
		"%s lifetime=%u, type=UDP, local=%s, remote=%s, ssl=NONE, cipher=NONE",
		event->kind == TURN_CREATED ? "new" : "refreshed", view->lifetime_s,
		endpoint_format(&view->service, service), endpoint_format(&view->client, client));
	set(redis, &topic, text, view->lifetime_s + KEEP_S);
	publish(redis, &topic, text);
}

// As coturn counts: received by us and sent by us, once at the client's side, once at the peers'.
void status_tell_total(struct redis *redis, const struct turn_allocation_view *view,
	const struct control_traffic *sum, bool plain)
{
	static const char *const names[] = {"total_traffic", "total_traffic/peer"};
	char text[TEXT_BYTES];
	struct topic topic;

	for (unsigned side = 0; side < 2; side++) {
		const enum control_way in = side == 0 ? CONTROL_UP : CONTROL_DOWN;
		const enum control_way out = side == 0 ? CONTROL_DOWN : CONTROL_UP;

		make_topic(&topic, view, plain, names[side]);
		snprintf(text, sizeof(text),
			"rcvp=%" PRIu64 ", rcvb=%" PRIu64 ", sentp=%" PRIu64 ", sentb=%" PRIu64,
			sum->n_packets[in], sum->n_bytes[in], sum->n_packets[out],
			sum->n_bytes[out]);
		publish(redis, &topic, text);
	}
}
