#include "owner.h"

#include "base/base.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 2000
#define STEP_MS 10

static socklen_t name_socket(struct sockaddr_un *address, const char *space, const char *target)
{
	const size_t capacity =
		sizeof(address->sun_path) - 1; // the first byte is the zero of abstract
	const size_t n = strlen("turnpike/") + strlen(space) + 1 + strlen(target);
	const size_t cut = n >= capacity ? n - capacity + 1 : 0;

	// A long path keeps its end, which tells files apart.
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path + 1, capacity, "turnpike/%s/%s", space, target + cut);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
		strlen(address->sun_path + 1));
}

int owner_acquire(const char *space, const char *target)
{
	const struct timespec step = {.tv_nsec = STEP_MS * (long)NS_IN_MS};
	struct sockaddr_un address;
	const socklen_t n_bytes = name_socket(&address, space, target);
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int rc;

	if (fd < 0)
		return -errno;
	for (int waited_ms = 0;; waited_ms += STEP_MS) {
		if (bind(fd, (struct sockaddr *)&address, n_bytes) == 0)
			return fd;
		rc = errno == EADDRINUSE ? -EBUSY : -errno;
		if (rc != -EBUSY || waited_ms >= WAIT_MS)
			break;
		nanosleep(&step, NULL);
	}
	close(fd);
	return rc;
}
