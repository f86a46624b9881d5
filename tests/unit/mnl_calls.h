// For a program that answers libmnl's socket calls itself: those that have nothing to say. To be
// included by one of its files.
#ifndef MNL_CALLS_H
#define MNL_CALLS_H

#include <libmnl/libmnl.h>

int mnl_socket_bind(struct mnl_socket *socket, unsigned int groups, pid_t pid)
{
	(void)socket;
	(void)groups;
	(void)pid;
	return 0;
}

int mnl_socket_setsockopt(const struct mnl_socket *socket, int type, void *buf, socklen_t n)
{
	(void)socket;
	(void)type;
	(void)buf;
	(void)n;
	return 0;
}

int mnl_socket_get_fd(const struct mnl_socket *socket)
{
	(void)socket;
	return -1;
}

#endif
