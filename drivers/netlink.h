// One rtnetlink request at a time: begin, add attributes with mnl_attr_put*(), run.
#ifndef DRIVERS_NETLINK_H
#define DRIVERS_NETLINK_H

#include <libmnl/libmnl.h>
#include <stddef.h>
#include <stdint.h>

#define NETLINK_REQUEST_BYTES 512

struct netlink {
	_Alignas(8) char buffer[NETLINK_REQUEST_BYTES];
	struct nlmsghdr *header;
};

// Start a request of `type`; `flags` beside NLM_F_REQUEST. Returns its zeroed family header.
void *netlink_begin(struct netlink *request, uint16_t type, uint16_t flags, size_t header_bytes);
// Send it and wait for the answer; `callback` (or NULL) sees each message of it.
//
// Returns 0 or the kernel's -errno.
int netlink_run(struct netlink *request, mnl_cb_t callback, void *data);

#endif
