#include "plan.h"

#include "must.h"

#include <ctype.h>
#include <errno.h>

bool plan_number(struct plan *plan, const struct setting *setting, uint64_t max, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(setting->value, &end, 10);
	if (isdigit((unsigned char)setting->value[0]) && errno == 0 && *number <= max)
		return true;
	if (max > UINT32_MAX)
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is no number");
	else
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is no number from 0 to %u",
			(unsigned)max);
	return false;
}

bool plan_is_on(struct plan *plan, const struct setting *setting)
{
	bool is_bad;
	const bool is_on = setting_is_on(setting, &is_bad);

	if (is_bad)
		notes_add(&plan->notes, NOTE_LOST, setting->what,
			"is neither yes nor no, as turnserver reads it");
	return is_on;
}

bool plan_add_ip(struct ip_addr *list, size_t *n, const struct ip_addr *ip)
{
	for (size_t i = 0; i < *n; i++) {
		if (ip_equal(&list[i], ip))
			return true;
	}
	if (*n == ADDRESSES_MAX)
		return false;
	list[(*n)++] = *ip;
	return true;
}

static void take(struct plan *plan, const struct setting *setting)
{
	const struct option_row *row = setting->row;

	if (row->take)
		row->take(plan, setting);
	else if (row->argument == ARGUMENT_TEXT || plan_is_on(plan, setting))
		notes_add(&plan->notes, row->kind, setting->what, "%s", row->why);
}

void plan_take(struct plan *plan, const struct settings *settings)
{
	plan->listening_port = 3478;
	plan->port_min = 49152;
	plan->port_max = 65535;
	for (size_t i = 0; i < settings->n; i++)
		take(plan, &settings->list[i]);
}

// What coturn does although nothing says so.
static void note_transports(struct plan *plan)
{
	if (!plan->no_tcp)
		notes_add(&plan->notes, NOTE_LOST, "no-tcp (not set)",
			"TCP clients of port %u are not served", plan->listening_port);
	if (!plan->no_tls && plan->certificate.text)
		notes_add(&plan->notes, NOTE_LOST, plan->certificate.what,
			"TLS and DTLS are not served");
	if (!plan->no_tcp && !plan->no_tcp_relay)
		notes_add(&plan->notes, NOTE_LOST, "no-tcp-relay (not set)",
			"TCP to peers (RFC 6062) is not relayed");
}

// No more allocations than there are relay ports.
static void complete_quota(struct plan *plan)
{
	uint32_t n_ports = 0;

	for (size_t i = 0; i < plan->n_relay; i++)
		n_ports += plan->relay[i].port_max - plan->relay[i].port_min + 1U;
	if (plan->total_quota <= n_ports)
		return;
	plan->total_quota = n_ports;
	notes_add(&plan->notes, NOTE_DIFFERS, "total-quota", "is %u, the number of relay ports",
		n_ports);
}

static bool is_listened_at(const struct plan *plan, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < plan->n_listen; i++)
		if (endpoint_equal(&plan->listen[i], endpoint))
			return true;
	return false;
}

// Whoever is sent back to where he was.
static void drop_own_alternates(struct plan *plan)
{
	size_t n = 0;

	for (size_t i = 0; i < plan->n_alternates; i++) {
		if (!is_listened_at(plan, &plan->alternates[i]))
			plan->alternates[n++] = plan->alternates[i];
		else
			notes_add(&plan->notes, NOTE_LOST, "alternate-server",
				"is this server itself");
	}
	plan->n_alternates = n;
}

int plan_complete(struct plan *plan)
{
	const int rc = plan_complete_addresses(plan);

	if (rc < 0)
		return rc;
	drop_own_alternates(plan);
	complete_quota(plan);
	plan_complete_access(plan);
	note_transports(plan);
	return 0;
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->n_users; i++)
		free(plan->users[i].name);
	free(plan->users);
	notes_free(&plan->notes);
}
