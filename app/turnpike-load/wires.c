#include "wires.h"

#include "exit.h"
#include "frames.h"
#include "sockets.h"

#include <errno.h>
#include <stdio.h>

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

static struct wire_slots slots_of(const struct options *options)
{
	return (struct wire_slots){
		.clients = options->clients,
		.n_clients = options->n_clients,
		.peers = options->peer_ips,
		.n_peers = options->n_peer_ips,
		.port_min = options->port_min,
		.port_max = options->port_max,
		.n_client_slots = (uint32_t)options->n_calls,
		.n_peer_slots = (uint32_t)options->n_peers,
	};
}

static int open_sockets(struct wires *out, const struct options *options)
{
	const struct sockets_config config = {
		.slots = slots_of(options),
		.server = options->server,
	};
	char error[SOCKETS_ERROR_BYTES];
	const int err = sockets_open(&out->sockets, &config, error);

	if (err)
		return complain(error, err);
	out->wire = sockets_wire(out->sockets);
	out->peers = sockets_peers(out->sockets);
	return 0;
}

static int open_frames(struct wires *out, const struct options *options)
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
		.kind = kinds[options->wire],
		.target = options->wire_target,
		.slots = slots_of(options),
		.next_hop = options->gateway,
		.cpu = options->cpu,
	};
	char error[FRAMES_ERROR_BYTES];
	const int err = frames_open(&out->frames, &config, error);

	if (err)
		return complain(error, err);
	out->wire = frames_wire(out->frames);
	out->peers = frames_peers(out->frames);
	return 0;
}

int wires_open(struct wires *out, const struct options *options)
{
	*out = (struct wires){0};
	return options->wire == WIRE_SOCKETS ? open_sockets(out, options)
					     : open_frames(out, options);
}

void wires_close(struct wires *wires)
{
	sockets_close(wires->sockets);
	frames_close(wires->frames);
}
