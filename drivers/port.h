// One port: opened by kind, with its capabilities as plain values.
//
// On an af_packet wire the kernel sees each frame a second time on the interface itself;
// port_open() makes it deaf there (arp off, strict rp_filter, no IPv6) and port_close() gives that
// back. A guard does the same after a crash.
#ifndef DRIVERS_PORT_H
#define DRIVERS_PORT_H

#include "base/base.h"

#include <stdbool.h>
#include <stdint.h>

struct guard;
struct journal;
struct rte_mempool;
struct rte_ring;

#define PORT_ERROR_BYTES 256
#define PORT_QUEUES_MAX 64
#define PORT_DRIVER_BYTES 32
#define PORT_FIRMWARE_BYTES 64

enum port_kind {
	PORT_AF_PACKET,
	PORT_AF_XDP,
	PORT_VIRTIO_USER,
	PORT_VHOST,
	PORT_MEMIF,
	PORT_PCI,
	PORT_MEMORY, // rings instead of a wire: tests and benches see each mbuf in and out
};

struct port_config {
	const char *name; // for messages
	enum port_kind kind;
	const char *target; // interface, absolute socket path or PCI address; unused by memory
	bool memif_server;
	uint8_t mac[6]; // all zero: the device's own, or a random local one
	uint16_t mtu_bytes; // IP bytes in a frame
	uint16_t n_queues; // RX and TX each: one a worker
	uint16_t n_rx_desc; // 0: the kind's default
	uint16_t n_tx_desc;
	struct rte_mempool *pool; // RX mbufs come from here
	struct guard *guard; // told what to undo after a crash; NULL: nobody is
};

struct port {
	uint16_t eth_id;
	enum port_kind kind;
	uint8_t mac[6];
	uint16_t mtu_bytes;
	uint16_t n_queues;
	int numa_node; // -1: none in particular
	bool kernel_wire; // a kernel sends to us: unfinished checksums, and it sees frames too
	bool keeps_buffers; // some stay with the device even when it is closed
	bool rx_checksums; // the NIC marks frames whose IPv4 or UDP checksum is wrong
	char interface[16]; // the Linux interface behind it, or ""
	int ifindex; // of a kernel wire
	char device[64]; // the EAL's name of the device
	char driver[PORT_DRIVER_BYTES]; // the PMD
	char firmware[PORT_FIRMWARE_BYTES]; // as the PMD names it, or ""
	int lock_fd; // held while open: one owner for each device
	struct journal *journal; // what port_close() has to undo
	struct rte_ring
		*memory_rx[PORT_QUEUES_MAX]; // memory only: what a test enqueues arrives there
	struct rte_ring *memory_tx[PORT_QUEUES_MAX]; // memory only: what was sent on that queue
};

// Open, configure and start a device.
//
// Refuses a device that another process owns, that does not exist, or that lacks the queues or the
// MTU asked for; `error` then says so in one line, with what to do. Waits up to 2 s for the guard
// of a dead owner. Leaves nothing behind on failure. With a virtio_user port SIGPIPE is ignored
// from then on: its PMD writes to a socket that the other end may have closed.
//
// Returns 0; -EINVAL for a configuration without sense, -ENODEV, -EPERM, -EBUSY, -ENOTSUP, -ENOMEM,
// or -EIO from the PMD.
int port_open(
	struct port *out, const struct port_config *config, char error[static PORT_ERROR_BYTES]);
// Stop, close and undo what port_open() changed on the Linux interface. Harmless on a zeroed
// struct.
void port_close(struct port *port);

// Link state as the PMD tells it and, for a Linux interface, the kernel, whom its PMD does not ask.
// Never blocks.
bool port_link_up(const struct port *port);

#endif
