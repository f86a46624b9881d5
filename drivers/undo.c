#include "undo.h"

#include "interface.h"
#include "sysctl.h"

#include <errno.h>
#include <unistd.h>

int undo_apply(const struct undo *undo)
{
	switch (undo->kind) {
	case UNDO_SYSCTL:
		return sysctl_write(undo->path, undo->text);
	case UNDO_FLAGS:
		return interface_set_flags(undo->ifindex, undo->mask, undo->value);
	case UNDO_MTU:
		return interface_set_mtu(undo->ifindex, undo->value);
	case UNDO_XDP:
		return interface_detach_xdp(undo->ifindex);
	case UNDO_UNLINK:
		return unlink(undo->path) && errno != ENOENT ? -errno : 0;
	}
	return -EINVAL;
}

void journal_open(struct journal *journal, struct guard *guard, int lock_fd)
{
	journal->guard = guard;
	journal->owner = (uint32_t)lock_fd;
	journal->n = 0;
	guard_hold(guard, journal->owner, lock_fd);
}

void journal_add(struct journal *journal, const struct undo *undo)
{
	if (journal->n == JOURNAL_MAX)
		return;
	journal->undos[journal->n++] = *undo;
	guard_note(journal->guard, journal->owner, undo);
}

void journal_roll_back(struct journal *journal)
{
	while (journal->n)
		undo_apply(&journal->undos[--journal->n]);
	guard_release(journal->guard, journal->owner);
}
