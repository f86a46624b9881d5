#include "app/turnpike/notify.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct notify notify;
static int manager = -1;
static char path[64];

// A manager's socket of that name, an @ standing for the zero of the abstract space.
static void listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t n_bytes = (socklen_t)(sizeof(sa_family_t) + strlen(name));

	memcpy(address.sun_path, name, strlen(name));
	if (name[0] == '@')
		address.sun_path[0] = 0;
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	cr_assert_eq(bind(manager, (struct sockaddr *)&address, n_bytes), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

static void clean(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	snprintf(path, sizeof(path), "/tmp/notify-%d", getpid());
}

static void end(void)
{
	notify_close(&notify);
	unlink(path);
}

TestSuite(notify_socket, .init = clean, .fini = end);

static void check_heard(const char *expected)
{
	char text[2048] = {0};

	cr_assert_gt(recv(manager, text, sizeof(text) - 1, 0), 0);
	cr_assert_str_eq(text, expected);
}

Test(notify_socket, a_path_is_sent_to)
{
	listen_at(path);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert(notify_send(&notify, "READY=%d", 1));
	check_heard("READY=1");
}

Test(notify_socket, an_abstract_name_is_sent_to)
{
	path[0] = '@';
	listen_at(path);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert(notify_send(&notify, "A=1\nB=2"));
	check_heard("A=1\nB=2");
}

Test(notify_socket, nobody_listens)
{
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert_not(notify_send(&notify, "READY=1"));
	setenv("NOTIFY_SOCKET", "", 1);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert_eq(notify.fd, -1);
}

Test(notify_socket, an_address_that_cannot_be_is_refused)
{
	static const char too_long[] =
		"/a/path/that/is/longer/than/an/address/of/a/unix/socket/can/ever/be/because/it/"
		"goes/on/and/on/and/on/and/on/and/on";
	static const char *const wrong[] = {"x", "relative/path", "/", "@", too_long};

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		setenv("NOTIFY_SOCKET", wrong[i], 1);
		cr_assert_eq(notify_open(&notify), -EINVAL, "%s", wrong[i]);
	}
}

Test(notify_socket, the_watchdog_is_that_of_this_process)
{
	char pid[16];

	setenv("WATCHDOG_USEC", "10000000", 1);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert_eq(notify.watchdog_ms, 0, "without a socket there is none to feed");
	listen_at(path);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert_eq(notify.watchdog_ms, 10000);
	notify_close(&notify);
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert_eq(notify.watchdog_ms, 10000);
	notify_close(&notify);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert_eq(notify.watchdog_ms, 0);
}

Test(notify_socket, a_manager_that_does_not_read_makes_nobody_wait)
{
	size_t n = 0;

	alarm(10);
	listen_at(path);
	cr_assert_eq(notify_open(&notify), 0);
	while (n < 100000 && notify_send(&notify, "WATCHDOG=1"))
		n++;
	cr_assert_lt(n, 100000);
	check_heard("WATCHDOG=1");
	cr_assert(notify_send(&notify, "WATCHDOG=1"));
}

Test(notify_socket, a_long_text_is_cut)
{
	char text[2000];
	char heard[2048] = {0};

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	listen_at(path);
	cr_assert_eq(notify_open(&notify), 0);
	cr_assert(notify_send(&notify, "%s", text));
	cr_assert_eq(recv(manager, heard, sizeof(heard), 0), 1000);
}
