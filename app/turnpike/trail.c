#include "trail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CUT ".." // at the end of a name that is longer

int trail_open(struct trail *trail, struct turn_watcher next)
{
	struct budget_config requests = {
		.per_source = TRAIL_REQUESTS_PER_S,
		.ticks_per_s = NS_IN_S,
		.numa_node = NUMA_NODE_ANY,
	};

	*trail = (struct trail){
		.events = calloc((size_t)TRAIL_KINDS * TRAIL_EVENTS, sizeof(struct trail_event)),
		.begun_ns = trail_now_ns(),
		.next = next,
	};
	random_secret(requests.seed, sizeof(requests.seed));
	return trail->events ? budget_create(&trail->requests, &requests) : -ENOMEM;
}

void trail_close(struct trail *trail)
{
	budget_destroy(&trail->requests);
	free(trail->events);
	*trail = (struct trail){0};
}

uint64_t trail_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * NS_IN_S + (uint64_t)now.tv_nsec;
}

const char *trail_kind_name(enum trail_kind kind)
{
	static const char *const names[] = {
		[TRAIL_CREATED] = "allocation.created",
		[TRAIL_MOVED] = "allocation.moved",
		[TRAIL_ENDED] = "allocation.ended",
		[TRAIL_CHALLENGED] = "request.challenged",
		[TRAIL_FAILED] = "auth.failed",
		[TRAIL_REFUSED] = "request.refused",
		[TRAIL_GRANTED] = "request.granted",
		[TRAIL_UNANSWERED] = "request.unanswered",
	};

	return names[kind];
}

static struct trail_event *place_of(
	const struct trail *trail, enum trail_kind kind, uint64_t number)
{
	return &trail->events[(size_t)kind * TRAIL_EVENTS + number % TRAIL_EVENTS];
}

static void add(struct trail *trail, const struct trail_event *event)
{
	const enum trail_kind kind = (enum trail_kind)event->kind;

	*place_of(trail, kind, trail->n[kind]++) = *event;
}

uint64_t trail_oldest(const struct trail *trail, enum trail_kind kind)
{
	return trail->n[kind] > TRAIL_EVENTS ? trail->n[kind] - TRAIL_EVENTS : 0;
}

const struct trail_event *trail_get(
	const struct trail *trail, enum trail_kind kind, uint64_t number)
{
	if (number < trail_oldest(trail, kind) || number >= trail->n[kind])
		return NULL;
	return place_of(trail, kind, number);
}

void trail_loss_get(const struct trail *trail, enum trail_kind kind, struct trail_loss *out)
{
	const uint64_t n_pushed_out = trail_oldest(trail, kind);

	*out = trail->passed_over[kind];
	out->n += n_pushed_out;
	if (n_pushed_out && place_of(trail, kind, n_pushed_out)->at_ns > out->last_ns)
		out->last_ns = place_of(trail, kind, n_pushed_out)->at_ns;
}

// False where the source has had its part, and it is counted.
static bool may_add(
	struct trail *trail, enum trail_kind kind, const struct endpoint *client, uint64_t now_ns)
{
	const struct ip_addr *ip = &client->ip;

	if (budget_take(&trail->requests, (enum family)ip->family, ip->bytes, now_ns))
		return true;
	trail->passed_over[kind].n++;
	trail->passed_over[kind].last_ns = now_ns;
	return false;
}

static void set_user(
	struct trail_event *event, const char *realm, const void *user, size_t user_bytes)
{
	char text[LOG_USER_BYTES];

	if (!realm || user_bytes == 0)
		return;
	log_user(text, realm, user, user_bytes);
	if (strlen(text) < sizeof(event->user))
		strcpy(event->user, text);
	else
		snprintf(event->user, sizeof(event->user), "%.*s" CUT,
			(int)(sizeof(event->user) - sizeof(CUT)), text);
}

static struct trail_event event_of(
	enum trail_kind kind, const struct turn_allocation_view *allocation, uint64_t at_ns)
{
	struct trail_event event = {
		.at_ns = at_ns,
		.allocation_id = allocation->id,
		.client = allocation->client,
		.relayed = {allocation->relayed[0], allocation->relayed[1]},
		.lifetime_s = allocation->lifetime_s,
		.kind = (uint8_t)kind,
	};

	set_user(&event, allocation->realm, allocation->user, allocation->user_bytes);
	return event;
}

struct trail_event trail_beginning(const struct turn_allocation_view *allocation)
{
	return event_of(TRAIL_CREATED, allocation, allocation->created_ms * NS_IN_MS);
}

static void on_event(void *context, const struct turn_event *event)
{
	static const uint8_t kinds[] = {
		[TURN_CREATED] = TRAIL_CREATED,
		[TURN_REFRESHED] = TRAIL_GRANTED,
		[TURN_MOVED] = TRAIL_MOVED,
		[TURN_ENDED] = TRAIL_ENDED,
	};
	struct trail *trail = context;
	struct trail_event own =
		event_of((enum trail_kind)kinds[event->kind], &event->allocation, trail_now_ns());

	if (event->kind == TURN_REFRESHED)
		own.method = STUN_REFRESH;
	if (event->kind == TURN_ENDED) {
		own.reason = (uint8_t)event->reason;
		own.lifetime_s =
			(uint32_t)((event->time.now_ms - event->allocation.created_ms) / MS_IN_S);
	}
	add(trail, &own);
	if (trail->next.notify)
		trail->next.notify(trail->next.context, event);
}

static enum trail_kind kind_of(const struct turn_verdict *verdict)
{
	const struct stun_view *view = verdict->request->view;
	const bool is_signed = view->integrity_offset || view->integrity_sha256_offset;

	if (verdict->code == STUN_CODE_NONE)
		return TRAIL_GRANTED;
	if (verdict->code == STUN_UNAUTHENTICATED && !is_signed)
		return TRAIL_CHALLENGED;
	if (verdict->code == STUN_UNAUTHENTICATED || verdict->code == STUN_WRONG_CREDENTIALS)
		return TRAIL_FAILED;
	return TRAIL_REFUSED;
}

// What has become of an allocation is told by its events.
static bool is_told(const struct turn_verdict *verdict)
{
	const uint16_t method = verdict->request->view->method;

	return verdict->code == STUN_CODE_NONE &&
		(method == STUN_ALLOCATE || method == STUN_REFRESH);
}

static struct trail_event event_of_verdict(
	const struct turn_verdict *verdict, enum trail_kind kind, uint64_t at_ns)
{
	const struct stun_view *view = verdict->request->view;
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_XOR_PEER_ADDRESS);
	struct trail_event event = {
		.at_ns = at_ns,
		.client = verdict->request->client,
		.method = view->method,
		.code = (uint16_t)verdict->code,
		.kind = (uint8_t)kind,
	};

	if (attr && stun_get_xor_address(attr, view->transaction_id, &event.peer))
		event.peer = (struct endpoint){.port = 0};
	set_user(&event, verdict->realm, verdict->user, verdict->user_bytes);
	return event;
}

static void on_judged(void *context, const struct turn_verdict *verdict)
{
	const enum trail_kind kind = kind_of(verdict);
	const uint64_t now_ns = trail_now_ns();
	struct trail *trail = context;

	if (!is_told(verdict) && may_add(trail, kind, &verdict->request->client, now_ns)) {
		const struct trail_event event = event_of_verdict(verdict, kind, now_ns);

		add(trail, &event);
	}
	if (trail->next.judged)
		trail->next.judged(trail->next.context, verdict);
}

static void on_unanswered(void *context, const struct endpoint *client, enum control_silence why)
{
	const struct trail_event event = {
		.at_ns = trail_now_ns(),
		.client = *client,
		.kind = TRAIL_UNANSWERED,
		.reason = (uint8_t)why,
	};

	if (may_add(context, TRAIL_UNANSWERED, client, event.at_ns))
		add(context, &event);
}

struct control_witness trail_witness(struct trail *trail)
{
	return (struct control_witness){on_unanswered, trail};
}

struct turn_watcher trail_watcher(struct trail *trail)
{
	return (struct turn_watcher){on_event, on_judged, trail};
}
