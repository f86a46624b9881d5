#include "socket_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int check_path(struct opening *opening)
{
	const char *path = opening->config->target;

	if (path[0] != '/')
		return opening_fail(opening, -EINVAL, "socket %s: the path must be absolute", path);
	if (strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path))
		return opening_fail(opening, -EINVAL, "socket %s: the path is too long", path);
	return 0;
}

// Returns 0 where a living process has the socket; -ECONNREFUSED where a dead one left its file;
// -ENOENT or another -errno. Asks with a type of socket that neither PMD has, which the kernel
// refuses before the other side notices: a memif server panics over a connection that closes at
// once.
static int probe(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = 0;

	if (fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) && errno != EPROTOTYPE)
		rc = -errno;
	close(fd);
	return rc;
}

static int check_folder(struct opening *opening)
{
	char folder[sizeof(((struct sockaddr_un *)0)->sun_path)];
	struct stat status;

	snprintf(folder, sizeof(folder), "%s", opening->config->target);
	*strrchr(folder, '/') = 0;
	if (folder[0] && (stat(folder, &status) || !S_ISDIR(status.st_mode)))
		return opening_fail(opening, -ENODEV, "socket %s: there is no folder %s",
			opening->config->target, folder);
	return 0;
}

int socket_path_claim(struct opening *opening)
{
	const char *path = opening->config->target;
	struct undo undo = {.kind = UNDO_UNLINK};
	struct stat status;
	int rc = check_path(opening);

	if (!rc)
		rc = check_folder(opening);
	if (rc)
		return rc;
	if (lstat(path, &status) == 0) {
		if (!S_ISSOCK(status.st_mode))
			return opening_fail(opening, -EBUSY, "%s is there and no socket", path);
		if (probe(path) != -ECONNREFUSED)
			return opening_fail(opening, -EBUSY, "socket %s is in use", path);
		if (unlink(path))
			return opening_fail(opening, -EPERM,
				"cannot remove the stale socket %s: %s", path, strerror(errno));
	}
	snprintf(undo.path, sizeof(undo.path), "%s", path);
	journal_add(opening->journal, &undo);
	return 0;
}

int socket_path_reach(struct opening *opening)
{
	const char *path = opening->config->target;
	int rc = check_path(opening);

	if (rc)
		return rc;
	rc = probe(path);
	if (rc == -ENOENT || rc == -ENOTDIR)
		return opening_fail(opening, -ENODEV,
			"%s socket %s is not there: start the other side first",
			opening->kind->name, path);
	if (rc == -ECONNREFUSED)
		return opening_fail(
			opening, -ENODEV, "nobody listens on %s: start the other side first", path);
	if (rc)
		return opening_fail(opening, rc == -EACCES ? -EPERM : -ENODEV, "socket %s: %s",
			path, strerror(-rc));
	return 0;
}
