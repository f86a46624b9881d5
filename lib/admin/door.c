#include "door.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int fail(char error[static ADMIN_ERROR_BYTES], const char *path, const char *why, int rc)
{
	snprintf(error, ADMIN_ERROR_BYTES, "the admin socket %.120s: %s", path, why);
	return rc;
}

static int fail_by_errno(char error[static ADMIN_ERROR_BYTES], const char *path)
{
	return fail(error, path, strerror(errno), -errno);
}

// The directory above the socket; false where that is the root or the working directory.
static bool find_directory(
	char out[static sizeof(((struct door *)0)->address.sun_path)], const struct door *door)
{
	char *slash;

	strcpy(out, door->address.sun_path);
	slash = strrchr(out, '/');
	if (!slash || slash == out)
		return false;
	*slash = 0;
	return true;
}

// Where it is missing; its parents are not made.
static bool make_directory(const struct door *door)
{
	char directory[sizeof(door->address.sun_path)];

	return find_directory(directory, door) && mkdir(directory, 0755) == 0;
}

// True where a process listens there, also one that takes up nothing any more: its queue is full.
static bool is_served(const struct sockaddr_un *address)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	const bool served = fd >= 0 &&
		(connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
			errno == EAGAIN);

	if (fd >= 0)
		close(fd);
	return served;
}

// A dead socket makes room.
static int clear_path(const struct sockaddr_un *address, char error[static ADMIN_ERROR_BYTES])
{
	const char *path = address->sun_path;
	struct stat status;

	if (lstat(path, &status) != 0)
		return 0;
	if (!S_ISSOCK(status.st_mode))
		return fail(error, path, "something else is there", -EEXIST);
	if (is_served(address))
		return fail(error, path, "another process serves it", -EADDRINUSE);
	unlink(path);
	return 0;
}

static int give_to_group(const char *path, const char *name, char error[static ADMIN_ERROR_BYTES])
{
	const struct group *group = name ? getgrnam(name) : NULL;

	if (name && !group)
		return fail(error, path, "there is no such group", -EINVAL);
	if (group && chown(path, (uid_t)-1, group->gr_gid))
		return fail_by_errno(error, path);
	if (chmod(path, group ? 0660 : 0600))
		return fail_by_errno(error, path);
	return 0;
}

static int bind_to(int fd, const struct sockaddr_un *address, const char *group,
	char error[static ADMIN_ERROR_BYTES])
{
	const mode_t mask = umask(0177);
	int rc = bind(fd, (const struct sockaddr *)address, sizeof(*address));

	umask(mask);
	if (rc)
		return fail_by_errno(error, address->sun_path);
	rc = give_to_group(address->sun_path, group, error);
	if (rc)
		unlink(address->sun_path);
	return rc;
}

static int open_socket(
	const struct sockaddr_un *address, const char *group, char error[static ADMIN_ERROR_BYTES])
{
	int rc = clear_path(address, error);
	int fd;

	if (rc)
		return rc;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail_by_errno(error, address->sun_path);
	rc = bind_to(fd, address, group, error);
	if (rc == 0)
		return fd;
	close(fd);
	return rc;
}

static void remove_directory(const struct door *door)
{
	char directory[sizeof(door->address.sun_path)];

	if (door->made_directory && find_directory(directory, door))
		rmdir(directory); // which leaves one alone that has something in it
}

int door_open(struct door *door, const char *path, const char *group,
	char error[static ADMIN_ERROR_BYTES])
{
	int fd;

	*door = (struct door){.address.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(door->address.sun_path))
		return fail(error, path, "the path is too long", -ENAMETOOLONG);
	strcpy(door->address.sun_path, path);
	door->made_directory = make_directory(door);
	fd = open_socket(&door->address, group, error);
	if (fd < 0)
		remove_directory(door);
	return fd;
}

void door_remove(const struct door *door)
{
	unlink(door->address.sun_path);
	remove_directory(door);
}
