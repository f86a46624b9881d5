#include "turn/ports.h"

#include "turn/turn.h"

#include <errno.h>
#include <stdlib.h>

static bool overlap(const struct relay_range *a, const struct relay_range *b)
{
	return ip_equal(&a->ip, &b->ip) && a->port_min <= b->port_max && b->port_min <= a->port_max;
}

static bool is_possible(const struct relay_range *relays, size_t i)
{
	if (family_bytes(relays[i].ip.family) == 0 || relays[i].port_min == 0 ||
		relays[i].port_min > relays[i].port_max)
		return false;
	for (size_t j = 0; j < i; j++) {
		if (overlap(&relays[i], &relays[j]))
			return false;
	}
	return true;
}

static int relay_init(struct relay_ports *relay, const struct relay_range *config)
{
	relay->ip = config->ip;
	relay->external = config->external;
	relay->port_min = config->port_min;
	relay->n_ports = config->port_max - config->port_min + 1u;
	relay->n_free = relay->n_ports;
	relay->free = calloc(relay->n_ports, sizeof(*relay->free));
	relay->places = calloc(relay->n_ports, sizeof(*relay->places));
	relay->owners = calloc(relay->n_ports, sizeof(*relay->owners));
	if (!relay->free || !relay->places || !relay->owners)
		return -ENOMEM;
	for (uint32_t i = 0; i < relay->n_ports; i++)
		relay->free[i] = relay->places[i] = (uint16_t)i;
	return 0;
}

int ports_init(struct ports *ports, const struct relay_range *relays, size_t n_relays)
{
	*ports = (struct ports){0};
	if (n_relays == 0)
		return -EINVAL;
	ports->relays = calloc(n_relays, sizeof(*ports->relays));
	if (!ports->relays)
		return -ENOMEM;
	ports->n_relays = n_relays;
	for (size_t i = 0; i < n_relays; i++) {
		const int rc = is_possible(relays, i) ? relay_init(&ports->relays[i], &relays[i])
						      : -EINVAL;

		if (rc) {
			ports_fini(ports);
			return rc;
		}
		ports->n_free[relays[i].ip.family] += ports->relays[i].n_ports;
	}
	return 0;
}

static void relay_fini(struct relay_ports *relay)
{
	free(relay->free);
	free(relay->places);
	free(relay->owners);
}

void ports_fini(struct ports *ports)
{
	for (size_t i = 0; i < ports->n_relays; i++)
		relay_fini(&ports->relays[i]);
	free(ports->relays);
	*ports = (struct ports){0};
}

// Closed ones come last: what has been opened again is found there.
static struct relay_ports *find_relay(const struct ports *ports, const struct endpoint *endpoint)
{
	for (size_t i = 0; i < ports->n_relays; i++) {
		struct relay_ports *relay = &ports->relays[i];

		if (ip_equal(&relay->ip, &endpoint->ip) && endpoint->port >= relay->port_min &&
			endpoint->port - relay->port_min < (int)relay->n_ports)
			return relay;
	}
	return NULL;
}

struct endpoint ports_outside(const struct ports *ports, const struct endpoint *relayed)
{
	struct endpoint outside = *relayed;
	size_t i = 0;

	while (i < ports->n_relays && !ip_equal(&ports->relays[i].ip, &relayed->ip))
		i++;
	if (i < ports->n_relays && ports->relays[i].external.family != FAMILY_NONE)
		outside.ip = ports->relays[i].external;
	return outside;
}

struct ip_addr ports_inside(const struct ports *ports, const struct ip_addr *ip)
{
	for (size_t i = 0; i < ports->n_relays; i++) {
		const struct relay_ports *relay = &ports->relays[i];

		if (relay->external.family != FAMILY_NONE && ip_equal(&relay->external, ip))
			return relay->ip;
	}
	return *ip;
}

// The last free one takes its place in the list.
static void unlist(struct ports *ports, struct relay_ports *relay, uint16_t offset)
{
	const uint16_t place = relay->places[offset];
	const uint16_t last = relay->free[--relay->n_free];

	relay->free[place] = last;
	relay->places[last] = place;
	ports->n_free[relay->ip.family]--;
}

static void list(struct ports *ports, struct relay_ports *relay, uint16_t offset)
{
	relay->owners[offset] = PORT_FREE;
	if (relay->closed) {
		relay->n_taken--;
		return;
	}
	relay->places[offset] = (uint16_t)relay->n_free;
	relay->free[relay->n_free++] = offset;
	ports->n_free[relay->ip.family]++;
}

static void use(struct ports *ports, struct relay_ports *relay, uint16_t offset, uint32_t owner,
	struct endpoint *out)
{
	unlist(ports, relay, offset);
	relay->owners[offset] = owner;
	ports->n_used++;
	*out = (struct endpoint){.ip = relay->ip, .port = (uint16_t)(relay->port_min + offset)};
}

bool ports_have_family(const struct ports *ports, uint8_t family)
{
	for (size_t i = 0; i < ports->n_relays; i++) {
		if (!ports->relays[i].closed && ports->relays[i].ip.family == family)
			return true;
	}
	return false;
}

// A uniformly random free port of a family that has one: the relay it is of, and its place there.
static struct relay_ports *draw(
	struct ports *ports, struct entropy *entropy, uint8_t family, uint32_t *place)
{
	struct relay_ports *relay = ports->relays;

	*place = entropy_below(entropy, ports->n_free[family]);
	while (relay->ip.family != family || *place >= relay->n_free) {
		if (relay->ip.family == family)
			*place -= relay->n_free;
		relay++;
	}
	return relay;
}

static bool is_even(const struct relay_ports *relay, uint16_t offset, bool with_next)
{
	if ((relay->port_min + offset) % 2)
		return false;
	return !with_next ||
		(offset + 1u < relay->n_ports && relay->owners[offset + 1] == PORT_FREE);
}

// From a random place on, once round; half of all ports are even, so this is short while many are
// free.
static bool find_even(
	const struct relay_ports *relay, uint32_t place, bool with_next, uint16_t *out)
{
	for (uint32_t i = 0; i < relay->n_free; i++) {
		*out = relay->free[(place + i) % relay->n_free];
		if (is_even(relay, *out, with_next))
			return true;
	}
	return false;
}

// The relays of the family, from the one on that was drawn.
static struct relay_ports *find_even_of_family(struct ports *ports, const struct port_wish *wish,
	const struct relay_ports *drawn, uint32_t place, uint16_t *offset)
{
	const size_t first = (size_t)(drawn - ports->relays);

	for (size_t i = 0; i < ports->n_relays; i++) {
		struct relay_ports *relay = &ports->relays[(first + i) % ports->n_relays];

		if (relay->ip.family == wish->family &&
			find_even(relay, place, wish->with_next, offset))
			return relay;
	}
	return NULL;
}

bool ports_take(struct ports *ports, struct entropy *entropy, const struct port_wish *wish,
	struct endpoint *out)
{
	struct relay_ports *relay;
	uint32_t place;
	uint16_t offset;

	if (ports->n_free[wish->family] == 0)
		return false;
	relay = draw(ports, entropy, wish->family, &place);
	if (wish->even || wish->with_next)
		relay = find_even_of_family(ports, wish, relay, place, &offset);
	else
		offset = relay->free[place];
	if (!relay)
		return false;
	use(ports, relay, offset, wish->owner, out);
	if (wish->with_next) {
		unlist(ports, relay, offset + 1);
		relay->owners[offset + 1] = PORT_RESERVED;
		ports->n_reserved++;
	}
	return true;
}

void ports_take_reserved(struct ports *ports, uint32_t owner, const struct endpoint *relayed)
{
	struct relay_ports *relay = find_relay(ports, relayed);

	relay->owners[relayed->port - relay->port_min] = owner;
	ports->n_reserved--;
	ports->n_used++;
}

void ports_free_reserved(struct ports *ports, const struct endpoint *relayed)
{
	struct relay_ports *relay = find_relay(ports, relayed);

	ports->n_reserved--;
	list(ports, relay, relayed->port - relay->port_min);
}

void ports_cool(struct ports *ports, const struct endpoint *relayed)
{
	struct relay_ports *relay = find_relay(ports, relayed);

	relay->owners[relayed->port - relay->port_min] = PORT_COOLING;
	ports->n_used--;
	ports->n_cooling++;
}

void ports_release(struct ports *ports, const struct endpoint *relayed)
{
	struct relay_ports *relay = find_relay(ports, relayed);
	uint16_t offset;

	if (!relay)
		return;
	offset = relayed->port - relay->port_min;
	if (relay->owners[offset] != PORT_COOLING)
		return;
	ports->n_cooling--;
	list(ports, relay, offset);
}

void ports_set_owner(struct ports *ports, const struct endpoint *relayed, uint32_t owner)
{
	struct relay_ports *relay = find_relay(ports, relayed);
	const uint16_t offset = relayed->port - relay->port_min;

	if (!relay->closed)
		unlist(ports, relay, offset);
	relay->owners[offset] = owner;
}

uint32_t ports_owner(const struct ports *ports, const struct endpoint *relayed)
{
	const struct relay_ports *relay = find_relay(ports, relayed);

	return relay ? relay->owners[relayed->port - relay->port_min] : PORT_FREE;
}

bool ports_contain(const struct ports *ports, const struct endpoint *endpoint)
{
	const struct relay_ports *relay = find_relay(ports, endpoint);

	return relay &&
		(!relay->closed || relay->owners[endpoint->port - relay->port_min] != PORT_FREE);
}

bool ports_contain_ip(const struct ports *ports, const struct ip_addr *ip)
{
	for (size_t i = 0; i < ports->n_relays; i++) {
		if (ip_equal(&ports->relays[i].ip, ip))
			return true;
	}
	return false;
}

struct tally {
	uint32_t n_taken; // used, reserved or cooling
	uint32_t n_reserved;
	uint32_t n_cooling;
};

static const char *check_relay(const struct relay_ports *relay, struct tally *tally)
{
	uint8_t seen[UINT16_MAX + 1] = {0};
	uint32_t n_free = 0;

	for (uint32_t i = 0; i < relay->n_free; i++) {
		const uint16_t offset = relay->free[i];

		if (offset >= relay->n_ports || seen[offset] || relay->owners[offset] != PORT_FREE)
			return "a free port is listed twice or not free";
		if (relay->places[offset] != i)
			return "a free port is not where it is said to be";
		seen[offset] = 1;
	}
	for (uint32_t i = 0; i < relay->n_ports; i++) {
		n_free += relay->owners[i] == PORT_FREE;
		tally->n_reserved += relay->owners[i] == PORT_RESERVED;
		tally->n_cooling += relay->owners[i] == PORT_COOLING;
	}
	tally->n_taken += relay->n_ports - n_free;
	return n_free == relay->n_free ? NULL : "a free port is not listed";
}

static const char *check_closed(const struct relay_ports *relay, struct tally *tally)
{
	uint32_t n_taken = 0;

	for (uint32_t i = 0; i < relay->n_ports; i++) {
		n_taken += relay->owners[i] != PORT_FREE;
		tally->n_reserved += relay->owners[i] == PORT_RESERVED;
		tally->n_cooling += relay->owners[i] == PORT_COOLING;
	}
	tally->n_taken += n_taken;
	return n_taken == relay->n_taken && relay->n_free == 0
		? NULL
		: "a closed relay miscounts its ports";
}

const char *ports_check(const struct ports *ports)
{
	struct tally tally = {0};
	uint32_t n_free[PORT_FAMILIES] = {0};

	for (size_t i = 0; i < ports->n_relays; i++) {
		const char *wrong = ports->relays[i].closed
			? check_closed(&ports->relays[i], &tally)
			: check_relay(&ports->relays[i], &tally);

		if (wrong)
			return wrong;
		n_free[ports->relays[i].ip.family] += ports->relays[i].n_free;
	}
	if (memcmp(n_free, ports->n_free, sizeof(n_free)) != 0 ||
		tally.n_cooling != ports->n_cooling || tally.n_reserved != ports->n_reserved ||
		tally.n_taken - tally.n_cooling - tally.n_reserved != ports->n_used)
		return "the port counters do not add up";
	return NULL;
}
