// The mirror of a port: a TAP device with the port's MAC that carries the box's addresses, so that
// ARP, neighbour discovery, ICMP, TCP and routing stay with Linux. It heeds no router
// advertisements, and answers for its addresses at once, without looking for duplicates.
//
// It owns the TAP and nothing else: that the kernel must not answer on the wire's interface as well
// is the business of port_open(). The TAP is not persistent, so a crash takes it away.
#ifndef DRIVERS_MIRROR_H
#define DRIVERS_MIRROR_H

#include "base/base.h"

#include <stddef.h>
#include <stdint.h>

#define MIRROR_ERROR_BYTES 256

struct mirror_config {
	const char *name; // of the TAP
	uint8_t mac[6];
	uint16_t mtu_bytes;
	const struct prefix *addresses;
	size_t n_addresses;
	const struct static_route *routes;
	size_t n_routes;
	const struct static_neighbour *neighbours; // permanent entries
	size_t n_neighbours;
};

struct mirror {
	int fd; // non-blocking; readable when the kernel has a frame for the wire
	int ifindex;
	char name[16];
};

// Create the TAP, set MAC, MTU, addresses, routes and neighbours, and bring it up.
//
// Returns 0; -EPERM without CAP_NET_ADMIN, -EBUSY where the name is taken, -ENODEV without
// /dev/net/tun, -ENOTSUP for IPv6 on a kernel without, -EINVAL or another -errno where the kernel
// refuses an address or route. `error` says which, in one line; `out->fd` is -1 then.
int mirror_open(struct mirror *out, const struct mirror_config *config,
	char error[static MIRROR_ERROR_BYTES]);
// Close the TAP: it and all it carried are gone. Harmless on a struct whose fd is -1.
void mirror_close(struct mirror *mirror);

// One whole Ethernet frame from the kernel; what is longer than `capacity_bytes` is cut, so give it
// the MTU and 18 bytes. Returns its bytes; 0 where there is none; -errno.
int mirror_read(const struct mirror *mirror, uint8_t *frame, size_t capacity_bytes);
// One whole Ethernet frame, untagged and with finished checksums, to the kernel. Returns 0; -errno
// (the frame is lost then).
int mirror_write(const struct mirror *mirror, const uint8_t *frame, size_t n_bytes);

#endif
