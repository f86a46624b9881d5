// Another configuration for an instance that runs: a second instance is made of it, as at the
// start, and whatever lives is carried over into its tables; only then do they become those of the
// first. So all that can fail has not touched anything.
#include "turn/mobility.h"
#include "turn/state.h"

#include <errno.h>
#include <stdlib.h>

// Of that name, configured or not.
static struct realm *find_realm(const struct turn *turn, const char *name)
{
	for (size_t i = 0; i < turn->n_realms; i++)
		if (strcmp(turn->realms[i]->name, name) == 0)
			return turn->realms[i];
	for (size_t i = 0; i < turn->n_gone_realms; i++)
		if (strcmp(turn->gone_realms[i]->name, name) == 0)
			return turn->gone_realms[i];
	return NULL;
}

// A source knows the realms that used it at the start, and has no say in what uses it no more.
static int carry_realm(struct realm *realm, const struct realm *old)
{
	if (realm->uses_source && !(old && old->uses_source))
		return -EINVAL;
	realm->source_idx = SIZE_MAX;
	return old ? realm_carry(realm, old) : 0;
}

static int carry_realms(struct turn *next, const struct turn *turn)
{
	int rc = 0;

	next->gone_realms =
		calloc(turn->n_realms + turn->n_gone_realms, sizeof(*next->gone_realms));
	if (!next->gone_realms)
		return -ENOMEM;
	for (size_t i = 0; i < next->n_realms && !rc; i++)
		rc = carry_realm(next->realms[i], find_realm(turn, next->realms[i]->name));
	return rc;
}

// Buckets are by the number of those of clients, which stays.
static int carry_mobility(struct turn *next, const struct turn *turn)
{
	if (!next->options.allows_mobility || turn->moving)
		return 0;
	free(next->moving);
	next->moving = calloc(turn->n_buckets, sizeof(*next->moving));
	return next->moving ? 0 : -ENOMEM;
}

// What workers are told of relayed ports is one range an address: no listener lies in it, also
// where a closed one still has clients, or ports that are no longer handed out are still taken.
static bool services_clash(const struct turn *next)
{
	struct relay_range range;

	for (size_t i = 0; ports_range(&next->ports, i, &range); i++) {
		for (size_t k = 0; k < next->services.n; k++) {
			const struct endpoint *at = &next->services.items[k].at;

			if (ip_equal(&at->ip, &range.ip) && at->port >= range.port_min &&
				at->port <= range.port_max)
				return true;
		}
	}
	return false;
}

int turn_prepare(struct turn **out, const struct turn *turn, const struct turn_config *config)
{
	struct turn *next;
	int rc = turn_create(&next, config);

	if (rc)
		return rc;
	rc = carry_realms(next, turn);
	rc = rc ? rc : carry_mobility(next, turn);
	rc = rc ? rc : ports_carry(&next->ports, &turn->ports);
	rc = rc ? rc : services_carry(&next->services, &turn->services);
	if (!rc && services_clash(next))
		rc = -EBUSY;
	if (rc) {
		turn_destroy(next);
		return rc;
	}
	*out = next;
	return 0;
}

// Realms stay where they are: identities and accounts point to them. `next` keeps what is to be
// destroyed with it.
static void adopt_realms(struct turn *turn, struct turn *next)
{
	struct realm **gone = next->gone_realms;
	size_t n_gone = 0;

	for (size_t i = 0; i < next->n_realms; i++) {
		struct realm *realm = next->realms[i];
		struct realm *here = find_realm(turn, realm->name);

		realm->successor = here ? here : realm;
	}
	for (size_t i = 0; i < turn->n_realms; i++)
		turn->realms[i]->gone = true;
	for (size_t i = 0; i < next->n_realms; i++)
		next->realms[i]->successor->gone = false;
	for (size_t i = 0; i < turn->n_realms; i++)
		if (turn->realms[i]->gone)
			gone[n_gone++] = turn->realms[i];
	for (size_t i = 0; i < turn->n_gone_realms; i++)
		if (turn->gone_realms[i]->gone)
			gone[n_gone++] = turn->gone_realms[i];
	free(turn->gone_realms);
	turn->gone_realms = gone;
	turn->n_gone_realms = n_gone;
	next->gone_realms = NULL;
}

// The lists change places; a realm that has a successor here is left in that of `next`, with what
// was configured before.
static void adopt_realm_lists(struct turn *turn, struct turn *next)
{
	struct realm **old = turn->realms;

	turn->realms = next->realms;
	turn->n_realms = next->n_realms;
	next->realms = old;
	next->n_realms = 0;
	for (size_t i = 0; i < turn->n_realms; i++) {
		struct realm *realm = turn->realms[i];
		struct realm *here = realm->successor;

		realm->successor = NULL;
		if (here == realm)
			continue;
		realm_adopt(here, realm);
		here->successor = NULL;
		turn->realms[i] = here;
		realm_destroy(realm);
	}
}

static void adopt_services(struct turn *turn, struct turn *next)
{
	const struct services old = turn->services;

	for (size_t i = 0; i < next->services.n; i++) {
		struct service *service = &next->services.items[i];

		if (service->realm)
			service->realm = service->realm->successor;
	}
	turn->services = next->services;
	next->services = old;
}

static void adopt_tables(struct turn *turn, struct turn *next)
{
	const struct ports ports = turn->ports;
	const struct tokens tokens = turn->tokens;

	turn->ports = next->ports;
	next->ports = ports;
	turn->tokens = next->tokens;
	next->tokens = tokens;
	if (!turn->options.allows_mobility || turn->moving)
		return;
	turn->moving = next->moving;
	turn->ticketer = next->ticketer;
	next->moving = NULL;
	next->ticketer = NULL;
}

void turn_adopt(struct turn *turn, struct turn *next)
{
	turn->options = next->options;
	adopt_realms(turn, next);
	users_adopt(&turn->users, &next->users);
	users_fini(&next->users);
	adopt_services(turn, next);
	adopt_realm_lists(turn, next);
	adopt_tables(turn, next);
	turn_destroy(next);
}

static void trim_realms(struct turn *turn)
{
	size_t n = 0;

	for (size_t i = 0; i < turn->n_gone_realms; i++) {
		struct realm *realm = turn->gone_realms[i];

		if (realm->n_identities) {
			turn->gone_realms[n++] = realm;
			continue;
		}
		accounts_forget(&turn->users.accounts, realm);
		realm_destroy(realm);
	}
	turn->n_gone_realms = n;
}

bool turn_trim(struct turn *turn)
{
	const bool fewer_services = services_trim(&turn->services);
	const bool fewer_ports = ports_trim(&turn->ports);

	trim_realms(turn);
	return fewer_services || fewer_ports;
}

bool turn_service_get(const struct turn *turn, size_t idx, struct endpoint *out)
{
	if (idx >= turn->services.n)
		return false;
	*out = turn->services.items[idx].at;
	return true;
}

bool turn_relay_get(const struct turn *turn, size_t idx, struct relay_range *out)
{
	return ports_range(&turn->ports, idx, out);
}
