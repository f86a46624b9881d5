#include "netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>

#define ANSWER_BYTES 32768

void *netlink_begin(struct netlink *request, uint16_t type, uint16_t flags, size_t header_bytes)
{
	request->header = mnl_nlmsg_put_header(request->buffer);
	request->header->nlmsg_type = type;
	request->header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	request->header->nlmsg_seq = 1;
	return mnl_nlmsg_put_extra_header(request->header, header_bytes);
}

static int receive(struct mnl_socket *socket, mnl_cb_t callback, void *data)
{
	char answer[ANSWER_BYTES];
	const unsigned port_id = mnl_socket_get_portid(socket);
	int rc = MNL_CB_OK;

	while (rc > MNL_CB_STOP) {
		const ssize_t n = mnl_socket_recvfrom(socket, answer, sizeof(answer));

		if (n < 0)
			return -errno;
		rc = mnl_cb_run(answer, (size_t)n, 1, port_id, callback, data);
	}
	return rc < 0 ? -errno : 0;
}

int netlink_run(struct netlink *request, mnl_cb_t callback, void *data)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int rc;

	if (!socket)
		return -errno;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
		mnl_socket_sendto(socket, request->header, request->header->nlmsg_len) < 0)
		rc = -errno;
	else
		rc = receive(socket, callback, data);
	mnl_socket_close(socket);
	return rc;
}
