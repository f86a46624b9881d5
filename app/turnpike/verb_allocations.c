// allocations, allocation, kick: who is relayed, with what traffic, and out with him.
#include "exit.h"
#include "verbs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 256 // looks at the table in one step
#define PEERS_MAX (TURN_PERMISSIONS_MAX + TURN_CHANNELS_MAX)
#define TALLY_LOOK_MS 10
#define TALLY_WAIT_MS 2000
#define KICK_LOOK_MS 5

// As it came where that is text.
static json_t *name_json(const uint8_t *name, size_t n_bytes)
{
	json_t *text = json_stringn((const char *)name, n_bytes);
	char escaped[4 * TURN_USERNAME_BYTES_MAX + 1];

	return text ? text : json_string(log_escape(escaped, sizeof(escaped), name, n_bytes));
}

// Whole seconds up to then.
static uint64_t seconds_to(uint64_t then_ms)
{
	const uint64_t now_ms = loop_now_ms();

	return then_ms > now_ms ? (then_ms - now_ms) / MS_IN_S : 0;
}

json_t *verb_allocation_json(const struct turn_allocation_view *view)
{
	char id[TURN_ID_TEXT_BYTES];
	json_t *relayed = json_array();
	json_t *inside = json_array();
	uint64_t expires_ms = 0;
	bool is_translated = false;
	json_t *object;

	for (size_t i = 0; i < N_ELEMENTS(view->relayed); i++) {
		if (view->relayed[i].ip.family == FAMILY_NONE)
			continue;
		json_array_append_new(relayed, verb_endpoint(&view->outside[i]));
		json_array_append_new(inside, verb_endpoint(&view->relayed[i]));
		is_translated |= !ip_equal(&view->outside[i].ip, &view->relayed[i].ip);
		if (view->expires_ms[i] > expires_ms)
			expires_ms = view->expires_ms[i];
	}
	object = json_pack("{s:s,s:s,s:o,s:o,s:o,s:o}", "id", turn_id_format(view->id, id), "realm",
		view->realm, "user", name_json(view->user, view->user_bytes), "client",
		verb_endpoint(&view->client), "service", verb_endpoint(&view->service), "relayed",
		relayed);
	if (is_translated) // the same addresses behind the 1:1 NAT, as frames have them
		json_object_set(object, "inside", inside);
	json_decref(inside);
	verb_set_count(object, "age_s", (loop_now_ms() - view->created_ms) / MS_IN_S);
	verb_set_count(object, "expires_in_s", seconds_to(expires_ms));
	verb_set_count(object, "permissions", view->n_permissions);
	verb_set_count(object, "channels", view->n_channels);
	if (view->may_move)
		verb_set_count(object, "moves", view->n_moves);
	if (view->pending_client.ip.family != FAMILY_NONE)
		json_object_set_new(object, "moves_to", verb_endpoint(&view->pending_client));
	return object;
}

bool verb_is_user(const struct turn_allocation_view *view, const char *name)
{
	const char *all = (const char *)view->user;
	const char *colon = memchr(all, ':', view->user_bytes);
	const size_t n = strlen(name);

	if (n == view->user_bytes && memcmp(all, name, n) == 0)
		return true;
	return colon && n == view->user_bytes - (size_t)(colon + 1 - all) &&
		memcmp(colon + 1, name, n) == 0;
}

struct filters {
	const char *user; // NULL: any
	const char *realm; // NULL: any
	struct endpoint client; // of no family: any; port 0: any
};

// False where one of them cannot be, and the answer has ended.
static bool take_filters(struct admin_call *call, struct filters *filters)
{
	*filters = (struct filters){
		.user = verb_text(call, "user"), .realm = verb_text(call, "realm")};
	return !verb_text(call, "client") || verb_take_address(call, "client", &filters->client);
}

static bool is_wanted(const struct filters *filters, const struct turn_allocation_view *view)
{
	if (filters->user && !verb_is_user(view, filters->user))
		return false;
	if (filters->realm && strcmp(view->realm, filters->realm) != 0)
		return false;
	if (filters->client.ip.family == FAMILY_NONE)
		return true;
	return ip_equal(&view->client.ip, &filters->client.ip) &&
		(filters->client.port == 0 || view->client.port == filters->client.port);
}

void verb_allocations(struct admin_call *call, void *context)
{
	const struct loop *loop = context;
	struct turn_allocation_view view;
	uint32_t cursor = (uint32_t)*admin_cursor(call);
	struct filters filters;

	if (!take_filters(call, &filters))
		return;
	for (int i = 0; i < STEPS_MAX; i++) {
		const enum turn_step step = turn_allocation_next(loop->box->turn, &cursor, &view);

		if (step == TURN_STEP_END) {
			admin_done(call);
			break;
		}
		if (step == TURN_STEP_FOUND && is_wanted(&filters, &view))
			admin_say(call, verb_allocation_json(&view));
	}
	*admin_cursor(call) = cursor;
}

// False where the argument is none, and the answer has ended.
static bool take_id(struct admin_call *call, uint64_t *id)
{
	const char *text = verb_text(call, "id");

	if (text && turn_id_parse(id, text) == 0)
		return true;
	admin_fail(call, EXIT_USAGE, "id; allowed: 16 hex digits, as the list of allocations has");
	return false;
}

// A question to the workers: it may outlive the one who asked.
struct question {
	bool is_answered;
	bool is_given_up;
	uint64_t since_ms;
	struct control_tally tally;
};

static void take_tally(void *context, const struct control_tally *tally)
{
	struct question *question = context;

	if (question->is_given_up) {
		free(question);
		return;
	}
	question->tally = *tally;
	question->is_answered = true;
}

void verb_allocation_end(struct admin_call *call, void *context)
{
	struct question *question = admin_state(call);

	(void)context;
	if (question && !question->is_answered)
		question->is_given_up = true;
	else
		free(question);
}

json_t *verb_traffic_json(const struct control_traffic *traffic)
{
	json_t *object = json_object();

	verb_set_count(object, "packets_up", traffic->n_packets[CONTROL_UP]);
	verb_set_count(object, "packets_down", traffic->n_packets[CONTROL_DOWN]);
	verb_set_count(object, "bytes_up", traffic->n_bytes[CONTROL_UP]);
	verb_set_count(object, "bytes_down", traffic->n_bytes[CONTROL_DOWN]);
	return object;
}

static json_t *peers_json(const struct turn *turn, uint64_t id)
{
	struct turn_peer_view views[PEERS_MAX];
	const size_t n = turn_allocation_peers(turn, id, views, PEERS_MAX);
	json_t *all = json_array();

	for (size_t i = 0; i < n && i < PEERS_MAX; i++) {
		json_t *peer = json_object();

		json_object_set_new(peer, "peer",
			views[i].channel ? verb_endpoint(&views[i].peer)
					 : verb_ip(&views[i].peer.ip));
		if (views[i].channel)
			json_object_set_new(
				peer, "channel", json_sprintf("0x%04x", views[i].channel));
		verb_set_count(peer, "expires_in_s", seconds_to(views[i].expires_ms));
		json_array_append_new(all, peer);
	}
	return all;
}

static void say_allocation(
	struct admin_call *call, const struct turn *turn, uint64_t id, const struct question *asked)
{
	struct turn_allocation_view view;
	json_t *object;

	if (!turn_allocation_find(turn, id, &view)) {
		admin_fail(call, EXIT_DEVICE, "there is no such allocation, or no longer");
		return;
	}
	object = verb_allocation_json(&view);
	if (asked->is_answered)
		json_object_set_new(object, "traffic", verb_traffic_json(&asked->tally.sum));
	json_object_set_new(object, "peers", peers_json(turn, id));
	admin_say(call, object);
	admin_done(call);
}

void verb_allocation(struct admin_call *call, void *context)
{
	struct loop *loop = context;
	struct question *question = admin_state(call);
	struct control_tally_taker taker = {take_tally, question};
	uint64_t id;
	int rc = 0;

	if (!take_id(call, &id))
		return;
	if (!question) {
		question = calloc(1, sizeof(*question));
		if (!question) {
			admin_fail(call, EXIT_RESOURCE, "no memory for the answer");
			return;
		}
		question->since_ms = loop_now_ms();
		taker.context = question;
		rc = control_tally_ask(loop->box->control, id, &taker);
		if (rc == 0)
			admin_set_state(call, question);
	}
	// Without an answer of the workers, what is known here is told.
	if (rc || question->is_answered || loop_now_ms() > question->since_ms + TALLY_WAIT_MS)
		say_allocation(call, loop->box->turn, id, question);
	else
		admin_wait(call, TALLY_LOOK_MS);
	if (rc)
		free(question);
}

static void say_ended(struct admin_call *call, uint64_t n)
{
	json_t *object = json_object();

	verb_set_count(object, "ended", n);
	admin_say(call, object);
	admin_done(call);
}

static void kick_allocation(struct admin_call *call, struct loop *loop)
{
	const struct turn_time now = loop_time();
	uint64_t id;
	int rc;

	if (!take_id(call, &id))
		return;
	rc = control_allocation_end(loop->box->control, &now, id);
	if (rc == -EAGAIN)
		admin_wait(call, KICK_LOOK_MS);
	else if (rc)
		admin_fail(call, EXIT_DEVICE, "there is no such allocation, or no longer");
	else
		say_ended(call, 1);
}

void verb_kick_end(struct admin_call *call, void *context)
{
	(void)context;
	free(admin_state(call));
}

static void kick_user(struct admin_call *call, struct loop *loop, const char *user)
{
	const struct turn_time now = loop_time();
	struct turn_kick *kick = admin_state(call);

	if (!kick) {
		kick = calloc(1, sizeof(*kick));
		if (!kick) {
			admin_fail(call, EXIT_RESOURCE, "no memory for the answer");
			return;
		}
		*kick = (struct turn_kick){
			.realm = verb_text(call, "realm"),
			.name = user,
			.n_bytes = strlen(user),
		};
		admin_set_state(call, kick);
	}
	if (control_user_end(loop->box->control, &now, kick))
		admin_wait(call, KICK_LOOK_MS);
	else
		say_ended(call, kick->n_ended);
}

void verb_kick(struct admin_call *call, void *context)
{
	const char *user = verb_text(call, "user");

	if (user && verb_text(call, "id"))
		admin_fail(call, EXIT_USAGE, "user and id; allowed: one of them");
	else if (user)
		kick_user(call, context, user);
	else
		kick_allocation(call, context);
}
