// coturn's configuration as it is written: what turnserver.conf and its command line say, in the
// order in which turnserver takes it, the command line last.
#ifndef IMPORT_SETTINGS_H
#define IMPORT_SETTINGS_H

#include "notes.h"

#include <stdbool.h>
#include <stddef.h>

struct plan;
struct setting;

enum option_argument {
	ARGUMENT_FLAG, // may have a value that says whether: yes, no, 1, 0, on, off, true, false
	ARGUMENT_TEXT,
};

// One option of coturn: either it is taken by a function, or the note says why it is not.
struct option_row {
	const char *name;
	char letter; // of the short form; 0: there is none
	enum option_argument argument;
	void (*take)(struct plan *plan, const struct setting *setting);
	enum note_kind kind;
	const char *why;
};

// All options of coturn 4.6, which is Debian's, and those that came until 4.17 or went before.
extern const struct option_row option_rows[];
extern const size_t n_option_rows;

struct setting {
	const struct option_row *row;
	char *value; // "" where there is none
	char *what; // "NAME (line 12)", or "--NAME"
};

struct settings {
	struct setting *list;
	size_t n;
};

// Whether a flag is set, as turnserver reads it. False also where it is no such word; then *is_bad.
bool setting_is_on(const struct setting *setting, bool *is_bad);

// What is no option of coturn becomes a note. Returns 0, or -errno where the file cannot be read.
int settings_read_file(struct settings *settings, struct notes *notes, const char *path);
// argv as after the name of the program. Of -c and -n, `*path` says what they ask for: the file, or
// NULL for none. Returns 0; -EINVAL where turnserver would not take it, after a line on stderr.
int settings_read_arguments(struct settings *settings, int argc, char **argv, const char **path);
// Put `last` behind `settings`, and leave it empty.
void settings_join(struct settings *settings, struct settings *last);
void settings_free(struct settings *settings);

#endif
