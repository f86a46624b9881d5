#include "sink.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_again(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
}

void sink_open(struct sink *out, int fd)
{
	struct stat what;
	int own = -1;

	*out = (struct sink){.fd = fd};
	if (fstat(fd, &what) < 0)
		return;
	out->is_socket = S_ISSOCK(what.st_mode);
	if (S_ISFIFO(what.st_mode) || S_ISCHR(what.st_mode))
		own = open_again(fd);
	if (own >= 0)
		*out = (struct sink){.fd = own, .is_own = true};
}

void sink_close(struct sink *sink)
{
	if (sink->is_own)
		close(sink->fd);
	*sink = (struct sink){.fd = -1};
}

// A pipe with room takes a line without waiting; a file always says yes.
static bool has_room(int fd)
{
	struct pollfd look = {.fd = fd, .events = POLLOUT};

	return poll(&look, 1, 0) == 1 && (look.revents & POLLOUT);
}

static ssize_t try_write(struct sink *sink, const char *bytes, size_t n_bytes)
{
	ssize_t n;

	if (!sink->is_own && !sink->is_socket && !has_room(sink->fd))
		return -1;
	do
		n = sink->is_socket ? send(sink->fd, bytes, n_bytes, MSG_DONTWAIT | MSG_NOSIGNAL)
				    : write(sink->fd, bytes, n_bytes);
	while (n < 0 && errno == EINTR);
	return n;
}

bool sink_write(struct sink *sink, const char *line, size_t n_bytes)
{
	ssize_t n;

	// What a full disk cut off must not run into the next line.
	if (sink->is_torn && try_write(sink, "\n", 1) != 1)
		return false;
	n = try_write(sink, line, n_bytes);
	sink->is_torn = n > 0 && (size_t)n < n_bytes;
	return n == (ssize_t)n_bytes;
}
