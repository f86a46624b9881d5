// The guard: how it lives and how it ends. What it undoes is seen on real wires, in
// drivers_wire.py.
#include "drivers/drivers.h"
#include "drivers/undo.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(drivers_guard, .timeout = 30);

static bool is_alive(pid_t pid)
{
	return kill(pid, 0) == 0;
}

// The name is the last thing a guard gives itself.
static void wait_for_name(pid_t pid, const char *wanted)
{
	const struct timespec step = {.tv_nsec = 1000000};
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	for (int i = 0; i < 5000 && strcmp(name, wanted); i++) {
		FILE *file = fopen(path, "r");

		cr_assert_not_null(file);
		cr_assert_not_null(fgets(name, sizeof(name), file));
		fclose(file);
		name[strcspn(name, "\n")] = 0;
		nanosleep(&step, NULL);
	}
	cr_assert_str_eq(name, wanted);
}

Test(drivers_guard, has_a_name_and_a_session_of_its_own)
{
	struct guard guard;

	cr_assert_eq(guard_start(&guard, "some-guard"), 0);
	wait_for_name(guard.pid, "some-guard");
	cr_expect_eq(getsid(guard.pid), guard.pid);
	guard_stop(&guard);
}

Test(drivers_guard, ends_at_goodbye_and_is_reaped)
{
	struct guard guard;
	pid_t pid;

	cr_assert_eq(guard_start(&guard, "some-guard"), 0);
	pid = guard.pid;
	cr_assert(is_alive(pid));
	guard_stop(&guard);
	cr_expect_not(is_alive(pid));
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(errno, ECHILD);
	guard_stop(&guard);
}

Test(drivers_guard, survives_the_signals_of_a_terminal)
{
	const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	const struct timespec settle = {.tv_nsec = 50000000};
	struct guard guard;
	int status;

	cr_assert_eq(guard_start(&guard, "some-guard"), 0);
	wait_for_name(guard.pid, "some-guard");
	for (size_t i = 0; i < N_ELEMENTS(signals); i++)
		cr_assert_eq(kill(guard.pid, signals[i]), 0);
	nanosleep(&settle, NULL);
	cr_expect_eq(waitpid(guard.pid, &status, WNOHANG), 0);
	guard_stop(&guard);
}

Test(drivers_guard, ends_with_a_daemon_that_says_nothing)
{
	int ends[2];
	pid_t daemon_pid, guard_pid;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	cr_assert_eq(pipe(ends), 0);
	daemon_pid = fork();
	if (daemon_pid == 0) {
		struct guard guard;

		if (guard_start(&guard, "some-guard") ||
			write(ends[1], &guard.pid, sizeof(guard.pid)) != sizeof(guard.pid))
			_exit(1);
		raise(SIGKILL);
	}
	cr_assert_eq(read(ends[0], &guard_pid, sizeof(guard_pid)), (ssize_t)sizeof(guard_pid));
	cr_expect_eq(waitpid(daemon_pid, NULL, 0), daemon_pid);
	cr_expect_eq(waitpid(guard_pid, NULL, 0), guard_pid);
}

static void make_file(char *path)
{
	const int fd = mkstemp(path);

	cr_assert_geq(fd, 0);
	close(fd);
}

Test(drivers_guard, undoes_what_it_was_told_before_it_was_sealed)
{
	struct undo before = {.kind = UNDO_UNLINK, .path = "/tmp/guard-a-XXXXXX"};
	struct undo after = {.kind = UNDO_UNLINK, .path = "/tmp/guard-b-XXXXXX"};
	pid_t daemon_pid;

	make_file(before.path);
	make_file(after.path);
	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	daemon_pid = fork();
	if (daemon_pid == 0) {
		struct guard guard;

		if (guard_start(&guard, "some-guard"))
			_exit(1);
		guard_note(&guard, 1, &before);
		guard_seal(&guard);
		guard_note(&guard, 1, &after);
		raise(SIGKILL);
	}
	cr_expect_eq(waitpid(daemon_pid, NULL, 0), daemon_pid);
	cr_expect_gt(waitpid(-1, NULL, 0), 0); // the guard
	cr_expect_eq(access(before.path, F_OK), -1, "what was told in time is undone");
	cr_expect_eq(access(after.path, F_OK), 0, "what was told later is not");
	unlink(after.path);
}

// A dying process closes its files one by one, and the guard's socket is among the first.
Test(drivers_guard, waits_for_the_death_of_the_daemon)
{
	const struct timespec dying = {.tv_nsec = 300000000};
	pid_t daemon_pid, guard_pid;
	int ends[2];
	int status;

	cr_assert_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	cr_assert_eq(pipe(ends), 0);
	daemon_pid = fork();
	if (daemon_pid == 0) {
		struct guard guard;

		if (guard_start(&guard, "some-guard") || close(guard.fd) ||
			write(ends[1], &guard.pid, sizeof(guard.pid)) != sizeof(guard.pid))
			_exit(2);
		nanosleep(&dying, NULL);
		_exit(waitpid(guard.pid, NULL, WNOHANG) != 0);
	}
	cr_assert_eq(read(ends[0], &guard_pid, sizeof(guard_pid)), (ssize_t)sizeof(guard_pid));
	cr_expect_eq(waitpid(daemon_pid, &status, 0), daemon_pid);
	cr_expect_eq(status, 0, "the guard did not wait");
	cr_expect_eq(waitpid(guard_pid, NULL, 0), guard_pid);
}

Test(drivers_guard, stop_is_harmless_on_a_zeroed_struct)
{
	struct guard guard = {0};

	guard_stop(&guard);
	cr_expect_neq(fcntl(STDIN_FILENO, F_GETFD), -1); // its descriptor 0 is not the guard's
}
