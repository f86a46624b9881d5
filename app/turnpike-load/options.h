// The command line.
#ifndef OPTIONS_H
#define OPTIONS_H

#include "base/base.h"
#include "profile.h"
#include "wire.h"

#include <stdbool.h>

#define OPTIONS_ADDRESSES_MAX 64
#define OPTIONS_PEERS_MAX 65536

enum mode {
	MODE_RUN,
	MODE_SEARCH,
	MODE_BINDING,
	MODE_ALLOCATE,
	MODE_HOLD,
	MODE_SOAK,
	MODE_ECHO,
};

enum wire_kind {
	WIRE_SOCKETS,
	WIRE_AF_PACKET,
	WIRE_AF_XDP,
	WIRE_VIRTIO_USER,
	WIRE_VHOST,
	WIRE_MEMIF,
	WIRE_PCI,
};

// What a wire is and where it leads.
struct wire_choice {
	enum wire_kind kind;
	const char *target; // interface, socket path or PCI address
	struct ip_addr gateway; // not of sockets: the next hop to everything
};

struct options {
	struct wire_choice wire;
	struct wire_choice peer_wire;
	bool two_wires; // peers have one of their own
	enum mode mode;
	const char *mode_name;
	struct endpoint server;
	struct ip_addr clients[OPTIONS_ADDRESSES_MAX];
	size_t n_clients;
	struct ip_addr peer_ips[OPTIONS_ADDRESSES_MAX];
	size_t n_peer_ips;
	struct prefix relays[OPTIONS_ADDRESSES_MAX];
	size_t n_relays;
	struct ip_addr echoes[OPTIONS_ADDRESSES_MAX]; // of the far echo, or to be one
	size_t n_echoes;
	struct port_range ports;
	struct port_range echo_ports;
	const char *user;
	const char *password;
	enum profile profile;
	const char *profile_name;
	bool directions[N_DIRECTIONS];
	bool indications;
	bool poisson;
	uint64_t n_peers;
	uint64_t n_calls;
	uint64_t ramp; // calls a second
	uint64_t churn; // soak: calls replaced a second; 0: none
	uint64_t rate; // 0: not given
	uint64_t payload_bytes;
	uint64_t duration_s;
	uint64_t count; // echo: of packets given back
	uint64_t lifetime_s;
	uint64_t lag_ms; // at p99, above which a run is INVALID
	int64_t cpu; // -1: any
	double loss_percent; // the bound of a search
	const char *json_path;
	const char *report_path;
	int argc; // the command line
	char **argv;
};

// Returns -1 to go on, or the exit status; what is wrong has been said.
int options_parse(struct options *out, int argc, char **argv);

#endif
