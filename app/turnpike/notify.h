// What the service manager is told (sd_notify(3)): datagrams of VARIABLE=value lines to the socket
// that NOTIFY_SOCKET names. Where nobody has set it, nothing is sent.
#ifndef TURNPIKE_NOTIFY_H
#define TURNPIKE_NOTIFY_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct notify {
	int fd; // -1: nobody listens
	struct sockaddr_un to;
	socklen_t to_bytes;
	unsigned watchdog_ms; // WATCHDOG=1 is due within this time, over and over; 0: never
};

// Read the environment: NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID.
//
// Returns 0, also where nobody listens; -EINVAL for an address that cannot be; another -errno.
int notify_open(struct notify *out);
void notify_close(struct notify *notify); // harmless where nobody listens

// Send one datagram, at most 1,000 bytes. Never waits: what the manager has no room for is lost.
// Returns whether it was sent.
bool notify_send(const struct notify *notify, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
