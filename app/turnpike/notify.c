#include "notify.h"

#include "base/base.h"

#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 1001

// A path, or with an @ before it a name of the abstract space.
static int read_address(struct notify *out, const char *text)
{
	const size_t n = strlen(text);

	if ((text[0] != '/' && text[0] != '@') || n < 2 || n >= sizeof(out->to.sun_path))
		return -EINVAL;
	out->to.sun_family = AF_UNIX;
	memcpy(out->to.sun_path, text, n);
	out->to_bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	if (text[0] == '@')
		out->to.sun_path[0] = 0;
	else
		out->to_bytes++; // the zero
	return 0;
}

// Only where it is meant for this process, see sd_watchdog_enabled(3).
static unsigned read_watchdog_ms(void)
{
	const char *period = getenv("WATCHDOG_USEC");
	const char *pid = getenv("WATCHDOG_PID");

	if (!period || (pid && strtol(pid, NULL, 10) != (long)getpid()))
		return 0;
	return (unsigned)(strtoull(period, NULL, 10) / 1000);
}

int notify_open(struct notify *out)
{
	const char *address = getenv("NOTIFY_SOCKET");
	int rc;

	*out = (struct notify){.fd = -1};
	if (!address || !address[0])
		return 0;
	rc = read_address(out, address);
	if (rc)
		return rc;
	out->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (out->fd < 0)
		return -errno;
	out->watchdog_ms = read_watchdog_ms();
	return 0;
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	*notify = (struct notify){.fd = -1};
}

bool notify_send(const struct notify *notify, const char *format, ...)
{
	char text[TEXT_BYTES];
	va_list args;
	int n;

	if (notify->fd < 0)
		return false;
	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n < 0)
		return false;
	if (n >= TEXT_BYTES)
		n = TEXT_BYTES - 1;
	return sendto(notify->fd, text, (size_t)n, MSG_NOSIGNAL,
		       (const struct sockaddr *)&notify->to, notify->to_bytes) == n;
}
