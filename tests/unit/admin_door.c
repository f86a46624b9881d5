// The socket in the file system, and who is there already.
#include "admin/door.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define QUEUE_MAX 8

static char directory[] = "/tmp/admin_door.XXXXXX";
static struct sockaddr_un at = {.sun_family = AF_UNIX};
static char error[ADMIN_ERROR_BYTES];
static struct door door;

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(directory));
	snprintf(at.sun_path, sizeof(at.sun_path), "%s/door", directory);
}

static void remove_directory(void)
{
	unlink(at.sun_path);
	rmdir(directory);
}

TestSuite(admin_door, .init = make_directory, .fini = remove_directory, .timeout = 5);

// Somebody else's, who never takes up a connection.
static int serve(void)
{
	const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	cr_assert_eq(listen(fd, 0), 0);
	return fd;
}

static void fill_queue(void)
{
	for (int i = 0; i < QUEUE_MAX; i++) {
		const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

		if (connect(fd, (struct sockaddr *)&at, sizeof(at)) == 0)
			continue;
		cr_assert_eq(errno, EAGAIN);
		return;
	}
	cr_assert_fail("it is never full");
}

static void expect_taken(void)
{
	cr_expect_eq(door_open(&door, at.sun_path, NULL, error), -EADDRINUSE);
	cr_expect_not_null(strstr(error, "another process serves it"), "%s", error);
	cr_expect_eq(access(at.sun_path, F_OK), 0, "it was taken away");
}

Test(admin_door, one_that_is_served_stays)
{
	serve();
	expect_taken();
}

Test(admin_door, one_with_a_full_queue_is_served_too)
{
	serve();
	fill_queue();
	expect_taken();
}

Test(admin_door, one_that_nobody_serves_makes_room)
{
	const int dead = serve();
	int fd;

	close(dead);
	fd = door_open(&door, at.sun_path, NULL, error);
	cr_expect_geq(fd, 0, "%s", error);
	close(fd);
	door_remove(&door);
	cr_expect_neq(access(at.sun_path, F_OK), 0, "it is left over");
}
