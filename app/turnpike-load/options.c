#include "options.h"

#include "exit.h"
#include "help.h"
#include "options_check.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#define CREDENTIAL_BYTES_MAX 256
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
		return parse_number(&out->n_peers, text, 1, OPTIONS_PEERS_MAX);
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

// An address that one host has. One of IPv6 that means one of IPv4 is not sent to.
static bool is_unicast(const struct ip_addr *ip)
{
	static const struct prefix others[] = {
		{{FAMILY_IPV4, {0}}, 8},
		{{FAMILY_IPV4, {224}}, 3},
		{{FAMILY_IPV6, {0}}, 128},
		{{FAMILY_IPV6, {[10] = 0xff, 0xff}}, 96},
		{{FAMILY_IPV6, {0xff}}, 8},
	};

	for (size_t i = 0; i < N_ELEMENTS(others); i++)
		if (prefix_contains(&others[i], ip))
			return false;
	return true;
}

// And that says by itself where it is: not one of a link's own.
static bool is_routed(const struct ip_addr *ip)
{
	static const struct prefix link = {{FAMILY_IPV6, {0xfe, 0x80}}, 10};

	return is_unicast(ip) && !prefix_contains(&link, ip);
}

static int take_ip(struct ip_addr *list, size_t *n, const char *text)
{
	if (*n == OPTIONS_ADDRESSES_MAX || ip_parse(&list[*n], text) || !is_routed(&list[*n]))
		return -EINVAL;
	(*n)++;
	return 0;
}

static int take_relay(struct options *out, const char *text)
{
	if (out->n_relays == OPTIONS_ADDRESSES_MAX ||
		prefix_parse(&out->relays[out->n_relays], text) ||
		!is_routed(&out->relays[out->n_relays].ip))
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
	return endpoint_parse(out, text) || !is_routed(&out->ip) || !out->port ? -EINVAL : 0;
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
			return help_refuse("the options are wrong", NULL);
		if (option == OPTION_HELP || option == OPTION_VERSION) {
			fputs(option == OPTION_HELP ? help : "turnpike-load " TURNPIKE_VERSION "\n",
				stdout);
			return EXIT_MEASURED;
		}
		if (take_option(out, option, optarg))
			return help_refuse("cannot use", optarg);
	}
	if (optind + 1 != argc)
		return help_refuse("exactly one mode is wanted", NULL);
	mode = choose(modes, N_ELEMENTS(modes), argv[optind]);
	if (mode < 0)
		return help_refuse("there is no mode", argv[optind]);
	out->mode = (enum mode)mode;
	out->mode_name = modes[mode];
	status = options_check(out);
	out->profile_name = profiles[out->profile];
	return status;
}
