// From root, who opens devices, to an account that only relays.
#ifndef TURNPIKE_PRIVILEGES_H
#define TURNPIKE_PRIVILEGES_H

#include <stdbool.h>
#include <sys/types.h>

#define PRIVILEGES_ERROR_BYTES 256

// Whom the process becomes.
struct privileges {
	bool drops; // else it stays who it is
	uid_t uid;
	gid_t gid;
};

// Look the accounts up; `user` NULL: nothing is to be dropped; `group` NULL: the user's own.
//
// Returns 0; -EINVAL where there is no such account or it is root; -EPERM where this process may
// not become it; then one line is in `error`.
int privileges_find(struct privileges *out, const char *user, const char *group,
	char error[static PRIVILEGES_ERROR_BYTES]);

// From now on no program that this process or a child of it starts gains privileges. Before the
// first thread. Returns 0; -errno with one line in `error`.
int privileges_seal(char error[static PRIVILEGES_ERROR_BYTES]);

// Become that account in all threads. The calling one keeps CAP_NET_ADMIN: without it the kernel
// neither keeps the neighbours that we use alive nor takes interfaces back as they were. The others
// keep nothing.
//
// Returns 0, also where nothing is to be dropped; -EPERM.
int privileges_drop(const struct privileges *privileges);

#endif
