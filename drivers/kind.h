// What port.c asks of a kind of device, and what a kind may ask of port.c.
//
// A kind checks its target, changes the Linux interface behind it (if any, by its journal) and
// says how the EAL finds the device. All else is the same for every kind and stands in port.c.
#ifndef DRIVERS_KIND_H
#define DRIVERS_KIND_H

#include "port.h"

#include "undo.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARGUMENTS_BYTES 512
// Ethernet header, and a VLAN tag or a checksum.
#define FRAME_OVERHEAD_BYTES 18

struct opening {
	const struct port_config *config;
	const struct kind *kind;
	struct port *port;
	struct journal *journal;
	char *error;
	char arguments[ARGUMENTS_BYTES]; // of the vdev
};

struct kind {
	const char *name; // in messages
	const char *driver; // a device is called this and a number
	const char *owner_space; // devices that exclude each other; NULL: nobody else can open it
	bool kernel_wire;
	bool keeps_buffers; // the PMD does not give its buffers back when it closes
	bool checks_checksums; // real hardware, which can
	bool own_mac; // the device has a MAC of its own; else we invent one
	bool mtu_by_kind; // the kind sees to the MTU, whatever limit the PMD names
	uint16_t n_queues_max;
	uint16_t n_desc;
	// Check the target and fill in `arguments`. Returns 0, or opening_fail().
	int (*prepare)(struct opening *opening);
	// Have the pool name as many objects as the PMD must believe in while it sets up its
	// receive queues; port.c puts the true number back. NULL: it is right as it is.
	void (*widen_pool)(struct rte_mempool *pool);
	// Make the ethdev and set `eth_id`; NULL: plug a vdev of `driver` with `arguments`.
	int (*plug)(struct opening *opening);
	// Take back what plug() made, after the ethdev is closed; NULL: unplug the vdev.
	void (*unplug)(struct port *port);
};

extern const struct kind kind_af_packet;
extern const struct kind kind_af_xdp;
extern const struct kind kind_virtio_user;
extern const struct kind kind_vhost;
extern const struct kind kind_memif;
extern const struct kind kind_pci;
extern const struct kind kind_memory;

// Write "port NAME: ..." to the caller's error and return `code`.
int opening_fail(struct opening *opening, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int opening_lacks_queues(struct opening *opening, uint32_t n_queues);
// Bytes of a frame that fit one mbuf of the pool.
uint32_t opening_room_bytes(const struct opening *opening);

#endif
