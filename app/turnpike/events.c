#include "events.h"

#include <stdio.h>

#define REALM_TEXT_BYTES 256
#define WHO_BYTES (REALM_TEXT_BYTES + LOG_USER_BYTES + ADDR_TEXT_BYTES + 64)
#define RELAYED_BYTES (2 * ADDR_TEXT_BYTES + 32)

// In which realm, who, and from where: what every line has. `realm` may be NULL.
static const char *format_who(char out[static WHO_BYTES], const char *realm, const void *user,
	size_t user_bytes, const struct endpoint *client)
{
	char realm_text[REALM_TEXT_BYTES];
	char user_text[LOG_USER_BYTES];
	char address[ADDR_TEXT_BYTES];

	if (realm)
		snprintf(out, WHO_BYTES, "realm=\"%s\" user=\"%s\" client=%s",
			log_escape(realm_text, sizeof(realm_text), realm, strlen(realm)),
			user_bytes ? log_user(user_text, realm, user, user_bytes) : "",
			endpoint_format(client, address));
	else
		snprintf(out, WHO_BYTES, "client=%s", endpoint_format(client, address));
	return out;
}

static const char *format_relayed(
	char out[static RELAYED_BYTES], const struct turn_allocation_view *allocation)
{
	char first[ADDR_TEXT_BYTES];
	char second[ADDR_TEXT_BYTES];

	endpoint_format(&allocation->relayed[0], first);
	if (allocation->relayed[1].ip.family == FAMILY_NONE)
		snprintf(out, RELAYED_BYTES, "relayed=%s", first);
	else
		snprintf(out, RELAYED_BYTES, "relayed=%s relayed2=%s", first,
			endpoint_format(&allocation->relayed[1], second));
	return out;
}

static void log_begin(struct log_site *site, enum log_level level, const char *event,
	const struct turn_allocation_view *allocation)
{
	char id[TURN_ID_TEXT_BYTES];
	char service[ADDR_TEXT_BYTES];
	char relayed[RELAYED_BYTES];
	char who[WHO_BYTES];

	if (log_admit(site, level, event))
		log_put(level, event, "id=\"%s\" %s service=%s %s lifetime_s=%u",
			turn_id_format(allocation->id, id),
			format_who(who, allocation->realm, allocation->user, allocation->user_bytes,
				&allocation->client),
			endpoint_format(&allocation->service, service),
			format_relayed(relayed, allocation), allocation->lifetime_s);
}

static void log_end(struct log_site *site, const struct turn_event *event)
{
	const struct turn_allocation_view *allocation = &event->allocation;
	char id[TURN_ID_TEXT_BYTES];
	char relayed[RELAYED_BYTES];
	char who[WHO_BYTES];

	if (log_admit(site, LOG_INFO, "allocation.ended"))
		log_put(LOG_INFO, "allocation.ended",
			"id=\"%s\" %s %s reason=%s lived_s=%lu permissions=%u channels=%u",
			turn_id_format(allocation->id, id),
			format_who(who, allocation->realm, allocation->user, allocation->user_bytes,
				&allocation->client),
			format_relayed(relayed, allocation), turn_reason_name(event->reason),
			(unsigned long)((event->time.now_ms - allocation->created_ms) / MS_IN_S),
			allocation->n_permissions, allocation->n_channels);
}

static void on_event(void *context, const struct turn_event *event)
{
	struct events *events = context;

	switch (event->kind) {
	case TURN_CREATED:
		log_begin(&events->created, LOG_INFO, "allocation.created", &event->allocation);
		return;
	case TURN_REFRESHED:
		log_begin(
			&events->refreshed, LOG_DEBUG, "allocation.refreshed", &event->allocation);
		return;
	case TURN_MOVED:
		log_begin(&events->moved, LOG_INFO, "allocation.moved", &event->allocation);
		return;
	case TURN_ENDED:
		log_end(&events->ended, event);
		return;
	}
}

const char *events_method_name(uint16_t method)
{
	switch (method) {
	case STUN_BINDING:
		return "Binding";
	case STUN_SHARED_SECRET:
		return "SharedSecret";
	case STUN_ALLOCATE:
		return "Allocate";
	case STUN_REFRESH:
		return "Refresh";
	case STUN_CREATE_PERMISSION:
		return "CreatePermission";
	case STUN_CHANNEL_BIND:
		return "ChannelBind";
	default:
		return "other";
	}
}

// What an operator acts upon is told; what clients do wrong or must do again only to who looks for
// it.
struct refusal {
	enum stun_code code;
	enum log_level level;
};

static const struct refusal refusals[EVENTS_REFUSALS] = {
	{STUN_TRY_ALTERNATE, LOG_INFO}, {STUN_FORBIDDEN, LOG_INFO},
	{STUN_ALLOCATION_QUOTA_REACHED, LOG_INFO}, {STUN_INSUFFICIENT_CAPACITY, LOG_INFO},
	{STUN_UNAUTHENTICATED, LOG_DEBUG}, // the first one of every client
	{STUN_STALE_NONCE, LOG_DEBUG}, {STUN_CODE_NONE, LOG_DEBUG}, // any other
};

// " peer=ADDRESS" where the request names one.
static const char *format_peer(
	char out[static ADDR_TEXT_BYTES + 8], const struct turn_verdict *verdict)
{
	const struct stun_view *view = verdict->request->view;
	const struct stun_attr *attr = stun_find(view, STUN_ATTR_XOR_PEER_ADDRESS);
	struct endpoint peer;
	char address[ADDR_TEXT_BYTES];

	out[0] = 0;
	if (attr && stun_get_xor_address(attr, view->transaction_id, &peer) == 0)
		snprintf(out, ADDR_TEXT_BYTES + 8, " peer=%s", endpoint_format(&peer, address));
	return out;
}

static void log_verdict(struct log_site *site, enum log_level level, const char *event,
	const struct turn_verdict *verdict)
{
	char who[WHO_BYTES];
	char peer[ADDR_TEXT_BYTES + 8];

	if (log_admit(site, level, event))
		log_put(level, event, "%s method=%s code=%d%s",
			format_who(who, verdict->realm, verdict->user, verdict->user_bytes,
				&verdict->request->client),
			events_method_name(verdict->request->view->method), verdict->code,
			format_peer(peer, verdict));
}

static void on_judged(void *context, const struct turn_verdict *verdict)
{
	const struct stun_view *view = verdict->request->view;
	const bool is_signed = view->integrity_offset || view->integrity_sha256_offset;
	struct events *events = context;
	size_t i = 0;

	if (verdict->code == STUN_CODE_NONE) {
		log_verdict(&events->granted, LOG_DEBUG, "request.granted", verdict);
		return;
	}
	if ((verdict->code == STUN_UNAUTHENTICATED && is_signed) ||
		verdict->code == STUN_WRONG_CREDENTIALS) {
		log_verdict(&events->failed, LOG_INFO, "auth.failed", verdict);
		return;
	}
	while (i < EVENTS_REFUSALS - 1 && refusals[i].code != verdict->code)
		i++;
	log_verdict(&events->refused[i], refusals[i].level, "request.refused", verdict);
}

struct turn_watcher events_watcher(struct events *events)
{
	return (struct turn_watcher){on_event, on_judged, events};
}
