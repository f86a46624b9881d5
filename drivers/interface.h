// State of a Linux network interface: read it, change it.
#ifndef DRIVERS_INTERFACE_H
#define DRIVERS_INTERFACE_H

#include <stdbool.h>
#include <stdint.h>

struct interface {
	int ifindex;
	uint32_t flags; // IFF_*
	uint32_t mtu_bytes;
	uint8_t xdp_attached; // XDP_ATTACHED_*: 0 without a program
	uint32_t xdp_program_id;
};

// By name, or by index where `name` is NULL. Returns 0; -ENODEV or another -errno.
int interface_read(struct interface *out, const char *name, int ifindex);
// Give the flags in `mask` the values in `flags`. Returns 0; -EPERM or another -errno.
int interface_set_flags(int ifindex, uint32_t mask, uint32_t flags);
int interface_set_mtu(int ifindex, uint32_t mtu_bytes);
// Detach whatever XDP program is there. Returns 0, also where there is none; -errno.
int interface_detach_xdp(int ifindex);
// True where somebody gave it an IP address; link-local and autoconfigured ones do not count.
bool interface_has_address(int ifindex);
// Up and with a carrier. Takes none of the kernel's locks, so it never waits for who changes links;
// false where the interface is gone.
bool interface_is_running(int ifindex);
// Combined channels as ethtool counts them; 1 where the driver does not say.
uint32_t interface_count_queues(const char *name);

#endif
