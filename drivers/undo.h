// What a port changed outside its process and how it was before.
//
// A journal is a port's list of undos, written before each change. The port rolls it back itself
// when it closes; the guard has a copy and rolls it back where the process cannot any more.
#ifndef DRIVERS_UNDO_H
#define DRIVERS_UNDO_H

#include <stddef.h>
#include <stdint.h>

#define UNDO_PATH_BYTES 128
#define UNDO_TEXT_BYTES 32
#define JOURNAL_MAX 8

enum undo_kind {
	UNDO_SYSCTL, // write `text` to `path`
	UNDO_FLAGS, // the flags in `mask` go back to `value`
	UNDO_MTU, // back to `value`
	UNDO_XDP, // detach the program
	UNDO_UNLINK, // remove the socket file `path`
};

struct undo {
	enum undo_kind kind;
	int ifindex;
	uint32_t mask;
	uint32_t value;
	char path[UNDO_PATH_BYTES];
	char text[UNDO_TEXT_BYTES];
};

// Do it; what is gone already (an interface, a file) needs no undoing. Returns 0 or -errno.
int undo_apply(const struct undo *undo);

struct guard;

struct journal {
	struct guard *guard; // or NULL
	uint32_t owner; // what the guard knows this journal by
	size_t n;
	struct undo undos[JOURNAL_MAX];
};

// Begin a journal whose device is owned by `lock_fd`: the guard holds that too from now on.
void journal_open(struct journal *journal, struct guard *guard, int lock_fd);
void journal_add(struct journal *journal, const struct undo *undo);
// Undo all, the last first, and tell the guard to forget.
void journal_roll_back(struct journal *journal);

// The journal's side of the guard; nothing happens where `guard` is NULL or gone.
void guard_hold(struct guard *guard, uint32_t owner, int lock_fd);
void guard_note(struct guard *guard, uint32_t owner, const struct undo *undo);
void guard_release(struct guard *guard, uint32_t owner);

#endif
