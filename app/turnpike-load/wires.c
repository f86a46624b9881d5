#include "wires.h"

#include "exit.h"
#include "frames.h"
#include "sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static int complain(const char *error, int err)
{
	fprintf(stderr, "turnpike-load: %s\n", error);
	switch (err) {
	case -ENOMEM:
	case -EMFILE:
	case -EADDRINUSE:
		return EXIT_RESOURCE;
	default:
		return EXIT_UNAVAILABLE;
	}
}

static struct wire_slots client_slots(const struct options *options)
{
	return (struct wire_slots){
		.clients = options->clients,
		.n_clients = options->n_clients,
		.ports = options->ports,
		.n_client_slots = (uint32_t)options->n_calls,
	};
}

static struct wire_slots peer_slots(const struct options *options)
{
	return (struct wire_slots){
		.peers = options->peer_ips,
		.n_peers = options->n_peer_ips,
		.ports = options->ports,
		.n_peer_slots = (uint32_t)options->n_peers,
	};
}

static struct wire_slots all_slots(const struct options *options)
{
	struct wire_slots slots = client_slots(options);
	const struct wire_slots peers = peer_slots(options);

	slots.peers = peers.peers;
	slots.n_peers = peers.n_peers;
	slots.n_peer_slots = peers.n_peer_slots;
	return slots;
}

static struct wire_slots echo_slots(const struct options *options)
{
	return (struct wire_slots){
		.peers = options->echoes,
		.n_peers = options->n_echoes,
		.ports = options->echo_ports,
		.n_peer_slots = (uint32_t)options->n_peers,
	};
}

static int open_sockets(struct side *out, const struct wire_slots *slots,
	const struct endpoint *server, char error[static WIRE_ERROR_BYTES])
{
	const struct sockets_config config = {.slots = *slots, .server = *server};

	return sockets_open(&out->sockets, &config, error);
}

static int open_frames(struct side *out, const struct wire_slots *slots,
	const struct wire_choice *choice, struct guard *guard, char error[static WIRE_ERROR_BYTES])
{
	static const enum port_kind kinds[] = {
		[WIRE_AF_PACKET] = PORT_AF_PACKET,
		[WIRE_AF_XDP] = PORT_AF_XDP,
		[WIRE_VIRTIO_USER] = PORT_VIRTIO_USER,
		[WIRE_VHOST] = PORT_VHOST,
		[WIRE_MEMIF] = PORT_MEMIF,
		[WIRE_PCI] = PORT_PCI,
	};
	const struct frames_config config = {
		.kind = kinds[choice->kind],
		.target = choice->target,
		.slots = *slots,
		.next_hop = choice->gateway,
		.guard = guard,
	};

	return frames_open(&out->frames, &config, error);
}

static struct wire *side_wire(const struct side *side)
{
	return side->frames ? frames_wire(side->frames) : sockets_wire(side->sockets);
}

static const struct endpoint *side_peers(const struct side *side)
{
	return side->frames ? frames_peers(side->frames) : sockets_peers(side->sockets);
}

static int start_dpdk(
	struct dpdk *out, const struct options *options, char error[static WIRE_ERROR_BYTES])
{
	const struct wire_choice *choices[SIDES_MAX] = {&options->wire, &options->peer_wire};
	struct dpdk_config config = {.cpu = options->cpu};

	// Of one wire the second choice is sockets.
	for (size_t i = 0; i < SIDES_MAX; i++) {
		config.n_ports += choices[i]->kind != WIRE_SOCKETS;
		if (choices[i]->kind == WIRE_PCI)
			config.pci[config.n_pci++] = choices[i]->target;
	}
	return config.n_ports ? dpdk_start(out, &config, error) : 0;
}

static int open_side(struct wires *wires, size_t i, const struct options *options,
	const struct wire_slots *slots, char error[static WIRE_ERROR_BYTES])
{
	const struct wire_choice *choice = i == 0 ? &options->wire : &options->peer_wire;

	return choice->kind == WIRE_SOCKETS
		? open_sockets(&wires->sides[i], slots, &options->server, error)
		: open_frames(&wires->sides[i], slots, choice, &wires->dpdk.guard, error);
}

static int open_one(
	struct wires *out, const struct options *options, char error[static WIRE_ERROR_BYTES])
{
	struct wire_slots slots = all_slots(options);
	int err;

	if (options->mode == MODE_ECHO)
		slots = echo_slots(options);
	else if (options->n_echoes)
		slots = client_slots(options);
	err = open_side(out, 0, options, &slots, error);
	if (err)
		return err;
	out->wire = side_wire(&out->sides[0]);
	out->peers = side_peers(&out->sides[0]);
	return 0;
}

static int open_two(
	struct wires *out, const struct options *options, char error[static WIRE_ERROR_BYTES])
{
	const struct wire_slots clients = client_slots(options);
	const struct wire_slots peers = peer_slots(options);
	int err = open_side(out, 0, options, &clients, error);

	if (!err)
		err = open_side(out, 1, options, &peers, error);
	if (err)
		return err;
	pair_init(&out->pair, side_wire(&out->sides[0]), side_wire(&out->sides[1]),
		clients.n_client_slots);
	out->wire = &out->pair.wire;
	out->peers = side_peers(&out->sides[1]);
	return 0;
}

struct endpoint wires_far(const struct options *options, uint32_t i)
{
	const uint32_t n_ports = port_count(&options->echo_ports);

	return (struct endpoint){
		.ip = options->echoes[i / n_ports],
		.port = (uint16_t)(options->echo_ports.min + i % n_ports),
	};
}

static int find_far(struct wires *out, const struct options *options)
{
	struct endpoint *far = calloc(options->n_peers, sizeof(*far));

	if (!far)
		return -ENOMEM;
	for (uint32_t i = 0; i < options->n_peers; i++)
		far[i] = wires_far(options, i);
	out->far = far;
	out->peers = far;
	return 0;
}

int wires_open(struct wires *out, const struct options *options)
{
	char error[WIRE_ERROR_BYTES] = "not enough memory";
	int err;

	*out = (struct wires){0};
	err = start_dpdk(&out->dpdk, options, error);
	if (!err)
		err = options->two_wires ? open_two(out, options, error)
					 : open_one(out, options, error);
	if (!err && options->n_echoes && options->mode != MODE_ECHO)
		err = find_far(out, options);
	return err ? complain(error, err) : 0;
}

void wires_close(struct wires *wires)
{
	for (size_t i = 0; i < SIDES_MAX; i++) {
		sockets_close(wires->sides[i].sockets);
		frames_close(wires->sides[i].frames);
	}
	dpdk_stop(&wires->dpdk);
	free(wires->far);
}
