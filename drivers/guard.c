#include "guard.h"

#include "base/base.h"
#include "undo.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNDOS_MAX 512
#define LOCKS_MAX 64
#define WORK_MAX_S 10 // a kernel that blocks must not keep the guard alive
#define DEATH_MAX_MS 5000 // nor a daemon that cannot die

enum message_kind {
	MESSAGE_HOLD, // carries the lock's descriptor
	MESSAGE_NOTE,
	MESSAGE_RELEASE,
	MESSAGE_SEAL,
	MESSAGE_GOODBYE,
};

struct message {
	enum message_kind kind;
	uint32_t owner;
	struct undo undo;
};

struct held_undo {
	uint32_t owner;
	struct undo undo;
};

struct held_lock {
	uint32_t owner;
	int fd;
};

// All the guard knows, in the order it was told.
struct memory {
	bool sealed; // it learns nothing more
	size_t n_undos;
	size_t n_locks;
	struct held_undo undos[UNDOS_MAX];
	struct held_lock locks[LOCKS_MAX];
};

static void send_message(struct guard *guard, const struct message *message, int lock_fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec bytes = {.iov_base = (void *)message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &bytes, .msg_iovlen = 1};
	struct cmsghdr *rights;

	if (!guard || !guard->pid)
		return;
	if (lock_fd >= 0) {
		header.msg_control = control;
		header.msg_controllen = sizeof(control);
		rights = CMSG_FIRSTHDR(&header);
		rights->cmsg_level = SOL_SOCKET;
		rights->cmsg_type = SCM_RIGHTS;
		rights->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(rights), &lock_fd, sizeof(int));
	}
	while (sendmsg(guard->fd, &header, MSG_NOSIGNAL) < 0 && errno == EINTR)
		;
}

void guard_hold(struct guard *guard, uint32_t owner, int lock_fd)
{
	send_message(guard, &(struct message){.kind = MESSAGE_HOLD, .owner = owner}, lock_fd);
}

void guard_note(struct guard *guard, uint32_t owner, const struct undo *undo)
{
	const struct message message = {.kind = MESSAGE_NOTE, .owner = owner, .undo = *undo};

	send_message(guard, &message, -1);
}

void guard_seal(struct guard *guard)
{
	send_message(guard, &(struct message){.kind = MESSAGE_SEAL}, -1);
}

void guard_release(struct guard *guard, uint32_t owner)
{
	send_message(guard, &(struct message){.kind = MESSAGE_RELEASE, .owner = owner}, -1);
}

// Returns false at the end of file: the daemon is dead.
static bool receive(int fd, struct message *out, int *lock_fd)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec bytes = {.iov_base = out, .iov_len = sizeof(*out)};
	struct msghdr header = {.msg_iov = &bytes,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *rights;
	ssize_t n;

	do
		n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n != (ssize_t)sizeof(*out))
		return false;
	rights = CMSG_FIRSTHDR(&header);
	*lock_fd = -1;
	if (rights && rights->cmsg_type == SCM_RIGHTS)
		memcpy(lock_fd, CMSG_DATA(rights), sizeof(int));
	return true;
}

static void hold(struct memory *memory, uint32_t owner, int lock_fd)
{
	if (lock_fd < 0)
		return;
	if (memory->sealed || memory->n_locks == LOCKS_MAX)
		close(lock_fd);
	else
		memory->locks[memory->n_locks++] = (struct held_lock){owner, lock_fd};
}

static void note(struct memory *memory, uint32_t owner, const struct undo *undo)
{
	if (!memory->sealed && memory->n_undos < UNDOS_MAX)
		memory->undos[memory->n_undos++] = (struct held_undo){owner, *undo};
}

static void release(struct memory *memory, uint32_t owner)
{
	size_t kept = 0;

	for (size_t i = 0; i < memory->n_undos; i++) {
		if (memory->undos[i].owner != owner)
			memory->undos[kept++] = memory->undos[i];
	}
	memory->n_undos = kept;
	kept = 0;
	for (size_t i = 0; i < memory->n_locks; i++) {
		if (memory->locks[i].owner != owner)
			memory->locks[kept++] = memory->locks[i];
		else
			close(memory->locks[i].fd);
	}
	memory->n_locks = kept;
}

static void undo_all(const struct memory *memory)
{
	size_t n_failed = 0;

	alarm(WORK_MAX_S);
	for (size_t i = memory->n_undos; i > 0; i--)
		n_failed += undo_apply(&memory->undos[i - 1].undo) != 0;
	if (memory->n_undos)
		log_event(LOG_WARNING, "guard.restored", "undone=%zu failed=%zu",
			memory->n_undos - n_failed, n_failed);
}

// The socket is one of the first files that a dying process closes. Those of its ports and mirrors
// come later, and who starts on the device before would meet them.
static void wait_for_death(int daemon_fd)
{
	struct pollfd death = {.fd = daemon_fd, .events = POLLIN};

	while (poll(&death, 1, DEATH_MAX_MS) < 0 && errno == EINTR)
		;
}

static void serve(int fd, int daemon_fd)
{
	struct memory *memory = calloc(1, sizeof(*memory));
	struct message message;
	int lock_fd;

	if (!memory)
		_exit(1);
	while (receive(fd, &message, &lock_fd)) {
		switch (message.kind) {
		case MESSAGE_HOLD:
			hold(memory, message.owner, lock_fd);
			break;
		case MESSAGE_NOTE:
			note(memory, message.owner, &message.undo);
			break;
		case MESSAGE_RELEASE:
			release(memory, message.owner);
			break;
		case MESSAGE_SEAL:
			memory->sealed = true;
			break;
		case MESSAGE_GOODBYE:
			_exit(0);
		}
	}
	wait_for_death(daemon_fd);
	undo_all(memory);
	_exit(0); // and with it the locks are free
}

static void close_between(int below, int above)
{
	if (above > below + 1)
		close_range((unsigned)below + 1, (unsigned)above - 1, 0);
}

// Leave everything of the daemon's behind but standard error and two descriptors.
static void detach(const char *process_name, int fd, int daemon_fd)
{
	const int ignored[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
	const int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	const int low_fd = fd < daemon_fd ? fd : daemon_fd;
	const int high_fd = fd < daemon_fd ? daemon_fd : fd;
	sigset_t none;

	for (size_t i = 0; i < N_ELEMENTS(ignored); i++)
		signal(ignored[i], SIG_IGN);
	signal(SIGALRM, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	prctl(PR_SET_NAME, process_name);
	dup2(null_fd, STDIN_FILENO);
	dup2(null_fd, STDOUT_FILENO);
	close_between(STDERR_FILENO, low_fd);
	close_between(low_fd, high_fd);
	close_range((unsigned)high_fd + 1, ~0U, 0);
	log_reopen();
}

int guard_start(struct guard *out, const char *process_name)
{
	const int daemon_fd = pidfd_open(getpid(), 0);
	int ends[2];
	pid_t pid;
	int rc = 0;

	*out = (struct guard){.fd = -1};
	if (daemon_fd < 0)
		return -errno;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		rc = -errno;
		goto out_daemon;
	}
	pid = fork();
	if (pid < 0) {
		rc = -errno;
		close(ends[0]);
		goto out_ends;
	}
	if (pid == 0) {
		close(ends[0]);
		detach(process_name, ends[1], daemon_fd);
		serve(ends[1], daemon_fd);
	}
	*out = (struct guard){.fd = ends[0], .pid = pid};
out_ends:
	close(ends[1]);
out_daemon:
	close(daemon_fd);
	return rc;
}

void guard_stop(struct guard *guard)
{
	if (!guard->pid)
		return;
	send_message(guard, &(struct message){.kind = MESSAGE_GOODBYE}, -1);
	close(guard->fd);
	while (waitpid(guard->pid, NULL, 0) < 0 && errno == EINTR)
		;
	*guard = (struct guard){.fd = -1};
}
