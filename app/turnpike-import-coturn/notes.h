// What could not be taken over as it was, each with its reason; in the order it was found.
#ifndef IMPORT_NOTES_H
#define IMPORT_NOTES_H

#include <stddef.h>
#include <stdio.h>

enum note_kind {
	NOTE_LOST, // turnpike cannot do it
	NOTE_DIFFERS, // taken over, but it does not do quite the same
	NOTE_CHECK, // coturn's configuration does not say it, so it was assumed
	NOTE_NEEDLESS, // nothing is missing: it is always so, or no question here
};

struct note {
	enum note_kind kind;
	char *what; // the option, and where it stands
	char *why;
};

struct notes {
	struct note *list;
	size_t n;
};

// Ends the program where memory is missing. Of equal notes the first is kept. Both texts are made
// printable ASCII, as they go into comments and to terminals.
void notes_add(struct notes *notes, enum note_kind kind, const char *what, const char *why_format,
	...) __attribute__((format(printf, 4, 5)));
// All but NOTE_NEEDLESS.
size_t notes_count_serious(const struct notes *notes);
void notes_print(const struct notes *notes, FILE *out); // a line each; not NOTE_NEEDLESS
void notes_comment(const struct notes *notes, FILE *out); // all, as comments of YAML
void notes_free(struct notes *notes);

#endif
