#include "notes.h"

#include "must.h"

#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#define COMMENT_COLUMNS 98

static const char *const kind_names[] = {
	[NOTE_LOST] = "lost",
	[NOTE_DIFFERS] = "differs",
	[NOTE_CHECK] = "check",
	[NOTE_NEEDLESS] = "needless",
};

static void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

static char *printable(char *text)
{
	make_printable(must(text));
	return text;
}

static bool is_known(const struct notes *notes, const struct note *note)
{
	for (size_t i = 0; i < notes->n; i++) {
		if (notes->list[i].kind == note->kind &&
			strcmp(notes->list[i].what, note->what) == 0 &&
			strcmp(notes->list[i].why, note->why) == 0)
			return true;
	}
	return false;
}

void notes_add(
	struct notes *notes, enum note_kind kind, const char *what, const char *why_format, ...)
{
	struct note note = {.kind = kind, .what = printable(strdup(what))};
	va_list args;

	va_start(args, why_format);
	if (vasprintf(&note.why, why_format, args) < 0)
		note.why = NULL;
	va_end(args);
	printable(note.why);
	if (is_known(notes, &note)) {
		free(note.what);
		free(note.why);
		return;
	}
	notes->list = must(reallocarray(notes->list, notes->n + 1, sizeof(*notes->list)));
	notes->list[notes->n++] = note;
}

size_t notes_count_serious(const struct notes *notes)
{
	size_t n = 0;

	for (size_t i = 0; i < notes->n; i++)
		n += notes->list[i].kind != NOTE_NEEDLESS;
	return n;
}

void notes_print(const struct notes *notes, FILE *out)
{
	for (size_t i = 0; i < notes->n; i++) {
		const struct note *note = &notes->list[i];

		if (note->kind != NOTE_NEEDLESS)
			fprintf(out, "turnpike-import-coturn: %s: %s: %s\n", kind_names[note->kind],
				note->what, note->why);
	}
}

// One paragraph in comment lines, its later lines set in.
static void comment_text(FILE *out, const char *text)
{
	int column = fprintf(out, "#");

	while (*text) {
		const size_t n = strcspn(text, " ");

		if (column > 5 && column + 1 + (int)n > COMMENT_COLUMNS) {
			fputs("\n#  ", out);
			column = 3;
		}
		column += fprintf(out, " %.*s", (int)n, text);
		text += n + strspn(text + n, " ");
	}
	fputc('\n', out);
}

static void comment_kind(
	const struct notes *notes, FILE *out, enum note_kind kind, const char *heading)
{
	bool is_begun = false;

	for (size_t i = 0; i < notes->n; i++) {
		const struct note *note = &notes->list[i];
		char *text;

		if (note->kind != kind)
			continue;
		if (!is_begun)
			fprintf(out, "#\n# %s\n", heading);
		is_begun = true;
		if (asprintf(&text, "- %s: %s", note->what, note->why) < 0)
			text = NULL;
		comment_text(out, must(text));
		free(text);
	}
}

void notes_comment(const struct notes *notes, FILE *out)
{
	comment_kind(notes, out, NOTE_LOST, "LOST, as turnpike cannot do it:");
	comment_kind(notes, out, NOTE_DIFFERS, "DIFFERS from what coturn does:");
	comment_kind(notes, out, NOTE_CHECK, "CHECK, as coturn's configuration does not say it:");
	comment_kind(notes, out, NOTE_NEEDLESS, "Needless here:");
}

void notes_free(struct notes *notes)
{
	for (size_t i = 0; i < notes->n; i++) {
		free(notes->list[i].what);
		free(notes->list[i].why);
	}
	free(notes->list);
	*notes = (struct notes){0};
}
