#include "options.h"

#include "exit.h"
#include "help.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define BINDING_DURATION_MAX_S 3600
#define CREDENTIAL_BYTES_MAX 256
#define PEERS_MAX 65536
#define CALLS_DEFAULT 100
#define REST_S 4
#define RESTING_CALLS_MAX 10000
#define COUNT_MAX 1000000000000

enum {
	OPTION_SERVER = 256,
	OPTION_RELAY,
	OPTION_WIRE,
	OPTION_GATEWAY,
	OPTION_CLIENT,
	OPTION_PEER,
	OPTION_PEER_WIRE,
	OPTION_PEER_GATEWAY,
	OPTION_ECHO,
	OPTION_ECHO_PORTS,
	OPTION_PORTS,
	OPTION_ARRIVAL,
	OPTION_PROFILE,
	OPTION_DIRECTION,
	OPTION_VIA,
	OPTION_LOSS,
	OPTION_JSON,
	OPTION_REPORT,
	OPTION_VERSION,
	OPTION_HELP,
	OPTION_PEERS, // numbers from here on
	OPTION_RAMP,
	OPTION_CHURN,
	OPTION_RATE,
	OPTION_SIZE,
	OPTION_LIFETIME,
	OPTION_LAG,
	OPTION_COUNT,
	OPTION_CPU,
};

static const struct option long_options[] = {
	{"server", required_argument, NULL, OPTION_SERVER},
	{"relay", required_argument, NULL, OPTION_RELAY},
	{"wire", required_argument, NULL, OPTION_WIRE},
	{"gateway", required_argument, NULL, OPTION_GATEWAY},
	{"client", required_argument, NULL, OPTION_CLIENT},
	{"peer", required_argument, NULL, OPTION_PEER},
	{"peer-wire", required_argument, NULL, OPTION_PEER_WIRE},
	{"peer-gateway", required_argument, NULL, OPTION_PEER_GATEWAY},
	{"echo", required_argument, NULL, OPTION_ECHO},
	{"echo-ports", required_argument, NULL, OPTION_ECHO_PORTS},
	{"ports", required_argument, NULL, OPTION_PORTS},
	{"user", required_argument, NULL, 'u'},
	{"password", required_argument, NULL, 'w'},
	{"calls", required_argument, NULL, 'n'},
	{"peers", required_argument, NULL, OPTION_PEERS},
	{"ramp", required_argument, NULL, OPTION_RAMP},
	{"churn", required_argument, NULL, OPTION_CHURN},
	{"arrival", required_argument, NULL, OPTION_ARRIVAL},
	{"profile", required_argument, NULL, OPTION_PROFILE},
	{"rate", required_argument, NULL, OPTION_RATE},
	{"size", required_argument, NULL, OPTION_SIZE},
	{"direction", required_argument, NULL, OPTION_DIRECTION},
	{"via", required_argument, NULL, OPTION_VIA},
	{"lifetime", required_argument, NULL, OPTION_LIFETIME},
	{"duration", required_argument, NULL, 'd'},
	{"count", required_argument, NULL, OPTION_COUNT},
	{"loss", required_argument, NULL, OPTION_LOSS},
	{"lag", required_argument, NULL, OPTION_LAG},
	{"cpu", required_argument, NULL, OPTION_CPU},
	{"json", required_argument, NULL, OPTION_JSON},
	{"report", required_argument, NULL, OPTION_REPORT},
	{"version", no_argument, NULL, OPTION_VERSION},
	{"help", no_argument, NULL, OPTION_HELP},
	{0},
};

static const char *const modes[] = {
	[MODE_RUN] = "run",
	[MODE_SEARCH] = "search",
	[MODE_BINDING] = "binding",
	[MODE_ALLOCATE] = "allocate",
	[MODE_HOLD] = "hold",
	[MODE_SOAK] = "soak",
	[MODE_ECHO] = "echo",
};

static const char *const profiles[] = {
	[PROFILE_AUDIO] = "audio",
	[PROFILE_VIDEO] = "video",
	[PROFILE_MIX] = "mix",
	[PROFILE_FLOOD] = "flood",
};

static const char *const wires[] = {
	[WIRE_SOCKETS] = "sockets",
	[WIRE_AF_PACKET] = "af_packet",
	[WIRE_AF_XDP] = "af_xdp",
	[WIRE_VIRTIO_USER] = "virtio_user",
	[WIRE_VHOST] = "vhost",
	[WIRE_MEMIF] = "memif",
	[WIRE_PCI] = "pci",
};

static const char *const directions[] = {"up", "down", "both"};
static const char *const vias[] = {"channel", "send"};
static const char *const arrivals[] = {"uniform", "poisson"};

// The place of a word in a list, or -EINVAL.
static int choose(const char *const *words, size_t n_words, const char *text)
{
	for (size_t i = 0; i < n_words; i++)
		if (!strcmp(words[i], text))
			return (int)i;
	return -EINVAL;
}

static int parse_number(uint64_t *out, const char *text, uint64_t min, uint64_t max)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 10);
	return errno || *end || end == text || *text == '-' || *out < min || *out > max ? -EINVAL
											: 0;
}

static int take_number(struct options *out, int option, const char *text)
{
	uint64_t cpu;
	int err;

	switch (option) {
	case 'n':
		return parse_number(&out->n_calls, text, 1, 200000);
	case 'd':
		return parse_number(&out->duration_s, text, 1, 86400);
	case OPTION_PEERS:
		return parse_number(&out->n_peers, text, 1, PEERS_MAX);
	case OPTION_RAMP:
		return parse_number(&out->ramp, text, 1, 1000000);
	case OPTION_CHURN:
		return parse_number(&out->churn, text, 0, 100000);
	case OPTION_RATE:
		return parse_number(&out->rate, text, 1, 20000000);
	case OPTION_SIZE:
		return parse_number(&out->payload_bytes, text, 24, PAYLOAD_BYTES_MAX);
	case OPTION_LIFETIME:
		return parse_number(&out->lifetime_s, text, 2, 3600);
	case OPTION_COUNT:
		return parse_number(&out->count, text, 1, COUNT_MAX);
	case OPTION_LAG:
		return parse_number(&out->lag_ms, text, 1, 1000);
	default:
		err = parse_number(&cpu, text, 0, 1023);
		out->cpu = (int64_t)cpu;
		return err;
	}
}

// An address that one host has: not any, loopback of all, multicast or broadcast.
static bool is_unicast(const struct ip_addr *ip)
{
	return ip->family == FAMILY_IPV4 && ip->bytes[0] != 0 && ip->bytes[0] < 224;
}

static int take_ip(struct ip_addr *list, size_t *n, const char *text)
{
	if (*n == OPTIONS_ADDRESSES_MAX || ip_parse(&list[*n], text) || !is_unicast(&list[*n]))
		return -EINVAL;
	(*n)++;
	return 0;
}

static int take_relay(struct options *out, const char *text)
{
	if (out->n_relays == OPTIONS_ADDRESSES_MAX ||
		prefix_parse(&out->relays[out->n_relays], text) ||
		!is_unicast(&out->relays[out->n_relays].ip))
		return -EINVAL;
	out->n_relays++;
	return 0;
}

static int take_ports(struct port_range *out, const char *text)
{
	unsigned min;
	unsigned max;
	int n_read = 0;

	if (sscanf(text, "%5u-%5u%n", &min, &max, &n_read) != 2 || text[n_read] || min < 1 ||
		max > 65535 || min > max)
		return -EINVAL;
	*out = (struct port_range){(uint16_t)min, (uint16_t)max};
	return 0;
}

static int take_loss(struct options *out, const char *text)
{
	char *end;

	out->loss_percent = strtod(text, &end);
	return *end || end == text || !(out->loss_percent >= 0 && out->loss_percent <= 50) ? -EINVAL
											   : 0;
}

static int take_word(struct options *out, int option, const char *text)
{
	int choice;

	switch (option) {
	case OPTION_PROFILE:
		choice = choose(profiles, N_ELEMENTS(profiles), text);
		out->profile = (enum profile)choice;
		break;
	case OPTION_DIRECTION:
		choice = choose(directions, N_ELEMENTS(directions), text);
		out->directions[UP] = choice != 1;
		out->directions[DOWN] = choice != 0;
		break;
	case OPTION_VIA:
		choice = choose(vias, N_ELEMENTS(vias), text);
		out->indications = choice == 1;
		break;
	default:
		choice = choose(arrivals, N_ELEMENTS(arrivals), text);
		out->poisson = choice == 1;
		break;
	}
	return choice < 0 ? choice : 0;
}

// A kind, and behind a colon its target.
static int take_wire(struct wire_choice *out, const char *text)
{
	const size_t n_kind = strcspn(text, ":");

	for (size_t i = 0; i < N_ELEMENTS(wires); i++) {
		if (strlen(wires[i]) != n_kind || strncmp(wires[i], text, n_kind))
			continue;
		out->kind = (enum wire_kind)i;
		out->target = text[n_kind] ? text + n_kind + 1 : NULL;
		return (out->kind == WIRE_SOCKETS) == !out->target ? 0 : -EINVAL;
	}
	return -EINVAL;
}

static int take_gateway(struct wire_choice *out, const char *text)
{
	return ip_parse(&out->gateway, text) || !is_unicast(&out->gateway) ? -EINVAL : 0;
}

static int take_server(struct endpoint *out, const char *text)
{
	return endpoint_parse(out, text) || !is_unicast(&out->ip) || !out->port ? -EINVAL : 0;
}

static int take_length(const char *text)
{
	return *text && strlen(text) <= CREDENTIAL_BYTES_MAX ? 0 : -EINVAL;
}

// Addresses, and the ways to them.
static int take_whom(struct options *out, int option, const char *text)
{
	switch (option) {
	case OPTION_SERVER:
		return take_server(&out->server, text);
	case OPTION_RELAY:
		return take_relay(out, text);
	case OPTION_WIRE:
		return take_wire(&out->wire, text);
	case OPTION_GATEWAY:
		return take_gateway(&out->wire, text);
	case OPTION_CLIENT:
		return take_ip(out->clients, &out->n_clients, text);
	case OPTION_PEER:
		return take_ip(out->peer_ips, &out->n_peer_ips, text);
	case OPTION_PEER_WIRE:
		out->two_wires = true;
		return take_wire(&out->peer_wire, text);
	case OPTION_PEER_GATEWAY:
		return take_gateway(&out->peer_wire, text);
	case OPTION_ECHO:
		return take_ip(out->echoes, &out->n_echoes, text);
	case OPTION_ECHO_PORTS:
		return take_ports(&out->echo_ports, text);
	default:
		return take_ports(&out->ports, text);
	}
}

static int take_option(struct options *out, int option, const char *text)
{
	switch (option) {
	case OPTION_LOSS:
		return take_loss(out, text);
	case OPTION_REPORT:
		out->report_path = text;
		return 0;
	case OPTION_JSON:
		out->json_path = text;
		return 0;
	case 'u':
		out->user = text;
		return take_length(text);
	case 'w':
		out->password = text;
		return take_length(text);
	case OPTION_ARRIVAL:
	case OPTION_PROFILE:
	case OPTION_DIRECTION:
	case OPTION_VIA:
		return take_word(out, option, text);
	default:
		return option < OPTION_PEERS && option >= OPTION_SERVER
			? take_whom(out, option, text)
			: take_number(out, option, text);
	}
}

static int usage(const char *what, const char *text)
{
	fprintf(stderr, "turnpike-load: %s%s%s; see --help\n", what, text ? ": " : "",
		text ? text : "");
	return EXIT_USAGE;
}

// The address from which the kernel would send to the server.
static int default_client(struct options *out)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(out->server.port)};
	socklen_t n_bytes = sizeof(name);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int err;

	memcpy(&name.sin_addr, out->server.ip.bytes, IPV4_BYTES);
	err = fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)) ||
		getsockname(fd, (struct sockaddr *)&name, &n_bytes);
	if (fd >= 0)
		close(fd);
	if (err) {
		fputs("turnpike-load: there is no route to the server\n", stderr);
		return EXIT_UNAVAILABLE;
	}
	out->clients[0] = ip_from_u32_raw(name.sin_addr.s_addr);
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

// Where no address was given, the relay is where the server is; the way of a port of frames leads
// to whom it talks to.
static void default_addresses(struct options *out)
{
	if (out->n_relays == 0) {
		out->relays[0] = (struct prefix){out->server.ip, 32};
		out->n_relays = 1;
	}
	if (out->n_peer_ips == 0) {
		memcpy(out->peer_ips, out->clients, sizeof(out->clients));
		out->n_peer_ips = out->n_clients;
	}
	if (out->wire.gateway.family == FAMILY_NONE)
		out->wire.gateway = out->mode == MODE_ECHO ? out->relays[0].ip : out->server.ip;
	if (out->peer_wire.gateway.family == FAMILY_NONE)
		out->peer_wire.gateway = out->relays[0].ip;
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
	out->profile_name = profiles[out->profile];
}

static int check_echo(const struct options *out)
{
	if (out->n_relays == 0)
		return usage("--relay is missing: it is all that an echo answers", NULL);
	if (out->n_echoes == 0)
		return usage("--echo is missing", NULL);
	if (out->server.port || out->n_clients || out->rate)
		return usage("--server, --client and --rate are not for an echo", NULL);
	if (out->report_path)
		return usage("--report is not for an echo", NULL);
	return -1;
}

// Peers are here, or they are a far echo.
static int check_peers(const struct options *out)
{
	const bool here = out->n_peer_ips || out->two_wires;

	if (here && out->n_echoes)
		return usage("--echo and peers here exclude each other", NULL);
	if (out->n_echoes * port_count(&out->echo_ports) > PEERS_MAX)
		return usage("an echo has at most 65536 ports, of all addresses", NULL);
	if (out->n_echoes && !(out->directions[UP] && out->directions[DOWN]))
		return usage("--direction is not for an echo: media goes there and back", NULL);
	if (out->two_wires && out->n_peer_ips == 0)
		return usage(
			"--peer is missing: on a wire of their own peers need an address", NULL);
	return -1;
}

static int check_together(struct options *out)
{
	const bool plays = out->mode == MODE_RUN || out->mode == MODE_SOAK;
	const bool rated = !plays || out->profile == PROFILE_FLOOD;

	if (!out->server.port)
		return usage("--server is missing", NULL);
	if (out->mode != MODE_BINDING && (!out->user || !out->password))
		return usage("--user and --password are missing", NULL);
	if (out->rate && (!rated || out->mode == MODE_HOLD))
		return usage("--rate is for the profile flood, and for modes of a rate", NULL);
	if (out->mode == MODE_BINDING && out->duration_s > BINDING_DURATION_MAX_S)
		return usage("--duration of binding is 1-3600", NULL);
	if (out->wire.kind != WIRE_SOCKETS && out->n_clients == 0)
		return usage(
			"--client is missing: a port of frames has no address by itself", NULL);
	if (out->n_clients == 0) {
		const int status = default_client(out);

		if (status >= 0)
			return status;
	}
	return -1;
}

int options_parse(struct options *out, int argc, char **argv)
{
	int status;
	int option;
	int mode;

	*out = (struct options){
		.ports = {10000, 59999},
		.echo_ports = {40000, 40015},
		.directions = {true, true},
		.n_peers = 16,
		.ramp = 500,
		.churn = 1,
		.count = COUNT_MAX,
		.argc = argc,
		.argv = argv,
		.payload_bytes = 160,
		.loss_percent = 0.01,
		.lag_ms = 1,
		.cpu = -1,
	};
	while ((option = getopt_long(argc, argv, "u:w:n:d:", long_options, NULL)) != -1) {
		if (option == '?')
			return usage("the options are wrong", NULL);
		if (option == OPTION_HELP || option == OPTION_VERSION) {
			fputs(option == OPTION_HELP ? help : "turnpike-load " TURNPIKE_VERSION "\n",
				stdout);
			return EXIT_MEASURED;
		}
		if (take_option(out, option, optarg))
			return usage("cannot use", optarg);
	}
	if (optind + 1 != argc)
		return usage("exactly one mode is wanted", NULL);
	mode = choose(modes, N_ELEMENTS(modes), argv[optind]);
	if (mode < 0)
		return usage("there is no mode", argv[optind]);
	out->mode = (enum mode)mode;
	out->mode_name = modes[mode];
	status = check_peers(out);
	if (status < 0)
		status = out->mode == MODE_ECHO ? check_echo(out) : check_together(out);
	if (status < 0)
		set_defaults(out);
	return status;
}
