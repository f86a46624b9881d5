// `admin`: the socket where turnpikectl comes in.
#include "text.h"
#include "values.h"

#include <errno.h>
#include <string.h>

int values_take_admin(struct conf *conf, struct raw *raw, struct source *source)
{
	const struct place here = {NULL, "admin", 0};
	const struct place socket = {&here, "socket", 0};
	struct raw_admin *from = &raw->admin;
	struct conf_admin *to = &conf->admin;

	to->group = values_steal(&from->group);
	if (from->socket && strcmp(from->socket, "off") == 0)
		return 0;
	to->socket = from->socket ? values_steal(&from->socket) : strdup(CONF_ADMIN_SOCKET);
	if (!to->socket)
		return -ENOMEM;
	return text_check_socket(source, &socket, to->socket);
}
