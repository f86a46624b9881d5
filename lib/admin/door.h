// The socket of admin in the file system.
#ifndef ADMIN_DOOR_H
#define ADMIN_DOOR_H

#include "admin.h"

#include <sys/un.h>

struct door {
	struct sockaddr_un address;
	bool made_directory; // above it
};

// Returns a descriptor that is bound, or as admin_open() with one line in `error`.
int door_open(struct door *door, const char *path, const char *group,
	char error[static ADMIN_ERROR_BYTES]);
void door_remove(const struct door *door);

#endif
