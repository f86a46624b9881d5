#include "options_check.h"

#include "exit.h"
#include "help.h"
#include "name.h"

#include <stdio.h>
#include <unistd.h>

#define BINDING_DURATION_MAX_S 3600
#define CALLS_DEFAULT 100
#define REST_S 4
#define RESTING_CALLS_MAX 10000

// The address from which the kernel would send to the server.
static int default_client(struct options *out)
{
	union name name;
	socklen_t n_bytes = name_store(&name, &out->server);
	const int fd = socket(name_family(&out->server.ip), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	const int err =
		fd < 0 || connect(fd, &name.any, n_bytes) || getsockname(fd, &name.any, &n_bytes);

	if (fd >= 0)
		close(fd);
	if (err) {
		fputs("turnpike-load: there is no route to the server\n", stderr);
		return EXIT_UNAVAILABLE;
	}
	out->clients[0] = name_load(&name).ip;
	out->n_clients = 1;
	return -1;
}

static uint64_t default_duration_s(enum mode mode)
{
	switch (mode) {
	case MODE_SEARCH:
		return 5;
	case MODE_SOAK:
	case MODE_ECHO:
		return 3600;
	default:
		return 10;
	}
}

// Of the peers, here or far away, and so of the relayed addresses.
static uint8_t peer_family(const struct options *options)
{
	return options->n_echoes ? options->echoes[0].family : options->peer_ips[0].family;
}

// The first that peers of this family can hear; NULL where there is none.
static const struct prefix *find_relay(const struct options *options, uint8_t family)
{
	for (size_t i = 0; i < options->n_relays; i++)
		if (options->relays[i].ip.family == family)
			return &options->relays[i];
	return NULL;
}

// Where no address was given, the relay is where the server is; the way of a port of frames leads
// to whom it talks to.
static void default_addresses(struct options *out)
{
	const struct prefix *relay;

	if (out->n_relays == 0) {
		out->relays[0].ip = out->server.ip;
		out->relays[0].n_bits = (uint8_t)(8 * family_bytes(out->server.ip.family));
		out->n_relays = 1;
	}
	if (out->n_peer_ips == 0) {
		memcpy(out->peer_ips, out->clients, sizeof(out->clients));
		out->n_peer_ips = out->n_clients;
	}
	relay = find_relay(out, peer_family(out));
	if (out->wire.gateway.family == FAMILY_NONE && out->mode != MODE_ECHO)
		out->wire.gateway = out->server.ip;
	else if (out->wire.gateway.family == FAMILY_NONE && relay)
		out->wire.gateway = relay->ip;
	if (out->peer_wire.gateway.family == FAMILY_NONE && relay)
		out->peer_wire.gateway = relay->ip;
}

// Clients of calls that come and go have some seconds of rest each.
static uint64_t default_calls(const struct options *options)
{
	const uint64_t n = REST_S * options->rate;

	if (options->mode != MODE_ALLOCATE || n < CALLS_DEFAULT)
		return CALLS_DEFAULT;
	return n < RESTING_CALLS_MAX ? n : RESTING_CALLS_MAX;
}

static void set_defaults(struct options *out)
{
	if (out->mode == MODE_SEARCH)
		out->profile = PROFILE_FLOOD;
	if (out->duration_s == 0)
		out->duration_s = default_duration_s(out->mode);
	if (out->rate == 0)
		out->rate = out->mode == MODE_ALLOCATE ? 1000 : 10000;
	if (out->n_calls == 0)
		out->n_calls = default_calls(out);
	default_addresses(out);
	if (out->n_echoes) {
		out->directions[DOWN] = false;
		out->n_peers = out->n_echoes * port_count(&out->echo_ports);
	}
	if (out->n_peers > out->n_calls && out->mode != MODE_ECHO)
		out->n_peers = out->n_calls;
}

static int check_echo(const struct options *out)
{
	if (out->n_relays == 0)
		return help_refuse("--relay is missing: it is all that an echo answers", NULL);
	if (out->n_echoes == 0)
		return help_refuse("--echo is missing", NULL);
	if (out->server.port || out->n_clients || out->rate)
		return help_refuse("--server, --client and --rate are not for an echo", NULL);
	if (out->report_path)
		return help_refuse("--report is not for an echo", NULL);
	return -1;
}

// Peers are here, or they are a far echo.
static int check_peers(const struct options *out)
{
	const bool here = out->n_peer_ips || out->two_wires;

	if (here && out->n_echoes)
		return help_refuse("--echo and peers here exclude each other", NULL);
	if (out->n_echoes * port_count(&out->echo_ports) > OPTIONS_PEERS_MAX)
		return help_refuse("an echo has at most 65536 ports, of all addresses", NULL);
	if (out->n_echoes && !(out->directions[UP] && out->directions[DOWN]))
		return help_refuse(
			"--direction is not for an echo: media goes there and back", NULL);
	if (out->two_wires && out->n_peer_ips == 0)
		return help_refuse(
			"--peer is missing: on a wire of their own peers need an address", NULL);
	if (out->peer_wire.gateway.family != FAMILY_NONE && !out->two_wires)
		return help_refuse(
			"--peer-wire is missing: --peer-gateway is where that one leads", NULL);
	return -1;
}

static int check_together(struct options *out)
{
	const bool plays = out->mode == MODE_RUN || out->mode == MODE_SOAK;
	const bool rated = !plays || out->profile == PROFILE_FLOOD;

	if (!out->server.port)
		return help_refuse("--server is missing", NULL);
	if (out->mode != MODE_BINDING && (!out->user || !out->password))
		return help_refuse("--user and --password are missing", NULL);
	if (out->rate && (!rated || out->mode == MODE_HOLD))
		return help_refuse(
			"--rate is for the profile flood, and for modes of a rate", NULL);
	if (out->mode == MODE_BINDING && out->duration_s > BINDING_DURATION_MAX_S)
		return help_refuse("--duration of binding is 1-3600", NULL);
	if (out->wire.kind != WIRE_SOCKETS && out->n_clients == 0)
		return help_refuse(
			"--client is missing: a port of frames has no address by itself", NULL);
	if (out->n_clients == 0) {
		const int status = default_client(out);

		if (status >= 0)
			return status;
	}
	return -1;
}

static bool are_of(const struct ip_addr *ips, size_t n, uint8_t family)
{
	for (size_t i = 0; i < n; i++)
		if (ips[i].family != family)
			return false;
	return true;
}

// Clients and peers may be of different families; all of each are of one.
static int check_families(const struct options *out)
{
	const uint8_t family = peer_family(out);

	if (!are_of(out->clients, out->n_clients, out->server.ip.family))
		return help_refuse("--client must be of the family of the server", NULL);
	if (!are_of(out->peer_ips, out->n_peer_ips, family) && !out->n_echoes)
		return help_refuse("--peer must be of one family, all of them", NULL);
	if (!are_of(out->echoes, out->n_echoes, family))
		return help_refuse("--echo must be of one family, all of them", NULL);
	if (!find_relay(out, family))
		return help_refuse("--relay is missing: none is of the family of the peers", NULL);
	return -1;
}

// A next hop is asked for by an address of the wire that leads there.
static int check_gateways(const struct options *out)
{
	const uint8_t family = peer_family(out);
	const bool peers_are_there =
		!out->two_wires && (out->n_echoes == 0 || out->mode == MODE_ECHO);

	if (out->wire.gateway.family != out->server.ip.family &&
		!(peers_are_there && out->wire.gateway.family == family))
		return help_refuse("--gateway must be of a family that is on its wire", NULL);
	if (out->two_wires && out->peer_wire.gateway.family != family)
		return help_refuse("--peer-gateway must be of the family of the peers", NULL);
	return -1;
}

int options_check(struct options *out)
{
	int status = check_peers(out);

	if (status < 0)
		status = out->mode == MODE_ECHO ? check_echo(out) : check_together(out);
	if (status < 0)
		set_defaults(out);
	if (status < 0)
		status = check_families(out);
	return status < 0 ? check_gateways(out) : status;
}
