#include "settings.h"

#include "must.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

static void add(
	struct settings *settings, const struct option_row *row, const char *value, char *what)
{
	settings->list =
		must(reallocarray(settings->list, settings->n + 1, sizeof(*settings->list)));
	settings->list[settings->n++] = (struct setting){row, must(strdup(value)), what};
}

static const struct option_row *find_row(const char *name)
{
	for (size_t i = 0; i < n_option_rows; i++) {
		if (strcmp(option_rows[i].name, name) == 0)
			return &option_rows[i];
	}
	return NULL;
}

bool setting_is_on(const struct setting *setting, bool *is_bad)
{
	const char *value = setting->value;

	*is_bad = false;
	if (*value == '\0' || strchr("123456789yYtT", *value))
		return true;
	if (strchr("0nNfF", *value))
		return false;
	if (strcasecmp(value, "on") == 0)
		return true;
	*is_bad = strcasecmp(value, "off") != 0;
	return false;
}

static char *place(const char *name, unsigned line)
{
	char *what;

	if (asprintf(&what, "%s (line %u)", name, line) < 0)
		what = NULL;
	return must(what);
}

// NAME, NAME=VALUE or NAME VALUE. Quotes go where the value begins with one; there are no comments
// behind a value.
static void take_line(struct settings *settings, struct notes *notes, char *line, unsigned n)
{
	const struct option_row *row;
	char *value;
	size_t n_bytes = strlen(line);

	while (n_bytes && isspace((unsigned char)line[n_bytes - 1]))
		line[--n_bytes] = '\0';
	value = line + strcspn(line, " =\t");
	if (*value != '\0') {
		*value++ = '\0';
		value += strspn(value, " =\t");
	}
	if (*value == '"') {
		value++;
		if (*value && value[strlen(value) - 1] == '"')
			value[strlen(value) - 1] = '\0';
	}
	row = find_row(line);
	if (row) {
		add(settings, row, value, place(line, n));
	} else {
		char *what = place(line, n);

		notes_add(notes, NOTE_LOST, what, "is no option of coturn that is known here");
		free(what);
	}
}

int settings_read_file(struct settings *settings, struct notes *notes, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	unsigned n = 0;
	int rc = 0;

	if (!file)
		return -errno;
	while (errno = 0, getline(&line, &size, file) >= 0) {
		char *text = line + strspn(line, " \t\r\n\f\v");

		n++;
		if (*text && *text != '#')
			take_line(settings, notes, text, n);
	}
	if (ferror(file))
		rc = errno ? -errno : -EIO;
	free(line);
	fclose(file);
	return rc;
}

enum { LONG_BASE = 256 };

static void make_tables(struct option *longs, char *shorts)
{
	char *next = stpcpy(shorts, "c:n");

	for (size_t i = 0; i < n_option_rows; i++) {
		const struct option_row *row = &option_rows[i];
		const bool is_text = row->argument == ARGUMENT_TEXT;

		longs[i] = (struct option){row->name,
			is_text ? required_argument : optional_argument, NULL, LONG_BASE + (int)i};
		if (!row->letter || strchr(shorts, row->letter))
			continue;
		*next++ = row->letter;
		// As turnserver has it, though it is a flag.
		if (is_text || row->letter == 'K')
			*next++ = ':';
	}
}

static const struct option_row *row_of(int option)
{
	if (option >= LONG_BASE)
		return &option_rows[option - LONG_BASE];
	for (size_t i = 0; i < n_option_rows; i++) {
		if (option_rows[i].letter == option)
			return &option_rows[i];
	}
	return NULL;
}

static int take_arguments(struct settings *settings, int argc, char **argv, const char **path,
	const struct option *longs, const char *shorts)
{
	int option;

	optind = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_row *row = row_of(option);
		char *what;

		if (option == 'c' || option == 'n') {
			*path = option == 'c' ? optarg : NULL;
			continue;
		}
		if (option == '?' || !row) {
			fprintf(stderr,
				"turnpike-import-coturn: turnserver knows no such option, or it "
				"lacks its value: %s\n",
				argv[optind - 1]);
			return -EINVAL;
		}
		if (asprintf(&what, "--%s", row->name) < 0)
			what = NULL;
		add(settings, row, optarg ? optarg : "", must(what));
	}
	if (optind == argc)
		return 0;
	fprintf(stderr, "turnpike-import-coturn: turnserver takes no such argument: %s\n",
		argv[optind]);
	return -EINVAL;
}

int settings_read_arguments(struct settings *settings, int argc, char **argv, const char **path)
{
	struct option *longs = must(calloc(n_option_rows + 1, sizeof(*longs)));
	char *shorts = must(calloc(2 * n_option_rows + 4, 1));
	int rc;

	make_tables(longs, shorts);
	rc = take_arguments(settings, argc, argv, path, longs, shorts);
	free(longs);
	free(shorts);
	return rc;
}

void settings_join(struct settings *settings, struct settings *last)
{
	for (size_t i = 0; i < last->n; i++) {
		settings->list = must(
			reallocarray(settings->list, settings->n + 1, sizeof(*settings->list)));
		settings->list[settings->n++] = last->list[i];
	}
	last->n = 0;
	settings_free(last);
}

void settings_free(struct settings *settings)
{
	for (size_t i = 0; i < settings->n; i++) {
		free(settings->list[i].value);
		free(settings->list[i].what);
	}
	free(settings->list);
	*settings = (struct settings){0};
}
