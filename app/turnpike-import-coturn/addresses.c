// Addresses and ports, as coturn's options give them.
#include "plan.h"

#include <string.h>

#define TURN_PORT 3478

// What stands before a byte; an address is shorter than ADDR_TEXT_BYTES, what is not is none.
static void copy_until(char out[static ADDR_TEXT_BYTES], const char *text, char end)
{
	size_t n = 0;

	while (n < ADDR_TEXT_BYTES - 1 && text[n] && text[n] != end) {
		out[n] = text[n];
		n++;
	}
	out[n] = '\0';
}

// False, after a note, where there is no room or the text is none.
static bool take_ip(
	struct plan *plan, const struct setting *setting, const char *text, struct ip_addr *ip)
{
	char zone[ADDR_TEXT_BYTES];

	copy_until(zone, text, '%');
	if (ip_parse(ip, zone) == 0)
		return true;
	notes_add(&plan->notes, NOTE_LOST, setting->what, "%s is no address", text);
	return false;
}

static void add_ip(
	struct plan *plan, const struct setting *setting, struct ip_addr *list, size_t *n)
{
	static const struct prefix loopback[] = {
		{{FAMILY_IPV4, {127}}, 8}, {{FAMILY_IPV6, {[15] = 1}}, 128}};
	static const struct ip_addr any[] = {{.family = FAMILY_IPV4}, {.family = FAMILY_IPV6}};
	struct ip_addr ip;

	if (!take_ip(plan, setting, setting->value, &ip))
		return;
	if (prefix_contains(&loopback[0], &ip) || prefix_contains(&loopback[1], &ip)) {
		notes_add(&plan->notes, NOTE_LOST, setting->what, "a port has no loopback address");
		return;
	}
	// For turnserver these are all of the machine, as if none were named.
	if (ip_equal(&ip, &any[0]) || ip_equal(&ip, &any[1]))
		return;
	if (!plan_add_ip(list, n, &ip))
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is more than %d addresses",
			ADDRESSES_MAX);
}

static void take_port(
	struct plan *plan, const struct setting *setting, uint32_t min, uint32_t *port)
{
	uint64_t number;

	if (!plan_number(plan, setting, UINT16_MAX, &number))
		return;
	if (number >= min)
		*port = (uint32_t)number;
	else
		notes_add(&plan->notes, NOTE_LOST, setting->what, "%u is no port; it is %u",
			(unsigned)number, *port);
}

void take_listening_device(struct plan *plan, const struct setting *setting)
{
	plan->listening_device = (struct said){setting->value, setting->what};
}

void take_listening_ip(struct plan *plan, const struct setting *setting)
{
	add_ip(plan, setting, plan->listening_ips, &plan->n_listening_ips);
}

void take_relay_ip(struct plan *plan, const struct setting *setting)
{
	add_ip(plan, setting, plan->relay_ips, &plan->n_relay_ips);
}

void take_listening_port(struct plan *plan, const struct setting *setting)
{
	take_port(plan, setting, 1, &plan->listening_port);
}

void take_alternate_port(struct plan *plan, const struct setting *setting)
{
	take_port(plan, setting, 0, &plan->alternate_port);
}

void take_min_port(struct plan *plan, const struct setting *setting)
{
	take_port(plan, setting, 1, &plan->port_min);
}

void take_max_port(struct plan *plan, const struct setting *setting)
{
	take_port(plan, setting, 1, &plan->port_max);
}

// ADDRESS or ADDRESS:PORT, of IPv6 in brackets where there is a port.
static bool take_endpoint(
	struct plan *plan, const struct setting *setting, struct endpoint *endpoint)
{
	if (endpoint_parse(endpoint, setting->value) == 0 && endpoint->port != 0)
		return true;
	endpoint->port = TURN_PORT;
	return take_ip(plan, setting, setting->value, &endpoint->ip);
}

void take_aux_server(struct plan *plan, const struct setting *setting)
{
	struct endpoint endpoint;

	if (!take_endpoint(plan, setting, &endpoint))
		return;
	if (plan->n_aux < ADDRESSES_MAX)
		plan->aux[plan->n_aux++] = endpoint;
	else
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is more than %d listeners",
			ADDRESSES_MAX);
}

void take_alternate_server(struct plan *plan, const struct setting *setting)
{
	struct endpoint endpoint;

	if (!take_endpoint(plan, setting, &endpoint))
		return;
	for (size_t i = 0; i < plan->n_alternates; i++) {
		if (plan->alternates[i].ip.family != endpoint.ip.family)
			continue;
		notes_add(&plan->notes, NOTE_LOST, setting->what,
			"is the second of its family; there is one");
		return;
	}
	plan->alternates[plan->n_alternates++] = endpoint;
	notes_add(&plan->notes, NOTE_DIFFERS, setting->what,
		"coturn sends every client there, turnpike only when it is full");
}

// EXTERNAL, or EXTERNAL/INSIDE.
void take_external_ip(struct plan *plan, const struct setting *setting)
{
	struct plan_external *external = &plan->externals[plan->n_externals];
	char outer[ADDR_TEXT_BYTES];
	const char *slash = strchr(setting->value, '/');

	if (plan->n_externals == ADDRESSES_MAX) {
		notes_add(&plan->notes, NOTE_LOST, setting->what, "is more than %d addresses",
			ADDRESSES_MAX);
		return;
	}
	*external = (struct plan_external){.what = setting->what};
	copy_until(outer, setting->value, '/');
	if (take_ip(plan, setting, outer, &external->external) &&
		(!slash || take_ip(plan, setting, slash + 1, &external->inside)))
		plan->n_externals++;
}
